"""Commands that show a database: its status, its facts, its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit

from twolane import exit_codes
from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.command import Different, command
from twolane.tasks.console import NO_CHANGES, done, say, say_json
from twolane.tasks.options import CONFIRM, JOBS, JSON, TARGET, TARGETS
from twolane.text import clean_line

if TYPE_CHECKING:
    from twolane.state.connected import Work


# `db.diff --sql --json` of two databases that are the same.
NOTHING: dict[str, list[Any]] = {"changes": [], "statements": [], "hazards": [], "left": []}


@command("db.status", help={"target": TARGETS, "json": JSON, "jobs": JOBS})
def status(c: Context, target: str | None = None, json: bool = False, jobs: str = "4") -> None:
    """Every day: where things stand, and what to run next.

    The target, what each lane has pending, the next command.

    Example:
      invoke db.status
      invoke db.status --target 'eu-*,staging'
    """
    from twolane import config
    from twolane.guards import guards
    from twolane.lanes import status as report
    from twolane.state.connected import work_on
    from twolane.tasks import status_screen

    if config.is_many(target):
        from twolane.tasks import fleet

        fleet.status(fleet.Ask(target, jobs), json)
        return
    with work_on(target, console) as work:
        elsewhere = guards.of_another_branch(work.repo, work.ledger)
        if elsewhere:
            elsewhere = guards.unknown_there(work.contact, elsewhere)
            found = report.of_another_branch(work, elsewhere)
        else:
            blocked = guards.order(work.repo) or guards.history(work.repo, work.ledger)
            version = work.connection.info.server_version
            found = report.read(work.state(), version, blocked, console.working)
    if json:
        console.print_json(report.as_json(found))
    else:
        status_screen.show_unread(work.config.unread)
        status_screen.show_problem(found) if elsewhere else status_screen.show(found)


@command("db.targets", help={"target": f"{TARGETS} Without it, all.", "json": JSON})
def targets(c: Context, target: str | None = None, json: bool = False) -> None:
    """Look: the databases that --target knows; never a URL.

    With --target, those that a change of these would mean.

    Example:
      invoke db.targets --target 'eu-*'
    """
    from twolane import config
    from twolane.fleet import outcomes
    from twolane.postgres import targets as names

    settings = config.load()
    meant = names.select(settings, target) if target else None
    found = names.as_json(settings, meant.chosen if meant else list(settings.targets))
    for name, reason in (meant.left_out if meant else {}).items():
        console.note(f"{name} is left out: {reason}")
    if json:
        console.print_json(found)
        return
    rows = [("Target", "Variable", ""), *map(names.row, found)]
    for line in outcomes.columns(rows, console.room(a_line_each=True)):
        print(line)


@command(
    "db.diff",
    help={
        "source": "URL or target name.",
        "target": "URL or target name.",
        "json": JSON,
        "sql": "Print the SQL that turns the source into the target, tried on the shadow.",
    },
)
def diff(c: Context, source: str, target: str, json: bool = False, sql: bool = False) -> None:
    """Look: compare two databases; exit with 3 if they differ.

    Fact by fact; with --sql, the statements from one to the other.

    Example:
      invoke db.diff --source staging --target production --sql
    """
    from twolane.facts import differences
    from twolane.postgres.by_name import compare

    if sql:
        _diff_as_sql(source, target, json)
        return
    changes = compare(source, target)
    if json:
        console.print_json(differences.as_json(changes))
    elif changes:
        screens.show_objects(changes, limit=None)
        say(f"From source to target: {differences.tally(changes)}.")
    else:
        done(NO_CHANGES)
    if changes:
        raise Different


def _diff_as_sql(source: str, target: str, json: bool) -> None:
    from twolane import config
    from twolane.capture import difference
    from twolane.facts import differences
    from twolane.postgres import by_name

    settings = config.load()
    with by_name.open_database(source) as one, by_name.open_database(target) as other:
        before, after, changes = by_name.difference(one, other)
        sides = difference.side(one, before), difference.side(other, after)
    if not changes:
        console.print_json(NOTHING) if json else done(NO_CHANGES)
        return
    found = difference.find(settings, *sides, changes, console.working)
    if json:
        console.print_json(
            {
                "changes": differences.as_json(changes),
                "statements": [each.sql for each in found.statements],
                "hazards": [{"key": h.key, "text": h.text} for h in found.hazards],
                "left": [
                    {**differences.as_json([left.change])[0], "reason": left.reason}
                    for left in found.left
                ],
            }
        )
    else:
        title = f"From source to target: {differences.tally(changes)}; tried on the shadow."
        say(difference.text(found, title).rstrip())
    raise Different


@command(
    "db.snapshot",
    help={"target": "URL or target name.", "json": "Print JSON, in the lock file's form."},
)
def snapshot(c: Context, target: str | None = None, json: bool = False) -> None:
    """Look: the facts of a database, one a line.

    A fact is one property of one object, as Postgres states it.

    Example:
      invoke db.snapshot --target staging
    """
    from twolane.facts import catalog
    from twolane.facts.lock import dump_lock
    from twolane.postgres.by_name import open_database

    with open_database(target) as connection:
        facts = catalog.read(connection)
    if json:
        say_json(dump_lock(facts).rstrip())
        return
    print("\n".join(clean_line(f"{identity}  {text}") for identity, text in facts.items()))


@command("db.introspect", help={"target": TARGET})
def introspect(c: Context, target: str | None = None) -> None:
    """Lane A: print the models that a sync would write.

    It writes nothing.

    Example:
      invoke db.introspect
    """
    from twolane.models import render
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        print(render.render_models(work.state().intended), end="")


@command(
    "db.psql",
    help={
        "command": "Run this SQL and leave.",
        "file": "Run this file, as one transaction, and leave.",
        "platform": "Load the stub of what Supabase provides, which a plain Postgres lacks.",
        "target": TARGET,
        "confirm": CONFIRM,
    },
)
def psql(
    c: Context,
    command: str | None = None,
    file: str | None = None,
    platform: bool = False,
    target: str | None = None,
    confirm: str | None = None,
) -> None:
    """Every day: a psql on the target.

    The psql of the embedded server; the URL is on no command line.

    Example:
      invoke db.psql -c "table public.contacts"
    """
    import subprocess

    from twolane.guards import guards
    from twolane.postgres import embedded, reach, stub, urls
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        refuse(guards.protected(work.config, work.contact, confirm))
        parameters = reach.parameters(work.config, work.target)
        ours = embedded.administrator_of(work.config, parameters)
        if platform:
            refuse(guards.plain_only(work.target, stub.has_platform(work.connection)))
        if platform or (ours and stub.is_copy(file)):
            file = None if stub.is_copy(file) else file
            _load_platform(work, ours)
            if not (command or file):
                return
    program = embedded.program(work.config, "psql")
    options = ["--set", "ON_ERROR_STOP=1"]
    options += ["--command", command] if command else []
    options += ["--single-transaction", "--file", file] if file else []
    result = subprocess.run(
        [program, *options], env=urls.client_environment(parameters), check=False
    )
    if result.returncode:
        raise Exit(code=exit_codes.ERROR)


def _load_platform(work: Work, ours: dict[str, Any] | None) -> None:
    """Loads the stub: on the embedded server as its superuser, elsewhere as who connects."""
    from twolane.postgres import connections, stub

    if ours is None:
        stub.load(work.connection)
    else:
        doing = f"Connecting to target {work.target.name}"
        with connections.open_connection(ours, doing) as connection:
            stub.load(connection, role=work.connection.info.user)
    done(f"Loaded the stub of what Supabase provides into target {work.target.name}.")
