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
    from twolane.lanes.generate import Generated
    from twolane.repo.contents import Repo
    from twolane.state.connected import Work
    from twolane.state.hazards import Hazard
    from twolane.state.plan import Plan
    from twolane.state.state import State


@command(
    "db.gen",
    iterable=["rename"],
    help={
        "message": "What the revision does, in a few words.",
        "rename": "A table or column that app.py names anew: notes.body:notes.text; repeatable.",
        "empty": "Write a revision that does nothing yet, to be filled in by hand.",
        "merge": "Write a revision that builds on every head.",
        "offline": "One plain revision, also for what a large table in use takes online.",
        "target": TARGET,
        "commit": COMMIT,
    },
)
def gen(
    c: Context,
    message: str | None = None,
    rename: Sequence[str] | None = None,
    empty: bool = False,
    merge: bool = False,
    offline: bool = False,
    target: str | None = None,
    commit: bool = False,
) -> None:
    """Lane B: write a revision of what app.py changed.

    It runs nothing in the database: read the revision, then db.push.

    Example:
      invoke db.gen -m "add notes"
      invoke db.gen -m 'rename body' --rename notes.body:notes.text
    """
    from twolane import config
    from twolane.facts import differences
    from twolane.guards import guards
    from twolane.lanes import generate
    from twolane.repo import contents, ledger

    repo = contents.read_repo(config.load())
    refuse(guards.order(repo))
    if merge:
        path = generate.merge(repo, message)
        done(f"Wrote {path.relative_to(repo.config.root)}: the heads are one again.")
        return
    refuse(guards.history(repo, ledger.Ledger()))
    there = _check_target(repo, target)
    if empty:
        made = [generate.write_empty(repo, message, console.working)]
    else:
        renamed = [*(rename or ()), *_asked(repo, message, rename or ())]
        made = generate.generate(repo, message, console.working, renamed, there, offline)
    if not made:
        done(NO_CHANGES)
        return
    for each in made:
        _show_generated(repo, each)
    say("Read it, then:  invoke db.push")
    paths = [*(each.path for each in made), repo.config.schema / "app.py"]
    what = [line for each in made for line in differences.flat(each.changes)]
    console.suggest(repo.config.root, paths, console.feat([made[0].title]), commit, what)


def _check_target(repo: Repo, target: str | None) -> frozenset[str]:
    """The guards that look at a database; one that can't be reached is left out.

    Returns the columns that somebody made there by hand, just as `app.py` declares them.
    """
    from twolane.errors import Unreachable
    from twolane.guards import guards
    from twolane.lanes import generate
    from twolane.state.connected import work_on

    try:
        with work_on(target, console) as work:
            refuse(guards.history(repo, work.ledger))
            state = work.state()
            refuse(guards.one_lane_for_gen(state), guards.stale_mirror(state))
            there = generate.by_hand(repo, state.app_drift, console.working)
            refuse(guards.app_drift(state, there))
            return there
    except Unreachable as failure:
        why = failure.message.splitlines()[0].rstrip(".")
        console.note(f"{why}; going on with the shadow alone")
    return frozenset()


def _asked(repo: Repo, message: str | None, renamed: Sequence[str]) -> list[str]:
    """The renames that the person at the terminal says are meant; none without a terminal."""
    from twolane.lanes import generate

    if not message or not console.is_asked():
        return []
    return screens.ask_renames(generate.likely_renames(repo, console.working, renamed), "renamed")


def _show_generated(repo: Repo, made: Generated) -> None:
    """Prints what the revision changes, its hazards, and the renames that may be meant."""
    from shlex import quote

    from twolane.guards import locks
    from twolane.state import hazards

    name = made.path.relative_to(repo.config.root)
    done(f"Wrote {name}:")
    screens.show_objects(made.changes)
    for pair in made.renames:
        again = f"rm {name} && invoke db.gen -m {quote(made.title)} --rename {pair.text}"
        console.warn(
            f"{pair.old} is dropped and {pair.new} added: the data of the first are lost. "
            f"For a rename, which op.alter_column or op.rename_table makes:\n    {again}"
        )
    plan = made.plan
    found = [*hazards.find(plan), *locks.hazards(repo.config.root, plan.statements)]
    screens.show_dangers(plan, found)
    if made.unseen:
        console.warn("app.py also says what this revision does not make; add it by hand:")
        screens.show_changes(made.unseen)


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
    """Lane B: bring the waiting revisions into the database.

    Shows the plan and its hazards first; what loses data needs --allow.

    Example:
      invoke db.push --dry-run
      invoke db.push --target staging --allow drop:notes.body
    """
    from twolane.config import is_many
    from twolane.state import hazards
    from twolane.state.connected import work_on

    allowed = allow or ()
    if is_many(target):
        from twolane.tasks import fleet

        ask = fleet.Ask(target, jobs, carry_on, confirm)
        fleet.push(ask, dry_run, allowed, to, json, commit)
        return
    with work_on(target, console) as work:
        state, todo, found = _plan(work, confirm, to)
        if todo.revisions:
            hazards.expect_known(found, allowed, todo)
        told = screens.plan_json(todo, found)
        if not json:
            screens.show_push(told, dry_run, to, allowed)
        applied = not dry_run and _carry_out(work, state, todo, found, allowed)
        if json:
            console.print_json({**told, "applied": applied})
        elif todo.revisions and not dry_run:
            _say_pushed(work, todo, applied)
    if todo.revisions and not (json or dry_run):
        _say_next(work, state, todo, commit)


def _plan(work: Work, confirm: str | None, to: str | None) -> tuple[State, Plan, list[Hazard]]:
    """The state, the plan and the hazards of a push; checks all guards except consent."""
    from twolane.guards import guards, locks
    from twolane.state import hazards, plan
    from twolane.state.rehearsal import Steps

    refuse(
        guards.target(work.config, work.contact, confirm),
        guards.order(work.repo),
        guards.history(work.repo, work.ledger),
    )
    state = work.state()
    refuse(guards.lost_record(state))
    refuse(guards.one_lane_for_push(state), guards.stale_mirror(state), guards.app_drift(state))
    late = () if to else state.pending_after
    steps = Steps(plan.chosen(state.waiting, to, work.repo.revisions), late=late)
    todo = work.rehearse(state, steps).plan
    refuse(
        guards.session(todo),
        guards.pooled(todo.revisions, lambda: work.is_shared),
        guards.half_run(work.ledger, todo),
        guards.broken(todo, state.replay_error) if todo.effects.renamed else None,
        guards.baseline(todo),
        guards.sql_only(todo),
        guards.broken(todo, state.replay_error),
    )
    return state, todo, [*hazards.find(todo), *locks.hazards(work.config.root, todo.statements)]


def _carry_out(
    work: Work, state: State, todo: Plan, found: Sequence[Hazard], allowed: Sequence[str]
) -> bool:
    """Pushes the plan, if its hazards are consented to; whether this push did it."""
    from twolane.guards import guards
    from twolane.lanes import push as lane_b_push
    from twolane.repo import consents

    refuse(guards.destructive(found, allowed))
    if not todo.revisions:
        return False
    applied = lane_b_push.push(work.connection, state, todo, console, allowed)
    if not work.config.in_ci:
        consents.keep(work.config, todo.revisions, [h.key for h in found if h.needs_consent])
    return applied


def _say_pushed(work: Work, todo: Plan, applied: bool) -> None:
    if applied:
        done(f"Pushed {', '.join(r.id for r in todo.revisions)} to target {work.target.name}.")
    else:
        done("Another push was faster; nothing left to do.")


def _say_next(work: Work, state: State, todo: Plan, commit: bool) -> None:
    from twolane.facts import differences

    if late := [file.name for file in state.pending_after if file not in todo.again]:
        say(f"Next:  invoke db.apply   ({', '.join(late)})")
    what = differences.flat(todo.changes)
    console.suggest_revisions(work.config, [r.title for r in todo.revisions], commit, what)
