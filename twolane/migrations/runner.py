"""Lane B through Alembic, on a connection that twolane opened and whose transaction it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twolane import blocks
from twolane.config import Config
from twolane.errors import Failure, from_postgres
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.facts.traces import NOTHING, Look, Traces, compare, of_server
from twolane.migrations import dependents, effects
from twolane.migrations.effects import Effects
from twolane.migrations.session import run, session
from twolane.migrations.unbroken import TransactionEnded, unbroken
from twolane.postgres import exposure, traces, transactions
from twolane.repo import ledger_tables, sqlfiles, versions
from twolane.repo.sqlfiles import SqlFile

if TYPE_CHECKING:
    from psycopg import Connection


Judge = Callable[["Connection[Any]", Traces], None]


class ServerChanged(Failure):
    """A migration changes what belongs to the whole server; nothing of it was applied."""


def expect_own(lines: Sequence[str]) -> None:
    """Raises `ServerChanged` for what reaches beyond the database: a shadow shares its server."""
    if lines:
        listed = "\n".join(f"    {line}" for line in lines)
        raise ServerChanged(
            f"A migration changes the server, not only the database:\n{listed}",
            "Take it out of the migration; what the service needs of roles, write into an SQL file "
            "under supabase/sql/.",
        )


def upgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    prepare: Callable[[Connection[Any]], None] = ledger_tables.prepare,
    finish: Callable[[Connection[Any]], None] = lambda connection: None,
    closed: Callable[[str], None] = lambda table: None,
    judge: Judge | None = None,
    is_live: bool = False,
) -> Mapping[str, Sequence[str]]:
    """Brings the database to `revision` in one transaction: revision → the statements it ran.

    Enables RLS on new tables that the data API's roles might reach; `closed` is called with each.
    `prepare` and `finish` are called with the connection at the transaction's two ends; either may
    raise `psycopg.Rollback` to leave everything as it was. `judge` is called with what the
    migrations alone left beside facts; without it, what changes the server is refused. is_live:
    whether G07 has passed; else it is to see what the migrations grant.

    Raises:
        Failure: a migration fails; it names the migration's line or what Postgres said.
    """
    ran: dict[str, Sequence[str]] = {}
    stands: list[str] = []
    with session(connection) as (alchemy, statements), transactions.transaction(connection):

        def step(step: Any, heads: Collection[str], **_: Any) -> None:
            done = sum(map(len, ran.values()))
            ran[step.up_revision_id] = statements[done:]
            stands[:] = heads

        prepare(connection)
        with (
            kept_closed(connection, statements, is_live) as shut,
            watched(connection, stands, judge),
        ):
            statements.clear()
            run(
                config,
                alchemy,
                lambda command, settings: command.upgrade(settings, revision),
                on_step=step,
            )
        for table in shut:
            closed(table)
        finish(connection)
    return ran


def downgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    prepare: Callable[[Connection[Any]], None] = lambda connection: None,
    finish: Callable[[Connection[Any]], None] = lambda connection: None,
    judge: Judge | None = None,
    ahead: Callable[[Connection[Any]], None] = lambda connection: None,
) -> Sequence[str]:
    """Takes the database back to `revision`, or with "base" to before the first, in one
    transaction; the statements run. `prepare`, `finish` and `judge` are as in `upgrade`; `ahead` is
    called before the migrations, and judged with them.

    Raises:
        Failure: a migration fails, as in `upgrade`; its cause is what the migration itself raised.
    """
    ran: Sequence[str] = ()
    stands: list[str] = []

    def step(heads: Collection[str], **_: Any) -> None:
        stands[:] = heads

    with session(connection) as (alchemy, statements), transactions.transaction(connection):
        prepare(connection)
        with kept_closed(connection, statements), watched(connection, stands, judge):
            ahead(connection)
            statements.clear()
            run(
                config,
                alchemy,
                lambda command, settings: command.downgrade(settings, revision),
                on_step=step,
            )
        ran = tuple(statements)
        finish(connection)
    return ran


_GRANT = re.compile(r"\bgrant\b", re.IGNORECASE)


def _grants(statement: str) -> bool:
    """Whether a privilege is granted there, be it below a comment or in a block."""
    if not _GRANT.search(statement):
        return False
    ran = blocks.runs(statement)
    nodes = [each.node for each in ran.statements]
    return any(
        type(node).__name__ in ("GrantStmt", "GrantRoleStmt") and node.is_grant for node in nodes
    ) or any(map(_GRANT.search, ran.texts))


@contextmanager
def kept_closed(
    connection: Connection[Any], statements: Sequence[str], is_live: bool = False
) -> Iterator[list[str]]:
    """Closes to the data API's roles what migrations make: new tables that these roles might reach
    get RLS, and a privilege that came by itself goes.

    Yields the tables that it closes, a list that is filled at the end. statements: what ran by
    then. is_live: see `upgrade`.
    """
    closed: list[str] = []
    before = exposure.look(connection)
    yield closed
    made = exposure.look(connection).since(before)
    closed += exposure.close_tables(connection, made)
    if is_live or not any(map(_grants, statements)):
        if closed:
            made = exposure.look(connection).since(before)
        list(exposure.take_back(connection, made.relations))
        list(exposure.take_back_functions(connection, made.functions))


@contextmanager
def watched(
    connection: Connection[Any], stands: Collection[str] = (), judge: Judge | None = None
) -> Iterator[None]:
    """Runs migrations in the open transaction; then lets `judge` see what they left beside facts.

    stands: the revisions that Alembic says the database has afterwards.

    Raises:
        TransactionEnded: they end the transaction.
        ServerChanged: there is no judge, and they change what belongs to the server.
    """
    versions.prepare(connection)
    begun = _transaction_id(connection)
    before = traces.look(connection) if judge else None
    with transactions.theirs(connection), unbroken(connection):
        yield
    _expect_same(connection, begun)
    with _at_the_end():
        transactions.reset(connection)
    if judge and before:
        judge(connection, _seen(connection, before, stands))
    else:
        expect_own(of_server(traces.held(connection)))


def _expect_same(connection: Connection[Any], begun: object) -> None:
    """Raises `TransactionEnded` if this is another transaction than the one that has begun."""
    if _transaction_id(connection) != begun:
        raise TransactionEnded(is_done=True)


@contextmanager
def _at_the_end() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise  # the whole transaction is tried again
    except psycopg.Error as error:
        raise from_postgres(error, "The migration failed at its end") from error


def _seen(connection: Connection[Any], before: Look, stands: Collection[str]) -> Traces:
    """What is left beside facts; Alembic's table is, if it says something else than Alembic."""
    seen = compare(before, traces.look(connection), [versions.TABLE])
    if stands and versions.read(connection) != sorted(stands):
        seen = replace(seen, records=(*seen.records, f"~ rows of {versions.TABLE}"))
    return seen


def _transaction_id(connection: Connection[Any]) -> object:
    return connection.execute("select pg_catalog.pg_current_xact_id()").fetchone()


@dataclass(frozen=True)
class Rehearsal:
    """What migrations did on the shadow.

    ran: revision → its statements. end: the facts after what was carried along was made again.
    drops: the statements that took it out of the way.
    """

    ran: Mapping[str, Sequence[str]]
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

    carried: what to drop before, and to make again after, in the same transaction. What changes
    the server is never kept: other databases share it.

    Raises:
        InTheWay: a statement is refused for the sake of objects that could be `carried`.
        Failure: a migration or a file fails.
    """
    rehearsing = _Rehearsing(carried, keep)
    ran = upgrade(
        connection,
        config,
        revision,
        rehearsing.prepare,
        rehearsing.look,
        rehearsing.closed.append,
        rehearsing.judge,
    )
    return replace(rehearsing.seen, ran=ran)


@dataclass
class _Rehearsing:
    """A rehearsal's part in its transaction; see `rehearse`. seen: all but what it ran."""

    carried: Carried | None
    keep: bool
    before: effects.Layout = field(default_factory=lambda: effects.Layout({}, {}))
    drops: Sequence[str] = ()
    closed: list[str] = field(default_factory=list)
    left: Traces = NOTHING
    seen: Rehearsal = field(default_factory=lambda: Rehearsal({}, {}, effects.NONE))

    def prepare(self, connection: Connection[Any]) -> None:
        """At the beginning: what is carried along goes."""
        ledger_tables.prepare(connection)
        self.before = effects.layout(connection)
        if self.carried:
            self.drops = dependents.drop(connection, self.carried.tables, self.carried.facts)

    def judge(self, connection: Connection[Any], seen: Traces) -> None:
        """After the migrations: what they left beside facts."""
        self.left = seen

    def look(self, connection: Connection[Any]) -> None:
        """At the end: what they did; and what is carried along is made again."""
        from psycopg import Rollback

        after, locked = effects.layout(connection), effects.locks(connection)
        done = replace(effects.compare(self.before, after, locked, self.closed), traces=self.left)
        if self.carried and not self.left.server:
            for file in self.carried.files:
                sqlfiles.run(connection, file)
        self.seen = Rehearsal({}, catalog.read(connection), done, self.drops)
        if self.left.server or not self.keep:
            raise Rollback


def undo(
    connection: Connection[Any],
    config: Config,
    revisions: Sequence[tuple[str, str | None]],
    carried: Carried,
    stepwise: Collection[str] = (),
) -> Mapping[str, Sequence[str] | None]:
    """Revision → the SQL that takes it back, found by running it on a throw-away database.

    revisions: each with the one below it, the newest first. carried: what is dropped first.
    stepwise: those that are online. None from the first on whose `downgrade()` fails.
    """
    from twolane.migrations import online

    found: dict[str, Sequence[str] | None] = {revision: None for revision, _ in revisions}

    def prepare(connection: Connection[Any]) -> None:
        dependents.drop(connection, carried.tables, carried.facts)

    for revision, below in revisions:
        try:
            if revision in stepwise:
                with transactions.transaction(connection):
                    prepare(connection)
                steps = online.downgrade(connection, config, below or "base")
                found[revision] = [step.sql for step in steps]
            else:
                found[revision] = downgrade(connection, config, below or "base", prepare)
        except Failure:
            break
    return found
