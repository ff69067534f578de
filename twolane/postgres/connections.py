"""Connections to Postgres servers.

Every command works through a transaction pooler: no prepared statements, no session state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from twolane.errors import Failure, Unreachable, from_postgres
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

OLDEST = 15


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
    row = ask(
        connection,
        "select pg_catalog.pg_get_userbyid(datdba) from pg_catalog.pg_database "
        "where datname = pg_catalog.current_database()",
    ).fetchone()
    return str(row[0]) if row else ""
