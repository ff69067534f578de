"""Tenancy: `db.prove` tries to break it, `db.rls` writes SQL that opens a table to its tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.errors import Failure
from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done, say, warn
from twolane.tasks.options import JSON
from twolane.tasks.positionals import needless_with

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.config import Config
    from twolane.facts.catalog import Snapshot
    from twolane.guards.refusal import Refusal
    from twolane.prove.policy_text import Surroundings
    from twolane.prove.report import Proof
    from twolane.shadow.stages import Replays

    _Copy = tuple[Connection[Any], Snapshot, Callable[[], Mapping[str, Any]] | None]


@command(
    "db.prove",
    help={
        "target": "local, to prove a copy of the embedded database instead of the repo's files.",
        "json": JSON,
    },
)
def prove(c: Context, target: str | None = None, json: bool = False) -> None:
    """Tenants: try to break their isolation, table by table.

    As two users and as anon, in a copy that is thrown away.

    Example:
      invoke db.prove
    """
    from twolane import config
    from twolane.prove import proof as proofs
    from twolane.prove import report
    from twolane.repo import kept

    settings = config.load()
    with _copy(settings, target) as (connection, facts, login):
        proof = proofs.prove(
            connection,
            facts,
            settings.prove,
            settings.tenant_column,
            target or "shadow",
            console.working,
            login,
        )
    kept.keep(settings, kept.PROVE, report.as_kept(proof))
    if json:
        console.print_json(report.as_json(proof))
    else:
        _show(proof)
    refuse(report.tenancy(proof))
    if not json:
        done(report.conclusion(proof))


@command(
    "db.rls",
    positional=["table"],
    help={
        "table": "A table of app.py that a revision makes; several with commas between them.",
        "column": "The column with the user's id, where it has another name.",
        "via": "The foreign key to the parent that says whose a row is.",
        "org": "TABLE.COLUMN with the organization whose members may: memberships.org_id.",
        "read_only": "Let users read their rows and change none.",
    },
)
def rls(
    c: Context,
    table: str | None = None,
    column: str | None = None,
    via: str | None = None,
    org: str | None = None,
    read_only: bool = False,
) -> None:
    """Tenants: write the SQL file that opens a table to them.

    Until it ran, a new table of the app is closed to every user.

    Example:
      invoke db.rls notes
      invoke db.rls notes --org memberships.org_id
    """
    from twolane import config
    from twolane.prove import policies, policy_files, policy_text
    from twolane.shadow import shadow

    settings = config.load()
    names = [name.strip() for name in (table or "").split(",") if name.strip()]
    if not names and not org:
        raise Failure("Name a table.", "invoke db.rls notes")
    replays = _replays(settings)
    head, app = replays.whole(), _app_tables(replays)
    with shadow.connect(settings, head.database) as connection:
        around = policy_files.read(settings, connection, head.facts, app)
    if org:
        _open_to_members(settings, org, names, around, column or via, read_only, head.facts)
        return
    texts = {}
    for name in names:
        found = policies.find(name, around)
        owner = policies.tenant(found, around, column, via)
        texts[policy_text.file_name(found)] = policies.render(found, around, owner, read_only)
    _write(settings, texts)


needless_with(rls, "table", "org")


def _open_to_members(
    settings: Config,
    org: str,
    names: list[str],
    around: Surroundings,
    column: str | None,
    read_only: bool,
    facts: Snapshot,
) -> None:
    """Writes the files of an organization; one that exists is left as it is, unless named."""
    from twolane.prove import member_files, member_helpers, organizations, policy_files

    helpers = member_helpers.file_name(organizations.find(org, around))
    theirs = [] if policy_files.there(settings, [helpers]) else facts
    found = member_files.of(org, names, around, column, read_only, theirs)
    kept = policy_files.there(settings, found.texts)
    kept = [name for name in kept if name == found.helpers] if names else kept
    new = {name: text for name, text in found.texts.items() if name not in kept}
    if not new:
        raise Failure(
            f"All {len(kept)} files for the members of {found.organization.table.name} are there.",
            "Edit one in supabase/sql, then: invoke db.apply",
        )
    for line in found.organization.understood:
        say(line)
    _write(settings, new)
    for name in kept:
        say(f"kept as it is: {settings.sql.relative_to(settings.root).as_posix()}/{name}")
    for name in found.left_out:
        warn(f"{name} may be each user's own; if not: invoke db.rls {name} --org {org}")


def _write(settings: Config, texts: Mapping[str, str]) -> None:
    from twolane.prove import policy_files

    for path in policy_files.write(settings, texts):
        done(f"Wrote {path.relative_to(settings.root).as_posix()}, listed in bootstrap.txt.")
    say("Read it. Next:  invoke db.apply, then invoke db.sync; invoke db.prove tries it out")


def _show(proof: Proof) -> None:
    from twolane.prove import report

    for line in report.matrix(proof, console.room()):
        say(line)
    for line in report.not_tried(proof):
        say(f"not tried: {line}")
    for line in report.first_proof(proof):
        say(line)
    for line in report.undecided_lines(proof):
        warn(f"undecided: {line}")
    for line in report.uncalled_lines(proof):
        warn(line)


def _replays(settings: Config) -> Replays:
    """The replays of the repo's files on the shadow."""
    from twolane.guards import guards
    from twolane.repo import contents, ledger
    from twolane.shadow import stages

    repo = contents.read_repo(settings)
    refuse(guards.order(repo), guards.history(repo, ledger.Ledger()))
    return stages.Replays(repo, console.working)


def _app_tables(replays: Replays) -> frozenset[str]:
    """The tables that the migrations make."""
    from twolane.facts import identities

    made, kinds = replays.app(replays.repo.revisions), identities.RELATION_KINDS
    return frozenset(str(identities.relation(i)) for i in made if identities.kind(i) in kinds)


@contextmanager
def _copy(settings: Config, target: str | None) -> Iterator[_Copy]:
    """A connection to a throw-away copy, the facts in it, how to log in as `authenticator`."""
    from twolane.config import LOCAL
    from twolane.facts import catalog
    from twolane.postgres import connections, embedded_databases
    from twolane.shadow import shadow, shadow_server

    if target in (None, "shadow"):
        copy = shadow.clone(settings, _replays(settings).whole().database)
        is_ours = not settings.environment.get(shadow_server.VARIABLE)
    else:
        found = settings.target(target)
        refuse(_copies_only(found.name) if found.name != LOCAL else None)
        copy, is_ours = _clone_of_local(settings), True
    with (
        copy as parameters,
        connections.open_connection(parameters, "Connecting to the copy") as connection,
    ):
        login = partial(embedded_databases.authenticator, settings, parameters) if is_ours else None
        yield connection, catalog.read(connection), login


def _copies_only(name: str) -> Refusal:
    from twolane.guards import guards

    return guards.Refusal(
        "G01",
        "target",
        f"db.prove writes rows: it works on a copy that is thrown away, never on target {name}.",
        "invoke db.prove   (what the repo's files make), or: invoke db.prove --target local",
    )


@contextmanager
def _clone_of_local(settings: Config) -> Iterator[dict[str, Any]]:
    """A throw-away copy of the embedded database."""
    from twolane.postgres import databases, embedded_databases

    local = embedded_databases.local(settings)
    with databases.clone(embedded_databases.server(settings), local["dbname"]) as found:
        yield found
