"""The daily work. Lane A: apply, then sync. Lane B: gen, then push. Never both at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from . import console
from .console import command, done, refuse, say

if TYPE_CHECKING:
    from .plan import Plan
    from .state import State
    from .work import Work

TARGET = (
    "Target by name: local (embedded), default (DATABASE_URL), or one of [tool.twolane.targets]."
)
CONFIRM = "Name of the protected target that is meant to be changed."
JSON = "Print JSON, for scripts."
COMMIT = "Make the suggested git commit."
NO_CHANGES = "No schema changes."


@command(help={})
def up(c: Context) -> None:
    """Start the embedded server and print the URL of its database."""
    from . import config, databases, embedded

    settings = config.load()
    with console.working("starting the embedded Postgres"):
        url = databases.to_url(databases.local_database(settings))
    done(f"The embedded Postgres {embedded.major(settings)} is up.")
    say(url)


@command(help={})
def down(c: Context) -> None:
    """Stop the embedded server; its data stay."""
    from . import config, embedded

    stopped = embedded.stop(config.load())
    done(
        "The embedded Postgres is stopped." if stopped else "The embedded Postgres was not running."
    )


@command(help={"target": TARGET, "confirm": CONFIRM, "commit": COMMIT})
def bootstrap(
    c: Context, target: str | None = None, confirm: str | None = None, commit: bool = False
) -> None:
    """From empty to ready: SQL files, migrations, sync. Run again, it does what is left."""
    from . import guards, lane_a, plan, state
    from .work import work_on

    with work_on(target) as work:
        order = work.repo.order
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.history(work.repo, work.ledger),
        )
        say(f"Bootstrapping target {work.target.name}:")
        lane_a.apply(
            work.connection, work.target, state.pending(order.before, work.ledger), again=False
        )
        standing = work.state()
        if work.ledger.applied:
            refuse(guards.stale_mirror(standing), guards.app_drift(standing))
        todo = plan.make(work.repo, standing.ledger, console.working)
        refuse(guards.baseline(todo))
        if todo.revisions:
            _push(work, standing, todo)
        lane_a.apply(
            work.connection, work.target, state.pending(order.after, work.ledger), again=False
        )
        done("The database is ready.")
        _sync(work.state(), commit)


@command(
    iterable=["file"],
    help={
        "file": "An SQL file to run even if it is unchanged; may be repeated.",
        "target": TARGET,
        "confirm": CONFIRM,
    },
)
def apply(
    c: Context,
    file: Sequence[str] | None = None,
    target: str | None = None,
    confirm: str | None = None,
) -> None:
    """Lane A: run the SQL files that are new or changed, each in one transaction."""
    from . import guards, lane_a
    from .work import work_on

    names = [Path(name).name for name in file or ()]
    with work_on(target) as work:
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.applied_history(work.repo, work.ledger),
            guards.one_lane_for_apply(work.repo, work.ledger, names),
        )
        files = lane_a.choose(work.repo, work.ledger, names)
        ran = lane_a.apply(work.connection, work.target, files, again=bool(names))
    if ran:
        done(f"Applied to target {work.target.name}: {', '.join(file.name for file in ran)}.")
        say("Next:  invoke db.sync")
    else:
        done("Nothing to apply: the database has run every SQL file as it is.")


@command(help={"target": TARGET})
def introspect(c: Context, target: str | None = None) -> None:
    """Print the models that a sync would write; write nothing."""
    from . import models
    from .work import work_on

    with work_on(target) as work:
        print(models.render_models(work.state().sql_lane), end="")


@command(
    help={
        "target": TARGET,
        "check": "Write nothing; exit with 3 if the mirror is stale.",
        "json": JSON,
        "commit": COMMIT,
    }
)
def sync(
    c: Context,
    target: str | None = None,
    check: bool = False,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Lane A: bring the live database into the mirror, introspected.py and schema.lock.json."""
    from . import guards, mirror
    from .work import work_on

    with work_on(target) as work:
        refuse(guards.applied_history(work.repo, work.ledger))
        state = work.state()
    mirror.expect_something(state)
    if not check and not json:
        _sync(state, commit)
        return
    found = mirror.read(state)
    if not check:
        mirror.write(found)
    if json:
        console.print_json(mirror.as_json(found, written=not check))
    else:
        mirror.show(found)
        done(NO_CHANGES) if not found.stale else say(
            f"Stale: {', '.join(found.stale_names)}.\nNext:  invoke db.sync"
        )
    if check and found.stale:
        raise console.Different


@command(
    help={
        "message": "What the revision does, in a few words.",
        "empty": "Write a revision that does nothing yet, to be filled in by hand.",
        "target": TARGET,
        "commit": COMMIT,
    }
)
def gen(
    c: Context,
    message: str | None = None,
    empty: bool = False,
    target: str | None = None,
    commit: bool = False,
) -> None:
    """Lane B: compare app.py with the migrations and write a revision."""
    from . import config, guards, lane_b, ledger
    from . import state as states
    from .errors import Unreachable
    from .work import work_on

    repo = states.read_repo(config.load())
    refuse(guards.order(repo), guards.history(repo, ledger.Ledger()))
    try:
        with work_on(target) as work:
            refuse(guards.history(repo, work.ledger))
            state = work.state()
            refuse(
                guards.one_lane_for_gen(state), guards.stale_mirror(state), guards.app_drift(state)
            )
    except Unreachable as failure:
        console.note(f"{failure.message.splitlines()[0]}; going on with the shadow alone")
    made = lane_b.generate(repo, message, empty)
    if made is None:
        done(NO_CHANGES)
        return
    done(f"Wrote {made.path.relative_to(repo.config.root)}:")
    console.show_changes(made.changes)
    for pair in made.renames:
        console.warn(
            f"{pair}. If a rename is meant, edit the revision: op.alter_column, op.rename_table."
        )
    if made.unseen:
        console.warn(
            "app.py also says what Alembic does not compare; add it to the revision by hand:"
        )
        console.show_changes(made.unseen)
    say("Read it, then:  invoke db.push")
    paths = [made.path, repo.config.schema / "app.py"]
    console.suggest(repo.config.root, paths, _feat([made.title]), commit)


@command(
    help={
        "target": TARGET,
        "dry_run": "Stop at the plan.",
        "to": "The last revision to push; without it, all that wait.",
        "confirm": CONFIRM,
        "json": "Print the plan, and whether it was applied, as JSON.",
        "commit": COMMIT,
    }
)
def push(
    c: Context,
    target: str | None = None,
    dry_run: bool = False,
    to: str | None = None,
    confirm: str | None = None,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Lane B: bring the waiting revisions into the database."""
    from . import guards, lane_b, plan
    from .work import work_on

    with work_on(target) as work:
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.history(work.repo, work.ledger),
        )
        state = work.state()
        refuse(guards.one_lane_for_push(state), guards.stale_mirror(state), guards.app_drift(state))
        todo = plan.make(work.repo, state.ledger, console.working, to)
        refuse(guards.baseline(todo))
        if json:
            applied = bool(todo.revisions) and not dry_run
            applied = applied and lane_b.push(work.connection, state, todo)
            console.print_json({**console.plan_json(todo), "applied": applied})
        elif not todo.revisions:
            done("Nothing to push: the database has every revision.")
        else:
            _push(work, state, todo, dry_run)
        if json or dry_run or not todo.revisions:
            return
    if late := state.pending_after:
        say(f"Next:  invoke db.apply   ({', '.join(file.name for file in late)})")
    paths = [work.config.migrations, work.config.schema / "app.py"]
    console.suggest(work.config.root, paths, _feat([r.title for r in todo.revisions]), commit)


@command(help={"target": TARGET, "json": JSON})
def status(c: Context, target: str | None = None, json: bool = False) -> None:
    """Where things stand: the target, what each lane has pending, what to run next."""
    from . import guards, report
    from .work import work_on

    with work_on(target) as work:
        blocked = guards.order(work.repo) or guards.history(work.repo, work.ledger)
        state = work.state()
        found = report.read(state, work.connection.info.server_version, blocked)
    console.print_json(report.as_json(found)) if json else report.show(found)


@command(help={"source": "URL or target name.", "target": "URL or target name.", "json": JSON})
def diff(c: Context, source: str, target: str, json: bool = False) -> None:
    """Compare two databases fact by fact; exit with 3 if they differ."""
    from . import catalog
    from .work import facts_of

    changes = catalog.diff(facts_of(source), facts_of(target))
    if json:
        console.print_json(console.change_json(changes))
    elif changes:
        console.show_changes(changes, limit=None)
        say(f"From source to target: {console.count(changes)}.")
    else:
        done(NO_CHANGES)
    if changes:
        raise console.Different


@command(help={"target": "URL or target name.", "json": "Print JSON, in the lock file's form."})
def snapshot(c: Context, target: str | None = None, json: bool = False) -> None:
    """Print the facts of a database, one a line."""
    from . import catalog
    from .work import facts_of

    facts = facts_of(target)
    if json:
        print(catalog.dump_lock(facts), end="")
        return
    for identity, text in facts.items():
        say(f"{identity}  {text}")


@command(help={"target": TARGET, "yes": "Do it without asking."})
def reset(c: Context, target: str | None = None, yes: bool = False) -> None:
    """Drop the embedded database and make it anew; refuses any other."""
    from . import config, databases, guards

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


@command(
    help={
        "command": "Run this SQL and leave.",
        "file": "Run this file, as one transaction, and leave.",
        "target": TARGET,
        "confirm": CONFIRM,
    }
)
def psql(
    c: Context,
    command: str | None = None,
    file: str | None = None,
    target: str | None = None,
    confirm: str | None = None,
) -> None:
    """Open a psql on the target."""
    import subprocess

    from . import databases, embedded, guards
    from .work import work_on

    with work_on(target) as work:
        refuse(guards.target(work.config, work.target, work.ledger, confirm))
        parameters = databases.parameters(work.config, work.target)
    program = embedded.program(work.config, "psql")
    options = ["--set", "ON_ERROR_STOP=1"]
    options += ["--command", command] if command else []
    options += ["--single-transaction", "--file", file] if file else []
    result = subprocess.run(
        [program, *options], env=databases.client_environment(parameters), check=False
    )
    if result.returncode:
        raise console.Exit(code=console.ERROR)


def _push(work: Work, state: State, todo: Plan, dry_run: bool = False) -> None:
    from . import lane_b

    console.show_plan(todo, [] if todo.renames else lane_b.renames(todo.changes))
    if dry_run:
        say("Dry run: nothing was applied.")
    elif lane_b.push(work.connection, state, todo):
        done(f"Pushed {', '.join(r.id for r in todo.revisions)} to target {work.target.name}.")
    else:
        done("Another push was faster; nothing left to do.")


def _sync(state: State, commit: bool) -> None:
    from . import mirror

    found = mirror.read(state)
    mirror.show(found)
    mirror.write(found)
    if found.stale:
        done(f"Wrote {' and '.join(found.stale_names)}.")
    done(NO_CHANGES)
    if found.stale:
        message = "chore(db): re-introspect baseline after manual SQL changes"
        console.suggest(state.repo.config.root, list(found.texts), message, commit)


def _feat(titles: Sequence[str]) -> str:
    return f"feat(db): {', '.join(titles)} via Alembic migration"
