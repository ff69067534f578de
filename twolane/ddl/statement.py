"""A change in parts, and a statement that makes it: what all writers of SQL share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.differences import flat

Parts = Mapping[str, Any]


class Rank(IntEnum):
    """The order of statements by what they make; a trial finds the rest of the order."""

    VALUE = 0  # of an enum: it can be used once the transaction that adds it is over
    UNHOOK = 1  # dependent objects are dropped first; the objects that others depend on, last
    SCHEMA = 2
    TYPE = 3
    SEQUENCE = 4
    ROUTINE = 5
    TABLE = 6
    COLUMN = 7
    KEY = 8
    FOREIGN_KEY = 9
    INDEX = 10
    VIEW = 11
    ON_TABLE = 12
    DATABASE = 13
    DROP = 14
    RIGHTS = 15
    COLUMN_RIGHTS = 16
    COMMENT = 17


class Unwritten(Exception):
    """A change for which there is no statement; the reason is its text."""


@dataclass(frozen=True)
class Statement:
    """SQL that makes some facts true, and does nothing where they are true already.

    otherwise: SQL to run where Postgres refuses `sql`. loses: the data that the database loses, in
    words; empty where no row is touched. note: what it changes, in words.
    """

    sql: str
    facts: tuple[str, ...]
    rank: Rank
    otherwise: str = ""
    loses: str = ""
    note: str = ""


@dataclass(frozen=True)
class Live:
    """All facts after the change. owner: the owner of objects for which no fact names one.

    readers: column → the views to drop while it changes, the nearest first, as identities. second:
    facts as they are printed once their own words were read again, where that differs. order:
    relation → its columns in the live database's order, which is no fact, quoted as in facts.
    """

    facts: Snapshot
    owner: str
    readers: Mapping[str, Sequence[str]]
    second: Snapshot
    order: Mapping[str, Sequence[str]]

    @cached_property
    def _parts(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for identity in self.facts:
            if not identities.about(identity) and (name := identities.relation(identity)):
                found.setdefault(name, []).append(identity)
        return found

    def parts_of(self, relation: str, kind: str) -> Mapping[str, Parts]:
        """The facts of a kind that are parts of a table, view or composite type, by identity."""
        parts = self._parts.get(relation, ())
        return {i: self.parts(i) for i in parts if identities.kind(i) == kind}

    @cached_property
    def _grants(self) -> Mapping[str, dict[str, Parts]]:
        found: dict[str, dict[str, Parts]] = {}
        for identity in self.facts:
            if identities.kind(identity) == "grant":
                about = str(identities.about(identity))
                role = identity.removeprefix(f"grant {about} to ")
                found.setdefault(about, {})[role] = self.parts(identity)
        return found

    def place(self, relation: str, column: str) -> int:
        """The column's place in the live table; behind all others where it is not known."""
        columns = self.order.get(relation, ())
        return columns.index(column) if column in columns else len(columns)

    def grants_on(self, identity: str) -> dict[str, Parts]:
        """What is granted on an object, by role."""
        return self._grants.get(identity, {})

    def parts(self, identity: str) -> Parts:
        return catalog.definition(self.facts.get(identity, "{}"))

    def relation_kind(self, name: str) -> str:
        """`table`, `view`, …, `composite type`, `domain`; `table` for others' tables, no facts."""
        kinds = (*identities.RELATION_KINDS, "composite type", "domain")
        return next((kind for kind in kinds if f"{kind} {name}" in self.facts), "table")

    def owner_of(self, identity: str) -> str:
        return str(self.parts(f"owner {identity}").get("role", self.owner))


@dataclass(frozen=True)
class Edit:
    """A change in parts. name: what follows the kind in its identity."""

    change: Change
    kind: str
    name: str
    before: Parts | None
    after: Parts | None
    live: Live

    @property
    def identity(self) -> str:
        return self.change.identity

    @property
    def old(self) -> Parts:
        return self.before or {}

    @property
    def new(self) -> Parts:
        return self.after or {}

    @property
    def table(self) -> str:
        """The table, view or domain that the object is a part of."""
        return str(identities.relation(self.identity))

    @property
    def own(self) -> str:
        """The last part of the name, quoted as in SQL."""
        return identities.split_name(self.name)[-1]

    @property
    def plain(self) -> str:
        """The last part of the name, as catalogs have it."""
        return identities.unquote(self.own)

    def differs(self, *parts: str) -> bool:
        return any(self.old.get(part) != self.new.get(part) for part in parts)

    def write(
        self, sql: str, rank: Rank, otherwise: str = "", loses: str = "", facts: Sequence[str] = ()
    ) -> Statement:
        note = flat([self.change])[0] if self.before is not None else ""
        return Statement(sql, (self.identity, *facts), rank, otherwise, loses, note)


def edit(change: Change, live: Live) -> Edit:
    kind = identities.kind(change.identity)
    before, after = (
        catalog.definition(text) if text else None for text in (change.before, change.after)
    )
    name = change.identity.removeprefix(f"{kind} ")
    return Edit(change, kind, name, before, after, live)
