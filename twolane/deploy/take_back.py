"""Carries a downgrade out, in one transaction: on the shadow's copy, and in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.deploy.route import Route
from twolane.errors import Failure, from_postgres
from twolane.facts import catalog, differences, identities, views
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.traces import Traces
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.migrations import dependents, runner
from twolane.postgres import exposure, transactions
from twolane.repo import ledger, record
from twolane.state.plan import Plan
from twolane.text import shortened

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.deploy.downgrade import Downgrade
    from twolane.state.connected import Work

Hook = Callable[["Connection[Any]"], None]


def run(
    connection: Connection[Any],
    config: Config,
    route: Route,
    recorded: Sequence[str],
    prepare: Hook = lambda connection: None,
    finish: Hook = lambda connection: None,
    judge: runner.Judge | None = None,
) -> Sequence[str]:
    """Takes the revisions back in one transaction; the statements that did it.

    recorded: those of the record, for what the repo does not have; the repo's own `downgrade()` for
    the rest. `prepare` and `finish` are called at the transaction's two ends, `judge` with what was
    left beside facts.

    Raises:
        InTheWay: a statement is refused for the sake of other objects.
        Failure: a statement or a migration fails.
    """

    def by_record(connection: Connection[Any]) -> None:
        with _from_the_record():
            for statement in recorded:
                connection.execute(statement.encode())

    if route.is_by_files:
        to = route.to or "base"
        ran = runner.downgrade(connection, config, to, prepare, finish, judge, by_record)
        return [*recorded, *ran]
    with transactions.transaction(connection):
        there = exposure.tables(connection)
        prepare(connection)
        with runner.watched(connection, judge=judge):
            by_record(connection)
        list(exposure.close_tables(connection, there))
        finish(connection)
    return recorded


@contextmanager
def _from_the_record() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise  # the whole transaction is tried again
    except psycopg.Error as error:
        failure = from_postgres(error, "The record's way back failed")
        if dependents.is_in_the_way(error.sqlstate, error.diag.message_primary or ""):
            raise dependents.InTheWay(failure.message, _DEPENDS) from error
        if isinstance(error, psycopg.errors.NotNullViolation):
            failure.first = _NO_VALUE
        raise failure from error


_NO_VALUE = (
    "The rows have no value for what comes back. Delete them (invoke db.psql), then run the same "
    "command again; or keep the revision, and check out the branch that has it."
)
_DEPENDS = "Drop what depends on it (invoke db.psql), then run the same command again."


def carry_out(work: Work, found: Downgrade, allowed: Sequence[str] = ()) -> bool:
    """Takes the database back; False if another command has done so meanwhile.

    allowed: the consents given, as `--allow` takes them.

    Raises:
        Refused: it writes what it did not write on the shadow.
        Failure: the database changed meanwhile, or the end differs from the shadow.
    """
    attempt = _Attempt(work, found, allowed)
    with work.tell.working("taking back"):
        transactions.retry_locks(attempt.run, work.connection, work.tell.note)
    return attempt.is_mine


@dataclass
class _Attempt:
    """The work at the start and at the end of the transaction."""

    work: Work
    found: Downgrade
    allowed: Sequence[str] = ()
    is_mine: bool = True
    done: ledger.Ledger = field(default_factory=ledger.Ledger)
    before: Snapshot = field(default_factory=dict)

    def run(self) -> None:
        from psycopg import errors

        found = self.found
        try:
            run(
                self.work.connection,
                self.work.config,
                found.route,
                found.recorded,
                self.prepare,
                self.finish,
                self.judge,
            )
        except dependents.InTheWay as failure:
            failure.first = _DEPENDS
            raise
        except Failure as failure:
            if isinstance(getattr(failure.__cause__, "orig", None), errors.NotNullViolation):
                failure.first = _NO_VALUE
            raise

    def prepare(self, connection: Connection[Any]) -> None:
        """Takes the lock, and what SQL files made out of the way."""
        from psycopg import Rollback

        transactions.exclusive(connection, self.work.tell.note)
        now, then = ledger.read(connection), self.work.ledger
        self.done = now
        self.is_mine = now.revision != self.found.route.to
        if not self.is_mine:
            raise Rollback
        if now.revision != then.revision or now.applied != then.applied:
            raise Failure(
                "Another command changed the database meanwhile.", "Run the same command again."
            )
        ledger.prepare(connection)
        self.before = catalog.read(connection)
        with transactions.theirs(connection):
            for statement in self.found.first:
                connection.execute(statement.encode())
        ledger.set_revision(connection, self.found.route.below_foreign)

    def judge(self, connection: Connection[Any], seen: Traces) -> None:
        """Refuses what was done here beside facts, and not on the shadow."""
        plan = self.found.plan
        refuse(guards.unplanned(plan, seen), guards.unplanned_writes(plan, seen, self.allowed))

    def finish(self, connection: Connection[Any]) -> None:
        """Verifies the outcome against the shadow, and records it."""
        found, target = self.found, self.work.target
        with transactions.theirs(connection):
            for statement in found.last:
                connection.execute(statement.encode())
        printed = catalog.read(connection)
        after = views.settle(printed, found.plan.after, lambda: nullcontext(connection))
        if wrong := unexpected(found.plan, self.before, after):
            lines = "\n".join(f"    {line}" for line in shortened(differences.flat(wrong)))
            raise Failure(
                f"The database would differ from the shadow; nothing taken back:\n{lines}",
                "invoke db.status",
            )
        for name in found.not_run:
            ledger.record_not_run(connection, name)
        ledger.record_downgrade(connection, [had.id for had in found.route.back], found.route.to)
        record.note(connection, self.done, self.before, printed, found.as_left)
        if target.protected:
            ledger.label(connection, target.name)


def unexpected(plan: Plan, before: Snapshot, after: Snapshot) -> list[Change]:
    """Where the database differs from the shadow in what changes there, or else from before.

    What somebody put on a table that is gone or renamed went with it.
    """
    expected = {change.identity: change.after for change in plan.changes}
    moved = {
        identities.relation(identity)
        for identity in (*plan.effects.gone, *plan.effects.renamed)
        if identities.kind(identity) == "table"
    }
    found = []
    for identity in sorted(before.keys() | after.keys() | expected.keys()):
        want = expected.get(identity) if identity in expected else before.get(identity)
        is_own = identity in expected or identities.relation(identity) not in moved
        if (
            after.get(identity) != want
            and is_own
            and identities.kind(identity) not in identities.BY_SERVER
        ):
            found.append(Change(identity, want, after.get(identity)))
    return found
