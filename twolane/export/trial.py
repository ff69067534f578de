"""Runs what is to be exported as the Supabase CLI will: many parts in one transaction.

twolane gives each file and each push a transaction of its own, and at its end closes what is open
and takes back settings. Where all is one transaction, the migration has to say so itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.errors import from_postgres
from twolane.export.parts import Part, Unit
from twolane.postgres import exposure, supautils, transactions
from twolane.repo import opened
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import ident, readable_statements

if TYPE_CHECKING:
    from psycopg import Connection

# The rights that an older project gives what is new: whatever they would open, has to be closed.
_MOST = """
alter default privileges in schema public grant all on tables to anon, authenticated;
alter default privileges in schema public grant all on functions to anon, authenticated;
"""
_SET = """
select name, setting, source, reset_val, current_user::pg_catalog.text from pg_catalog.pg_settings
"""
_HAS_TEMPORARY = """
select exists (
    select from pg_catalog.pg_class
    where relnamespace operator(pg_catalog.=) pg_catalog.pg_my_temp_schema())
"""


@dataclass(frozen=True)
class Done:
    """A part that ran, and the statements that close what it opened and take back its settings."""

    part: Part
    ends: Sequence[str]


def run(connection: Connection[Any], units: Sequence[Unit]) -> list[list[Done]]:
    """What each transaction has: one holds all, unless Postgres wants a commit between two units.

    Raises:
        Failure: a part doesn't run.
    """
    connection.execute(_MOST.encode())
    found: list[list[Done]] = []
    waiting = list(units)
    while waiting:
        done = _together(connection, waiting)
        found.append([each for unit in done for each in unit])
        waiting = waiting[len(done) :]
    return found


def _together(connection: Connection[Any], units: Sequence[Unit]) -> list[list[Done]]:
    """As many of the units as run in one transaction; a new enum value, for one, waits for its end.

    Raises:
        Failure: not even the first one runs.
    """
    import psycopg

    found: list[list[Done]] = []
    with transactions.transaction(connection):
        for unit in units:
            try:
                with connection.transaction():
                    found.append([_part(connection, part) for part in unit])
            except psycopg.Error as error:
                if not found:
                    titles = ", ".join(part.title for part in unit)
                    raise from_postgres(error, f"Run as a migration, {titles}") from error
                break
    return found


def execute(connection: Connection[Any], text: str) -> None:
    """Runs SQL of the migrations in the open transaction, as the service's role may."""
    connection.execute(supautils.raised(connection, text).encode())


def _part(connection: Connection[Any], part: Part) -> Done:
    closing = _of_file(connection, part.file) if part.file else _of_revision(connection)
    with transactions.theirs(connection):
        was = _settings(connection)
        for text in part.texts:
            execute(connection, text)
        ends = list(_taken_back(connection, was))
        for text in ends:
            execute(connection, text)
    return Done(part, [*ends, *closing()])


Closing = Callable[[], Iterator[str]]
"""Closes what is open since, as the lane does, and yields the statements."""


def _of_file(connection: Connection[Any], file: SqlFile) -> Closing:
    before = exposure.open_relations(connection, everywhere=True)

    def closing() -> Iterator[str]:
        said = opened.Opened(readable_statements(file.text)).said
        since = exposure.opened_since(connection, before)
        for _, statements in exposure.limit(connection, since, said):
            yield from statements

    return closing


def _of_revision(connection: Connection[Any]) -> Closing:
    before = exposure.look(connection)

    def closing() -> Iterator[str]:
        list(exposure.close_tables(connection, exposure.look(connection).since(before)))
        made = exposure.look(connection).since(before)
        for name, _ in made.tables.values():
            # Also what an event trigger closed: the CLI's role may not be let to make one.
            yield f"alter table {name} enable row level security"
        for _, statements in exposure.limit(connection, made.relations):
            yield from statements
        yield from exposure.take_back_functions(connection, made.functions)

    return closing


def _settings(connection: Connection[Any]) -> dict[str, str]:
    """What is set in the session and is not as it began, and the role."""
    found = {}
    for name, setting, source, before, role in connection.execute(_SET):
        found["role"] = role
        if source == "session" and setting != before:
            found[name] = setting
    return found


def _taken_back(connection: Connection[Any], was: dict[str, str]) -> Iterator[str]:
    """The statements that take back what a part set and left set."""
    now = _settings(connection)
    if now.pop("role") != was.get("role"):
        yield "set role postgres"
    for name in sorted(now):
        if now[name] != was.get(name):
            yield f"reset {ident(name)}"
    if connection.execute(_HAS_TEMPORARY).fetchone() == (True,):
        yield "discard temp"
