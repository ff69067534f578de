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
from twolane.facts.traces import RECORDS, Look, Relation

if TYPE_CHECKING:
    from psycopg import Connection


def look(connection: Connection[Any], records_alone: bool = False) -> Look:
    """Looks at the database from inside the open transaction, in one query.

    records_alone: of what facts leave out, twolane's own record is all that matters: the rest of it
    is most of the work.
    """
    relations: dict[int, Relation] = {}
    oids: dict[str, set[int]] = {"written": set(), "exclusive": set()}
    held: set[str] = set()
    things: dict[tuple[str, str], str] = {}
    for kind, oid, name, more, file, text in _rows(connection, records_alone):
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


def _rows(connection: Connection[Any], records_alone: bool) -> list[tuple[Any, ...]]:
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(_query(records_alone))
        cursor.nextset()
        return cursor.fetchall()


def held(connection: Connection[Any]) -> frozenset[str]:
    """The catalogs of the whole server that the open transaction wrote; a quick look."""
    query = f"with {_text('held').rstrip().rstrip(',')} select name from held"
    return frozenset(name for (name,) in connection.execute(query.encode()))


_ALL = {
    "hidden": "n.oid not in (select oid from schemas where not is_platform)",
    "schema": "true",
    "area": "true",
}
_RECORDS = {
    "hidden": "n.nspname = 'twolane'",
    "schema": "n.nspname = 'twolane'",
    "area": f"area = '{RECORDS}'",
}


@cache
def _query(records_alone: bool) -> bytes:
    own = _text("traces").replace("{held}\n", _text("held"))
    for name, words in (_RECORDS if records_alone else _ALL).items():
        own = own.replace(f"{{{name}}}", words)
    return catalog.settings() + b"\n" + catalog.schemas() + own.encode()


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
