"""Tenancy: `db.prove` tries to break it, `db.rls` writes SQL that opens a table to its tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from . import console
from .console import command, done, refuse, say, warn
from .options import JSON

if TYPE_CHECKING:
    from psycopg import Connection

    from .catalog import Snapshot
    from .config import Config
    from .guards import Refusal
    from .prove_report import Proof
    from .replays import Replays

# No user has these ids, so they also fit into a copy of a database with users in it.
USERS = {"A": "a0000000-7e57-4000-8000-00000000000a", "B": "b0000000-7e57-4000-8000-00000000000b"}


@command(
    help={
        "target": "local, to prove a copy of the embedded database instead of the repo's files.",
        "json": JSON,
    }
)
def prove(c: Context, target: str | None = None, json: bool = False) -> None:
    """Try to break tenant isolation, table by table, as two users and as anon."""
    from . import config, prove_report

    settings = config.load()
    with _copy(settings, target) as (connection, facts):
        proof = _prove(settings, connection, facts, target or "shadow")
    if json:
        console.print_json(prove_report.as_json(proof))
    else:
        _show(proof)
    refuse(prove_report.tenancy(proof))
    if not json:
        done(f"Tenancy holds: {prove_report.summary(proof)}, none reached a row of another.")


@command(
    help={
        "table": "A table of app.py that a revision makes; several with commas between them.",
        "column": "The column with the user's id, where it has another name.",
        "via": "The foreign key to the parent that says whose a row is.",
        "read_only": "Let users read their rows and change none.",
    }
)
def rls(
    c: Context,
    table: str,
    column: str | None = None,
    via: str | None = None,
    read_only: bool = False,
) -> None:
    """Write the SQL file that opens a table of the app to its tenant."""
    from . import config, rls, rls_files, shadow

    settings = config.load()
    replays = _replays(settings)
    head, app = replays.whole(), _app_tables(replays)
    with shadow.connect(settings, head.database) as connection:
        around = rls_files.read(settings, connection, head.facts, app)
    texts = {}
    for name in table.split(","):
        found = rls.find(name.strip(), around)
        owner = rls.tenant(found, around, column, via)
        texts[rls.file_name(found)] = rls.render(found, around, owner, read_only)
    for path in rls_files.write(settings, texts):
        done(f"Wrote {path.relative_to(settings.root).as_posix()}, listed in bootstrap.txt.")
    say("Read it. Next:  invoke db.apply, then invoke db.sync; invoke db.prove tries it out")


def _prove(settings: Config, connection: Connection[Any], facts: Snapshot, database: str) -> Proof:
    from . import prove_report, prove_schema
    from .prove_calls import Caller
    from .prove_owner import Owners
    from .prove_rows import Rows
    from .prove_run import Run
    from .prove_try import LIMITS, Stage

    connection.execute(LIMITS)
    hints = settings.prove
    schema = prove_schema.read(connection, facts)
    prove_schema.check_hints(hints, schema)
    owners = Owners(schema, settings.tenant_column, hints.tenants)
    rows = Rows(connection, schema, owners, USERS, hints.rows)
    with console.working("making rows for two users"):
        rows.make()
    stage = Stage(connection, schema, rows)
    attempts = Run(stage).attempts(console.working)
    with console.working("calling functions"):
        attempts += Caller(stage).run()
    own = [table for table in schema.tables if table.exposed]
    return prove_report.Proof(
        database=database,
        attempts=attempts,
        shared=hints.shared,
        tenants={table.name: owners.tenant(table) for table in own},
        closed=[table.name for table in own if not table.reachable],
        gaps={
            table.name: rows.reasons[table.name]
            for table in own
            if table.reachable and table.name in rows.reasons
        },
        insertable={table.name for table in own if table.insert_policy},
        uncalled=dict(prove_report.uncalled(attempts, [f.signature for f in schema.functions])),
    )


def _show(proof: Proof) -> None:
    from . import prove_report

    for line in prove_report.matrix(proof):
        say(line)
    for line in prove_report.undecided_lines(proof):
        warn(f"undecided: {line}")
    for name, reason in proof.uncalled.items():
        warn(f"{name} could not be called: {reason}")


def _replays(settings: Config) -> Replays:
    """The replays of the repo's files on the shadow."""
    from . import guards, ledger, replays, state

    repo = state.read_repo(settings)
    refuse(guards.order(repo), guards.history(repo, ledger.Ledger()))
    return replays.Replays(repo, console.working)


def _app_tables(replays: Replays) -> frozenset[str]:
    """The tables that the migrations make."""
    from . import catalog

    made, kinds = replays.app(replays.repo.revisions), catalog.RELATION_KINDS
    return frozenset(str(catalog.relation(i)) for i in made if catalog.kind(i) in kinds)


@contextmanager
def _copy(settings: Config, target: str | None) -> Iterator[tuple[Connection[Any], Snapshot]]:
    """A connection to a throw-away copy, and the facts in it."""
    from . import catalog, databases, shadow
    from .config import LOCAL

    if target in (None, "shadow"):
        head = _replays(settings).whole()
        with (
            shadow.clone(settings, head.database) as parameters,
            databases.open_connection(parameters, "Connecting to the copy") as connection,
        ):
            yield connection, catalog.read(connection)
        return
    found = settings.target(target)
    refuse(_copies_only(found.name) if found.name != LOCAL else None)
    with (
        _clone_of_local(settings) as parameters,
        databases.open_connection(parameters, "Connecting to the copy") as connection,
    ):
        yield connection, catalog.read(connection)


def _copies_only(name: str) -> Refusal:
    from . import guards

    return guards.Refusal(
        "G01",
        "target",
        f"db.prove writes rows: it works on a copy that is thrown away, never on target {name}.",
        "invoke db.prove   (what the repo's files make), or: invoke db.prove --target local",
    )


@contextmanager
def _clone_of_local(settings: Config) -> Iterator[dict[str, Any]]:
    """A throw-away copy of the embedded database."""
    from . import databases, embedded

    databases.local_database(settings)
    with databases.clone(embedded.server(settings), embedded.LOCAL_DATABASE) as found:
        yield found
