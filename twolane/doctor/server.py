"""The doctor's checks of the target's server: version, clock, and the role's rights there."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.doctor.findings import error, info, warning
from twolane.facts import catalog, identities, relations
from twolane.facts.catalog import Snapshot
from twolane.guards.checks import examines
from twolane.guards.findings import Finding
from twolane.postgres import transactions

if TYPE_CHECKING:
    from psycopg import Connection

# Seconds; a network and a busy server cause less than that.
SKEW = 5.0

_ROLE = """
select
    current_user::pg_catalog.text as name, rolsuper as superuser, rolbypassrls as bypasses_rls,
    coalesce(pg_catalog.has_schema_privilege(
        pg_catalog.to_regnamespace('public')::pg_catalog.oid, 'create'), false)
        as creates_in_public,
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create') as creates_schemas,
    pg_catalog.to_regnamespace('twolane') is not null as has_ledger,
    coalesce(pg_catalog.has_schema_privilege(
        pg_catalog.to_regnamespace('twolane')::pg_catalog.oid, 'usage'), false)
        and coalesce((
            select pg_catalog.bool_and(
                pg_catalog.has_table_privilege(oid, 'select')
                and pg_catalog.has_table_privilege(oid, 'insert'))
            from pg_catalog.pg_class
            where relnamespace = pg_catalog.to_regnamespace('twolane') and relkind = 'r'
        ), true) as uses_ledger,
    exists (select from pg_catalog.pg_event_trigger where evtowner = r.oid) as owns_event_trigger,
    exists (
        select from pg_catalog.pg_event_trigger t
        join pg_catalog.pg_proc p on p.oid = t.evtfoid
        where t.evtevent = 'ddl_command_end' and t.evtenabled <> 'D'
            and p.pronamespace = any (array[
                pg_catalog.to_regnamespace('public'),
                pg_catalog.to_regnamespace('private')]::pg_catalog.oid[])
    ) as is_watched,
    array(select rolname::pg_catalog.text from pg_catalog.pg_roles
        where pg_catalog.pg_has_role(oid, 'usage')) as acts_as,
    (select pg_catalog.pg_get_userbyid(datdba)::pg_catalog.text from pg_catalog.pg_database
        where datname = pg_catalog.current_database()) as database_owner
from pg_catalog.pg_roles r where rolname = current_user
"""
_EXTENSIONS = """
select e.extname, n.nspname, pg_catalog.has_schema_privilege(n.oid, 'usage')
from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
"""


@dataclass(frozen=True)
class Role:
    """The role that connects. acts_as: the roles whose objects it may alter.

    uses_ledger: it may read and write the schema `twolane`. is_watched: the project has its own
    event trigger, which handles new tables.
    """

    name: str
    superuser: bool
    bypasses_rls: bool
    creates_in_public: bool
    creates_schemas: bool
    has_ledger: bool
    uses_ledger: bool
    owns_event_trigger: bool
    is_watched: bool
    acts_as: Sequence[str]
    database_owner: str


@dataclass(frozen=True)
class Clock:
    """Seconds since 1970: this machine's before and after the query, the server's between them."""

    before: float
    server: float
    after: float

    @property
    def skew(self) -> float:
        """Seconds that the server is ahead (+) or behind (-), without the network's round trip."""
        return max(0.0, self.server - self.after) - max(0.0, self.before - self.server)


@dataclass(frozen=True)
class Extension:
    """An installed extension. found: its schema is on the search_path, and the role may use it."""

    name: str
    schema: str
    found: bool


@dataclass(frozen=True)
class Server:
    """One target's server, as the role sees it. target: its name, for commands."""

    target: str
    database: str
    version: int
    clock: Clock
    role: Role
    installed: Mapping[str, Extension]
    available: Mapping[str, str]

    @property
    def major(self) -> int:
        return self.version // 10_000


@contextmanager
def reading(connection: Connection[Any]) -> Iterator[None]:
    """A transaction that can't write; the setting ends with it, on a pooler's connection too."""
    with transactions.transaction(connection):
        connection.execute("set local transaction_read_only = on")
        yield


def gather(connection: Connection[Any], target: str) -> Server:
    """Reads what the checks need."""
    from psycopg.rows import dict_row

    with reading(connection):
        clock = _clock(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(_ROLE).fetchone()
        assert found is not None
        with transactions.theirs(connection):
            row = connection.execute("select pg_catalog.current_schemas(true)").fetchone()
        found_in = row[0] if row else []
        extensions = [
            Extension(name, schema, usable and schema in found_in)
            for name, schema, usable in connection.execute(_EXTENSIONS)
        ]
        return Server(
            target,
            connection.info.dbname,
            connection.info.server_version,
            clock,
            Role(**found),
            {extension.name: extension for extension in extensions},
            available(connection),
        )


def _clock(connection: Connection[Any]) -> Clock:
    before = time.time()
    row = connection.execute(
        "select extract(epoch from pg_catalog.clock_timestamp())::pg_catalog.float8"
    ).fetchone()
    assert row is not None
    return Clock(before, row[0], time.time())


def available(connection: Connection[Any]) -> Mapping[str, str]:
    """The extensions that the server has or could install, each with its comment.

    A stand-in that an earlier twolane made here is still one, though the server has the real one.
    """
    rows = connection.execute(
        """
        select a.name, coalesce(pg_catalog.obj_description(e.oid, 'pg_extension'), a.comment)
        from pg_catalog.pg_available_extensions a
        left join pg_catalog.pg_extension e on e.extname operator(pg_catalog.=) a.name
        """
    )
    return {name: comment or "" for name, comment in rows}


def command(target: str, sql: str) -> str:
    """The command that runs a statement on that target."""
    return f'invoke db.psql --target {shlex.quote(target)} -c "{sql}"'


@examines("server", "where that leads", "server")
def identity(server: Server) -> Iterator[Finding]:
    """Says which database the target is, so that nobody repairs the wrong one."""
    number = f"{server.major}.{server.version % 10_000}"
    where = f"the database {server.database} of Postgres {number}"
    message = f"Target {server.target} is {where}, as the role {server.role.name}."
    yield info(server.target, message)


@examines("version", "Postgres there and here", "server", "shadow_major")
def version(server: Server, shadow: int) -> Iterator[Finding]:
    """Explains why SQL that runs on the shadow may fail on the server, and the reverse."""
    if server.major == shadow:
        return
    first = "A Postgres of that major version, if you have one: `postgres` in [tool.twolane]"
    apart = f"The server is Postgres {server.major}, the shadow {shadow}"
    if server.major < shadow:
        yield info(server.target, f"{apart}: what is new since runs on the shadow alone.", first)
    else:
        yield info(server.target, f"{apart}: SQL that needs {server.major} fails there.", first)


@examines("clock", "its clock and this machine's", "server")
def clock(server: Server) -> Iterator[Finding]:
    """Reports clocks that differ: tokens are refused as expired or not valid yet, and this machine
    and the server see the times of rows differently."""
    skew = server.clock.skew
    if abs(skew) > SKEW:
        side = "ahead of" if skew > 0 else "behind"
        yield warning(
            server.target,
            f"The server's clock is {abs(skew):.0f} seconds {side} this machine's.",
            "Set this machine's clock (NTP): a hosted server's is right",
        )


@examines("ledger-rights", "rights on twolane's schema", "server")
def ledger_rights(server: Server) -> Iterator[Finding]:
    """Reports missing rights: every command ends in "permission denied for schema twolane"."""
    role = server.role
    if role.has_ledger and not role.uses_ledger:
        yield error(
            role.name,
            f"The role {role.name} may not read and write twolane's schema: every command fails.",
            "Connect as the role that made it; on Supabase that is `postgres`",
        )
    if not role.has_ledger and not role.creates_schemas:
        yield error(
            role.name,
            f"The role {role.name} may not create the schema `twolane`, where the commands keep "
            "what they did.",
            "Connect as the database's owner; on Supabase that is `postgres`",
        )


@examines("table-rights", "rights on tables", "server", "facts")
def table_rights(server: Server, facts: Snapshot) -> Iterator[Finding]:
    """Reports tables of other owners: an apply or a push stops at the first one."""
    role = server.role
    if not role.creates_in_public:
        yield error(
            role.name,
            f"The role {role.name} may not create anything in the schema public.",
            f"As its owner: grant create on schema public to {role.name}",
        )
    ours = _exposed_tables(facts, role.database_owner)
    foreign = {name: owner for name, owner in ours.items() if owner not in role.acts_as}
    if not foreign:
        return
    level = error if len(foreign) == len(ours) else warning
    yield level(
        role.name,
        f"The role {role.name} may not alter {len(foreign)} of {len(ours)} tables and views, which "
        "belong to others:",
        f"As the owner: alter table {min(foreign)} owner to {role.name}",
        [f"{name}   owner {owner}" for name, owner in sorted(foreign.items())],
    )


def _exposed_tables(facts: Snapshot, database_owner: str) -> Mapping[str, str]:
    """Tables and views in the schemas that the data API's roles may use, each with its owner.

    Without such roles, all of them. An owner is a fact only if it is not the database's owner.
    """
    exposed = relations.exposed_schemas(facts)
    found = {}
    for identity in facts:
        name = identities.relation(identity)
        if name is None or identities.kind(identity) not in identities.RELATION_KINDS:
            continue
        if not exposed or relations.schema_of(name) in exposed:
            owner = facts.get(f"owner {identity}")
            found[name] = catalog.definition(owner)["role"] if owner else database_owner
    return found


@examines("rls", "who passes row level security", "server")
def sees_all(server: Server) -> Iterator[Finding]:
    """Explains why queries show every user's rows although the policies are right."""
    role = server.role
    if role.superuser:
        why = "is a superuser, whom nothing is denied; on Supabase `postgres` is none"
    elif role.bypasses_rls:
        why = "bypasses row level security, and sees every user's rows"
    else:
        return
    yield info(
        role.name,
        f"The role {role.name} {why}.",
        "To see what a user sees: user_session in the service, or `set local role authenticated`",
    )


@examines("event-triggers", "RLS on new tables", "server")
def event_triggers(server: Server) -> Iterator[Finding]:
    """Explains why new tables begin without RLS: only a superuser may make event triggers, and on
    Supabase `postgres` (https://github.com/supabase/supautils, privileged role)."""
    role = server.role
    if role.superuser or role.owns_event_trigger or role.is_watched:
        return
    yield info(
        role.name,
        f"The role {role.name} has no event trigger, and may make none unless Supabase lets it: "
        "tables made by SQL begin without RLS.",
        "Enable it in the file that makes the table; `invoke db.check` finds where it lacks (G13)",
    )


@examines("search-path", "the vector extension's schema", "server")
def search_path(server: Server) -> Iterator[Finding]:
    """Reports the cause of "type vector does not exist" and "operator does not exist": vectors are
    in a schema that is not on the role's search_path."""
    vector = server.installed.get("vector")
    if vector and not vector.found:
        yield warning(
            "vector",
            f"The extension vector is in the schema {vector.schema}, which is not on the role's "
            "search_path: its types and operators (`<=>`) are found by full name only.",
            f'alter role {server.role.name} set search_path = "$user", public, {vector.schema}',
        )
