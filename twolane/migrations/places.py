"""Where in `app.py` something stands that SQLAlchemy or Postgres refuses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from twolane.config import Config
from twolane.errors import Failure, from_postgres, from_user_code

_CORRECT = "Correct it, then run the same command again."
# The table that a statement of `create_all` is about, or the type.
_ABOUT = re.compile(
    r"\s*(?:CREATE TABLE|CREATE (?:UNIQUE )?INDEX .*? ON|ALTER TABLE|CREATE TYPE|CREATE DOMAIN"
    r"|COMMENT ON (?:TABLE|COLUMN))\s+((?:\"[^\"]*\"|\w+)(?:\.(?:\"[^\"]*\"|\w+))*)"
)
_QUOTED = re.compile(r"[\"'«]([^\"'»]+)[\"'»]")


def refused_by_postgres(config: Config, base: Any, error: Any) -> Failure:
    """What Postgres said of a statement that SQLAlchemy made of `app.py`, at the line meant."""
    said = from_postgres(error.orig, "Postgres refuses it")
    statement = str(error.statement or "").replace("%%", "%")  # doubled for the driver
    found = _ABOUT.match(statement)
    names = [part.strip('"') for part in found[1].split(".")] if found else []
    hints = [*_at_position(error.orig, statement), *_QUOTED.findall(said.message), *names[-1:]]
    shown = "\n    ".join(statement.strip().splitlines()[:12])
    place = _place(config, base, names, hints)
    return Failure(f"{place}: {said.message}\n    {shown}", said.first or _CORRECT)


def refused_by_sqlalchemy(config: Config, base: Any, error: Exception) -> Failure:
    """What SQLAlchemy said when it wrote SQL for `app.py`, at the line meant."""
    failure = from_user_code(error, config.root)
    names = re.findall(r"table [\"']([^\"']+)[\"']", str(error))
    if failure.message.startswith(str(config.schema.relative_to(config.root))) or not names:
        return failure
    place = _place(config, base, names[0].split("."), _QUOTED.findall(str(error)))
    return Failure(f"{place}: {failure.message}", failure.first)


def _at_position(error: Any, statement: str) -> Iterator[str]:
    """The word that Postgres points at, the error's position being that of a character from 1."""
    position = int(error.diag.statement_position or 0)
    if position and (word := re.match(r"[\"']?([\w.]+)", statement[position - 1 :])):
        yield word[1]


def _place(config: Config, base: Any, names: list[str], hints: Iterable[str]) -> str:
    """`file:line` of the class, or of a line in it that has one of the hints; else the file."""
    file = config.schema / "app.py"
    shown = file.relative_to(config.root).as_posix()
    found = _lines_of(base, names) or _whole(file)
    if found is None:
        return shown
    first, lines = found
    for hint in hints:
        word = re.compile(rf"(?<!\w){re.escape(hint)}(?!\w)")
        for number, line in enumerate(lines):
            if word.search(line):
                return f"{shown}:{first + number}"
    return f"{shown}:{first}" if first > 1 else shown


def _lines_of(base: Any, names: list[str]) -> tuple[int, list[str]] | None:
    """The first line of the class of a table, and its text."""
    for mapper in base.registry.mappers:
        table = mapper.local_table
        if names and getattr(table, "name", None) in names[-2:]:
            try:
                lines, first = inspect.getsourcelines(mapper.class_)
            except (OSError, TypeError):
                continue
            return first, lines
    return None


def _whole(file: Path) -> tuple[int, list[str]] | None:
    try:
        return 1, file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
