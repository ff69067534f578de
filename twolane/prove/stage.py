"""The stage: a throw-away copy, in which actors run statements; rolls back all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane.facts import identities
from twolane.prove import attempts, writes
from twolane.prove.attempts import OTHER, Actor, Outcome, Try
from twolane.prove.disclosure import Disclosure, Reading
from twolane.prove.guises import Guises
from twolane.prove.mining import Source
from twolane.prove.rows import Rows
from twolane.prove.schema import USERS, Relation, Schema
from twolane.prove.session import Session
from twolane.sql import literal

LIMITS = b"set lock_timeout = '5s'; set statement_timeout = '10s'"
_STEP_DOWN = "set constraints all immediate; set local role none"
_LOCKED = """
select pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname)
from pg_catalog.pg_locks l
join pg_catalog.pg_class c on c.oid = l.relation
join pg_catalog.pg_namespace s on s.oid = c.relnamespace
where l.pid = pg_catalog.pg_backend_pid() and l.mode not in ('AccessShareLock', 'RowShareLock')
"""
# A transaction gets an id when it first writes (manual, "Transactions and Identifiers").
_HAS_WRITTEN = "select pg_catalog.pg_current_xact_id_if_assigned() is not null"


@dataclass(frozen=True)
class Done:
    """The result of a statement: its row count, the rows it returned, whether it wrote any."""

    count: int
    answer: Counter[str]
    has_written: bool


@dataclass
class Stage:
    """The database for attempts. open: relations in which somebody sees rows of others anyway."""

    session: Session
    schema: Schema
    rows: Rows
    open: frozenset[str] = frozenset()

    @cached_property
    def actors(self) -> list[Actor]:
        return [
            *attempts.actors(self.rows.usual, self.rows.claims),
            *Guises(self.schema, self.rows).all,
        ]

    @cached_property
    def disclosure(self) -> Disclosure:
        return Disclosure(self.rows.held)

    @cached_property
    def tables(self) -> list[Relation]:
        """The tables that an actor can reach and that have rows for attempts."""
        return [
            table
            for table in self.schema.tables
            if table.reachable and table.name not in self.rows.reasons
        ]

    def tables_of(self, view: Relation) -> list[Relation]:
        """The tables that a view's text names."""
        words = Source("", "", self.schema.source(view.name)).words
        return [t for t in self.schema.tables if identities.unquote(t.short) in words]

    def victims(self, actor: Actor) -> list[str]:
        return attempts.victims(actor, self.rows.users)

    def perform(self, actor: Actor, statement: str, *first: str) -> Done:
        """Runs a statement as the actor, after what comes first, in one round trip."""
        written = self.session.as_owner(_written(actor)) if actor.metadata else []
        before = [*first, *written, _become(actor)]
        batch = "; ".join([*before, statement, _STEP_DOWN, _HAS_WRITTEN])
        with self.session.cursor() as cursor:
            cursor.execute(batch.encode())
            for _ in before:
                cursor.nextset()
            count = cursor.rowcount
            answer = Counter(str(row[0]) for row in cursor) if cursor.description else Counter()
            while cursor.nextset():
                pass
            return Done(count, answer, cursor.fetchone() == (True,))

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        with self.session.rolled_back():
            yield

    @contextmanager
    def without(self, users: Sequence[str]) -> Iterator[None]:
        """Runs the block without the rows of these users; skips triggers and foreign key checks."""
        removals = [self.removal(table, user) for table in self.schema.tables for user in users]
        with self.rolled_back():
            self.session.run(writes.out_of_the_way("; ".join(removals)))
            yield

    def read(self, actor: Actor, query: str) -> Reading:
        """The rows that the actor sees; reads them in a savepoint of the open transaction."""
        import psycopg

        try:
            return self.perform(actor, query, "savepoint reading").answer
        except psycopg.Error as error:
            return failed(error)
        finally:
            self.session.control("rollback to reading; release reading")

    def attempt(
        self, actor: Actor, trial: Try, tables: Sequence[Relation], others: Sequence[str]
    ) -> Outcome:
        """Tries a statement; if `trial.again` has its error, prepares and tries it once more."""
        outcome = self._attempt(actor, trial, tables, others, trial.first)
        prepare = trial.again.get(outcome.state)
        return self._attempt(actor, trial, tables, others, prepare) if prepare else outcome

    def _attempt(
        self,
        actor: Actor,
        trial: Try,
        tables: Sequence[Relation],
        others: Sequence[str],
        prepare: str,
    ) -> Outcome:
        import psycopg

        if not prepare:
            before, seen = self.as_it_was(trial, tables, others)
        try:
            if prepare:
                self.session.control("begin")
                self.session.run(prepare)
                before, seen = self.belongings(tables, others), self._seen(trial, tables, others)
                done = self.perform(actor, trial.statement)
            else:
                done = self.perform(actor, trial.statement, "begin")
            if not done.has_written:
                return Outcome(count=done.count)
            return self._outcome(actor, trial, done, tables, others, before, seen)
        except psycopg.Error as error:
            return self.disclosure.told(actor, failed(error), trial.statement)
        finally:
            self.session.control("rollback")

    def _outcome(
        self,
        actor: Actor,
        trial: Try,
        done: Done,
        tables: Sequence[Relation],
        others: Sequence[str],
        before: set[str],
        seen: Mapping[str, Reading],
    ) -> Outcome:
        """What a statement that wrote has done to what others own and see."""
        before, after = self.since(before, tables, others)
        effect = changed(before, after)
        evidence = next(iter((before - after) or (after - before)), "")
        if not effect and trial.whose == OTHER:
            effect = appeared(seen, self._seen(trial, tables, others))
        if not effect and trial.gains and done.count > 0:
            effect = trial.gains
        if not effect and trial.joins and done.count > 0:
            effect = self._discloses(actor, tables, others)
        return Outcome(count=done.count, effect=effect, evidence=evidence)

    def as_it_was(
        self, trial: Try, tables: Sequence[Relation], others: Sequence[str]
    ) -> tuple[set[str], dict[str, Reading]]:
        """What the others own and see before any statement; reads it once."""
        place = (*(table.name for table in tables), *others, bool(self._adds(trial, tables)))
        if place not in self._before:
            with self.rolled_back():
                seen = self._seen(trial, tables, others)
            self._before[place] = (self.belongings(tables, others), seen)
        return self._before[place]

    @cached_property
    def _before(self) -> dict[tuple[object, ...], tuple[set[str], dict[str, Reading]]]:
        return {}

    def belongings(self, tables: Sequence[Relation], users: Sequence[str]) -> set[str]:
        """Every version of every row of these users; any write to such a row changes this set."""
        queries = [
            f"select pg_catalog.format('%s %s %s %s', {literal(table.name)}, "
            f"t.tableoid::pg_catalog.oid, t.ctid, t) from {table.name} t "
            f"where {self.rows.belongs_to_any(table, users)}"
            for table in tables
            if table.kind == "table"
        ]
        if not queries:
            return set()
        return set(self.session.ask(" union all ".join(queries)))

    def since(
        self, before: set[str], tables: Sequence[Relation], users: Sequence[str]
    ) -> tuple[set[str], set[str]]:
        """What users had before and have now, in those of the tables that were written.

        A transaction locks what it writes, so that nobody alters it (manual, "Explicit Locking").
        """
        locked = set(self.session.ask(_LOCKED)) if len(tables) > 1 else {t.name for t in tables}
        written = [table for table in tables if table.name in locked]
        names = tuple(f"{table.name} " for table in written)
        return {b for b in before if b.startswith(names)}, self.belongings(written, users)

    def _seen(
        self, trial: Try, tables: Sequence[Relation], users: Sequence[str]
    ) -> dict[str, Reading]:
        """The rows that the others see in the tried table; empty if the statement adds no row."""
        if not self._adds(trial, tables):
            return {}
        victims = [actor for actor in self.actors if actor.user in users]
        return {
            str(victim.user): self.read(victim, selection(tables[0], victim.role))
            for victim in victims
        }

    def _adds(self, trial: Try, tables: Sequence[Relation]) -> bool:
        """Whether the statement may add a row that others see, in a table that is not open."""
        alone = len(tables) == 1 and tables[0].name not in self.open
        return alone and trial.operation in ("insert", "move", "upsert")

    def _discloses(self, actor: Actor, linked: Sequence[Relation], others: Sequence[str]) -> str:
        """The tables in which the actor now sees rows of others, after linking a row to them.

        Only tables that the actor may read in all columns: to identify a row by ctid needs that.
        And only those whose policies ask the table with the link.
        """
        asking = {name for table in linked for name in self._asking(table)}
        queries = [
            f"select {literal(table.name)} from {table.name} t where {held}"
            for table in self.tables
            if table.name in asking
            and table.name not in self.open
            and len(table.allowed(actor.role, "r")) == len(table.columns)
            for held in [" or ".join(self.rows.is_held(table, user) for user in others)]
        ]
        seen = self.read(actor, " union all ".join(queries)) if queries else Outcome()
        names = sorted(seen) if isinstance(seen, Counter) else []
        return f"then sees rows of another in {', '.join(names)}" if names else ""

    def _asking(self, table: Relation) -> set[str]:
        """The tables whose policies ask this one, by functions and views too; and itself."""
        short = identities.unquote(table.short)
        return {table.name} | {t.name for t in self.tables if short in self.schema.asked(t)}

    def removal(self, table: Relation, user: str) -> str:
        if table.name == USERS or table.kind == "foreign table":
            return "select"
        return f"delete from {table.name} t where {self.rows.belongs(table, user)}"


def prepared(stage: Stage, actor: Actor, trial: Try, told: str) -> Outcome:
    """Tries a statement after what comes first. told: the effect if it reaches another's row."""
    import psycopg

    try:
        with stage.rolled_back():
            stage.session.run(trial.first)
            count = stage.perform(actor, trial.statement).count
    except psycopg.Error as error:
        return failed(error)
    return Outcome(count=count, effect=told if count > 0 and trial.whose == OTHER else "")


def selection(relation: Relation, role: str) -> str:
    """SQL that reads each row of a relation as one text: the columns that the role may read."""
    columns = relation.allowed(role, "r") or relation.columns
    return (
        f"select row({', '.join(column.quoted for column in columns)})::pg_catalog.text "
        f"from {relation.name}"
    )


def changed(before: set[str], after: set[str]) -> str:
    if before - after:
        return "changed or deleted a row of another"
    return "made a row of another" if after - before else ""


def appeared(before: Mapping[str, Reading], after: Mapping[str, Reading]) -> str:
    for user, old in before.items():
        new = after[user]
        if isinstance(old, Counter) and isinstance(new, Counter) and new - old:
            return "put a row among those that another sees"
    return ""


def _written(actor: Actor) -> list[str]:
    """SQL statements that have the actor's own metadata in their row."""
    user = literal(actor.sub)
    change = f"update {USERS} set raw_user_meta_data = {literal(actor.metadata)} where id = {user}"
    return writes.out_of_the_way(change).split("; ")


def _become(actor: Actor) -> str:
    """SQL that sets role and claims, until the transaction ends or the role is reset."""
    headers = f", pg_catalog.set_config('request.headers', {literal(actor.headers)}, true)"
    return (
        f"select pg_catalog.set_config('role', '{actor.role}', true), "
        f"pg_catalog.set_config('request.jwt.claims', {literal(actor.claims)}, true), "
        f"pg_catalog.set_config('request.jwt.claim.sub', '{actor.sub}', true)"
        f"{headers if actor.headers else ''}"
    )


def failed(error: Any) -> Outcome:
    message = str(error.diag.message_primary or error)
    told = [message, error.diag.message_detail or "", error.diag.message_hint or ""]
    return Outcome(str(error.sqlstate), message, told="\n".join(told))
