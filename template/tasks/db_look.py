"""Commands that show a database: its status, its facts, its rows."""

from __future__ import annotations

from invoke.context import Context

from . import console
from .console import NO_CHANGES, clean_line, command, done, refuse, say, say_json
from .options import CONFIRM, JOBS, JSON, TARGET, TARGETS, is_many


@command(help={"target": TARGETS, "json": JSON, "jobs": JOBS})
def status(c: Context, target: str | None = None, json: bool = False, jobs: str = "4") -> None:
    """Where things stand: the target, what each lane has pending, what to run next."""
    from . import guards, report
    from .work import work_on

    if is_many(target):
        from . import fleet

        fleet.status(fleet.Ask(target, jobs), json)
        return
    with work_on(target) as work:
        blocked = guards.order(work.repo) or guards.history(work.repo, work.ledger)
        state = work.state()
        found = report.read(state, work.connection.info.server_version, blocked)
    console.print_json(report.as_json(found)) if json else report.show(found)


@command(help={"target": f"{TARGETS} Without it, all.", "json": JSON})
def targets(c: Context, target: str | None = None, json: bool = False) -> None:
    """List the targets, or those that a change of these would mean; never a URL."""
    from . import config, fleet_report
    from . import targets as names

    settings = config.load()
    meant = names.select(settings, target) if target else None
    found = names.as_json(settings, meant.chosen if meant else list(settings.targets))
    for name, reason in (meant.left_out if meant else {}).items():
        console.note(f"{name} is left out: {reason}")
    if json:
        console.print_json(found)
        return
    for line in fleet_report.columns([("Target", "Variable", ""), *map(names.row, found)]):
        print(line)


@command(help={"source": "URL or target name.", "target": "URL or target name.", "json": JSON})
def diff(c: Context, source: str, target: str, json: bool = False) -> None:
    """Compare two databases fact by fact; exit with 3 if they differ."""
    from . import differences
    from .work import compare

    changes = compare(source, target)
    if json:
        console.print_json(differences.as_json(changes))
    elif changes:
        console.show_objects(changes, limit=None)
        say(f"From source to target: {differences.tally(changes)}.")
    else:
        done(NO_CHANGES)
    if changes:
        raise console.Different


@command(help={"target": "URL or target name.", "json": "Print JSON, in the lock file's form."})
def snapshot(c: Context, target: str | None = None, json: bool = False) -> None:
    """Print the facts of a database, one a line."""
    from . import catalog
    from .work import open_database

    with open_database(target) as connection:
        facts = catalog.read(connection)
    if json:
        say_json(catalog.dump_lock(facts).rstrip())
        return
    print("\n".join(clean_line(f"{identity}  {text}") for identity, text in facts.items()))


@command(help={"target": TARGET})
def introspect(c: Context, target: str | None = None) -> None:
    """Print the models that a sync would write; write nothing."""
    from . import models
    from .work import work_on

    with work_on(target) as work:
        print(models.render_models(work.state().sql_lane), end="")


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

    from . import databases, embedded, guards, urls
    from .work import work_on

    with work_on(target) as work:
        refuse(guards.target(work.config, work.target, work.ledger, confirm))
        parameters = databases.parameters(work.config, work.target)
    program = embedded.program(work.config, "psql")
    options = ["--set", "ON_ERROR_STOP=1"]
    options += ["--command", command] if command else []
    options += ["--single-transaction", "--file", file] if file else []
    result = subprocess.run(
        [program, *options], env=urls.client_environment(parameters), check=False
    )
    if result.returncode:
        raise console.Exit(code=console.ERROR)
