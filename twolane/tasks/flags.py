"""A short flag means one thing in all commands, or does not exist.

Invoke gives each option its first free letter: `-o` would be --to here, --jobs there, --offline
elsewhere, and another one as soon as a command gets an option more.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task

# Option → its letter. Of those that Invoke itself takes before a command (c, d, e, f, h, l, p, r,
# w), -c and -f alone mean something else here: what they mean to psql.
LETTERS = {
    "allow": "a",
    "command": "c",
    "file": "f",
    "json": "j",
    "message": "m",
    "source": "s",
    "target": "t",
    "yes": "y",
}


class Lettered(Task[Any]):
    """A task whose options have the letters of `LETTERS`, and no others."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        self.auto_shortflags = False
        options = super().arg_opts(name, default, taken_names)
        if name in LETTERS:
            options["names"].append(LETTERS[name])
        return options


def arguments_of(task: Task[Any], ignore_unknown_help: bool | None = None) -> list[Argument]:
    """The task's arguments, lettered; its help texts stay with it, which Invoke takes out."""
    lettered = Lettered(
        task.body, positional=task.positional, iterable=task.iterable, help=dict(task.help)
    )
    return lettered.get_arguments(ignore_unknown_help)


def with_letters(task: Task[Any]) -> Task[Any]:
    """The task, whose options have the letters of `LETTERS` from now on."""
    vars(task)["get_arguments"] = partial(arguments_of, task)
    return task
