"""Effects of a migration on existing tables that facts don't show: renames, rewrites, locks.

They are found by running it on the shadow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from twolane.facts.traces import NOTHING, Traces, together
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
Tables = Mapping[int, tuple[str, int, Mapping[int, str]]]
"""Table by OID: its name as in facts, the file that holds its rows, its columns by number."""

# Lock mode → what it blocks (Postgres manual, 13.3); weaker modes block neither.
BLOCKING = {
    "AccessExclusiveLock": "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
}


@dataclass(frozen=True)
class Layout:
    """Tables as they are stored; constraints and indexes, as facts, by kind and OID."""

    tables: Tables
    parts: Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Effects:
    """renamed: tables and columns, as fact identities, before → after. gone: those dropped.

    rewritten: tables whose rows were written anew, as `schema.name` before. locked: table before →
    what its strongest lock blocks until the transaction ends. closed: new tables, as `schema.name`,
    that had no row level security until the end of the migration, where twolane enabled it. kept:
    the constraints and indexes after that were there before, under whatever name. traces: what the
    migrations left beside facts.
    """

    renamed: Mapping[str, str]
    gone: frozenset[str]
    rewritten: frozenset[str]
    locked: Mapping[str, str]
    closed: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    traces: Traces = NOTHING


NONE = Effects({}, frozenset(), frozenset(), {})


def layout(connection: Connection[Any]) -> Layout:
    """The tables outside the catalogs, and what is on them."""
    rows = ask(
        connection,
        """
        select c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
            c.relfilenode,
            pg_catalog.array_agg(a.attnum) filter (where a.attnum > 0 and not a.attisdropped),
            pg_catalog.array_agg(pg_catalog.quote_ident(a.attname))
                filter (where a.attnum > 0 and not a.attisdropped)
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p') and n.nspname !~ '^pg_'
            and n.nspname not in ('information_schema', 'twolane')
        group by c.oid, n.nspname
        """,
    )
    tables = {
        oid: (name, file, dict(zip(numbers or (), columns or (), strict=True)))
        for oid, name, file, numbers, columns in rows
    }
    return Layout(tables, _parts(connection, tables))


def _parts(connection: Connection[Any], tables: Tables) -> Mapping[tuple[str, int], str]:
    rows = ask(
        connection,
        """
        select 'constraint', oid, conrelid, pg_catalog.quote_ident(conname)
        from pg_catalog.pg_constraint
        where conrelid = any(%(tables)s::pg_catalog.oid[])
        union all
        select 'index', indexrelid, indrelid, pg_catalog.quote_ident(relname)
        from pg_catalog.pg_index join pg_catalog.pg_class on oid = indexrelid
        where indrelid = any(%(tables)s::pg_catalog.oid[])
        """,
        {"tables": list(tables)},
    )
    return {(kind, oid): f"{kind} {tables[table][0]}.{name}" for kind, oid, table, name in rows}


def locks(connection: Connection[Any]) -> Mapping[int, str]:
    """What this transaction's locks on a table block for others, by the table's OID."""
    rows = ask(
        connection,
        """
        select relation, mode from pg_catalog.pg_locks
        where locktype = 'relation' and pid = pg_catalog.pg_backend_pid() and granted
        """,
    ).fetchall()
    return strongest((oid, BLOCKING[mode]) for oid, mode in rows if mode in BLOCKING)


def strongest(locks: Iterable[tuple[T, str]]) -> dict[T, str]:
    """Table → the most that its locks block: reads and writes are more than writes."""
    found: dict[T, str] = {}
    for table, what in locks:
        found[table] = max(found.get(table, ""), what, key=len)
    return found


def compare(
    old: Layout, new: Layout, locked: Mapping[int, str], closed: Iterable[str] = ()
) -> Effects:
    """The effects on the tables that existed before; `closed` are new ones."""
    before, after = old.tables, new.tables
    names = _names(before), _names(after)
    renamed = {
        old: names[1][place]
        for place, old in names[0].items()
        if place in names[1] and names[1][place] != old
    }
    # A dropped table is listed without its columns.
    gone = {
        old
        for (table, column), old in names[0].items()
        if (table, column) not in names[1] and (table in after or not column)
    }
    kept = before.keys() & after.keys()
    rewritten = {before[oid][0] for oid in kept if before[oid][1] != after[oid][1]}
    blocked = {before[oid][0]: locked[oid] for oid in kept if oid in locked}
    kept_parts = frozenset(new.parts[oid] for oid in old.parts.keys() & new.parts.keys())
    return Effects(
        renamed, frozenset(gone), frozenset(rewritten), blocked, frozenset(closed), kept_parts
    )


def in_sequence(whole: Effects, parts: Sequence[Effects]) -> Effects:
    """The effects of parts that ran one after the other; `whole` compares both ends."""
    return replace(
        whole,
        rewritten=whole.rewritten.union(*(part.rewritten for part in parts)),
        locked=strongest(pair for part in parts for pair in part.locked.items()),
        closed=whole.closed.union(*(part.closed for part in parts)),
        traces=together([part.traces for part in parts]),
    )


def _names(layout: Tables) -> dict[tuple[int, int], str]:
    """Table OID and column number (0: the table itself) → fact identity."""
    names = {}
    for oid, (table, _, columns) in layout.items():
        names[oid, 0] = f"table {table}"
        for number, column in columns.items():
            names[oid, number] = f"column {table}.{column}"
    return names
