"""The databases of the embedded server: the local one, or each git branch's."""

from __future__ import annotations

from functools import partial
from typing import Any

from twolane.config import Config
from twolane.postgres import branches, databases, embedded, place, stub
from twolane.postgres.connections import open_connection
from twolane.postgres.databases import Fill, Server
from twolane.postgres.transactions import ask

AUTHENTICATOR = "authenticator"


def server(config: Config) -> Server:
    """The embedded server; starts it if necessary."""
    role = embedded.server(config)
    return Server(role, embedded.administrator(config, role), "the embedded server")


def local(config: Config, anew: bool = False) -> dict[str, Any]:
    """Parameters of the embedded database, made with the platform stub if it is new.

    A branch's own (see `branches`) is a copy of the one that it came from, unless it is made anew.
    """
    from psycopg.errors import ObjectInUse

    name = branches.database(config)
    ours = server(config)
    with databases.connect(ours) as maintenance:
        is_there = partial(databases.exists, maintenance)
        origin = None if anew or is_there(name) else branches.origin(config, is_there)
        load = partial(stub.load, own=config.own_schemas, role=embedded.ROLE)
        first = Fill(ours.administrator, load)
        fills, template = ([], origin) if origin else ([first], "template0")
        # A branch's origin may be in use all day; Postgres itself waits for five seconds.
        patience = () if origin else databases.PATIENCE
        try:
            databases.ensure_database(maintenance, name, fills, template, embedded.ROLE, patience)
        except ObjectInUse:
            raise branches.in_use(maintenance, template, branches.current(config)) from None
    return ours.role | {"dbname": name}


def drop_local(config: Config) -> None:
    """Drops the embedded database, of the current branch where each has its own; what SQL set for
    the role `postgres`, for whichever database, goes as well."""
    embedded.admit(config)
    with databases.connect(server(config)) as maintenance:
        databases.drop(maintenance, branches.database(config))


def prune(config: Config) -> list[str]:
    """Drops the embedded databases of branches that are no more; their names.

    Raises:
        Failure: git can't tell which branches there are.
    """
    with databases.connect(server(config)) as maintenance:
        rows = ask(maintenance, "select datname from pg_catalog.pg_database").fetchall()
        gone = branches.gone(config, [name for (name,) in rows])
        for name in gone:
            databases.drop(maintenance, name)
    return gone


def authenticator(config: Config, parameters: dict[str, Any]) -> dict[str, Any]:
    """The same database of the embedded server as `authenticator`, who gets a password for it."""
    from twolane.postgres import project_role

    secret = place.password(config, AUTHENTICATOR)
    with open_connection(
        embedded.administrator(config, parameters), "Connecting to the embedded server"
    ) as connection:
        project_role.set_password(connection, AUTHENTICATOR, secret)
    return parameters | {"user": AUTHENTICATOR, "password": secret}
