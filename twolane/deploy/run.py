"""Carries a deployment out: SQL files, revisions, SQL files, each step recorded as it is done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from twolane.deploy.deployment import Deployment
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities, views
from twolane.facts.catalog import Change
from twolane.lanes import apply, push
from twolane.postgres import supautils, transactions
from twolane.repo import entries, ledger, record
from twolane.repo.sqlfiles import SqlFile
from twolane.state import completion, losses
from twolane.state.connected import Work
from twolane.text import shortened


def run(work: Work, deployment: Deployment, allowed: Sequence[str] = ()) -> None:
    """Runs what the database lacks. Cut short, the same command goes on where it stopped.

    allowed: the consents given, as `--allow` takes them.

    Raises:
        Failure: a step fails, and is rolled back; or the end differs from the shadow.
    """
    complete(work, deployment)
    there = losses.tables(work.connection)
    # What the plan names was consented to, with it or by name.
    allowed = [*allowed, *(hazard.key for hazard in deployment.hazards)]

    def run_files(files: Sequence[SqlFile]) -> None:
        connection, target, tell = work.connection, work.target, work.tell
        apply.apply(connection, target, files, tell, allowed=allowed, there=there)

    run_files(deployment.early)
    if deployment.plan.revisions:
        now = replace(
            deployment.state,
            printed=catalog.read(work.connection),
            ledger=ledger.read(work.connection),
        )
        push.push(work.connection, now, deployment.plan, work.tell, allowed)
    run_files(deployment.late)
    if deployment.course.rest:
        with work.tell.working("taking away what is left over"):
            transactions.retry_locks(
                lambda: _finish(work, deployment), work.connection, work.tell.note
            )
    _verify(work, deployment)


def complete(work: Work, deployment: Deployment) -> None:
    """Brings a record of an earlier version of twolane up to date; it may be so already."""
    state, connection = deployment.state, work.connection
    if completion.is_complete(state.ledger):
        return
    lacking = completion.find(connection, state, work.tell.working)
    completion.carry_out(connection, state.ledger, lacking, work.tell)


def _finish(work: Work, deployment: Deployment) -> None:
    connection = work.connection
    with transactions.transaction(connection):
        transactions.exclusive(connection, work.tell.note)
        done = ledger.read(connection)
        before = catalog.read(connection)
        with transactions.theirs(connection):
            for statement in deployment.course.rest:
                connection.execute(supautils.raised(connection, statement.sql).encode())
        transactions.reset(connection)
        for name in sorted(done.applied.keys() - {f.name for f in work.repo.order.files}):
            entries.record_not_run(connection, name)
        record.note(connection, done, before, catalog.read(connection))


def _verify(work: Work, deployment: Deployment) -> None:
    """Compares what changed in the database with what changed on the shadow."""
    connection = work.connection
    ended = catalog.read(connection)
    ended = views.settle(ended, deployment.course.end, lambda: nullcontext(connection))
    changed = {change.identity for change in deployment.changes}
    wrong = [
        Change(identity, deployment.course.end.get(identity), ended.get(identity))
        for identity in sorted(changed)
        if ended.get(identity) != deployment.course.end.get(identity)
        and identities.kind(identity) not in identities.BY_SERVER
    ]
    if wrong:
        lines = "\n".join(f"    {line}" for line in shortened(differences.flat(wrong)))
        raise Failure(
            f"All steps ran, but the database differs from the shadow:\n{lines}",
            "invoke db.status",
        )
