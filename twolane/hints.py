"""Hints are commands that can be pasted as they are: they carry the target that they are about.

Whoever writes a hint writes `invoke db.push`. What is shown goes through `on`, which adds the
target of the command that was run, so no hint can forget it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

# The commands that work on one target, by their names. Others have none; or what they take as
# `--target` is not what the hint is about: `db.prove` means a copy, `db.targets` lists them all.
ON_A_TARGET = frozenset(
    f"db.{name}"
    for name in (
        *(
            "adopt",
            "apply",
            "bootstrap",
            "capture",
            "deploy",
            "diagram",
            "disown",
            "doctor",
            "downgrade",
        ),
        *(
            "gen",
            "introspect",
            "own",
            "page",
            "psql",
            "push",
            "reset",
            "snapshot",
            "status",
            "sync",
            "why",
        ),
    )
)
# A command, unless its own words name a target.
_COMMAND = re.compile(r"\binvoke (db\.[a-z]+)\b(?!(?:(?!\binvoke )[^\n;`])*--target\b)")
# The parts of a JSON report that are hints.
_HINTS = ("first", "next")


def on(text: str, target: str | None) -> str:
    """The text with the target in each command that lacks one; the same text for None."""
    if target is None or "invoke db." not in text:
        return text
    there = option(target)
    return _COMMAND.sub(lambda c: f"{c[0]}{there if c[1] in ON_A_TARGET else ''}", text)


def option(target: str) -> str:
    """What a command gets: the option, quoted for the shell, with the space before it."""
    return f" --target {shlex.quote(target)}"


def in_report(value: Any, target: str | None) -> Any:
    """A JSON value with the target in its hints, however deep they are."""
    if isinstance(value, Mapping):
        return {
            key: on(part, target)
            if key in _HINTS and isinstance(part, str)
            else in_report(part, target)
            for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [in_report(part, target) for part in value]
    return value
