"""Lane B through Alembic, on a connection that twolane opened and whose transaction it holds."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import Failure, from_postgres, from_user_code
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations import effects
from twolane.migrations.effects import Effects
from twolane.postgres import transactions
from twolane.repo import ledger

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig
    from alembic.operations.ops import MigrationScript
    from psycopg import Connection


@dataclass(frozen=True)
class AppSchema:
    """What `app.py` declares: tables, and those its foreign keys name, as `schema.table`."""

    tables: frozenset[str]
    referenced: frozenset[str]


@dataclass(frozen=True)
class Comparison:
    """Whether models and database differ, and whether Alembic was given the app's metadata."""

    differs: bool
    is_app_metadata: bool


class NeedsSession(Failure):
    """A statement that can't run in a transaction, like `create index concurrently`."""


class TransactionEnded(Failure):
    """A migration ended the transaction; what it did before stays in the database."""


def upgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    prepare: Callable[[Connection[Any]], None] = ledger.prepare,
    finish: Callable[[Connection[Any]], None] = lambda connection: None,
) -> list[str]:
    """Brings the database to `revision` in one transaction; returns the statements run.

    `prepare` and `finish` are called with the connection at the transaction's two ends; either may
    raise `psycopg.Rollback` to leave everything as it was.

    Raises:
        Failure: a migration fails; it names the migration's line or what Postgres said.
    """
    with _session(connection) as (alchemy, statements), transactions.transaction(connection):
        prepare(connection)
        begun = _transaction_id(connection)
        statements.clear()
        _run(config, alchemy, lambda command, settings: command.upgrade(settings, revision))
        if _transaction_id(connection) != begun:
            raise TransactionEnded(
                "A migration ends the transaction that it runs in (commit, rollback).",
                "Take that out of the migration: a push is one transaction, all or nothing.",
            )
        connection.execute(transactions.RESET)
        finish(connection)
    return statements


def downgrade(connection: Connection[Any], config: Config, revision: str) -> None:
    """Takes the database back to `revision`, or with "base" to before the first.

    For copies of the shadow alone: a push has no way back.

    Raises:
        Failure: a migration fails, as in `upgrade`; its cause is what the migration itself raised.
    """
    with _session(connection) as (alchemy, _), transactions.transaction(connection):
        _run(config, alchemy, lambda command, settings: command.downgrade(settings, revision))
        connection.execute(transactions.RESET)


def _transaction_id(connection: Connection[Any]) -> object:
    return connection.execute("select pg_current_xact_id()").fetchone()


@dataclass(frozen=True)
class Rehearsal:
    """What a migration ran and did, before all of it was rolled back."""

    statements: Sequence[str]
    facts: Snapshot
    effects: Effects


def rehearse(connection: Connection[Any], config: Config, revision: str) -> Rehearsal:
    """Upgrades, records what that did, rolls everything back."""
    from psycopg import Rollback

    before: effects.Layout = {}
    facts: Snapshot = {}
    seen = effects.NONE

    def prepare(connection: Connection[Any]) -> None:
        nonlocal before
        ledger.prepare(connection)
        before = effects.layout(connection)

    def look(connection: Connection[Any]) -> None:
        nonlocal facts, seen
        after, locked = effects.layout(connection), effects.locks(connection)
        seen = effects.compare(before, after, locked)
        facts = catalog.read(connection)
        raise Rollback

    statements = upgrade(connection, config, revision, prepare, look)
    return Rehearsal(statements, facts, seen)


def generate(
    connection: Connection[Any], config: Config, title: str | None, owned: Sequence[str]
) -> tuple[Comparison, Path | None]:
    """Compares `app.py` with the database; with a title, writes what differs as a revision.

    `owned` are the identities of the app's facts in that database: Alembic reflects those tables,
    and no others.

    Raises:
        Failure: `app.py` can't be imported or compared.
    """
    seen: list[Comparison] = []

    def keep(context: Any, _: Any, scripts: list[MigrationScript]) -> None:
        """Records what Alembic found; it does not write a script that is removed from the list."""
        operations = scripts[0].upgrade_ops
        found = Comparison(
            differs=operations is not None and not operations.is_empty(),
            is_app_metadata=context.opts["target_metadata"] is _app_metadata(config),
        )
        seen.append(found)
        if title is None or not found.differs or not found.is_app_metadata:
            scripts.clear()

    with _session(connection) as (alchemy, _), transactions.transaction(connection):
        script = _run(
            config,
            alchemy,
            lambda command, settings: command.revision(
                settings, message=title, autogenerate=True, process_revision_directives=keep
            ),
            app_tables=_names(owned, "table"),
            app_enums=_names(owned, "enum"),
        )
    return seen[0], Path(script.path) if script and not isinstance(script, list) else None


def write_empty(config: Config, title: str) -> Path:
    """Writes a revision that does nothing yet, for what has to be written by hand."""
    script = _run(config, None, lambda command, settings: command.revision(settings, message=title))
    return Path(script.path)


def declared(connection: Connection[Any], config: Config) -> Snapshot:
    """The facts after SQLAlchemy made every table of `app.py` in a database; it is rolled back.

    Raises:
        Failure: Postgres refuses what `app.py` declares.
    """
    from psycopg import Rollback

    facts: Snapshot = {}

    def make(alchemy: Any) -> None:
        metadata = _app_metadata(config)
        for schema in sorted({table.schema for table in metadata.tables.values() if table.schema}):
            alchemy.execute(CreateSchema(schema, if_not_exists=True))
        metadata.create_all(alchemy, checkfirst=False)

    from sqlalchemy.schema import CreateSchema

    with _session(connection) as (alchemy, _), transactions.transaction(connection):
        _run(config, alchemy, lambda command, settings: make(alchemy))
        facts = catalog.read(connection)
        raise Rollback
    return facts


def app_schema(config: Config) -> AppSchema:
    """What `app.py` declares.

    Raises:
        Failure: `app.py` can't be imported.
    """
    with _importable(config):
        try:
            tables = list(_app_metadata(config).tables.values())
            referenced = {key.column.table for table in tables for key in table.foreign_keys}
        except Exception as error:
            raise from_user_code(error, config.root) from error
    return AppSchema(frozenset(map(_full_name, tables)), frozenset(map(_full_name, referenced)))


def _app_metadata(config: Config) -> Any:
    import_module(f"{config.package}.db.schema.app")
    return import_module(f"{config.package}.db.schema.base").AppBase.metadata


def _full_name(table: Any) -> str:
    """`schema.table`; a table without a schema in SQLAlchemy is in `public`."""
    return f"{table.schema or 'public'}.{table.name}"


def _names(owned: Sequence[str], kind: str) -> frozenset[tuple[str, str]]:
    names = (
        identity.removeprefix(f"{kind} ") for identity in owned if identities.kind(identity) == kind
    )
    return frozenset(
        (identities.unquote(schema), identities.unquote(name))
        for schema, name in map(identities.split_name, names)
    )


@contextmanager
def _session(connection: Connection[Any]) -> Iterator[tuple[Any, list[str]]]:
    """SQLAlchemy on the psycopg connection, and the statements it runs.

    SQLAlchemy asks the server a few things when it first connects and then rolls back, so this
    comes before the transaction. Its own transaction is a formality: psycopg's is the real one.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connection,
        poolclass=StaticPool,
        pool_reset_on_return=None,
    )
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
        text = statement.strip()
        if not _OWN_STATEMENT.match(text):
            statements.append(text)

    with engine.connect() as alchemy:
        statements.clear()
        yield alchemy, statements


# Savepoints, Alembic's version table, and the check whether that table exists.
_OWN_STATEMENT = re.compile(
    r"(RELEASE |ROLLBACK TO )?SAVEPOINT |SELECT pg_catalog\.pg_class\.relname"
    r"|(SELECT|UPDATE|INSERT INTO|DELETE FROM|CREATE TABLE)\b[^;]*\btwolane\.alembic_version\b"
)


def _run(config: Config, alchemy: Any, work: Any, **attributes: Any) -> Any:
    from alembic import command
    from alembic.util import CommandError
    from psycopg import Error as PostgresError
    from psycopg.errors import LockNotAvailable
    from sqlalchemy.exc import DBAPIError

    settings = _settings(config)
    settings.attributes |= {"connection": alchemy, "package": config.package, **attributes}
    if alchemy is not None and not alchemy.in_transaction():
        alchemy.begin()
    with _importable(config):
        try:
            return work(command, settings)
        except DBAPIError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise error.orig from None  # the whole transaction is tried again
            if not isinstance(error.orig, PostgresError):
                raise
            raise _statement_failure(config, error, error.orig) from error
        except CommandError as error:
            raise Failure(
                str(error), "Run `invoke db.status` to see where things stand."
            ) from error
        except (Exception, SystemExit) as error:
            failure = from_user_code(error, config.root)
            if any(frame.name == "autocommit_block" for frame in extract_tb(error.__traceback__)):
                raise NeedsSession(failure.message.replace(": AssertionError: ", ":")) from error
            raise failure from error


def _statement_failure(config: Config, error: Any, cause: Any) -> Failure:
    failure = from_postgres(cause, "The migration failed")
    place = from_user_code(error, config.root).message.partition(": ")[0]
    statement = "\n    ".join((error.statement or "").strip().splitlines()[:12])
    if cause.sqlstate == "55P04":
        failure.first = (
            "Postgres lets a new enum value be used once its transaction is over. Put the use into "
            "a revision of its own, and push the one before it first: invoke db.push --to REVISION"
        )
    kind = NeedsSession if cause.sqlstate == "25001" else Failure
    return kind(
        f"{failure.message}\n  in {place}:\n    {statement}",
        failure.first
        or "Correct the migration, then run the same command again; nothing was applied.",
    )


@contextmanager
def _importable(config: Config) -> Iterator[None]:
    """Puts the service's own folders first on the module path, whether or not it is installed."""
    before = sys.path[:]
    sys.path[:] = [str(config.root / "src"), str(config.root), *before]
    try:
        yield
    finally:
        sys.path[:] = before


def _settings(config: Config) -> AlembicConfig:
    """`[tool.alembic]` of the service's pyproject.toml, for this folder; Alembic stays quiet."""
    import io

    from alembic.config import Config as AlembicConfig
    from alembic.config import MessagingOptions

    settings = AlembicConfig(toml_file=str(config.root / "pyproject.toml"), stdout=io.StringIO())
    settings.messaging_opts = MessagingOptions(quiet=True)
    settings.set_main_option("script_location", str(config.migrations).replace("%", "%%"))
    return settings
