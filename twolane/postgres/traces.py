"""Looks at what a transaction leaves that facts don't show; `facts.traces` compares two of them.

A table whose rows were written holds ROW EXCLUSIVE until the transaction ends, by whatever way, and
where no row was met, too (manual, 13.3). Of the rest digests are read, with OIDs in them: they mean
something within one database and transaction alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog
from twolane.facts.traces import Look, Relation

if TYPE_CHECKING:
    from psycopg import Connection


def look(connection: Connection[Any]) -> Look:
    """Looks at the database from inside the open transaction, in one query."""
    relations: dict[int, Relation] = {}
    oids: dict[str, set[int]] = {"written": set(), "exclusive": set()}
    held: set[str] = set()
    things: dict[tuple[str, str], str] = {}
    for kind, oid, name, more, file, text in _rows(connection):
        if kind == "thing":
            things[name, more] = text
        elif kind == "relation":
            relations[oid] = Relation(name, file, more, text or "{}")
        elif kind == "held":
            held.add(name)
        else:
            oids[kind].add(oid)
    written, exclusive = (frozenset(oids[kind]) for kind in ("written", "exclusive"))
    return Look(relations, written, exclusive, frozenset(held), things)


def _rows(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(_query())
        cursor.nextset()
        return cursor.fetchall()


def held(connection: Connection[Any]) -> frozenset[str]:
    """The catalogs of the whole server that the open transaction wrote; a quick look."""
    query = f"with {_text('held').rstrip().rstrip(',')} select name from held"
    return frozenset(name for (name,) in connection.execute(query.encode()))


@cache
def _query() -> bytes:
    own = _text("traces").replace("{held}\n", _text("held"))
    return catalog.settings() + b"\n" + catalog.schemas() + own.encode()


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
