"""Where an object is made: the file and line of its CREATE statement. Pure but for the parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .findings import Place
from .sqlfiles import SqlFile

FOLDER = "supabase/sql/"


def of_files(files: Sequence[SqlFile]) -> Mapping[str, Place]:
    """Plain name (`public.notes`, a function without arguments) → where it is made first.

    What a DO block makes is not found; a file that can't be parsed has no places.
    """
    found: dict[str, Place] = {}
    for file in files:
        for line, _, statement in statements(file.text):
            if name := _NAMES.get(type(statement).__name__):
                place = Place(f"{FOLDER}{file.name}", line + 1)
                found.setdefault(name(statement), place)
    return found


def statements(text: str) -> Iterator[tuple[int, int, Any]]:
    """Each statement's first and last line, from 0, and what Postgres's parser makes of it.

    Nothing for a text that it can't parse.
    """
    from pglast import parse_sql
    from pglast.parser import ParseError

    try:
        parsed = parse_sql(text)
    except ParseError:
        return
    for raw in parsed or ():
        start = raw.stmt_location or 0
        end = start + raw.stmt_len if raw.stmt_len else len(text.rstrip())
        leading = _LEADING.match(text, start)
        begin = leading.end() if leading else start
        yield text.count("\n", 0, begin), text.count("\n", 0, end), raw.stmt


def _relation(relation: Any) -> str:
    return _dotted([relation.schemaname or "public", relation.relname])


def _dotted(parts: Sequence[str]) -> str:
    return ".".join(parts if len(parts) > 1 else ["public", *parts])


# What stands before a statement belongs to it, for the parser.
_LEADING = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
_NAMES: Mapping[str, Callable[[Any], str]] = {
    "CreateStmt": lambda made: _relation(made.relation),
    "CreateForeignTableStmt": lambda made: _relation(made.base.relation),
    "ViewStmt": lambda made: _relation(made.view),
    "CreateTableAsStmt": lambda made: _relation(made.into.rel),
    "CreateFunctionStmt": lambda made: _dotted([part.sval for part in made.funcname]),
    "CreateEnumStmt": lambda made: _dotted([part.sval for part in made.typeName]),
}
