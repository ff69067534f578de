"""The daily work. Lane A: apply, then sync. Lane B: gen, then push. Never both at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from . import console
from .console import command, done, refuse, say

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Connection

    from .catalog import Snapshot
    from .config import Config, Target
    from .ledger import Ledger
    from .plan import Plan
    from .state import Repo, State

TARGET = (
    "Target by name: local (embedded), default (DATABASE_URL), or one of [tool.twolane.targets]."
)
CONFIRM = "Name of the protected target that is meant to be changed."
JSON = "Print JSON, for scripts."
COMMIT = "Make the suggested git commit."
NO_CHANGES = "No schema changes."


@dataclass(frozen=True)
class Work:
    """A command's surroundings: the repo, the target, and an open connection to it."""

    repo: Repo
    target: Target
    connection: Connection[Any]
    ledger: Ledger

    @property
    def config(self) -> Config:
        return self.repo.config

    def state(self) -> State:
        from .state import read_state

        return read_state(self.repo, self.target, self.connection, console.working)


@contextmanager
def work_on(name: str | None) -> Iterator[Work]:
    """Reads the repo and connects to the target."""
    from . import config, databases, ledger, state

    repo = state.read_repo(config.load())
    target = repo.config.target(name)
    with databases.connect(repo.config, target) as connection:
        yield Work(repo, target, connection, ledger.read(connection))


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
        todo = plan.make(work.repo, work.ledger, console.working)
        refuse(guards.baseline(todo))
        if todo.revisions:
            _push(work, work.state(), todo)
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

    names = list(file or ())
    with work_on(target) as work:
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
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
    from . import lane_a

    with work_on(target) as work:
        print(lane_a.mirror(work.state()).models, end="")


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
    from . import guards

    with work_on(target) as work:
        refuse(guards.known_revision(work.repo, work.ledger))
        state = work.state()
    if check or json:
        _report_mirror(state, json, write=not check)
        if check:
            return
    else:
        _sync(state, commit)


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
    _suggest(repo.config, [made.path, repo.config.schema / "app.py"], _feat([made.title]), commit)


@command(
    help={
        "target": TARGET,
        "dry_run": "Stop at the plan.",
        "confirm": CONFIRM,
        "json": "Print the plan, and whether it was applied, as JSON.",
        "commit": COMMIT,
    }
)
def push(
    c: Context,
    target: str | None = None,
    dry_run: bool = False,
    confirm: str | None = None,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Lane B: bring the waiting revisions into the database."""
    from . import guards, lane_b, plan

    with work_on(target) as work:
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.history(work.repo, work.ledger),
        )
        state = work.state()
        refuse(guards.one_lane_for_push(state), guards.stale_mirror(state), guards.app_drift(state))
        todo = plan.make(work.repo, work.ledger, console.working)
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
    _suggest(
        work.config,
        [work.config.migrations, work.config.schema / "app.py"],
        _feat([r.title for r in todo.revisions]),
        commit,
    )


@command(help={"target": TARGET, "json": JSON})
def status(c: Context, target: str | None = None, json: bool = False) -> None:
    """Where things stand: the target, what each lane has pending, what to run next."""
    from . import guards, report

    with work_on(target) as work:
        blocked = guards.order(work.repo) or guards.history(work.repo, work.ledger)
        state = work.state()
        found = report.read(state, work.connection.info.server_version, blocked)
    console.print_json(report.as_json(found)) if json else report.show(found)


@command(help={"source": "URL or target name.", "target": "URL or target name.", "json": JSON})
def diff(c: Context, source: str, target: str, json: bool = False) -> None:
    """Compare two databases fact by fact; exit with 3 if they differ."""
    from . import catalog

    changes = catalog.diff(_facts(source), _facts(target))
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

    facts = _facts(target)
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
        "file": "Run this file and leave.",
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

    with work_on(target) as work:
        refuse(guards.target(work.config, work.target, work.ledger, confirm))
        parameters = databases.parameters(work.config, work.target)
    program = embedded.program(work.config, "psql")
    options = ["--set", "ON_ERROR_STOP=1"]
    options += ["--command", command] if command else []
    options += ["--file", file] if file else []
    result = subprocess.run(
        [program, *options], env=databases.client_environment(parameters), check=False
    )
    if result.returncode:
        raise console.Exit(code=console.ERROR)


def _facts(name: str | None) -> Snapshot:
    """The facts of a database given by URL or by target name."""
    from . import catalog, config, databases

    if name and "://" in name:
        opening = databases.open_connection(
            databases.from_url(name, "The URL"), "Connecting to the URL"
        )
    else:
        settings = config.load()
        opening = databases.connect(settings, settings.target(name))
    with opening as connection:
        return catalog.read(connection)


def _sync(state: State, commit: bool) -> None:
    from . import lane_a

    config = state.repo.config
    mirror = lane_a.mirror(state)
    stale = lane_a.outdated(config, mirror)
    if mirror.changes:
        say(f"The live database against the mirror, {console.count(mirror.changes)}:")
        console.show_changes(mirror.changes)
    _explain(state)
    if stale:
        lane_a.write(config, mirror)
        done(f"Wrote {' and '.join(str(path.relative_to(config.root)) for path in stale)}.")
    done(NO_CHANGES)
    if stale:
        message = "chore(db): re-introspect baseline after manual SQL changes"
        _suggest(config, [config.introspected, config.lock], message, commit)


def _report_mirror(state: State, json: bool, write: bool) -> None:
    """`sync --check` and `sync --json`: what differs, and exit code 3 for the first."""
    from . import lane_a

    config = state.repo.config
    mirror = lane_a.mirror(state)
    stale = lane_a.outdated(config, mirror)
    if write and stale:
        lane_a.write(config, mirror)
    if json:
        console.print_json(
            {
                "changes": console.change_json(mirror.changes),
                "no_sql_file_makes": console.change_json(state.unmade),
                "files": [path.relative_to(config.root).as_posix() for path in stale],
                "written": write and bool(stale),
            }
        )
    elif stale:
        console.show_changes(mirror.changes)
        say(f"Stale: {', '.join(path.relative_to(config.root).as_posix() for path in stale)}.")
        say("Next:  invoke db.sync")
    else:
        done(NO_CHANGES)
    if stale and not write:
        raise console.Different


def _explain(state: State) -> None:
    """What a sync does not settle, each with its way on."""
    if state.replay_error:
        console.warn(f"The repo's files don't run on the shadow: {state.replay_error.message}")
    if state.unmade:
        console.warn("This is not what the SQL files make; put it into a file under supabase/sql/:")
        console.show_changes(state.unmade, limit=12)
    if state.app_drift:
        console.warn(
            "The app's tables differ from their revisions (G10); the mirror leaves them out:"
        )
        console.show_changes(state.app_drift, limit=12)


def _push(work: Work, state: State, todo: Plan, dry_run: bool = False) -> None:
    from . import lane_b

    console.show_plan(todo, lane_b.renames(todo.changes))
    if dry_run:
        say("Dry run: nothing was applied.")
        return
    mine = lane_b.push(work.connection, state, todo)
    title = ", ".join(r.id for r in todo.revisions)
    done(
        f"Pushed {title} to target {work.target.name}."
        if mine
        else "Another push was faster; nothing left to do."
    )


def _feat(titles: Sequence[str]) -> str:
    return f"feat(db): {', '.join(titles)} via Alembic migration"


def _suggest(config: Config, paths: Sequence[Path], message: str, commit: bool) -> None:
    """The commit message comes last; `--commit` makes the commit."""
    from . import git

    if commit:
        done(git.commit(config.root, paths, message))
    else:
        say(f"Commit:  {message}")
