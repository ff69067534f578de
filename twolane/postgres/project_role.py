"""A role like Supabase's `postgres`, on a server that twolane itself reaches as superuser.

SQL that others wrote never runs as superuser, on a server named by SHADOW_DATABASE_URL neither.
`postgres` may be the superuser there, so the role has another name, which facts and SQL don't show.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from twolane.errors import Unreachable
from twolane.facts.catalog import STAND_IN
from twolane.postgres.connections import open_connection
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

# What `postgres` has on Supabase, https://github.com/supabase/postgres (migrations/db), beyond
# what the stub gives it in a database; and the settings that supautils lets it change.
_ATTRIBUTES = "login createdb replication bypassrls"
_GRANTS = """
grant pg_monitor, pg_read_all_data, pg_signal_backend to {role};
grant set on parameter session_replication_role, track_io_timing to {role};
"""
# Before 16 who may make roles may also take `pg_execute_server_program`, and with that start any
# program; there the stub makes roles for it. Since 16 this lets it act as the roles that it makes.
_MAKER = (
    "alter role {role} createrole; alter role {role} set createrole_self_grant = 'set, inherit'"
)


def lesser(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the role that runs others' SQL; those given, if they are no superuser's.

    Raises:
        Unreachable: the server does not let the role log in.
    """
    return dict(_lesser(tuple(sorted(parameters.items()))))


@lru_cache(maxsize=8)
def _lesser(given: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    parameters = dict(given)
    opened = {"dbname": "postgres"} | parameters
    with open_connection(opened, "Connecting to the shadow's server") as connection:
        if connection.info.parameter_status("is_superuser") != "on":
            return parameters
        secret = _secret(parameters)
        _make(connection, secret)
        _join(connection)
        found = parameters | {"user": STAND_IN, "password": secret}
        try:
            _log_in(found)
        except Unreachable:
            set_password(connection, STAND_IN, secret)
            _log_in(found)
    return found


def _log_in(parameters: dict[str, Any]) -> None:
    try:
        with open_connection({"dbname": "postgres"} | parameters, f"Connecting as {STAND_IN}"):
            pass
    except Unreachable as error:
        raise Unreachable(
            f"{error.message}\n  SHADOW_DATABASE_URL is a superuser's, as whom nobody else's SQL "
            f"runs; so twolane made the role {STAND_IN} there.",
            "Let that role log in (pg_hba.conf), with the password in the URL where there is one.",
        ) from None


def _secret(parameters: dict[str, Any]) -> str | None:
    """A password that follows from the superuser's; none where the server asks for none."""
    password = parameters.get("password")
    if not password:
        return None
    return hmac.new(str(password).encode(), STAND_IN.encode(), "sha256").hexdigest()


def _make(connection: Connection[Any], secret: str | None) -> None:
    from psycopg import errors

    found = ask(connection, "select from pg_catalog.pg_roles where rolname = %s", (STAND_IN,))
    if found.fetchone() is not None:
        return
    try:
        with connection.transaction():
            make(connection, STAND_IN)
            set_password(connection, STAND_IN, secret)
    except (errors.DuplicateObject, errors.UniqueViolation):
        return  # another command was faster


def make(connection: Connection[Any], name: str) -> None:
    """Makes a role with what Supabase's `postgres` has on a server."""
    from psycopg import sql

    role = sql.Identifier(name)
    connection.execute(sql.SQL(f"create role {{}} {_ATTRIBUTES}").format(role))
    connection.execute(sql.SQL(_GRANTS).format(role=role))
    if connection.info.server_version >= 160_000:
        connection.execute(sql.SQL(_MAKER).format(role=role))


def restore(connection: Connection[Any], name: str) -> None:
    """Takes back what keeps a role from logging in, and its own settings."""
    from psycopg import sql

    role = sql.Identifier(name)
    connection.execute(
        sql.SQL(
            "alter role {0} login connection limit -1 valid until 'infinity'; "
            "alter role {0} reset all"
        ).format(role)
    )
    if connection.info.server_version >= 160_000:
        connection.execute(sql.SQL(_MAKER).format(role=role))


# Roles that others made for their files, as `postgres` makes them on Supabase. None that something
# of the whole server belongs to: a member could give it away.
_ORDINARY = """
select rolname from pg_catalog.pg_roles r
where not rolsuper and rolname !~ '^(pg_|supabase_)'
    and rolname <> all (array[
        'anon', 'authenticated', 'authenticator', 'dashboard_user', 'pgbouncer', 'service_role',
        %(role)s])
    and not exists (
        select from pg_catalog.pg_shdepend where refobjid = r.oid and dbid = 0
            and refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
            and classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass)
    and not pg_catalog.pg_has_role(%(role)s, r.oid, 'member')
"""


def _join(connection: Connection[Any]) -> None:
    """Lets the role act as the ordinary roles of the server, which it would have made itself."""
    from psycopg import Error, sql

    for (name,) in ask(connection, _ORDINARY, {"role": STAND_IN}).fetchall():
        grant = sql.SQL("grant {} to {}").format(sql.Identifier(name), sql.Identifier(STAND_IN))
        with suppress(Error):  # another command was faster, or the role has just gone
            connection.execute(grant)


def set_password(connection: Connection[Any], role: str, secret: str | None) -> None:
    """Sets a role's password; the server sees what `scram-sha-256` keeps of it, not the text."""
    from psycopg import sql

    kept = None
    if secret:
        kept = connection.pgconn.encrypt_password(
            secret.encode(), role.encode(), b"scram-sha-256"
        ).decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(kept))
    )
