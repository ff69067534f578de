"""Rows of two users in every table, made by trial in a throw-away copy of the database.

One transaction makes all rows of a user, parents first. Every row that it writes belongs to that
user, including rows that triggers add. So the owner of a row is known in every schema.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.prove import accounts
from twolane.prove.choice import Choice, Row, Unmakeable, Wish, first_line
from twolane.prove.owners import Owners
from twolane.prove.schema import OBJECTS, USERS, ForeignKey, Relation, Schema
from twolane.prove.schema_reading import as_row
from twolane.prove.session import Session, tried
from twolane.prove.variety import Variety
from twolane.sql import literal, quote

if TYPE_CHECKING:
    from psycopg import Connection

ATTEMPTS = 12
Held = tuple[str, dict[str, str | None]]
"""The location of a row, (tableoid, ctid) in SQL, and its columns as text."""


@dataclass
class Rows:
    """The rows, once `make` has made them.

    users: name → id in auth.users. further: users whose rows are of another kind, each with their
    number; they need no rows. metadata: user → what they wrote into their own metadata. hints:
    table → column → SQL expression. reasons: table → why it has no row. held: (table, user) → rows.
    written: the same as JSON.
    """

    connection: Connection[Any]
    schema: Schema
    owners: Owners
    users: Mapping[str, str]
    hints: Mapping[str, Mapping[str, str]]
    further: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    held: dict[tuple[str, str], list[Held]] = field(default_factory=dict)
    written: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _needed: dict[str, set[str]] = field(default_factory=dict)
    _evaluated: dict[str, bool] = field(default_factory=dict)

    def make(self) -> None:
        """Makes the rows of every user, and commits them.

        Raises:
            Failure: the users can't be made.
        """
        for user in self.users:
            with self.connection.transaction():
                self._make_for(user)
                for table in self.schema.tables:
                    self._collect(table, user)
        self.refresh(Session(self.connection))

    def refresh(self, session: Session) -> None:
        """Fills the materialized views; twice, because one may read another."""
        from psycopg import errors

        views = self.schema.materialized
        for view in [*views, *views]:
            try:
                with session.part():
                    session.run(f"refresh materialized view {view.name}")
            except errors.Error as error:
                self.reasons[view.name] = first_line(error)
            else:
                self.reasons.pop(view.name, None)

    def _make_for(self, user: str) -> None:
        for table in in_order(self.schema.tables):
            reason = "no row is left of those that were made"
            # Nobody is signed in while the platform makes a user.
            claims = self.claims(user) if table.name != USERS else {}
            self.connection.execute(accounts.signed_in(claims).encode())
            try:
                self._insert(table, user)
            except Unmakeable as problem:
                reason = str(problem)
            self._collect(table, user)
            if self.held[table.name, user] or user not in self.usual:
                continue
            self.reasons[table.name] = reason
            if table.name == USERS:
                raise Failure(
                    f"auth.users takes no row: {reason}",
                    "Say what it needs, in pyproject.toml: "
                    f'[tool.twolane.prove.rows."{USERS}"] raw_user_meta_data = "\'…\'"',
                )

    def claims(self, user: str) -> dict[str, Any]:
        """The claims of the user's token."""
        held = self.held.get((USERS, user), [])
        return accounts.claims(self.users[user], held[0][1] if held else {})

    @property
    def usual(self) -> Mapping[str, str]:
        """The users who have a row in every table; rows of the others are of another kind."""
        apart = {*self.further, *self.metadata}
        return {name: user for name, user in self.users.items() if name not in apart}

    def payload(self, table: Relation, owner: str, parents_of: str) -> Row:
        """The columns of a new row of `owner`; its parents are rows of `parents_of`.

        Raises:
            Unmakeable: no such row can be made; the message says why.
        """
        return self._choose(table, owner, parents_of)

    def varied_payloads(self, table: Relation) -> list[Row]:
        """New rows of the further users, with their values, as far as they can be made."""
        found = []
        for user, number in self.further.items():
            for wish in (self.variety.wish(table, number), None):
                wanted = Wish(wish, self._eyes) if wish else None
                try:
                    found.append(self._choose(table, user, user, True, wanted))
                    break
                except Unmakeable:
                    continue
        return found

    @property
    def _eyes(self) -> str:
        """SQL that signs in the first user, by whose claims conditions of policies are judged."""
        return accounts.signed_in(self.claims(next(iter(self.users))))

    def belongs(self, table: Relation, user: str) -> str:
        """SQL: whether row t belongs to the user, by tenant column or as a row made for them."""
        conditions = [f"t.{quote(c)} = {e}" for c, e in self.tenant(table, user).items()]
        return f"({' or '.join([*conditions, self.is_held(table, user)])})"

    def belongs_to_any(self, table: Relation, users: Sequence[str]) -> str:
        """SQL: the same for several users, in few conditions, which Postgres plans fast."""
        columns: dict[str, list[str]] = {}
        for user in users:
            for name, expression in self.tenant(table, user).items():
                columns.setdefault(name, []).append(expression)
        found = [f"t.{quote(name)} in ({', '.join(ids)})" for name, ids in columns.items()]
        places = [place for user in users for place, _ in self.held.get((table.name, user), [])]
        if places:
            found.append(f"(t.tableoid::oid, t.ctid) in ({', '.join(places)})")
        return " or ".join(found) or "false"

    def is_held(self, table: Relation, user: str) -> str:
        """SQL: whether the row t of the table is one of the rows made for the user."""
        places = ", ".join(place for place, _ in self.held.get((table.name, user), []))
        return f"(t.tableoid::pg_catalog.oid, t.ctid) in ({places})" if places else "false"

    def tenant(self, table: Relation, user: str) -> Row:
        """The column that identifies a row's owner, with the value for this user."""
        if own := self.owners.own(table):
            return {own: self._id(table, own, user)}
        name = self.owners.tenant(table)
        return {c: value for c, value in self.links(table, user).items() if c == name}

    def links(self, table: Relation, user: str) -> Row:
        """The columns that refer to rows made for the user, for example a row of a team."""
        return {
            column: expression
            for key in table.single_keys
            for column, expression in self._keys(key, user, table).items()
        }

    def _insert(self, table: Relation, user: str) -> None:
        if user in self.further:
            self._insert_varied(table, user)
            return
        try:
            self._insert_row(table, partial(self._choose, table, user, user))
        except Unmakeable as problem:
            # A trigger may want rows of two users to differ more than constraints do.
            unusual = partial(self._choose, table, user, user, is_varied=True)
            try:
                self._insert_row(table, unusual)
            except Unmakeable:
                raise problem from None

    def _insert_varied(self, table: Relation, user: str) -> None:
        """Inserts a row with other values; if it fits nowhere, one with fewer, or a usual one."""
        number = self.further[user]
        wish = self.variety.wish(table, number)
        wishes = [Wish(wish, self._eyes)] if wish else []
        for is_varied, wanted in [*((True, w) for w in wishes), *((False, w) for w in wishes),
                                  (True, None), (False, None)]:  # fmt: skip
            try:
                self._insert_row(table, partial(self._choose, table, user, user, is_varied, wanted))
                return
            except Unmakeable as error:
                problem = error
        raise problem

    def _insert_row(self, table: Relation, choose: Callable[[], Row]) -> None:
        from psycopg import errors

        needed = self._needed.setdefault(table.name, set())
        problem = "no value was taken"
        for _ in range(ATTEMPTS):
            row = choose()
            try:
                tried(self.connection, insert(table, row), keep=True)
                return
            except (errors.UniqueViolation, errors.ExclusionViolation) as error:
                problem = first_line(error)
                needed |= set(table.unique.get(error.diag.constraint_name or "", []))
            except errors.NotNullViolation as error:
                problem = first_line(error)
                column = error.diag.column_name
                if column is None or column in needed or not table.has(column):
                    break
                needed.add(column)
            except errors.Error as error:
                problem = first_line(error)
                break
        raise Unmakeable(problem)

    def _choose(
        self,
        table: Relation,
        owner: str,
        parents: str,
        is_varied: bool = False,
        wish: Wish | None = None,
    ) -> Row:
        given = self._parents(table, parents) | self._owner(table, owner)
        if table.name == USERS:
            given = accounts.new_user(self.users[owner], self.metadata.get(owner, {}))
        elif table.name == OBJECTS:
            given |= accounts.new_file(self.users[owner])
        given |= self.hints.get(table.name, {})
        needed = self._needed.get(table.name, set())
        preferred: dict[str, Sequence[str]] = dict(self._addresses(table, owner, given))
        if table.name in self.owners.members and not is_varied:
            preferred |= self.variety.of_member(table, given)
        if is_varied:
            kind = self.further.get(owner, 0)
            preferred |= self.variety.preferred(table, kind, {*given, *preferred})
        number = next(self._numbers)
        known = self._evaluated
        return Choice(self.connection, table, number, given, needed, preferred, wish, known).row()

    @cached_property
    def variety(self) -> Variety:
        return Variety(self.schema.sources, self.owners)

    def _addresses(self, table: Relation, user: str, given: Row) -> Iterator[tuple[str, list[str]]]:
        """The user's own address, in the columns for one of a table whose rows are users' own."""
        held = self.held.get((USERS, user), [])
        address = (held[0][1]["email"] if held else None) or ""
        is_own = self.owners.own(table) in (self.owners.column, "id")
        for column in table.columns if address and is_own else ():
            if column.name.endswith("email") and column.name not in given:
                yield column.name, [f"{literal(address)}::{column.type.name}"]

    def _owner(self, table: Relation, user: str) -> Row:
        """The tenant column, even without a foreign key, and all with keys to auth.users."""
        columns = {c for k in table.foreign_keys if k.parent == USERS for c in k.columns}
        columns |= {c for c in [self.owners.user_column(table)] if c}
        return {name: self._id(table, name, user) for name in columns}

    def _id(self, table: Relation, column: str, user: str) -> str:
        return f"{literal(self.users[user])}::{table.column(column).type.name}"

    def _parents(self, table: Relation, user: str) -> Row:
        """The columns of foreign keys, if the parent table has a row of the user."""
        found: Row = {}
        for key in table.foreign_keys:
            values = self._keys(key, user, table)
            if values:
                found |= values
            elif key.required(table):
                reason = self.reasons.get(key.parent, "the required keys form a circle")
                raise Unmakeable(f"{', '.join(key.columns)} refers to {key.parent}: {reason}")
        return found

    def _keys(self, key: ForeignKey, user: str, table: Relation) -> Row:
        for _, row in self.held.get((key.parent, user), []):
            values = [row[name] for name in key.parent_columns]
            if key.parent != table.name and None not in values:
                return {
                    name: f"{literal(value or '')}::{table.column(name).type.name}"
                    for name, value in zip(key.columns, values, strict=True)
                }
        return {}

    def _collect(self, table: Relation, user: str) -> None:
        """Collects the rows that the open transaction wrote, by xmin; includes its savepoints."""
        if table.kind == "foreign table":
            self.held[table.name, user] = []
            return
        rows = self.connection.execute(
            f"select pg_catalog.format('(%s::pg_catalog.oid, %L::pg_catalog.tid)', "
            "t.tableoid::pg_catalog.oid, t.ctid), pg_catalog.to_jsonb(t)::pg_catalog.text "
            f"from {table.name} t where pg_catalog.age(t.xmin) "
            "<= pg_catalog.age(pg_catalog.pg_current_xact_id()::pg_catalog.xid)".encode()
        ).fetchall()
        self.held[table.name, user] = [(place, as_row(text)) for place, text in rows]
        self.written[table.name, user] = [text for _, text in rows]


def insert(table: Relation, row: Row) -> str:
    """An insert of one row; it keeps the given values of identity columns."""
    if not row:
        return f"insert into {table.name} default values"
    columns = ", ".join(quote(name) for name in row)
    over = any(table.column(name).identity == "a" for name in row)
    return (
        f"insert into {table.name} ({columns})"
        f"{' overriding system value' if over else ''} values ({', '.join(row.values())})"
    )


def in_order(tables: Sequence[Relation]) -> list[Relation]:
    """The tables, parents first; in a circle of keys, first the table whose keys may be null."""
    parents = [
        {table.name: _parents_of(table, only_required) for table in tables}
        for only_required in (False, True)
    ]
    left, done, found = list(tables), set[str](), list[Relation]()
    while left:
        ready = next(
            (table for known in parents for table in left if known[table.name] <= done),
            left[0],
        )
        left.remove(ready)
        done.add(ready.name)
        found.append(ready)
    return found


def _parents_of(table: Relation, only_required: bool) -> set[str]:
    return {
        key.parent
        for key in table.foreign_keys
        if key.parent != table.name and (not only_required or key.required(table))
    }
