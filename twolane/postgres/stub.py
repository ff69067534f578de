"""The stub of what Supabase provides, `platform.sql`: loads it, and knows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.postgres.transactions import ask, transaction

if TYPE_CHECKING:
    from psycopg import Connection

FILE = Path(__file__).with_name("platform.sql")


def load(connection: Connection[Any], own: Sequence[str] = (), role: str | None = None) -> None:
    """Runs the stub of what Supabase provides, without the schemas that the service has as its own.

    role: who stands in for Supabase's `postgres`; by default, the role that connects.

    It is for databases that we made ourselves, and for those that are plainly not Supabase's.
    """
    from psycopg import sql

    with transaction(connection):
        if role:
            connection.execute("select pg_catalog.set_config('twolane.role', %s, true)", (role,))
        connection.execute(FILE.read_bytes())
        for name in own:
            drop = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name))
            connection.execute(drop)


def is_copy(file: str | None) -> bool:
    """Whether a file is the stub, as it is in this engine."""
    try:
        return file is not None and Path(file).read_bytes() == FILE.read_bytes()
    except OSError:
        return False


def has_platform(connection: Connection[Any]) -> bool:
    """Whether the database is Supabase's, or has had the stub."""
    row = ask(connection, "select pg_catalog.to_regclass('auth.users') is not null").fetchone()
    return bool(row and row[0])
