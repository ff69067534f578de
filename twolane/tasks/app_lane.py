"""Lane B: gen, then push. The code moves into the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.command import command
from twolane.tasks.console import NO_CHANGES, done, say
from twolane.tasks.options import ALLOW, CARRY_ON, COMMIT, CONFIRMS, JOBS, TARGET, TARGETS

if TYPE_CHECKING:
    from twolane.state.connected import Work
    from twolane.state.hazards import Hazard
    from twolane.state.plan import Plan
    from twolane.state.state import State


@command(
    "db.gen",
    help={
        "message": "What the revision does, in a few words.",
        "empty": "Write a revision that does nothing yet, to be filled in by hand.",
        "target": TARGET,
        "commit": COMMIT,
    },
)
def gen(
    c: Context,
    message: str | None = None,
    empty: bool = False,
    target: str | None = None,
    commit: bool = False,
) -> None:
    """Lane B: compare app.py with the migrations and write a revision."""
    from twolane import config
    from twolane.errors import Unreachable
    from twolane.guards import guards
    from twolane.lanes import generate
    from twolane.repo import contents, ledger
    from twolane.state.connected import work_on

    repo = contents.read_repo(config.load())
    refuse(guards.order(repo), guards.history(repo, ledger.Ledger()))
    try:
        with work_on(target, console) as work:
            refuse(guards.history(repo, work.ledger))
            state = work.state()
            refuse(
                guards.one_lane_for_gen(state), guards.stale_mirror(state), guards.app_drift(state)
            )
    except Unreachable as failure:
        console.note(f"{failure.message.splitlines()[0]}; going on with the shadow alone")
    made = generate.generate(repo, message, empty, console.working)
    if made is None:
        done(NO_CHANGES)
        return
    done(f"Wrote {made.path.relative_to(repo.config.root)}:")
    screens.show_objects(made.changes)
    for pair in made.renames:
        console.warn(
            f"{pair}. If a rename is meant, edit the revision: op.alter_column, op.rename_table."
        )
    if made.unseen:
        console.warn(
            "app.py also says what Alembic does not compare; add it to the revision by hand:"
        )
        screens.show_changes(made.unseen)
    say("Read it, then:  invoke db.push")
    paths = [made.path, repo.config.schema / "app.py"]
    console.suggest(repo.config.root, paths, console.feat([made.title]), commit)


@command(
    "db.push",
    iterable=["allow"],
    help={
        "target": TARGETS,
        "dry_run": "Stop at the plan.",
        "allow": ALLOW,
        "to": "The last revision to push; without it, all that wait.",
        "confirm": CONFIRMS,
        "json": "Print the plan, and whether it was applied, as JSON.",
        "commit": COMMIT,
        "jobs": JOBS,
        "carry_on": CARRY_ON,
    },
)
def push(
    c: Context,
    target: str | None = None,
    dry_run: bool = False,
    allow: Sequence[str] | None = None,
    to: str | None = None,
    confirm: str | None = None,
    json: bool = False,
    commit: bool = False,
    jobs: str = "4",
    carry_on: bool = False,
) -> None:
    """Lane B: bring the waiting revisions into the database."""
    from twolane.config import is_many
    from twolane.guards import guards
    from twolane.lanes import push as lane_b_push
    from twolane.state import hazards
    from twolane.state.connected import work_on

    if is_many(target):
        from twolane.tasks import fleet

        ask = fleet.Ask(target, jobs, carry_on, confirm)
        fleet.push(ask, dry_run, allow or (), to, json, commit)
        return
    with work_on(target, console) as work:
        state, todo, found = _plan(work, confirm, to)
        if todo.revisions:
            hazards.expect_known(found, allow or ())
        told = screens.plan_json(todo, found)
        if not json:
            screens.show_push(told, dry_run, to)
        if not dry_run:
            refuse(guards.destructive(found, allow or ()))
        if json:
            applied = bool(todo.revisions) and not dry_run
            applied = applied and lane_b_push.push(work.connection, state, todo, console)
            console.print_json({**told, "applied": applied})
        elif todo.revisions and not dry_run:
            carry_out(work, state, todo)
        if json or dry_run or not todo.revisions:
            return
    if late := state.pending_after:
        say(f"Next:  invoke db.apply   ({', '.join(file.name for file in late)})")
    console.suggest_revisions(work.config, [r.title for r in todo.revisions], commit)


def _plan(work: Work, confirm: str | None, to: str | None) -> tuple[State, Plan, list[Hazard]]:
    """The state, the plan and the hazards of a push; checks all guards except consent."""
    from twolane.guards import guards, locks
    from twolane.state import hazards, plan
    from twolane.state.rehearsal import Steps

    refuse(
        guards.target(work.config, work.target, work.ledger, confirm),
        guards.order(work.repo),
        guards.history(work.repo, work.ledger),
    )
    state = work.state()
    refuse(guards.one_lane_for_push(state), guards.stale_mirror(state), guards.app_drift(state))
    late = () if to else state.pending_after
    steps = Steps(plan.chosen(state.waiting, to, work.repo.revisions), late=late)
    todo = work.rehearse(state, steps).plan
    refuse(
        guards.session(todo),
        guards.broken(todo, state.replay_error) if todo.effects.renamed else None,
        guards.baseline(todo),
        guards.sql_only(todo),
        guards.broken(todo, state.replay_error),
    )
    return state, todo, [*hazards.find(todo), *locks.hazards(work.config.root, todo.statements)]


def carry_out(work: Work, state: State, todo: Plan) -> None:
    """Pushes the plan, and says so; another push may have been faster."""
    from twolane.lanes import push as lane_b_push

    if lane_b_push.push(work.connection, state, todo, console):
        done(f"Pushed {', '.join(r.id for r in todo.revisions)} to target {work.target.name}.")
    else:
        done("Another push was faster; nothing left to do.")
