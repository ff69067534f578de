"""Which statement of an SQL file makes which facts: by running it in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
            search = _Search(connection, parts, look)
            last = before = look()
            way = search.each if chosen is None else search.split
            for number, then, now in way(range(len(parts)), before):
                found.append((parts[number], catalog.diff(then, now)))
                last = now
        sqlfiles.run(connection, file)
    return found, catalog.diff(last, look())


def _look(read: Reader, chosen: frozenset[str] | None) -> Snapshot:
    facts = read()
    return facts if chosen is None else {i: t for i, t in facts.items() if i in chosen}


@dataclass(frozen=True)
class _Search:
    """Runs statements of a file; yields those that change what `look` reads, with it before and
    after."""

    connection: Connection[Any]
    statements: Sequence[Statement]
    look: Look

    def each(self, numbers: range, before: Snapshot) -> Iterator[Part]:
        """Looks after each statement that wrote to the catalog at all."""
        written = self._written()
        for number in numbers:
            self.step(number)
            now = self._written()
            if now != written:
                written, after = now, self.look()
                if after != before:
                    yield number, before, after
                before = after

    def split(self, numbers: range, before: Snapshot) -> Iterator[Part]:
        """Looks into halves. One that changes nothing as a whole is not looked into."""
        if len(numbers) <= 1:
            for number in numbers:
                self.step(number)
                after = self.look()
                if after != before:
                    yield number, before, after
            return
        middle = len(numbers) // 2
        for half in (numbers[:middle], numbers[middle:]):
            if len(half) > 1 and self._ran_without_a_change(half, before):
                continue
            for part in self.split(half, before):
                yield part
                before = part[2]

    def _ran_without_a_change(self, numbers: range, before: Snapshot) -> bool:
        """Runs the statements; takes them back if they change what is looked at."""
        import psycopg

        with self.connection.transaction():
            for number in numbers:
                self.step(number)
            if self.look() == before:
                return True
            raise psycopg.Rollback
        return False

    def step(self, number: int) -> None:
        """Runs one statement."""
        text = supautils.raised(self.connection, self.statements[number].text)
        self.connection.execute(text.encode())

    def _written(self) -> object:
        """How many rows of the catalog the transaction has written (manual, monitoring-stats)."""
        return self.connection.execute(
            "select pg_catalog.sum(n_tup_ins operator(pg_catalog.+) n_tup_upd "
            "operator(pg_catalog.+) n_tup_del) from pg_catalog.pg_stat_xact_sys_tables"
        ).fetchone()
