"""Lane B through Alembic, on a connection that twolane opened and whose transaction it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations import effects
from twolane.migrations.app_models import app_metadata
from twolane.migrations.effects import Effects
from twolane.migrations.session import run, session
from twolane.postgres import exposure, transactions
from twolane.repo import ledger

if TYPE_CHECKING:
    from alembic.operations.ops import MigrationScript
    from psycopg import Connection


@dataclass(frozen=True)
class Comparison:
    """Whether models and database differ, and whether Alembic was given the app's metadata."""

    differs: bool
    is_app_metadata: bool


class TransactionEnded(Failure):
    """A migration ended the transaction; what it did before stays in the database."""


def upgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    prepare: Callable[[Connection[Any]], None] = ledger.prepare,
    finish: Callable[[Connection[Any]], None] = lambda connection: None,
    closed: Callable[[str], None] = lambda table: None,
) -> list[str]:
    """Brings the database to `revision` in one transaction; returns the statements run.

    Enables RLS on new tables that the data API's roles might reach; `closed` is called with each.
    `prepare` and `finish` are called with the connection at the transaction's two ends; either may
    raise `psycopg.Rollback` to leave everything as it was.

    Raises:
        Failure: a migration fails; it names the migration's line or what Postgres said.
    """
    with session(connection) as (alchemy, statements), transactions.transaction(connection):
        prepare(connection)
        begun = _transaction_id(connection)
        there = exposure.tables(connection)
        opened = exposure.open_relations(connection)
        statements.clear()
        run(config, alchemy, lambda command, settings: command.upgrade(settings, revision))
        if _transaction_id(connection) != begun:
            raise TransactionEnded(
                "A migration ends the transaction that it runs in (commit, rollback).",
                "Take that out of the migration: a push is one transaction, all or nothing.",
            )
        connection.execute(transactions.RESET)
        for table in exposure.close_tables(connection, there):
            closed(table)
        grants = any("grant " in statement.lower() for statement in statements)  # G07 looks at it
        list(exposure.take_back(connection, opened, lambda name: grants))
        finish(connection)
    return statements


def downgrade(connection: Connection[Any], config: Config, revision: str) -> None:
    """Takes the database back to `revision`, or with "base" to before the first.

    For copies of the shadow alone: a push has no way back.

    Raises:
        Failure: a migration fails, as in `upgrade`; its cause is what the migration itself raised.
    """
    with session(connection) as (alchemy, _), transactions.transaction(connection):
        there = exposure.tables(connection)
        run(config, alchemy, lambda command, settings: command.downgrade(settings, revision))
        connection.execute(transactions.RESET)
        list(exposure.close_tables(connection, there))


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
    closed: list[str] = []

    def prepare(connection: Connection[Any]) -> None:
        nonlocal before
        ledger.prepare(connection)
        before = effects.layout(connection)

    def look(connection: Connection[Any]) -> None:
        nonlocal facts, seen
        after, locked = effects.layout(connection), effects.locks(connection)
        seen = effects.compare(before, after, locked, closed)
        facts = catalog.read(connection)
        raise Rollback

    statements = upgrade(connection, config, revision, prepare, look, closed.append)
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
            is_app_metadata=context.opts["target_metadata"] is app_metadata(config),
        )
        seen.append(found)
        if title is None or not found.differs or not found.is_app_metadata:
            scripts.clear()

    with session(connection) as (alchemy, _), transactions.transaction(connection):
        script = run(
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
    script = run(config, None, lambda command, settings: command.revision(settings, message=title))
    return Path(script.path)


def _names(owned: Sequence[str], kind: str) -> frozenset[tuple[str, str]]:
    names = (
        identity.removeprefix(f"{kind} ") for identity in owned if identities.kind(identity) == kind
    )
    return frozenset(
        (identities.unquote(schema), identities.unquote(name))
        for schema, name in map(identities.split_name, names)
    )
