"""A mistyped command or option gets the nearest name."""

from __future__ import annotations

import re
from typing import Any

from invoke.exceptions import ParseError
from invoke.program import Program

from twolane.text import clean, meant

_UNKNOWN = re.compile(r"No idea what '(.+)' is!", re.DOTALL)
_FLAG = re.compile(r"Flag <Argument: ([^ >]+)[^>]*>")


def name_the_nearest() -> None:
    """Lets what Invoke says of a command line name what is meant, or where to look.

    Invoke prints such an error as it is, and has no hook for its words (3.0.3: `Program.run`).
    """
    ParseError.__str__ = _words  # type: ignore[assignment, method-assign]


def _words(error: ParseError) -> str:
    said = _FLAG.sub(r"--\1", clean(Exception.__str__(error)))
    unknown = _UNKNOWN.fullmatch(said)
    is_option = unknown is not None and unknown[1].startswith("-")
    options = error.context.flags if error.context else ()
    near = meant(unknown[1], options if is_option else _commands(error)) if unknown else ""
    within = (error.context and error.context.name) or ""
    first = "invoke --list"
    if is_option or (within and not near):
        first = f"invoke --help {within}".rstrip()
    return f"✗ {f'{said} {near}'.rstrip()}\n  First:  {first}"


def _commands(error: ParseError) -> list[str]:
    """The names of all tasks, the service's own too: those of the program that caught the error."""
    caught: Any = error.__traceback__ and error.__traceback__.tb_frame.f_locals.get("self")
    return [*caught.parser.contexts] if isinstance(caught, Program) else []
