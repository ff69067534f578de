"""What depends on an object, as Postgres's own `pg_depend` has it.

The text of a function's body is not in it, so functions that merely name an object come apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import STAND_IN, Snapshot
from twolane.facts.identities import RELATION_KINDS, kind, unquote
from twolane.why.names import belongs, shown

if TYPE_CHECKING:
    from psycopg import Connection

Address = tuple[int, int, int]
"""Catalog, object, and number of the column, as in `pg_depend`."""
Edge = tuple[Address, Address, str]
"""What depends, on what, and `deptype`."""

_ADDRESSES = (
    "select kind || ' ' || name, classid::pg_catalog.oid::bigint, objid::bigint, objsubid "
    "from fact where objid is not null"
)
_EDGES = (
    "select classid::bigint, objid::bigint, objsubid, refclassid::bigint, refobjid::bigint, "
    "refobjsubid, deptype::pg_catalog.text from pg_catalog.pg_depend "
    "where deptype in ('n', 'a', 'i', 'e') "
    "and refclassid <> 'pg_catalog.pg_namespace'::pg_catalog.regclass"
)


def read(connection: Connection[Any]) -> Mapping[str, frozenset[str]]:
    """Object → the objects that depend on it directly, all of them facts."""
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(catalog.query(_ADDRESSES))
        cursor.nextset()
        addresses = {
            (catalog_, oid, part): identity.replace(STAND_IN, "postgres")
            for identity, catalog_, oid, part in cursor.fetchall()
        }
        rows = cursor.execute(_EDGES).fetchall()
    return edges(addresses, [((a, b, c), (d, e, f), how) for a, b, c, d, e, f, how in rows])


def edges(addresses: Mapping[Address, str], found: Iterable[Edge]) -> Mapping[str, frozenset[str]]:
    """The same, from the rows of the catalog.

    What is no fact itself stands for what it is a part of: a view's rule, a column's default, a
    table's row type or what brought it, an extension (manual, pg_depend: `i`, `a`, `e`).
    """
    rows = list(found)
    whole: dict[Address, Address] = {}
    for how in ("e", "a", "i"):  # the inner part wins
        whole |= {child: parent for child, parent, deptype in rows if deptype == how}

    @cache
    def fact(address: Address, depth: int = 4) -> str | None:
        own = addresses.get(address)
        if own or not depth:
            return own
        if address in whole:
            return fact(whole[address], depth - 1)
        return addresses.get((*address[:2], 0)) or (
            fact((*address[:2], 0), depth - 1) if address[2] else None
        )

    depends: dict[str, set[str]] = {}
    for child, parent, _ in rows:
        one, other = fact(child), fact(parent)
        if one and other and one != other:
            depends.setdefault(other, set()).add(one)
    return {identity: frozenset(others) for identity, others in depends.items()}


def on(identity: str, direct: Mapping[str, frozenset[str]]) -> list[str]:
    """All that depends on the object, also by way of others; not its own parts."""
    own = [other for other in direct if belongs(other, identity)]
    waiting = [identity, *own]
    found: set[str] = set()
    while waiting:
        for other in direct.get(waiting.pop(), ()):
            if other not in found and not belongs(other, identity):
                found.add(other)
                waiting.append(other)
    return sorted(found)


def naming(identity: str, facts: Snapshot, known: Collection[str]) -> list[str]:
    """The routines in whose text the object's name stands, and that are not among the known."""
    words = _words(identity)
    return [
        other
        for other, text in facts.items()
        if kind(other) in ("function", "procedure") and other not in (identity, *known)
        if words and all(word(text) for word in words)
    ]


def _words(identity: str) -> Sequence[Callable[[str], object]]:
    """Tests of a text: each part of the name but the schema; the arguments don't count."""
    parts = identities.split_name(shown(identity).partition("(")[0])
    names = [unquote(part) for part in (parts[1:] if len(parts) > 1 else parts)]
    if kind(identity) not in (*RELATION_KINDS, "column", "function", "procedure", "sequence"):
        return []
    return [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)").search for name in names]
