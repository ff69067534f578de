"""Finds the dump entries that the shadow accepts: others need what its platform stub lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twolane.adopt.blocks import block, render
from twolane.postgres import supautils, transactions
from twolane.postgres.dump import Entry

if TYPE_CHECKING:
    from psycopg import Connection


def taken(connection: Connection[Any], entries: Sequence[Entry]) -> Iterator[Entry]:
    """Runs each entry in a savepoint; yields those that the database accepts. They stay there."""
    import psycopg

    with transactions.transaction(connection), transactions.theirs(connection):
        connection.execute("set local check_function_bodies = off")
        for entry in entries:
            try:
                with connection.transaction():
                    text = render([block(entry)])
                    connection.execute(supautils.raised(connection, text).encode())
            except psycopg.Error:
                continue
            yield entry
