"""The place that creates an object: the file and line of its CREATE statement. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import readable_statements


@dataclass(frozen=True)
class Place:
    """A file, as a path from the service's folder with `/`, and a line in it, from 1."""

    file: str
    line: int | None = None


FOLDER = "supabase/sql/"


def of_files(files: Sequence[SqlFile]) -> Mapping[str, Place]:
    """Plain name (`public.notes`, a function without arguments) → its first CREATE statement.

    Does not find objects that a DO block creates. Skips a file that can't be parsed.
    """
    found: dict[str, Place] = {}
    for file in files:
        for statement in readable_statements(file.text):
            if name := _NAMES.get(type(statement.node).__name__):
                place = Place(f"{FOLDER}{file.name}", statement.line)
                found.setdefault(name(statement.node), place)
    return found


def _relation(relation: Any) -> str:
    return _dotted([relation.schemaname or "public", relation.relname])


def _dotted(parts: Sequence[str]) -> str:
    return ".".join(parts if len(parts) > 1 else ["public", *parts])


_NAMES: Mapping[str, Callable[[Any], str]] = {
    "CreateStmt": lambda made: _relation(made.relation),
    "CreateForeignTableStmt": lambda made: _relation(made.base.relation),
    "ViewStmt": lambda made: _relation(made.view),
    "CreateTableAsStmt": lambda made: _relation(made.into.rel),
    "CreateFunctionStmt": lambda made: _dotted([part.sval for part in made.funcname]),
    "CreateEnumStmt": lambda made: _dotted([part.sval for part in made.typeName]),
}


def in_folder(revision: Revision) -> str:
    """The revision's file, as a path from the service's folder."""
    return f"migrations/versions/{revision.path.name}"


def path_of(step: SqlFile | Revision) -> str:
    """The file of a step of the replay, as a path from the service's folder."""
    return in_folder(step) if isinstance(step, Revision) else f"{FOLDER}{step.name}"


def line_of(path: Path, beginning: str) -> int | None:
    """The number of the first line that starts with `beginning`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.startswith(beginning)), None)
