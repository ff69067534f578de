"""Keeps a migration from ending the transaction that it runs in, whatever it runs its SQL by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.sql import copies, ends_transaction

if TYPE_CHECKING:
    from psycopg import Connection


class TransactionEnded(Failure):
    """A migration would end its transaction; or has, by a way that nobody watches."""

    def __init__(self, is_done: bool = False) -> None:
        stays = " What it did before that stays in the database." if is_done else ""
        super().__init__(
            f"A migration ends the transaction that it runs in (commit, rollback).{stays}",
            "Take that out of the migration: a push is one transaction, all or nothing.",
        )


@contextmanager
def unbroken(connection: Connection[Any]) -> Iterator[None]:
    """Refuses statements that end the transaction before the server gets them, and those that would
    wait for rows which nobody sends.

    The cursors of the connection look at them: SQLAlchemy's, and those of code that goes to the
    driver by itself.

    Raises:
        TransactionEnded: a statement would end it.
        Failure: it copies rows from or to the client, or turns standard_conforming_strings off.
    """
    import psycopg

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            _expect_none(connection, query)
            return super().execute(query, *arguments, **options)

        def executemany(self, query: Any, *arguments: Any, **options: Any) -> Any:
            _expect_none(connection, query)
            return super().executemany(query, *arguments, **options)

        def stream(self, query: Any, *arguments: Any, **options: Any) -> Any:
            _expect_none(connection, query)
            return super().stream(query, *arguments, **options)

        def copy(self, statement: Any, *arguments: Any, **options: Any) -> Any:
            _expect_none(connection, statement, is_copy=True)
            return super().copy(statement, *arguments, **options)

    class ServerCursor(psycopg.ServerCursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            _expect_none(connection, query)
            return super().execute(query, *arguments, **options)

    before = connection.cursor_factory, connection.server_cursor_factory
    connection.cursor_factory, connection.server_cursor_factory = Cursor, ServerCursor
    try:
        yield
    finally:
        connection.cursor_factory, connection.server_cursor_factory = before


def _expect_none(connection: Connection[Any], query: Any, is_copy: bool = False) -> None:
    from psycopg.sql import Composable

    if isinstance(query, Composable):
        query = query.as_string(connection)
    text = query.decode(errors="replace") if isinstance(query, bytes) else str(query)
    if connection.info.parameter_status("standard_conforming_strings") != "on":
        raise Failure(
            "A migration turns standard_conforming_strings off: the server then reads strings "
            "in another way than twolane, and no statement can be told from a text.",
            "Take that out of the migration; write E'…' for a string with escapes.",
        )
    if ends_transaction(text):
        raise TransactionEnded
    if not is_copy and copies(text):
        raise Failure(
            "A migration copies rows from or to its client (`copy … from stdin`, `… to stdout`), "
            "which a statement alone can't do.",
            "Write the rows with op.bulk_insert(), or as `insert`; or call the driver's "
            "cursor.copy().",
        )
