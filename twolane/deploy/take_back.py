"""Carries a downgrade out: on the shadow's copy, and in the database.

It is one transaction; with an online revision among what is taken back, stage after stage, each
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.deploy.route import Route
from twolane.errors import Failure, from_postgres
from twolane.facts import catalog, differences, identities, views
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.traces import Traces
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.migrations import dependents, online, runner, steps
from twolane.migrations.steps import Step
from twolane.postgres import transactions
from twolane.repo import entries, halfway, ledger, ledger_tables, record, versions
from twolane.state.plan import Plan
from twolane.text import shortened

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.deploy.downgrade import Downgrade
    from twolane.state.connected import Work

Hook = Callable[["Connection[Any]"], None]


@dataclass(frozen=True)
class Leg:
    """One stage of a way back. recorded: the statements of the record, for what the repo does not
    have. ran: all that ran on the shadow. steps, passing: of an online one, see `online.Observed`.
    """

    route: Route
    recorded: Sequence[str] = ()
    ran: Sequence[str] = ()
    steps: tuple[Step, ...] = ()
    passing: frozenset[str] = frozenset()


def rehearse(
    connection: Connection[Any],
    config: Config,
    route: Route,
    recorded: Mapping[str, Sequence[str]],
    judge: runner.Judge,
) -> Leg:
    """Takes one stage back on a copy of the shadow. recorded: revision → the record's statements.

    Raises:
        Failure: as `run`.
    """
    theirs = [sql for had in route.foreign for sql in recorded[had.id]]
    if not route.is_online:
        return Leg(route, theirs, run(connection, config, route, theirs, judge=judge))
    if route.is_by_files:
        done = online.observe(connection, config, route.to or "base", "downgrade")
    else:
        with _from_the_record():
            done = online.observe_recorded(connection, theirs)
    judge(connection, done.effects.traces)
    if not route.is_by_files:
        with transactions.transaction(connection):
            versions.replace(connection, route.to)
    return Leg(route, theirs, done.statements, done.steps, done.passing)


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
        prepare(connection)
        with (
            runner.kept_closed(connection, recorded),
            runner.watched(connection, judge=judge),
        ):
            by_record(connection)
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
    attempt = _Attempt(work, found, found.legs[0], catalog.read(work.connection), allowed)
    for leg in found.legs:
        attempt = replace(attempt, leg=leg, is_mine=True)
        attempt.take()
        attempt.is_cleared = True
    return attempt.is_mine


@dataclass
class _Attempt:
    """The work at the start and at the end of the transaction.

    before: the facts before all legs. is_cleared: whether what SQL files made is out of the way,
    and recorded.
    """

    work: Work
    found: Downgrade
    leg: Leg
    before: Snapshot
    allowed: Sequence[str] = ()
    is_cleared: bool = False
    is_mine: bool = True
    done: ledger.Ledger = field(default_factory=ledger.Ledger)

    @property
    def is_last(self) -> bool:
        return self.leg is self.found.legs[-1]

    def take(self) -> None:
        """Takes the stage back, as often as a lock is not had in time."""
        work, leg = self.work, self.leg
        if leg.route.is_online:
            if self.found.first and not self.is_cleared:
                transactions.retry_locks(self._clear, work.connection, work.tell.note)
                self.is_cleared = True
            had = leg.route.back[0]
            walk = steps.Walk(had.id, had.digest, halfway.DOWN, leg.steps)
            steps.run(work.connection, walk, work.tell, self.judge, self.found.as_left)
            transactions.retry_locks(self._end, work.connection, work.tell.note)
        else:
            with work.tell.working("taking back"):
                transactions.retry_locks(self._run, work.connection, work.tell.note)

    def _clear(self) -> None:
        """Takes what SQL files made out of an online revision's way."""
        with transactions.transaction(self.work.connection):
            self.prepare(self.work.connection)
            self._note_files(self.work.connection)

    def _end(self) -> None:
        with transactions.transaction(self.work.connection):
            self._expect(self.work.connection)
            self.finish(self.work.connection)
            halfway.forget(self.work.connection, self.leg.route.back[0].id)

    def _run(self) -> None:
        from psycopg import errors

        try:
            run(
                self.work.connection,
                self.work.config,
                self.leg.route,
                self.leg.recorded,
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
        self._expect(connection)
        ledger_tables.prepare(connection)
        if not self.is_cleared:
            with transactions.theirs(connection):
                for statement in self.found.first:
                    connection.execute(statement.encode())
        if not self.leg.route.is_online:
            versions.replace(connection, self.leg.route.below_foreign)

    def _expect(self, connection: Connection[Any]) -> None:
        """Takes the lock; leaves the transaction if another command has taken the stage back."""
        from psycopg import Rollback

        transactions.exclusive(connection, self.work.tell.note)
        now, then = ledger.read(connection), self.work.ledger
        self.done = now
        self.is_mine = now.revision != self.leg.route.to
        if not self.is_mine:
            raise Rollback
        gone = self.found.not_run if self.is_cleared else ()
        applied = {name: digest for name, digest in then.applied.items() if name not in gone}
        if now.revision != self.leg.route.back[0].id or now.applied != applied:
            raise Failure(
                "Another command changed the database meanwhile.", "Run the same command again."
            )

    def judge(self, connection: Connection[Any], seen: Traces) -> None:
        """Refuses what was done here beside facts, and not on the shadow."""
        plan = self.found.plan
        refuse(guards.unplanned(plan, seen), guards.unplanned_writes(plan, seen, self.allowed))

    def finish(self, connection: Connection[Any]) -> None:
        """Verifies the outcome against the shadow, and records it."""
        found = self.found
        if not self.is_last:
            self._record(connection, catalog.read(connection))
            return
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
        self._record(connection, printed)

    def _record(self, connection: Connection[Any], printed: Snapshot) -> None:
        back, target = self.leg.route.back, self.work.target
        if not self.is_cleared:
            self._note_files(connection)
        entries.record_downgrade(connection, [had.id for had in back], self.leg.route.to)
        record.note(connection, self.done, self.before, printed, self.found.as_left)
        if target.protected:
            entries.label(connection, target.name)

    def _note_files(self, connection: Connection[Any]) -> None:
        for name in self.found.not_run:
            entries.record_not_run(connection, name)


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
        want = None if identity in plan.passing else want
        is_own = identity in expected or identities.relation(identity) not in moved
        if (
            after.get(identity) != want
            and is_own
            and identities.kind(identity) not in identities.BY_SERVER
        ):
            found.append(Change(identity, want, after.get(identity)))
    return found
