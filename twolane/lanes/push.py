"""Lane B's second half: the waiting revisions into the database, verified.

They are one transaction. An online revision among them is a stage of its own, and what is before
and after it a transaction each; each stage is verified and recorded.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Rollback

from twolane import git
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities, partitions, views
from twolane.facts.catalog import Change, Snapshot, structure
from twolane.facts.traces import Traces
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.lanes import rights
from twolane.lanes.apply import Consent
from twolane.migrations import runner, steps
from twolane.postgres import supautils, transactions
from twolane.repo import (
    entries,
    halfway,
    ledger,
    ledger_tables,
    record,
    revisions,
    sqlfiles,
    versions,
)
from twolane.state import completion, losses
from twolane.state.completion import Completion
from twolane.state.plan import Plan
from twolane.state.state import State
from twolane.telling import Tell
from twolane.text import shortened

if TYPE_CHECKING:
    from psycopg import Connection


def push(
    connection: Connection[Any],
    state: State,
    plan: Plan,
    tell: Tell,
    allowed: Sequence[str] = (),
) -> bool:
    """Applies the plan, verified; False if another push has done it meanwhile.

    Cut short, the next push goes on with the stage, and in an online one with the step. Where the
    database has no event trigger that enables RLS on a new table, the push enables it. allowed: the
    consents given, as `--allow` takes them.

    Raises:
        Refused: it does what it did not do on the shadow, to what lane B doesn't own, or to rows.
        Failure: the database or the files changed meanwhile, or the result differs from the shadow.
    """
    lacking = completion.find(connection, state, tell.working)
    commit = git.commit_id(state.repo.config.root)
    is_mine = False
    for number, stage in enumerate(plan.in_stages):
        if number:
            now = catalog.read(connection), ledger.read(connection)
            state, lacking = replace(state, printed=now[0], ledger=now[1]), Completion()
        attempt = _Attempt(state, stage, commit, tell, lacking, allowed)
        if stage.is_online:
            _walk(connection, attempt)
        else:
            with tell.working("applying"):
                transactions.retry_locks(partial(_run, connection, attempt), connection, tell.note)
        is_mine |= attempt.is_mine
    return is_mine


def _run(connection: Connection[Any], attempt: _Attempt) -> None:
    """The revisions of a stage, in one transaction."""
    runner.upgrade(
        connection,
        attempt.state.repo.config,
        attempt.plan.revisions[-1].id,
        attempt.prepare,
        attempt.finish,
        attempt.closed,
        attempt.judge,
        is_live=True,
    )


def _walk(connection: Connection[Any], attempt: _Attempt) -> None:
    """An online revision: its steps, then a transaction that verifies and records the end."""
    revision, tell = attempt.plan.revisions[0], attempt.tell
    walk = steps.Walk(revision.id, revision.digest, halfway.UP, attempt.plan.steps)
    steps.run(connection, walk, tell, attempt.judge, attempt.state.as_left)

    def end() -> None:
        with transactions.transaction(connection):
            attempt.prepare(connection)
            versions.advance(connection, revision)
            attempt.finish(connection)
            halfway.forget(connection, revision.id)

    transactions.retry_locks(end, connection, tell.note)


@dataclass
class _Attempt:
    """The work at the start and at the end of the transaction."""

    state: State
    plan: Plan
    commit: str | None
    tell: Tell
    lacking: Completion
    allowed: Sequence[str] = ()
    begun: float = field(default_factory=time.monotonic)
    is_mine: bool = True
    done: ledger.Ledger = field(default_factory=ledger.Ledger)
    there: frozenset[int] = frozenset()

    def prepare(self, connection: Connection[Any]) -> None:
        """Takes the lock; leaves the transaction if another push was faster."""
        transactions.exclusive(connection, self.tell.note)
        now, then = ledger.read(connection), self.state.ledger
        ledger_tables.prepare(connection)
        self.done = now
        self.is_mine = now.revision == then.revision
        if now.revision == self.plan.revisions[-1].id:
            raise Rollback
        if not self.is_mine or now.applied != then.applied:
            raise Failure(
                "Another command changed the database meanwhile.", "Run the same command again."
            )
        if self.plan.again:
            self.there = losses.tables(connection)
        self._expect_unedited()
        with transactions.theirs(connection):
            for statement in self.plan.drops:
                connection.execute(supautils.raised(connection, statement).encode())

    def judge(self, connection: Connection[Any], seen: Traces) -> None:
        """Refuses what the migrations did here beside facts, and not on the shadow."""
        self._expect_unedited()
        refuse(
            guards.unplanned(self.plan, seen, self.state.partitions),
            guards.unplanned_writes(self.plan, seen, self.allowed),
        )

    def _expect_unedited(self) -> None:
        """Alembic reads the files once more, so what has run is what was planned if they are as
        they were before and after."""
        plan, folder = self.plan, self.state.repo.config.migrations
        revisions.expect_unedited(folder, plan.revisions, plan.code)

    def finish(self, connection: Connection[Any]) -> None:
        """Verifies the outcome against the shadow, and records it."""
        consent = Consent(tuple(self.allowed), self.there)
        for file in self.plan.again:
            is_known = self.done.applied.get(file.name) == file.digest
            with consent.asked(connection, file, self.tell.note, is_known):
                sqlfiles.run(connection, file)
        after = catalog.read(connection)
        if self._enable_rls(connection, after):
            after = catalog.read(connection)
        made = {**self.plan.app, **self.plan.carried}
        printed, after = after, views.settle(after, made, lambda: nullcontext(connection))
        wrong = unexpected(self.state, self.plan, after)
        wrong += rights.unexpected(connection, self.plan, self.state.printed, after)
        if wrong:
            lines = "\n".join(f"    {line}" for line in shortened(differences.flat(wrong)))
            kept = "its steps are done, and stay" if self.plan.is_online else "nothing applied"
            raise Failure(
                f"The database's end differs from the shadow's; {kept}:\n{lines}",
                "Run invoke db.status; with a fresh mirror, it is the server that differs.",
            )
        spent = round(1000 * (time.monotonic() - self.begun))
        self.lacking.write(connection, self.done)
        for revision in self.plan.revisions:
            ran, undo = (facts.get(revision.id) for facts in (self.plan.ran, self.plan.undo))
            entries.record_push(connection, revision, self.commit, spent, ran, undo)
        for file in self.plan.again:
            entries.record_file(connection, file, 0)
        record.note(connection, self.done, self.state.printed, printed, self.state.as_left)
        if self.state.target.protected:
            entries.label(connection, self.state.target.name)

    def _enable_rls(self, connection: Connection[Any], after: Snapshot) -> bool:
        """Enables RLS as the event trigger does on the shadow; whether there was anything to do."""
        closed = [i for i in self.plan.app if identities.kind(i) == "rls" and i not in after]
        with transactions.theirs(connection):
            for table in map(identities.relation, closed):
                connection.execute(f"alter table {table} enable row level security".encode())
                self.closed(str(table))
        return bool(closed)

    def closed(self, table: str) -> None:
        self.tell.note(f"enabled RLS on {table}: this database has no event trigger that does")


def unexpected(state: State, plan: Plan, after: Snapshot) -> list[Change]:
    """Where the database differs from the shadow (app lane) or from before (all else).

    Owners and grants of the app's objects are not compared: the database itself chooses those of
    new objects, and a drop removes them. Nor are partitions that only this database has.
    """
    ours = plan.app.keys() | plan.owned
    tables = {i.removeprefix("table ") for i in ours if identities.kind(i) == "table"}
    parts = partitions.of(tables, (state.printed, after))

    def is_ours(identity: str) -> bool:
        if identity in plan.follows | plan.passing or identities.relation(identity) in parts:
            return True
        by_itself = identities.kind(identity) in ("owner", "grant")
        if identity in ours or (by_itself and identities.about(identity) in ours):
            return True
        return identities.relation(identity) in plan.dropped

    made = structure({i: t for i, t in after.items() if i in plan.app})
    others = {i: t for i, t in state.printed.items() if not is_ours(i)}
    rest = {i: t for i, t in after.items() if not is_ours(i)}
    left = {i: t for i, t in after.items() if i in plan.passing}
    followed = {i: t for i, t in after.items() if i in plan.follows}
    return [
        *catalog.diff(structure(plan.app), made),
        *catalog.diff(structure(plan.carried), structure(followed)),
        *catalog.diff(others, rest),
        *catalog.diff({}, left),
    ]
