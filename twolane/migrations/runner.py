"""Lane B through Alembic, on a connection that twolane opened and whose transaction it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.migrations import dependents, effects
from twolane.migrations.effects import Effects
from twolane.migrations.session import run, session
from twolane.postgres import exposure, transactions
from twolane.repo import ledger, sqlfiles
from twolane.repo.sqlfiles import SqlFile

if TYPE_CHECKING:
    from psycopg import Connection


class TransactionEnded(Failure):
    """A migration ended the transaction; what it did before stays in the database."""


def upgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    prepare: Callable[[Connection[Any]], None] = ledger.prepare,
    finish: Callable[[Connection[Any]], None] = lambda connection: None,
    closed: Callable[[str], None] = lambda table: None,
) -> Mapping[str, Sequence[str]]:
    """Brings the database to `revision` in one transaction: revision → the statements it ran.

    Enables RLS on new tables that the data API's roles might reach; `closed` is called with each.
    `prepare` and `finish` are called with the connection at the transaction's two ends; either may
    raise `psycopg.Rollback` to leave everything as it was.

    Raises:
        Failure: a migration fails; it names the migration's line or what Postgres said.
    """
    ran: dict[str, Sequence[str]] = {}
    with session(connection) as (alchemy, statements), transactions.transaction(connection):

        def step(step: Any, **_: Any) -> None:
            done = sum(map(len, ran.values()))
            ran[step.up_revision_id] = statements[done:]

        prepare(connection)
        begun = _transaction_id(connection)
        there = exposure.tables(connection)
        opened = exposure.open_relations(connection)
        statements.clear()
        run(
            config,
            alchemy,
            lambda command, settings: command.upgrade(settings, revision),
            on_step=step,
        )
        _expect_same(connection, begun)
        transactions.reset(connection)
        for table in exposure.close_tables(connection, there):
            closed(table)
        grants = any(_GRANT.match(statement) for statement in statements)  # G07 looks at it
        list(exposure.take_back(connection, opened, lambda name: grants))
        finish(connection)
    return ran


def downgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    prepare: Callable[[Connection[Any]], None] = lambda connection: None,
    finish: Callable[[Connection[Any]], None] = lambda connection: None,
) -> Sequence[str]:
    """Takes the database back to `revision`, or with "base" to before the first, in one
    transaction; the statements run. `prepare` and `finish` are as in `upgrade`.

    Raises:
        Failure: a migration fails, as in `upgrade`; its cause is what the migration itself raised.
    """
    ran: Sequence[str] = ()
    with session(connection) as (alchemy, statements), transactions.transaction(connection):
        prepare(connection)
        begun = _transaction_id(connection)
        there = exposure.tables(connection)
        statements.clear()
        run(config, alchemy, lambda command, settings: command.downgrade(settings, revision))
        _expect_same(connection, begun)
        transactions.reset(connection)
        list(exposure.close_tables(connection, there))
        ran = tuple(statements)
        finish(connection)
    return ran


def _expect_same(connection: Connection[Any], begun: object) -> None:
    """Raises `TransactionEnded` if this is another transaction than the one that has begun."""
    if _transaction_id(connection) != begun:
        raise TransactionEnded(
            "A migration ends the transaction that it runs in (commit, rollback).",
            "Take that out of the migration: a push is one transaction, all or nothing.",
        )


def _transaction_id(connection: Connection[Any]) -> object:
    return connection.execute("select pg_current_xact_id()").fetchone()


_GRANT = re.compile(r"\s*grant\b", re.IGNORECASE)


@dataclass(frozen=True)
class Rehearsal:
    """What migrations did on the shadow.

    ran: revision → its statements. facts: after them. end: after what was carried along was made
    again. drops: the statements that took it out of the way.
    """

    ran: Mapping[str, Sequence[str]]
    facts: Snapshot
    end: Snapshot
    effects: Effects
    drops: Sequence[str] = ()


@dataclass(frozen=True)
class Carried:
    """What SQL files made on the app's tables, and migrations may take along.

    tables: those that the migrations change, as `schema.name`. facts: identities of what the files
    made. files: to run again, so that it is made anew.
    """

    tables: Collection[str] = ()
    facts: Collection[str] = ()
    files: Sequence[SqlFile] = ()


def rehearse(
    connection: Connection[Any],
    config: Config,
    revision: str,
    carried: Carried | None = None,
    keep: bool = False,
) -> Rehearsal:
    """Upgrades and records what that did; rolls everything back, unless it is to `keep` it.

    carried: what to drop before, and to make again after, in the same transaction.

    Raises:
        InTheWay: a statement is refused for the sake of objects that could be `carried`.
        Failure: a migration or a file fails.
    """
    from psycopg import Rollback

    before = effects.Layout({}, {})
    facts: Snapshot = {}
    end: Snapshot = {}
    seen = effects.NONE
    closed: list[str] = []
    drops: Sequence[str] = ()

    def prepare(connection: Connection[Any]) -> None:
        nonlocal before, drops
        ledger.prepare(connection)
        before = effects.layout(connection)
        if carried:
            drops = dependents.drop(connection, carried.tables, carried.facts)

    def look(connection: Connection[Any]) -> None:
        nonlocal facts, end, seen
        after, locked = effects.layout(connection), effects.locks(connection)
        seen = effects.compare(before, after, locked, closed)
        facts = end = catalog.read(connection)
        if carried:
            for file in carried.files:
                sqlfiles.run(connection, file)
            end = catalog.read(connection)
        if not keep:
            raise Rollback

    ran = upgrade(connection, config, revision, prepare, look, closed.append)
    return Rehearsal(ran, facts, end, seen, drops)


def undo(
    connection: Connection[Any],
    config: Config,
    revisions: Sequence[tuple[str, str | None]],
    carried: Carried,
) -> Mapping[str, Sequence[str] | None]:
    """Revision → the SQL that takes it back, found by running it on a throw-away database.

    revisions: each with the one below it, the newest first. carried: what is dropped first. None
    from the first on whose `downgrade()` fails.
    """
    found: dict[str, Sequence[str] | None] = {revision: None for revision, _ in revisions}

    def prepare(connection: Connection[Any]) -> None:
        dependents.drop(connection, carried.tables, carried.facts)

    for revision, below in revisions:
        try:
            found[revision] = downgrade(connection, config, below or "base", prepare)
        except Failure:
            break
    return found
