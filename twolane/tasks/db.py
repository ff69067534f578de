"""The daily work. Lane A: apply, then sync. Lane B: gen, then push. Never both at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.adopt import adopt as adopt
from twolane.tasks.capture import capture as capture
from twolane.tasks.check import check as check
from twolane.tasks.command import Different, command
from twolane.tasks.console import NO_CHANGES, done, say
from twolane.tasks.doctor import doctor as doctor
from twolane.tasks.look import diff as diff
from twolane.tasks.look import introspect as introspect
from twolane.tasks.look import psql as psql
from twolane.tasks.look import snapshot as snapshot
from twolane.tasks.look import status as status
from twolane.tasks.look import targets as targets
from twolane.tasks.options import CARRY_ON, COMMIT, CONFIRM, CONFIRMS, JOBS, JSON, TARGET, TARGETS
from twolane.tasks.prove import prove as prove
from twolane.tasks.prove import rls as rls

if TYPE_CHECKING:
    from twolane.state.connected import Work
    from twolane.state.hazards import Hazard
    from twolane.state.plan import Plan
    from twolane.state.state import State


@command("db.up", help={})
def up(c: Context) -> None:
    """Start the embedded server and print the URL of its database."""
    from twolane import config
    from twolane.postgres import databases, embedded, urls

    settings = config.load()
    with console.working("starting the embedded Postgres"):
        url = urls.write(databases.local_database(settings))
    done(f"The embedded Postgres {embedded.major(settings)} is up.")
    say(url)


@command("db.down", help={})
def down(c: Context) -> None:
    """Stop the embedded server; its data stay."""
    from twolane import config
    from twolane.postgres import embedded

    stopped = embedded.stop(config.load())
    done(
        "The embedded Postgres is stopped." if stopped else "The embedded Postgres was not running."
    )


@command("db.bootstrap", help={"target": TARGET, "confirm": CONFIRM, "commit": COMMIT})
def bootstrap(
    c: Context, target: str | None = None, confirm: str | None = None, commit: bool = False
) -> None:
    """From empty to ready: SQL files, migrations, sync. Run again, it does what is left."""
    from twolane.guards import guards
    from twolane.lanes import apply as lane_a
    from twolane.repo import contents
    from twolane.state import hazards, plan
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        order = work.repo.order
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.history(work.repo, work.ledger),
        )
        say(f"Bootstrapping target {work.target.name}:")
        early = contents.pending(order.before, work.ledger)
        lane_a.apply(work.connection, work.target, early, console)
        standing = work.state()
        if work.ledger.applied:
            refuse(guards.stale_mirror(standing), guards.app_drift(standing))
        todo = plan.make(work.repo, standing.ledger, console.working)
        found = hazards.find(todo)
        refuse(
            guards.session(todo),
            guards.baseline(todo),
            guards.sql_only(todo),
            guards.destructive(found, ()),
        )
        if todo.revisions:
            screens.show_plan(screens.plan_json(todo, found))
            _push(work, standing, todo)
        late = contents.pending(order.after, work.ledger)
        lane_a.apply(work.connection, work.target, late, console)
        done("The database is ready.")
        _sync(work.state(), commit)


@command(
    "db.apply",
    iterable=["file"],
    help={
        "file": "An SQL file to run even if it is unchanged; may be repeated.",
        "target": TARGETS,
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
    confirm: str | None = None,
    json: bool = False,
    jobs: str = "4",
    carry_on: bool = False,
) -> None:
    """Lane A: run the SQL files that are new or changed, each in one transaction."""
    from twolane.config import is_many
    from twolane.guards import guards
    from twolane.lanes import apply as lane_a
    from twolane.state.connected import work_on

    if is_many(target):
        from twolane.tasks import fleet

        fleet.apply(fleet.Ask(target, jobs, carry_on, confirm), file or (), json)
        return
    names = [Path(name).name for name in file or ()]
    with work_on(target, console) as work:
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.applied_history(work.repo, work.ledger),
            guards.one_lane_for_apply(work.repo, work.ledger, names),
        )
        files = lane_a.choose(work.repo, work.ledger, names)
        ran = lane_a.apply(work.connection, work.target, files, console, again=bool(names))
    if json:
        console.print_json(lane_a.as_json(ran))
    elif ran:
        done(f"Applied to target {work.target.name}: {', '.join(r.file.name for r in ran)}.")
        say("Next:  invoke db.sync")
    else:
        done("Nothing to apply: the database has run every SQL file as it is.")


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
    """Lane A: bring the live database into the mirror, introspected.py and schema.lock.json."""
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
    mirror.expect_something(state)
    if not check and not json:
        _sync(state, commit)
        return
    found = mirror.read(state)
    if not check:
        mirror.write(found)
    told = mirror.as_json(found, written=not check)
    console.print_json(told) if json else mirror_screen.show_check(told)
    if check and found.stale:
        raise Different


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
        "allow": "A hazard of the plan that is meant, as it names it: drop:notes.body; repeatable.",
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
            _push(work, state, todo)
        if json or dry_run or not todo.revisions:
            return
    if late := state.pending_after:
        say(f"Next:  invoke db.apply   ({', '.join(file.name for file in late)})")
    console.suggest_revisions(work.config, [r.title for r in todo.revisions], commit)


@command("db.reset", help={"target": TARGET, "yes": "Do it without asking."})
def reset(c: Context, target: str | None = None, yes: bool = False) -> None:
    """Drop the embedded database and make it anew; refuses any other."""
    from twolane import config
    from twolane.guards import guards
    from twolane.postgres import databases

    settings = config.load()
    refuse(guards.embedded_only(settings.target(target)))
    if not yes and not console.confirm(
        f"Drop the local database of {settings.package} with all its rows?"
    ):
        say("Nothing was changed.")
        return
    databases.drop_local(settings)
    databases.local_database(settings)
    done("The local database is empty again.")
    say("Next:  invoke db.bootstrap")


def _plan(work: Work, confirm: str | None, to: str | None) -> tuple[State, Plan, list[Hazard]]:
    """The state, the plan and the hazards of a push; checks all guards except consent."""
    from twolane.guards import guards, locks
    from twolane.state import hazards, plan

    refuse(
        guards.target(work.config, work.target, work.ledger, confirm),
        guards.order(work.repo),
        guards.history(work.repo, work.ledger),
    )
    state = work.state()
    refuse(guards.one_lane_for_push(state), guards.stale_mirror(state), guards.app_drift(state))
    todo = plan.make(work.repo, state.ledger, console.working, to)
    refuse(guards.session(todo), guards.baseline(todo), guards.sql_only(todo))
    return state, todo, [*hazards.find(todo), *locks.hazards(work.config.root, todo.statements)]


def _push(work: Work, state: State, todo: Plan) -> None:
    from twolane.lanes import push as lane_b_push

    if lane_b_push.push(work.connection, state, todo, console):
        done(f"Pushed {', '.join(r.id for r in todo.revisions)} to target {work.target.name}.")
    else:
        done("Another push was faster; nothing left to do.")


def _sync(state: State, commit: bool) -> None:
    from twolane.lanes import mirror
    from twolane.tasks import mirror_screen

    found = mirror.read(state)
    mirror_screen.show(mirror.as_json(found, written=False))
    mirror.write(found)
    if found.stale:
        done(f"Wrote {' and '.join(found.stale_names)}.")
    done(NO_CHANGES)
    if found.stale:
        message = "chore(db): re-introspect baseline after manual SQL changes"
        console.suggest(state.repo.config.root, list(found.texts), message, commit)
