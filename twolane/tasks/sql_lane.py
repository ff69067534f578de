"""Lane A: apply, then sync. The database moves into the code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import Different, command
from twolane.tasks.console import LEVEL, NO_CHANGES, done, say
from twolane.tasks.options import CARRY_ON, COMMIT, CONFIRMS, GIVEN_UP, JOBS, JSON, TARGETS

if TYPE_CHECKING:
    from twolane.lanes.apply import Ran
    from twolane.state.connected import Work
    from twolane.state.state import State


@command(
    "db.apply",
    iterable=["file", "allow"],
    help={
        "file": "An SQL file to run even if it is unchanged; may be repeated.",
        "target": TARGETS,
        "allow": GIVEN_UP,
        "confirm": CONFIRMS,
        "json": "Print the files that ran as JSON, for scripts.",
        "jobs": JOBS,
        "carry_on": CARRY_ON,
    },
)
def apply(
    c: Context,
    file: Sequence[str] | None = None,
    target: str | None = None,
    allow: Sequence[str] | None = None,
    confirm: str | None = None,
    json: bool = False,
    jobs: str = "4",
    carry_on: bool = False,
) -> None:
    """Lane A: run the SQL files that are new or changed.

    Each in one transaction, in the order of bootstrap.txt.

    Example:
      invoke db.apply
      invoke db.apply --file 02_rls_core_tables.sql
    """
    from twolane.config import is_many
    from twolane.guards import guards
    from twolane.lanes import apply as lane_a
    from twolane.state.connected import work_on

    if is_many(target):
        from twolane.tasks import fleet

        fleet.apply(fleet.Ask(target, jobs, carry_on, confirm), file or (), allow or (), json)
        return
    names = [Path(name).name for name in file or ()]
    with work_on(target, console) as work:
        refuse(
            guards.target(work.config, work.contact, confirm),
            guards.order(work.repo),
            guards.applied_history(work.repo, work.ledger),
            None if names else guards.older_checkout(work.repo, work.ledger),
            guards.one_lane_for_apply(work.repo, work.ledger, names),
        )
        ran = _run(work, names, allow or ())
    if json:
        console.print_json(lane_a.as_json(ran))
    elif ran:
        done(f"Applied to target {work.target.name}: {', '.join(r.file.name for r in ran)}.")
        say("Next:  invoke db.sync")
    else:
        done("Nothing to apply: the database has run every SQL file as it is.")


def _run(work: Work, names: Sequence[str], allow: Sequence[str]) -> Sequence[Ran]:
    """Runs the files of these names, or of none named those that are due; what ran."""
    from twolane.adopt.files import is_adopted
    from twolane.lanes import apply as lane_a
    from twolane.repo.revisions import below_the_mark
    from twolane.repo.sqlfiles import FileFailure
    from twolane.state import completion

    files = lane_a.choose(work.repo, work.ledger, names)
    if files and not completion.is_complete(work.ledger):
        lacking = completion.find_names(work.connection, work.repo, work.ledger)
        completion.carry_out(work.connection, work.ledger, lacking, console)
    try:
        return lane_a.apply(
            work.connection, work.target, files, console, again=bool(names), allowed=allow
        )
    except FileFailure as failure:
        if is_adopted(failure.file) and "must be owner of" in failure.message:
            failure.first = "invoke db.adopt --record   (the database has what the file makes)"
        later = () if failure.file.after_migrations else work.repo.revisions
        failure.first = below_the_mark(failure, later) or failure.first
        raise


@command(
    "db.sync",
    help={
        "target": f"{TARGETS} Several with --check alone: there is one mirror.",
        "check": "Write nothing; exit with 3 if the mirror is stale.",
        "json": JSON,
        "commit": COMMIT,
        "jobs": JOBS,
    },
)
def sync(
    c: Context,
    target: str | None = None,
    check: bool = False,
    json: bool = False,
    commit: bool = False,
    jobs: str = "4",
) -> None:
    """Lane A: bring the live database into the mirror.

    The mirror is introspected.py and schema.lock.json.

    Example:
      invoke db.sync --commit
      invoke db.sync --check
    """
    from twolane.config import is_many
    from twolane.guards import guards
    from twolane.lanes import mirror
    from twolane.state.connected import work_on
    from twolane.tasks import mirror_screen

    if check and is_many(target):
        from twolane.tasks import fleet

        fleet.sync_check(fleet.Ask(target, jobs), json)
        return
    with work_on(target, console) as work:
        refuse(guards.applied_history(work.repo, work.ledger))
        state = work.state()
        refuse(guards.lost_record(state))
        mirror.expect_something(state)
        if not check and not json:
            write_mirror(work, state, commit)
            return
        found = mirror.read(state)
        if not check:
            mirror.write(found)
            mirror.remember(work.connection, state, console)
    told = mirror.as_json(found, written=not check)
    console.print_json(told) if json else mirror_screen.show_check(told)
    if check and found.stale:
        raise Different


def write_mirror(work: Work, state: State, commit: bool) -> None:
    """Shows what changed, writes what is stale, and suggests or makes the commit."""
    from twolane.facts import differences
    from twolane.lanes import mirror
    from twolane.tasks import mirror_screen

    found = mirror.read(state)
    mirror_screen.show(mirror.as_json(found, written=False))
    mirror.write(found)
    mirror.remember(work.connection, state, console)
    if found.stale:
        done(f"Wrote {' and '.join(found.stale_names)}.")
    done(LEVEL if found.changes else NO_CHANGES)
    if found.stale:
        message = "chore(db): re-introspect baseline after manual SQL changes"
        what = differences.flat(found.changes)
        console.suggest(state.repo.config.root, list(found.texts), message, commit, what)
