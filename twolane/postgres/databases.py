"""Makes, copies and drops databases on a server of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from twolane.postgres.connections import open_connection
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

# Seconds between attempts to copy a database that somebody is connected to, usually briefly.
PATIENCE = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Fill(NamedTuple):
    """What a new database is filled with. parameters: of the connection that `work` gets."""

    parameters: dict[str, Any]
    work: Callable[[Connection[Any]], None]


class Server(NamedTuple):
    """A server of ours. role: parameters of who runs SQL. administrator: of who makes databases.

    They are the same where the role that the server is reached with is no superuser. name: what a
    message calls it.
    """

    role: dict[str, Any]
    administrator: dict[str, Any]
    name: str


def connect(server: Server) -> AbstractContextManager[Connection[Any]]:
    """A connection for making and dropping databases, which runs nobody else's SQL."""
    return open_connection(
        {"dbname": "postgres"} | server.administrator, f"Connecting to {server.name}"
    )


def drop(maintenance: Connection[Any], name: str, force: bool = True) -> None:
    """Drops a database if it exists; without force, it fails while somebody is connected."""
    from psycopg import sql

    _let_go(maintenance, name)
    statement = "drop database if exists {} with (force)" if force else "drop database if exists {}"
    maintenance.execute(sql.SQL(statement).format(sql.Identifier(name)))


def abandoned(maintenance: Connection[Any], prefix: str) -> list[str]:
    """Drafts of databases whose process is gone: see `ensure_database`."""
    return [
        name
        for (name,) in ask(
            maintenance,
            """
            select datname from pg_catalog.pg_database
            where pg_catalog.starts_with(datname, %s) and datname ~ '_draft_[0-9]+$'
                and substring(datname from '[0-9]+$')::int
                    not in (select pid from pg_catalog.pg_stat_activity)
            """,
            (prefix,),
        )
    ]


@contextmanager
def clone(server: Server, database: str) -> Iterator[dict[str, Any]]:
    """Connection parameters of a throw-away copy of a database, for the role that runs SQL."""
    name = f"clone_{int(time.time())}_{uuid4().hex}"
    with connect(server) as maintenance:
        ensure_database(maintenance, name, [], database, server.role["user"])
        try:
            yield server.role | {"dbname": name}
        finally:
            _drop_anyhow(maintenance, server, name)


def _drop_anyhow(maintenance: Connection[Any], server: Server, name: str) -> None:
    """Drops a database, over another connection where this one broke meanwhile."""
    from psycopg import OperationalError

    try:
        drop(maintenance, name)
    except OperationalError:
        if not maintenance.closed:
            raise
        with connect(server) as another:
            drop(another, name)


def sizes(maintenance: Connection[Any], names: Sequence[str]) -> dict[str, int]:
    """How many bytes each of these databases holds, of those that are there."""
    rows = ask(
        maintenance,
        "select datname, pg_catalog.pg_database_size(oid) from pg_catalog.pg_database "
        "where datname = any (%s)",
        (list(names),),
    )
    return dict(rows.fetchall())


def old_clones(maintenance: Connection[Any]) -> list[str]:
    """Copies older than an hour that nobody is connected to: their process was killed.

    The hour is by the clock of whoever made them: the server may be one that several share.
    """
    now = time.time()
    return [name for name in _unused_clones(maintenance) if int(name.split("_")[1]) < now - 3600]


def unfinished(maintenance: Connection[Any]) -> list[str]:
    """What interrupted commands left: drafts, and copies that nobody is connected to."""
    return sorted([*abandoned(maintenance, ""), *_unused_clones(maintenance)])


def _unused_clones(maintenance: Connection[Any]) -> list[str]:
    rows = ask(
        maintenance,
        """
        select datname from pg_catalog.pg_database d
        where datname ~ '^clone_[0-9]+_[0-9a-f]{32}$'
            and not exists (select from pg_catalog.pg_stat_activity a where a.datid = d.oid)
        """,
    )
    return [name for (name,) in rows]


def ensure_database(
    maintenance: Connection[Any],
    name: str,
    fills: Sequence[Fill],
    template: str = "template0",
    owner: str | None = None,
    patience: Sequence[float] = PATIENCE,
) -> None:
    """Makes a database that is complete or absent: filled under another name, then renamed.

    Each of `fills` gets its own connection, so that it finds the settings (`search_path`) that the
    previous one gave the database. owner: by default, the role that connects. patience: pauses
    before each further attempt to copy a template that is in use. If two run at once, the slower
    drops its own draft.
    """
    from psycopg import errors, sql

    if exists(maintenance, name):
        return
    draft = f"{name}_draft_{maintenance.info.backend_pid}"
    drop(maintenance, draft)
    copy = sql.SQL("create database {} template {} owner {} strategy {}").format(
        sql.Identifier(draft),
        sql.Identifier(template),
        sql.Identifier(owner or maintenance.info.user),
        sql.Identifier(_strategy(maintenance)),
    )
    _let_go(maintenance, template)
    _patiently(lambda: maintenance.execute(copy), patience)
    try:
        _copy_settings(maintenance, template, draft)
        for fill in fills:
            with open_connection(
                fill.parameters | {"dbname": draft}, f"Making {name}"
            ) as connection:
                fill.work(connection)
        _let_go(maintenance, draft)
        maintenance.execute(
            sql.SQL("alter database {} rename to {}").format(
                sql.Identifier(draft), sql.Identifier(name)
            )
        )
    except (errors.DuplicateDatabase, errors.UniqueViolation):  # another command was faster
        drop(maintenance, draft)
        if not exists(maintenance, name):
            raise
    except BaseException:
        drop(maintenance, draft)
        raise


def _copy_settings(maintenance: Connection[Any], template: str, copy: str) -> None:
    """Copies a database's settings (`search_path`): CREATE DATABASE … TEMPLATE does not."""
    from psycopg import sql

    settings = ask(
        maintenance,
        """
        select pg_catalog.unnest(setconfig)
        from pg_catalog.pg_db_role_setting s join pg_catalog.pg_database d on d.oid = s.setdatabase
        where d.datname = %s and s.setrole = 0
        """,
        (template,),
    ).fetchall()
    for (setting,) in settings:
        name, _, value = setting.partition("=")
        with maintenance.transaction():
            maintenance.execute("select pg_catalog.set_config(%s, %s, true)", (name, value))
            maintenance.execute(
                sql.SQL("alter database {} set {} from current").format(
                    sql.Identifier(copy), sql.Identifier(*name.split("."))
                )
            )


def existing(maintenance: Connection[Any], names: Sequence[str]) -> set[str]:
    """Those of the databases that are there."""
    found = ask(
        maintenance,
        "select datname from pg_catalog.pg_database where datname = any (%s)",
        (list(names),),
    )
    return {name for (name,) in found}


def exists(maintenance: Connection[Any], name: str) -> bool:
    """Whether the database is there."""
    return name in existing(maintenance, [name])


def _strategy(maintenance: Connection[Any]) -> str:
    """How to copy a database: as files where nothing must last, else through the log.

    Files have to be synced one by one, some three hundred of them
    (src/backend/storage/file/copydir.c).
    """
    row = maintenance.execute("select pg_catalog.current_setting('fsync')").fetchone()
    return "file_copy" if row == ("off",) else "wal_log"


def _let_go(maintenance: Connection[Any], name: str) -> None:
    """Waits a moment for connections to the database that have just been closed.

    Postgres itself looks again only after 100 ms (src/backend/storage/ipc/procarray.c,
    CountOtherDBBackends).
    """
    in_use = "select from pg_catalog.pg_stat_activity where datname = %s"
    for _ in range(20):
        if ask(maintenance, in_use, (name,)).fetchone() is None:
            return
        time.sleep(0.002)


def _patiently(work: Callable[[], object], patience: Sequence[float]) -> None:
    """Retries: a database can't be copied while somebody is connected to it, usually briefly."""
    from psycopg.errors import ObjectInUse

    for pause in patience:
        try:
            work()
            return
        except ObjectInUse:
            time.sleep(pause)
    work()
