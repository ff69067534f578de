"""Online revisions in a target: step by step, each recorded, so that the next push goes on.

A step that Postgres runs in a transaction is recorded in that transaction. One that it refuses
there, like `create index concurrently`, is recorded as begun before and as done after; found begun,
it is made whole: an invalid index goes first, and what is there already is not made again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure, from_postgres
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.migrations import backfills, remains
from twolane.migrations.backfills import Backfill
from twolane.migrations.runner import Judge, kept_closed, watched
from twolane.postgres import supautils, transactions
from twolane.repo import halfway, ledger, ledger_tables, record
from twolane.repo.halfway import UP
from twolane.telling import Tell

if TYPE_CHECKING:
    from psycopg import Connection

# Seconds after which a backfill says how far it is.
TELLING = 5.0

# Nobody waits for a statement that runs alone, so it may wait longer for others than LOCK_TIMEOUT.
PATIENCE = 12


@dataclass(frozen=True)
class Step:
    """A statement of an online revision. is_alone: Postgres refuses it in a transaction.

    touches: identities of the facts that it changed on the shadow.
    """

    sql: str
    is_alone: bool = False
    touches: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Walk:
    """An online revision on its way through a target: way: `halfway.UP` or `DOWN`."""

    revision: str
    digest: str
    way: str
    steps: Sequence[Step]


@contextmanager
def judged(
    connection: Connection[Any], sql: str, judge: Judge | None, is_live: bool = False
) -> Iterator[list[str]]:
    """One step in the open transaction, with what comes of it: see `runner.kept_closed`.

    judge, is_live: as in `runner.upgrade`.
    """
    with kept_closed(connection, [sql], is_live) as closed, watched(connection, judge=judge):
        connection.execute("set local statement_timeout = 0")  # it may take as long as it takes
        yield closed


def run(
    connection: Connection[Any],
    walk: Walk,
    tell: Tell,
    judge: Judge,
    base: Snapshot | None = None,
) -> None:
    """Takes the steps that are not done yet. judge: see `judged`; base: `record.note`.

    Raises:
        Failure: a step fails; those before it are done, and recorded.
    """
    for number, step in enumerate(walk.steps, 1):
        one = _One(connection, walk, number, step, tell, judge, base)
        with tell.working(f"step {number} of {len(walk.steps)}"):
            transactions.retry_locks(one.take, connection, tell.note)


@dataclass(frozen=True)
class _One:
    """One step, in a target."""

    connection: Connection[Any]
    walk: Walk
    number: int
    step: Step
    tell: Tell
    judge: Judge
    base: Snapshot | None

    def take(self) -> None:
        """Takes the step, if it is not done; another command may have done it meanwhile."""
        if self.step.is_alone:
            self._alone()
            return
        if whole := backfills.read(self.step.sql):
            self._backfill(whole)
            return
        with transactions.transaction(self.connection):
            transactions.exclusive(self.connection, self.tell.note)
            if self._is_done():
                return
            before = catalog.read(self.connection)
            self._begin()
            with (
                judged(self.connection, self.step.sql, self.judge, is_live=True) as closed,
                self._failing(),
            ):
                self._execute()
            self._finish(before)
        for table in closed:
            self.tell.note(f"enabled RLS on {table}: this database has no event trigger that does")

    def _backfill(self, whole: Backfill) -> None:
        """Batch by batch, each a transaction that records its last key, from the last recorded."""
        written, told = 0, time.monotonic()
        while (
            rows := transactions.retry_locks(
                lambda: self._batch(whole), self.connection, self.tell.note
            )
        ) is not None:
            written += rows
            if time.monotonic() - told > TELLING:
                told = time.monotonic()
                self.tell.note(f"backfill of {whole.table}: {written} rows written")
            time.sleep(whole.pause)

    def _batch(self, whole: Backfill) -> int | None:
        """How many rows it wrote, None if nothing is left."""
        with transactions.transaction(self.connection):
            transactions.exclusive(self.connection, self.tell.note)
            if self._is_done():
                return None
            self._begin()
            half = ledger.read(self.connection).half
            place = half.places.get(self.number, []) if half else []
            with (
                judged(self.connection, self.step.sql, self.judge, is_live=True),
                self._failing(),
            ):
                rows, last = backfills.batch(self.connection, whole, place)
            walk = self.walk
            if last is None:
                halfway.finish(self.connection, walk.revision, walk.way, self.number)
            else:
                halfway.place(self.connection, walk.revision, walk.way, self.number, last)
        return rows

    def _alone(self) -> None:
        with transactions.session_lock(self.connection, self.tell.note):
            with transactions.transaction(self.connection):
                if self._is_done():
                    return
                before = catalog.read(self.connection)
                self._begin()
            with self._failing(), _patiently(self.connection):
                for statement in remains.way_to(self.connection, self.step.sql):
                    self._execute_whole(statement)
            with transactions.transaction(self.connection):
                self._finish(before)

    def _execute_whole(self, statement: str) -> None:
        """Runs it; what a failure leaves invalid goes at once, as an index does its checks even so.

        A cancelled or lost connection leaves it, and the next try takes it away.
        """
        import psycopg

        try:
            self.connection.execute(statement.encode())
        except psycopg.Error:
            with suppress(psycopg.Error):
                for leftover in remains.left_by(self.connection, statement):
                    self.connection.execute(leftover.encode())
            raise

    def _execute(self) -> None:
        self.connection.execute(supautils.raised(self.connection, self.step.sql).encode())

    def _is_done(self) -> bool:
        """Whether it is, as the record says now.

        Raises:
            Failure: the record says that another form of the revision is on its way.
        """
        ledger_tables.prepare(self.connection)
        now, walk = ledger.read(self.connection), self.walk
        is_there = walk.revision in now.chain
        if is_there == (walk.way == UP):
            return True
        half = now.half
        if half is None:
            return False
        done = len(half.done)
        if half.revision != walk.revision or half.way != walk.way or done < self.number - 1:
            raise Failure(
                "Another command changed the database meanwhile.", "Run the same command again."
            )
        return done >= self.number

    def _begin(self) -> None:
        walk = self.walk
        halfway.begin(
            self.connection,
            walk.revision,
            walk.way,
            walk.digest,
            self.number,
            len(walk.steps),
            self.step.sql,
            self.step.touches,
        )

    def _finish(self, before: Snapshot) -> None:
        halfway.finish(self.connection, self.walk.revision, self.walk.way, self.number)
        note(self.connection, before, self.step.touches, self.base)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.errors.LockNotAvailable:
            raise  # the step is tried again
        except psycopg.Error as error:
            failure = from_postgres(error, f"Step {self.number} of {len(self.walk.steps)} failed")
            statement = "\n    ".join(self.step.sql.strip().splitlines()[:12])
            raise Failure(
                f"{failure.message}\n  in online revision {self.walk.revision}:\n    {statement}",
                failure.first
                or "The steps before it are done, and stay. Correct what it fails on, or this step "
                "in the revision, then run the same command again.",
            ) from error


def note(
    connection: Connection[Any],
    before: Snapshot,
    touched: Collection[str],
    base: Snapshot | None = None,
) -> None:
    """Records the facts that a step touched as twolane's doing, and no others that changed."""
    now = catalog.read(connection)
    after = {i: text for i, text in before.items() if i not in touched}
    after |= {i: text for i, text in now.items() if i in touched}
    record.note(connection, ledger.read(connection), before, dict(sorted(after.items())), base)


@contextmanager
def _patiently(connection: Connection[Any]) -> Iterator[None]:
    """Limits for a statement that runs alone, over a session."""
    import psycopg

    with suppress(psycopg.Error):  # ends it if the client is lost, where the platform can tell
        connection.execute("set client_connection_check_interval = '2s'")
    transactions.ask(
        connection,
        "select pg_catalog.set_config('lock_timeout', (%s * 1000 * pg_catalog.date_part('epoch', "
        "%s::pg_catalog.interval))::pg_catalog.int8::pg_catalog.text, false), "
        "pg_catalog.set_config('statement_timeout', '0', false)",
        (PATIENCE, transactions.LOCK_TIMEOUT),
    )
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):
            connection.execute(
                "reset lock_timeout; reset statement_timeout; "
                "reset client_connection_check_interval"
            )
