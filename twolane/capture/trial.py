"""Tries SQL made from facts on a database: finds an order that runs, and what remains."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twolane.ddl import render
from twolane.ddl.render import Rank, Rendered, Statement
from twolane.facts import catalog, identities, views
from twolane.facts.catalog import Change, Snapshot
from twolane.postgres import supautils
from twolane.postgres.transactions import ask, transaction

if TYPE_CHECKING:
    from psycopg import Connection

# The next round corrects the side effects of a round, such as default grants.
ROUNDS = 4

# As in the files: a function's body may name later objects, and names are qualified.
_SETTINGS = "set local check_function_bodies = off; set local search_path = ''"


# What Postgres says of a function in an untrusted language, and of an aggregate of such functions.
_BY_SUPERUSER = re.compile(
    r"permission denied for language (?:c|internal|\w+u)"
    r"|aggregate transition data type cannot be internal"
)


@dataclass(frozen=True)
class Untaken:
    """A statement that the database refuses, and the error message."""

    statement: Statement
    message: str

    @property
    def reason(self) -> str:
        by_superuser = _BY_SUPERUSER.fullmatch(self.message)
        return render.SUPERUSER if by_superuser else f"Postgres: {self.message}"


@dataclass(frozen=True)
class Ordered:
    """Statements in an order that runs, and statements that run in no order."""

    ran: tuple[Statement, ...]
    refused: tuple[Untaken, ...]


_READERS = """
with recursive reader (oid, attnum, depth) as (
    select attrelid, attnum, 0 from pg_catalog.pg_attribute
    where attrelid = pg_catalog.to_regclass(%s) and attname = %s
    union all
    select w.ev_class, null, r.depth + 1
    from reader r
    join pg_catalog.pg_depend d
        on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = r.oid
        and d.refobjsubid = coalesce(r.attnum, d.refobjsubid)
    join pg_catalog.pg_rewrite w
        on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and w.oid = d.objid
    where w.ev_class <> r.oid and r.depth < 100
)
select case relkind when 'v' then 'view ' else 'materialized view ' end
    || pg_catalog.quote_ident(nspname) || '.' || pg_catalog.quote_ident(relname)
from reader r
join pg_catalog.pg_class c on c.oid = r.oid and relkind in ('v', 'm')
join pg_catalog.pg_namespace n on n.oid = relnamespace
group by relkind, nspname, relname
order by pg_catalog.max(depth), relname
"""


@dataclass(frozen=True)
class Trial:
    """Statements that made the changes, in order. reasons: identity → why a fact remains."""

    ran: tuple[Statement, ...]
    reasons: Mapping[str, str]


def bring_about(
    connection: Connection[Any],
    changes: Callable[[Snapshot], Sequence[Change]],
    live: Snapshot,
    owner: str,
    columns: Mapping[str, Sequence[str]] = MappingProxyType({}),
    first: Sequence[Statement] = (),
) -> Trial:
    """Renders the changes as SQL and runs it, until no change is left or no statement runs.

    changes: the database's current facts → the changes to make. live, owner: see
    `ddl.render.render`. columns: relation → its columns in order, `Live.order`. first: what to run
    before all else.
    """
    ran: list[Statement] = list(order(connection, first).ran)
    reasons: dict[str, str] = {}
    readers: dict[str, Sequence[str]] = {}
    rounds: list[tuple[Sequence[Change], Mapping[str, Sequence[str]]]] = []
    for _ in range(ROUNDS):
        rounds.append((changes(_settled(connection, live)), dict(readers)))
        rendered = render.render(rounds[-1][0], live, owner, readers, order=columns)
        known = {statement.sql for statement in ran}
        done = order(
            connection, [s for s in rendered.statements if not known & {s.sql, s.otherwise}]
        )
        reasons = {left.change.identity: left.reason for left in rendered.left}
        for refused in reversed(done.refused):  # of several, the first tells the cause
            reasons |= dict.fromkeys(refused.statement.facts, refused.reason)
        ran += done.ran
        found = _readers(connection, done.refused)
        if not done.ran and readers.keys() >= found.keys():
            break
        # A view that a later statement drops need not be made before.
        off = {view for column in found.keys() - readers.keys() for view in found[column]}
        ran = [statement for statement in ran if statement.facts[0] not in off]
        readers |= found
    facts, settled = catalog.read(connection), _settled(connection, live)
    ran = _with_effect(ran, rounds[0][0], changes(settled))
    second = {i: text for i, text in facts.items() if settled[i] != text}
    if second:
        ran = _with_second_form(
            ran, rounds, partial(render.render, live=live, owner=owner, order=columns), second
        )
    return Trial(tuple(ran), reasons)


def _with_effect(
    ran: Sequence[Statement], before: Sequence[Change], after: Sequence[Change]
) -> list[Statement]:
    """The statements without those that ran and left all of their facts as they were.

    Who may not grant on an object, or not comment on it, may get a mere warning.
    """
    untouched = set(before) & set(after)
    same = {change.identity for change in untouched}
    return [each for each in ran if not same.issuperset(each.facts)]


def _settled(connection: Connection[Any], live: Snapshot) -> Snapshot:
    return views.settle(catalog.read(connection), live, lambda: nullcontext(connection))


def _with_second_form(
    ran: Sequence[Statement],
    rounds: Sequence[tuple[Sequence[Change], Mapping[str, Sequence[str]]]],
    again: Callable[..., Rendered],
    second: Snapshot,
) -> list[Statement]:
    """The statements, whose conditions know the definitions as they are printed from now on, too.

    Otherwise a file would drop and make again, in each run, what it has made itself.
    """
    words: dict[str, str] = {}
    for changes, readers in rounds:
        old = again(changes, readers=readers).statements
        new = again(changes, readers=readers, second=second).statements
        for before, after in zip(old, new, strict=True):
            words |= {before.sql: after.sql, before.otherwise: after.otherwise}
    return [replace(statement, sql=words.get(statement.sql, statement.sql)) for statement in ran]


def _readers(connection: Connection[Any], refused: Sequence[Untaken]) -> dict[str, Sequence[str]]:
    """Column that could not change → the views that read it."""
    found = {}
    for identity in (fact for each in refused for fact in each.statement.facts):
        if identities.kind(identity) == "column":
            *_, own = identities.split_name(identity)
            place = (identities.relation(identity), identities.unquote(own))
            found[identity] = [name for (name,) in ask(connection, _READERS, place)]
    return {column: views for column, views in found.items() if views}


def order(connection: Connection[Any], statements: Sequence[Statement]) -> Ordered:
    """Runs the statements, each in a savepoint; retries refused ones after the others.

    What ran stays, in separate transactions or in the open one. New enum values run first: they can
    be used only after their transaction. A statement that ran in its other form is returned in that
    form.
    """
    values = [each for each in statements if each.rank is Rank.VALUE]
    rest = [each for each in statements if each.rank is not Rank.VALUE]
    first, then = _order(connection, values), _order(connection, rest)
    return Ordered(first.ran + then.ran, first.refused + then.refused)


def _order(connection: Connection[Any], statements: Sequence[Statement]) -> Ordered:
    ran: list[Statement] = []
    waiting = list(statements)
    if not waiting:
        return Ordered((), ())
    with transaction(connection):
        connection.execute(_SETTINGS)
        while True:
            refused: list[Untaken] = []
            for statement in waiting:
                if message := _try(connection, statement.sql):
                    refused.append(Untaken(statement, message))
                else:
                    ran.append(statement)
            if len(refused) == len(waiting) and not (other := _otherwise(connection, refused)):
                return Ordered(tuple(ran), tuple(refused))
            if len(refused) == len(waiting):
                ran += other.values()
                refused = [each for each in refused if each.statement not in other]
            waiting = [each.statement for each in refused]


def _otherwise(
    connection: Connection[Any], refused: Sequence[Untaken]
) -> dict[Statement, Statement]:
    """The statements that run in their other form → that form."""
    found = {}
    for statement in (each.statement for each in refused):
        if statement.otherwise and not _try(connection, statement.otherwise):
            found[statement] = replace(statement, sql=statement.otherwise, otherwise="")
    return found


def _try(connection: Connection[Any], sql: str) -> str:
    """Runs the SQL in a savepoint; the database's error message, empty if it ran."""
    import psycopg

    try:
        with connection.transaction():
            connection.execute(supautils.raised(connection, sql).encode())
    except psycopg.Error as error:
        return error.diag.message_primary or str(error)
    return ""
