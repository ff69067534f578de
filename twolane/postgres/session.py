"""Finds a session for pg_dump, which leaves settings and prepared statements in its connection.

Through a transaction pooler, the next client of that server connection would get them, for example
an empty `search_path`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.postgres import connections
from twolane.postgres.supabase import SESSION, TRANSACTION
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

_OF_SUPABASE = (".pooler.supabase.com", ".supabase.co")


def parameters(found: dict[str, Any], connection: Connection[Any]) -> tuple[dict[str, Any], str]:
    """Parameters that lead to a session, and a message about what was changed in them, if anything.

    Both arguments lead to the database.

    Raises:
        Failure: they lead to a transaction pooler, and we know no way to a session.
    """
    host, port = str(found.get("host", "")), str(found.get("port", SESSION))
    if host.endswith(_OF_SUPABASE) and port == str(TRANSACTION):
        told = f"reading over a session, port {SESSION} of the same host: pg_dump needs one"
        return found | {"port": SESSION}, told
    if is_shared(found, connection):
        raise Failure(
            "The URL leads to a transaction pooler, and pg_dump needs a session: what it sets "
            "would stay behind for the pooler's next client.",
            "Let the URL lead to the server itself, or to a pool in session mode.",
        )
    return found, ""


def is_shared(found: dict[str, Any], connection: Connection[Any]) -> bool:
    """Whether one server process serves a second client while the first is idle, as through a
    transaction pooler.

    A pooler tells clients another process id than the server's, so a direct connection is known
    at once.
    """
    if _server_process(connection) == connection.info.backend_pid:
        return False
    with connections.open_connection(found, "Connecting once more") as second:
        return _server_process(second) == _server_process(connection)


def _server_process(connection: Connection[Any]) -> int | None:
    row = ask(connection, "select pg_catalog.pg_backend_pid()").fetchone()
    return row[0] if row else None
