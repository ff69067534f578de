"""Which statement of an SQL file makes which facts: by running it in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog
from twolane.facts.catalog import Change, Snapshot
from twolane.postgres import supautils, transactions
from twolane.repo import sqlfiles
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import Statement, statements
from twolane.why.reader import Reader

if TYPE_CHECKING:
    from psycopg import Connection

Look = Callable[[], Snapshot]
Part = tuple[int, Snapshot, Snapshot]
"""A statement's number, and the facts before and after it."""


def run(
    connection: Connection[Any], file: SqlFile, chosen: frozenset[str] | None
) -> tuple[Sequence[tuple[Statement, Sequence[Change]]], Sequence[Change]]:
    """Runs the file; the statements that change facts, each with its changes, and those of its end.

    chosen: the facts that count; None for all, when each statement is looked at.

    Raises:
        Failure: the file doesn't run.
    """
    parts, look = statements(file.text), partial(_look, Reader(connection), chosen)
    found: list[tuple[Statement, Sequence[Change]]] = []
    with transactions.transaction(connection):
        with connection.transaction(force_rollback=True), transactions.theirs(connection):

            def step(number: int) -> None:
                text = supautils.raised(connection, parts[number].text)
                connection.execute(text.encode())

            last = before = look()
            way = _each if chosen is None else _split
            for number, then, now in way(connection, step, look, (0, len(parts)), before):
                found.append((parts[number], catalog.diff(then, now)))
                last = now
        sqlfiles.run(connection, file)
    return found, catalog.diff(last, look())


def _look(read: Reader, chosen: frozenset[str] | None) -> Snapshot:
    facts = read()
    return facts if chosen is None else {i: t for i, t in facts.items() if i in chosen}


def _each(
    connection: Connection[Any],
    run: Callable[[int], None],
    read: Look,
    span: tuple[int, int],
    before: Snapshot,
) -> Iterator[Part]:
    """Runs the statements; yields those that change a fact, with the facts before and after.

    Reads the facts only where a statement wrote to the catalog at all.
    """
    written = _written(connection)
    for number in range(*span):
        run(number)
        now = _written(connection)
        if now != written:
            written, after = now, read()
            if after != before:
                yield number, before, after
            before = after


def _written(connection: Connection[Any]) -> object:
    """How many rows of the catalog the open transaction has written (manual, monitoring-stats)."""
    return connection.execute(
        "select pg_catalog.sum(n_tup_ins operator(pg_catalog.+) n_tup_upd "
        "operator(pg_catalog.+) n_tup_del) from pg_catalog.pg_stat_xact_sys_tables"
    ).fetchone()


def _split(
    connection: Connection[Any],
    run: Callable[[int], None],
    read: Look,
    span: tuple[int, int],
    before: Snapshot,
) -> Iterator[Part]:
    """Runs the statements; yields those that change what is read, with it before and after.

    Where a span changes nothing as a whole, it is not looked into.
    """
    import psycopg

    start, end = span
    if end - start <= 1:
        for number in range(start, end):
            run(number)
            after = read()
            if after != before:
                yield number, before, after
        return
    middle = (start + end) // 2
    for half in ((start, middle), (middle, end)):
        if half[1] - half[0] == 1:
            step = list(_split(connection, run, read, half, before))
        else:
            after = before
            with connection.transaction():
                for number in range(*half):
                    run(number)
                after = read()
                if after != before:
                    raise psycopg.Rollback
            if after == before:
                continue
            step = list(_split(connection, run, read, half, before))
        yield from step
        before = step[-1][2] if step else before
