"""Online revisions on the shadow: which steps they take, and what each of them does.

The steps run one by one, each in a transaction of its own, or outside any where Postgres demands
that. What ran here is what runs on a target: see `twolane.migrations.steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.facts.traces import Traces, together
from twolane.migrations import effects, remains
from twolane.migrations.effects import Effects
from twolane.migrations.runner import Judge, ServerChanged, expect_own
from twolane.migrations.session import run, session
from twolane.migrations.steps import Step, judged
from twolane.postgres import supautils, transactions
from twolane.repo import ledger_tables, versions

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Observed:
    """What an online revision did.

    facts: after it. passing: identities of the facts that are there meanwhile, neither before nor
    after.
    """

    steps: tuple[Step, ...]
    facts: Snapshot
    effects: Effects
    passing: frozenset[str]

    @property
    def statements(self) -> tuple[str, ...]:
        return tuple(step.sql for step in self.steps)


def upgrade(
    connection: Connection[Any],
    config: Config,
    revision: str,
    judge: Judge | None = None,
) -> tuple[Step, ...]:
    """Brings a throw-away database to this online revision, step by step.

    judge: as in `runner.upgrade`, called for each step in a transaction.

    Raises:
        Failure: a step fails; it names the revision's line, or what Postgres said.
    """
    _prepare(connection)
    return _run(connection, config, "upgrade", revision, _Watch(connection, judge))


def downgrade(connection: Connection[Any], config: Config, below: str) -> tuple[Step, ...]:
    """Takes the newest revision, an online one, back to the one below it, step by step."""
    return _run(connection, config, "downgrade", below, _Watch(connection))


def observe(
    connection: Connection[Any],
    config: Config,
    revision: str,
    way: str = "upgrade",
    major: int | None = None,
) -> Observed:
    """Runs an online revision up, or down to `revision`, and looks at the facts at each step.

    major: the target's major version, if the steps are for one. What changes the server is not
    kept; the steps end there.
    """
    _prepare(connection)
    before, facts = effects.layout(connection), catalog.read(connection)
    watch = _Watch(connection, facts=facts)
    with suppress(ServerChanged):
        _run(connection, config, way, revision, watch, major)
    return _observed(watch, before, facts)


def replay(connection: Connection[Any], statements: Sequence[str]) -> None:
    """Runs the statements of an online revision from a record, on the shadow."""
    _take(_Watch(connection), statements)


def observe_recorded(connection: Connection[Any], statements: Sequence[str]) -> Observed:
    """What `observe` sees, of statements of a record in place of a revision's file.

    Raises:
        psycopg.Error: one of them fails.
    """
    before, facts = effects.layout(connection), catalog.read(connection)
    watch = _Watch(connection, facts=facts)
    _take(watch, statements)
    return _observed(watch, before, facts)


def _prepare(connection: Connection[Any]) -> None:
    with transactions.transaction(connection):
        ledger_tables.prepare(connection)
        versions.prepare(connection)


def _take(watch: _Watch, statements: Sequence[str]) -> None:
    for sql in statements:
        watch.take([sql], partial(_execute, watch.connection, sql))


def _execute(connection: Connection[Any], sql: str) -> None:
    connection.execute(supautils.raised(connection, sql).encode())


def _observed(watch: _Watch, before: effects.Layout, facts: Snapshot) -> Observed:
    after = watch.facts or {}
    seen = effects.compare(before, effects.layout(watch.connection), watch.locked, watch.closed)
    return Observed(
        tuple(watch.steps),
        after,
        replace(seen, traces=together(watch.traces)),
        frozenset(watch.seen - facts.keys() - after.keys()),
    )


def _run(
    connection: Connection[Any],
    config: Config,
    way: str,
    revision: str,
    watch: _Watch,
    major: int | None = None,
) -> tuple[Step, ...]:
    with (
        session(connection) as (alchemy, statements),
        _one_by_one(alchemy.engine, statements, watch),
    ):
        run(
            config,
            alchemy,
            lambda command, settings: getattr(command, way)(settings, revision),
            is_online=True,
            major=major,
        )
    return tuple(watch.steps)


@dataclass
class _Watch:
    """What is seen at each step; the facts alone if those before the first are given."""

    connection: Connection[Any]
    judge: Judge | None = None
    facts: Snapshot | None = None
    steps: list[Step] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    locked: dict[int, str] = field(default_factory=dict)
    traces: list[Traces] = field(default_factory=list)

    def take(self, texts: Sequence[str], execute: Callable[[], object]) -> None:
        """Takes a step: in a transaction, or where Postgres refuses that, outside.

        Raises:
            Failure: it can be in no transaction, and is none of the statements that may be a step.
        """
        from psycopg.errors import ActiveSqlTransaction

        is_alone = False
        judge = self._judge if self.judge or self.facts is not None else None
        try:
            with (
                transactions.transaction(self.connection),
                judged(self.connection, texts[0], judge) as closed,
            ):
                execute()
            self.closed += closed
        except ActiveSqlTransaction:
            if not remains.is_known(texts[0]):
                raise
            execute()
            is_alone = True
        for text in texts:
            self._note(Step(text, is_alone))

    def _judge(self, connection: Connection[Any], seen: Traces) -> None:
        locks = effects.locks(connection)
        self.locked = effects.strongest([*self.locked.items(), *locks.items()])
        self.traces.append(seen)
        if self.judge:
            self.judge(connection, seen)
        else:
            expect_own(seen.server)

    def _note(self, step: Step) -> None:
        if self.facts is not None:
            before, self.facts = self.facts, catalog.read(self.connection)
            touched = frozenset(change.identity for change in catalog.diff(before, self.facts))
            step = replace(step, touches=touched)
            self.seen |= self.facts.keys()
        self.steps.append(step)


@contextmanager
def _one_by_one(engine: Any, statements: list[str], watch: _Watch) -> Iterator[None]:
    """Runs each statement of the engine as a step; `statements` grows before each, as it is run."""
    from sqlalchemy import event

    noted = len(statements)

    def perform(execute: Callable[[], object]) -> bool:
        nonlocal noted
        new, noted = statements[noted:], len(statements)
        if not new:
            return False  # Alembic's own bookkeeping
        watch.connection.autocommit = True  # Alembic's `autocommit_block` takes it away at its end
        watch.take(new, execute)
        return True

    hooks: dict[str, Callable[..., bool]] = {
        "do_execute": lambda cursor, sql, given, _: perform(lambda: cursor.execute(sql, given)),
        "do_executemany": lambda cursor, sql, given, _: perform(
            lambda: cursor.executemany(sql, given)
        ),
        "do_execute_no_params": lambda cursor, sql, _: perform(lambda: cursor.execute(sql)),
    }
    for name, hook in hooks.items():
        event.listen(engine, name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            event.remove(engine, name, hook)
