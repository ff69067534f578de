"""What an SQL file does to data that were there: rows written, tables and columns dropped.

It is found by running the file, in its own transaction, before the commit; see `facts.traces`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.facts import identities, traces
from twolane.migrations import effects
from twolane.migrations.effects import Effects
from twolane.postgres import traces as looks
from twolane.postgres.transactions import ask
from twolane.repo.sqlfiles import SqlFile
from twolane.state import file_rows
from twolane.state.hazards import Hazard, plain, short

if TYPE_CHECKING:
    from psycopg import Connection

Counts = Mapping[int, tuple[int, int, int]]
"""Table by OID → rows inserted, updated, deleted by this session lately."""
_NONE = (0, 0, 0)


@dataclass
class Losses:
    """What a file did. hazards: to what was there before. records: what of twolane's own.

    filled: tables to which it only added rows, or values of columns that it has added. lost: tables
    and columns whose data are gone or written anew, as facts name them. written: tables whose rows
    it changed or deleted. deletes: whether its text deletes rows. renamed: tables and columns that
    have another name since, before → after.
    """

    hazards: list[Hazard] = field(default_factory=list)
    records: tuple[str, ...] = ()
    filled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    deletes: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Before:
    """A database before a file ran in the open transaction."""

    layout: effects.Layout
    look: traces.Look
    counts: Counts


def tables(connection: Connection[Any]) -> frozenset[int]:
    """The OIDs of the tables that are there."""
    return frozenset(effects.layout(connection).tables)


def look(connection: Connection[Any]) -> Before:
    seen = looks.look(connection, records_alone=True)
    return Before(effects.layout(connection), seen, _counts(connection))


def find(
    connection: Connection[Any],
    file: SqlFile,
    before: Before,
    there: frozenset[int] | None = None,
    by_rows: bool = False,
) -> Losses:
    """What the file did since the look `before`, in the same transaction.

    there: the tables whose data count, by OID: not those that the command itself has made. By
    default, all of the look. by_rows: whether a table counts only where rows were met, as for a
    file that this database has run before as it is.
    """
    after = look(connection)
    seen = traces.compare(before.look, after.look)
    done = effects.compare(before.layout, after.layout, {})
    old = {
        name: oid
        for oid, (name, _, _) in before.layout.tables.items()
        if there is None or oid in there
    }
    changed = _changed(before.counts, after.counts)
    rows, new = file_rows.of(file), _new_columns(before.layout, after.layout)
    reached = {
        name
        for name in seen.written & old.keys()
        if old[name] in changed or (not by_rows and rows.names(_last(name)))
    }
    filled = {
        name
        for name in reached
        if _only_filled(name, changed.get(old[name], _NONE), rows, new.get(old[name], frozenset()))
    }
    found = list(_dropped(done, old))
    found += [Hazard("rewrite", plain(t), _REWRITTEN) for t in sorted(done.rewritten & old.keys())]
    written = sorted(reached - filled)
    found += [Hazard("write", plain(name), _WRITTEN) for name in written]
    return Losses(
        found,
        seen.records,
        [plain(name) for name in sorted(filled) if old[name] in changed],
        sorted({*done.gone, *(f"table {name}" for name in done.rewritten)}),
        [f"rows of {name}" for name in written],
        rows.deletes,
        done.renamed,
    )


_WRITTEN = "its rows are changed or deleted, where there are any"
_REWRITTEN = "every row is written anew, or lost (truncate), and nobody reads meanwhile"


def _dropped(done: Effects, old: Mapping[str, int]) -> Iterator[Hazard]:
    tables = {identity for identity in done.gone if identities.kind(identity) == "table"}
    for identity in sorted(done.gone):
        table = identities.relation(identity)
        if table in old and (identity in tables or f"table {table}" not in tables):
            yield Hazard("drop", short(identity), "its data are lost for good")


def _only_filled(
    table: str, counts: tuple[int, int, int], rows: file_rows.Rows, new: frozenset[str]
) -> bool:
    """Whether nothing of a table was lost, as far as its rows and the file's text tell.

    new: its columns that the file has added.
    """
    inserted, updated, deleted = counts
    name = _last(table)
    set_ = rows.updated.get(name, frozenset())
    if deleted or name in rows.touched or not set_ <= new:
        return False
    if updated:
        every = set_ | rows.sets
        return bool(every) and every <= new and not rows.deletes and not rows.executes
    if not (inserted or set_ or name in rows.inserted):
        return bool(new) and not rows.deletes
    return True


def _new_columns(before: effects.Layout, after: effects.Layout) -> Mapping[int, frozenset[str]]:
    return {
        oid: frozenset(map(identities.unquote, columns.values()))
        - frozenset(map(identities.unquote, before.tables[oid][2].values()))
        for oid, (_, _, columns) in after.tables.items()
        if oid in before.tables
    }


def _last(table: str) -> str:
    return identities.unquote(identities.split_name(table)[-1])


def _counts(connection: Connection[Any]) -> Counts:
    rows = ask(
        connection,
        "select relid, n_tup_ins, n_tup_upd, n_tup_del from pg_catalog.pg_stat_xact_user_tables",
    )
    return {oid: (inserted, updated, deleted) for oid, inserted, updated, deleted in rows}


def _changed(before: Counts, after: Counts) -> Counts:
    """What was counted between two looks, of the tables where anything was."""
    found = {}
    for oid, now in after.items():
        then = before.get(oid, _NONE)
        if now != then:
            found[oid] = (now[0] - then[0], now[1] - then[1], now[2] - then[2])
    return found
