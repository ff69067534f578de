"""The session in which attempts are made.

On the platform `session_user` is `authenticator`, as whom PostgREST logs in; a `security definer`
function can tell by it that the data API calls. Where a text asks for it, attempts are made in a
session of that role. What prepares and judges them is still done as the owner of the copy, through
two functions in it: a session of a superuser's could be had by who wrote the SQL that is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from twolane.prove.schema import Schema
from twolane.sql import literal

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

ROLE = "authenticator"
_LEND = f"""
create schema twolane_prove;
revoke all on schema twolane_prove from public;
grant usage on schema twolane_prove to {ROLE};
create function twolane_prove.run(command text) returns void language plpgsql security definer
as $$ begin execute command; end $$;
create function twolane_prove.ask(query text) returns setof text language plpgsql security definer
as $$ begin return query execute query; end $$;
revoke all on function twolane_prove.run(text), twolane_prove.ask(text) from public;
grant execute on function twolane_prove.run(text), twolane_prove.ask(text) to {ROLE};
"""


def tried(connection: Connection[Any], statements: str, keep: bool = False) -> list[Any]:
    """Runs statements as a part of the open transaction, or as one of their own, in one round trip.

    Returns what the last query finds. Takes the part back, unless it is to `keep` it.

    Raises:
        psycopg.Error: one fails; the part is taken back.
    """
    import psycopg
    from psycopg.pq import TransactionStatus

    begin, back, end = "begin", "rollback", "commit"
    if connection.info.transaction_status == TransactionStatus.INTRANS:
        begin, back, end = "savepoint tried", "rollback to tried; release tried", "release tried"
    try:
        cursor = connection.execute(f"{begin}; {statements}\n; {end if keep else back}".encode())
    except psycopg.Error:
        connection.execute(back.encode())
        raise
    found = [result.fetchall() for result in cursor.results() if result.description]
    return found[-1] if found else []


class Session:
    """A session of the owner of the copy, in autocommit."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection

    def run(self, command: str) -> None:
        """Runs statements as the owner of the copy."""
        self.connection.execute(command.encode())

    def ask(self, query: str) -> list[str]:
        """The one column of text that a query of the owner's returns."""
        return [row[0] for row in self.connection.execute(query.encode())]

    def control(self, command: str) -> None:
        """Begins or ends a transaction, or a part of one."""
        self.connection.execute(command.encode())

    def as_owner(self, commands: list[str]) -> list[str]:
        """The same commands for a batch that is sent as who is logged in."""
        return commands

    def part(self) -> AbstractContextManager[Any]:
        """A transaction, or a part of the open one."""
        return self.connection.transaction()

    def cursor(self) -> Cursor[Any]:
        return self.connection.cursor()

    def rolled_back(self) -> AbstractContextManager[Any]:
        return self.connection.transaction(force_rollback=True)


class LentSession(Session):
    """A session of `authenticator`; the owner lends it two functions."""

    def run(self, command: str) -> None:
        self.connection.execute("select twolane_prove.run(%s)", (command,))

    def ask(self, query: str) -> list[str]:
        found = self.connection.execute("select * from twolane_prove.ask(%s)", (query,))
        return [row[0] for row in found]

    def as_owner(self, commands: list[str]) -> list[str]:
        return [f"select twolane_prove.run({literal('; '.join(commands))})"]


def asking(schema: Schema) -> list[str]:
    """The functions, views and policies that ask for `session_user`."""
    policies = {**{t.name: t.policies for t in schema.tables}, **schema.platform}
    texts = [
        (name, text) for name, found in policies.items() for p in found for text in p.conditions
    ]
    found = [name for name, text in [*texts, *schema.texts] if "session_user" in text.lower()]
    return list(dict.fromkeys(found))


@contextmanager
def opened(
    connection: Connection[Any], schema: Schema, login: Callable[[], Mapping[str, Any]] | None
) -> Iterator[Session]:
    """The session for the attempts: the platform's where a text asks for it and it can be had.

    login: gives the parameters of a connection as `authenticator`; by default those at hand, with
    no other password.
    """
    import psycopg

    if not asking(schema):
        yield Session(connection)
        return
    parameters = login() if login else _at_hand(connection)
    try:
        lent = psycopg.connect(
            **{**parameters, "user": ROLE}, autocommit=True, prepare_threshold=None
        )
    except psycopg.OperationalError:
        yield Session(connection)
        return
    with lent:
        connection.execute(_LEND.encode())
        yield LentSession(lent)


def _at_hand(connection: Connection[Any]) -> dict[str, Any]:
    info = connection.info
    found = {"host": info.host, "port": info.port, "dbname": info.dbname}
    return found | ({"password": info.password} if info.password else {})
