"""Connects to targets; makes, copies and drops databases of our own.

Every command works through a transaction pooler: no prepared statements, no session state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

from . import embedded, urls
from .config import Config, Target
from .errors import Failure, Unreachable, from_postgres
from .transactions import transaction

if TYPE_CHECKING:
    from psycopg import Connection

OLDEST = 15


@contextmanager
def connect(config: Config, target: Target) -> Iterator[Connection[Any]]:
    """A connection to the target, in autocommit; the local database is made on first use.

    Raises:
        Failure: unreachable, refused, or older than Postgres 15.
    """
    with open_connection(
        parameters(config, target), f"Connecting to target {target.name}"
    ) as connection:
        yield connection


def parameters(config: Config, target: Target) -> dict[str, Any]:
    """libpq's parameters for the target. Those of a URL, TLS included, are kept as they are."""
    if target.variable is None:
        return local_database(config)
    return urls.parse(config.environment[target.variable], target.variable)


def protected_twin(config: Config, target: Target) -> Target:
    """The protected target of the same database, with this target's URL; or else this target."""
    meant = place(config, target)
    for twin in config.targets.values():
        if twin.protected and meant and place(config, twin) == meant:
            return replace(twin, variable=target.variable)
    return target


def place(config: Config, target: Target) -> tuple[Any, ...] | None:
    """Identifies the database that the target's URL leads to, for any user; None without a URL.

    Raises:
        Failure: it is no Postgres URL.
    """
    if not target.variable or not (url := config.environment.get(target.variable)):
        return None
    found = urls.parse(url, target.variable)
    host, user = str(found.get("host", "")), str(found.get("user", ""))
    if host.endswith(".pooler.supabase.com"):
        # All projects of a region share this host; the user's name identifies the project.
        return (user.partition(".")[2], found.get("dbname"), found.get("options"))
    if host.startswith("db.") and host.endswith(".supabase.co"):
        return (host.split(".")[1], found.get("dbname"), found.get("options"))
    return (
        *(found.get(key) for key in ("host", "hostaddr", "dbname", "service")),
        found.get("port", "5432"),
    )


@contextmanager
def open_connection(parameters: dict[str, Any], doing: str) -> Iterator[Connection[Any]]:
    """A connection in autocommit; errors come out as `Failure`, with no part of the password."""
    import psycopg

    secret = str(parameters.get("password") or "")
    defaults: dict[str, Any] = {"connect_timeout": 10, "application_name": "twolane"}
    try:
        connection = psycopg.connect(
            **(defaults | parameters | {"client_encoding": "utf8"}),
            autocommit=True,
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        failure = from_postgres(error, doing)
        raise Unreachable(_redact(failure.message, secret), failure.first) from None
    with connection:
        if connection.info.server_version < OLDEST * 10_000:
            major = connection.info.server_version // 10_000
            raise Failure(
                f"{doing}: the server is Postgres {major}, too old.",
                f"Upgrade it to Postgres {OLDEST} or newer.",
            )
        yield connection


def _redact(message: str, secret: str) -> str:
    for piece in {secret, unquote(secret)} - {""}:
        message = message.replace(piece, "…") if len(piece) > 2 else message
    return message


def owner(connection: Connection[Any]) -> str:
    """The owner of the database, and of all objects in it without an owner fact."""
    row = connection.execute(
        "select pg_get_userbyid(datdba) from pg_catalog.pg_database "
        "where datname = current_database()"
    ).fetchone()
    return str(row[0]) if row else ""


def local_database(config: Config) -> dict[str, Any]:
    """Parameters of the embedded database, made with the platform stub if it is new."""
    server = embedded.server(config)
    with open_connection(
        server | {"dbname": "postgres"}, "Connecting to the embedded server"
    ) as maintenance:
        ensure_database(maintenance, server, embedded.LOCAL_DATABASE, [load_platform])
    return server | {"dbname": embedded.LOCAL_DATABASE}


def drop(maintenance: Connection[Any], name: str, force: bool = True) -> None:
    """Drops a database if it exists; without force, it fails while somebody is connected."""
    from psycopg import sql

    statement = "drop database if exists {} with (force)" if force else "drop database if exists {}"
    maintenance.execute(sql.SQL(statement).format(sql.Identifier(name)))


def abandoned(maintenance: Connection[Any], prefix: str) -> list[str]:
    """Drafts of databases whose process is gone: see `ensure_database`."""
    return [
        name
        for (name,) in maintenance.execute(
            """
            select datname from pg_database
            where starts_with(datname, %s) and datname ~ '_draft_[0-9]+$'
                and substring(datname from '[0-9]+$')::int not in (select pid from pg_stat_activity)
            """,
            (prefix,),
        )
    ]


@contextmanager
def clone(server: dict[str, Any], database: str) -> Iterator[dict[str, Any]]:
    """Connection parameters of a throw-away copy of a database on the embedded server."""
    name = f"clone_{int(time.time())}_{uuid4().hex}"
    opening = partial(
        open_connection, {"dbname": "postgres"} | server, "Connecting to the embedded server"
    )
    with opening() as maintenance:
        ensure_database(maintenance, server, name, [], database)
    try:
        yield server | {"dbname": name}
    finally:
        with opening() as maintenance:
            drop(maintenance, name)


def old_clones(maintenance: Connection[Any]) -> list[str]:
    """Copies older than an hour: none is needed that long, so their process was killed."""
    rows = maintenance.execute("select datname from pg_database where datname ~ '^clone_[0-9]+_'")
    now = time.time()
    return [name for (name,) in rows if int(name.split("_")[1]) < now - 3600]


def drop_local(config: Config) -> None:
    server = embedded.server(config)
    with open_connection(
        server | {"dbname": "postgres"}, "Connecting to the embedded server"
    ) as maintenance:
        drop(maintenance, embedded.LOCAL_DATABASE)


def ensure_database(
    maintenance: Connection[Any],
    server: dict[str, Any],
    name: str,
    fills: Sequence[Callable[[Connection[Any]], None]],
    template: str = "template0",
) -> None:
    """Makes a database that is complete or absent: filled under another name, then renamed.

    Each of `fills` gets its own connection, so that it finds the settings (`search_path`) that the
    previous one gave the database. If two run at once, the slower drops its own draft.
    """
    from psycopg import errors, sql

    if _exists(maintenance, name):
        return
    draft = f"{name}_draft_{maintenance.info.backend_pid}"
    drop(maintenance, draft)
    copy = sql.SQL("create database {} template {}").format(
        sql.Identifier(draft), sql.Identifier(template)
    )
    _patiently(lambda: maintenance.execute(copy))
    try:
        _copy_settings(maintenance, template, draft)
        for fill in fills:
            with open_connection(server | {"dbname": draft}, f"Making {name}") as connection:
                fill(connection)
        maintenance.execute(
            sql.SQL("alter database {} rename to {}").format(
                sql.Identifier(draft), sql.Identifier(name)
            )
        )
    except (errors.DuplicateDatabase, errors.UniqueViolation):  # another command was faster
        drop(maintenance, draft)
        if not _exists(maintenance, name):
            raise
    except BaseException:
        drop(maintenance, draft)
        raise


def _copy_settings(maintenance: Connection[Any], template: str, copy: str) -> None:
    """Copies a database's settings (`search_path`): CREATE DATABASE … TEMPLATE does not."""
    from psycopg import sql

    settings = maintenance.execute(
        """
        select unnest(setconfig)
        from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
        where d.datname = %s and s.setrole = 0
        """,
        (template,),
    ).fetchall()
    for (setting,) in settings:
        name, _, value = setting.partition("=")
        with maintenance.transaction():
            maintenance.execute("select set_config(%s, %s, true)", (name, value))
            maintenance.execute(
                sql.SQL("alter database {} set {} from current").format(
                    sql.Identifier(copy), sql.Identifier(*name.split("."))
                )
            )


def _exists(maintenance: Connection[Any], name: str) -> bool:
    found = maintenance.execute("select from pg_database where datname = %s", (name,))
    return found.fetchone() is not None


def _patiently(work: Callable[[], object]) -> None:
    """Retries: a database can't be copied while somebody is connected to it, usually briefly."""
    from psycopg.errors import ObjectInUse

    for pause in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        try:
            work()
            return
        except ObjectInUse:
            time.sleep(pause)
    work()


def load_platform(connection: Connection[Any]) -> None:
    """Runs the stub of what Supabase provides; only for databases that we made ourselves."""
    with transaction(connection):
        connection.execute(Path(__file__).with_name("platform.sql").read_bytes())
