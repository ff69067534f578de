"""Values for a new row's columns: generates candidates, and asks Postgres which of them fit."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.prove.schema import Check, Column, Relation, Type
from twolane.prove.session import tried
from twolane.prove.values import groups, literals
from twolane.sql import literal

if TYPE_CHECKING:
    from psycopg import Connection

DEFAULT = "default"
CANDIDATES = 30
COMBINATIONS = 4096
FAR = 10**9  # higher than any value that a sequence has returned
Row = dict[str, str]
"""Column → SQL expression."""


class Unmakeable(Exception):
    """No row can be made for a table; the message says why."""


@dataclass(frozen=True)
class Wish:
    """A condition that a row should meet, in the eyes of the user of these claims."""

    condition: Check
    claims: str


@dataclass(frozen=True)
class Choice:
    """Chooses a row for a table. Different numbers give different rows.

    given: columns with a fixed value. needed: columns that can't keep their default or null.
    preferred: column → SQL expressions to take rather than others. known: expressions → whether
    Postgres takes them.
    """

    connection: Connection[Any]
    table: Relation
    number: int
    given: Row
    needed: Collection[str]
    preferred: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wish: Wish | None = None
    known: dict[str, bool] = field(default_factory=dict)

    def row(self) -> Row:
        """A value for every column that needs one; chooses columns that share a check together.

        Raises:
            Unmakeable: no candidate fits.
        """
        options = {
            column.name: self._options(column)
            for column in self.table.columns
            if not column.generated
        }
        chosen = {name: values[0] for name, values in options.items()}
        for columns, checks in groups(self._conditions):
            if any(self.table.column(name).generated for name in columns):
                columns = set(options)  # we do not know its source columns
            tried = {name: options[name] for name in options if name in columns}
            chosen |= self._solve(tried, [check.expression for check in checks])
        return {name: value for name, value in chosen.items() if value != DEFAULT}

    @property
    def _conditions(self) -> list[Check]:
        return [*self.table.checks, *([self.wish.condition] if self.wish else [])]

    def _options(self, column: Column) -> list[str]:
        if column.name in self.given:
            return [self.given[column.name]]
        if column.identity == "a":
            return [DEFAULT]
        required = column.required or column.serial or column.name in self.needed
        free = [] if required else [DEFAULT]
        conditions = [c.expression for c in self._conditions if column.name in c.columns]
        preferred = list(self.preferred.get(column.name, ()))
        if not _is_text(column.type):
            preferred = list(filter(self._evaluates, preferred))
        free = preferred + free
        if free and not conditions:
            return free
        count = CANDIDATES if conditions else 1
        found = free + self._taken(column, conditions)[:count]
        if not found:
            raise Unmakeable(f"no value is known for {column.name} ({column.type.name})")
        return found

    def _taken(self, column: Column, conditions: Sequence[str]) -> list[str]:
        """The candidates that Postgres accepts for the type, including a domain's checks."""
        texts = literals(column.type, self.number, conditions)
        texts = [str(FAR + self.number), *texts] if column.serial else texts
        values = [f"{literal(text)}::{column.type.name}" for text in texts]
        if not conditions and _is_text(column.type):
            return values[:1]
        if not conditions:
            return list(itertools.islice(filter(self._evaluates, values), 1))
        whole = self._evaluates(", ".join(values))
        return values if whole else [value for value in values if self._evaluates(value)]

    def _evaluates(self, values: str) -> bool:
        if values not in self.known:
            self.known[values] = self._evaluates_now(values)
        return self.known[values]

    def _evaluates_now(self, values: str) -> bool:
        import psycopg

        try:
            tried(self.connection, f"select {values}")
        except psycopg.Error:
            return False
        return True

    def _solve(self, options: Mapping[str, Sequence[str]], checks: Sequence[str]) -> Row:
        """The first values that meet all checks; Postgres searches for them."""
        import psycopg

        if self.wish and self.wish.condition.expression in checks:
            most = max(2, int(COMBINATIONS ** (1 / max(len(options), 1))))
            options = {name: values[:most] for name, values in options.items()}
        query = self._query(options, " and ".join(map(self._is_met, checks)))
        try:
            rows = tried(self.connection, f"{self.wish.claims}; {query}" if self.wish else query)
        except psycopg.Error as error:
            raise Unmakeable(f"{first_line(error)}, in {' and '.join(checks)}") from None
        if not rows:
            raise Unmakeable(f"no value tried meets the check {' and '.join(checks)}")
        return {name: options[name][place] for name, place in zip(options, rows[0], strict=True)}

    def _is_met(self, check: str) -> str:
        is_wish = self.wish is not None and self.wish.condition.expression == check
        return f"({check}) is {'true' if is_wish else 'not false'}"

    def _query(self, options: Mapping[str, Sequence[str]], condition: str) -> str:
        """SQL that searches all combinations of the options, named as the columns."""
        sources = []
        for number, (name, values) in enumerate(options.items()):
            column = self.table.column(name)
            rows = ", ".join(
                f"({place}, ({_evaluated(column, value)})::{column.type.name})"
                for place, value in enumerate(values)
            )
            sources.append(f"(values {rows}) as c{number} ({_place(number)}, {column.quoted})")
        generated = [column for column in self.table.columns if column.generated]
        if generated and len(options) + len(generated) == len(self.table.columns):
            derived = ", ".join(f"({c.generated}) as {c.quoted}" for c in generated)
            sources.append(f"lateral (select {derived}) as derived")
        places = ", ".join(map(_place, range(len(options))))
        rows = f"select * from {' cross join '.join(sources)}"
        # A policy's subqueries name the table's columns with the table.
        return f"select {places} from ({rows}) as {self.table.short} where {condition} limit 1"


def _is_text(of: Type) -> bool:
    """Whether it takes every text."""
    return of.kind == "b" and not of.checks and of.base in ("text", "varchar", "bpchar")


def _place(number: int) -> str:
    return f'"place {number}"'


def _evaluated(column: Column, value: str) -> str:
    return value if value != DEFAULT else "1" if column.identity else column.default or "null"


def first_line(error: Any) -> str:
    """The main message of a database error."""
    return str(error.diag.message_primary or error)
