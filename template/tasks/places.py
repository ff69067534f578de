"""The place that creates an object: the file and line of its CREATE statement. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .findings import Place
from .sql_text import readable_statements
from .sqlfiles import SqlFile

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
