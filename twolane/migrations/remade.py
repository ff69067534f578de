"""What of the app's tables stays, and has to go and come back on the way. Pure.

A column that changes its type, or gets another body under the same name, takes along what Postgres
can't keep as it is: generated columns, keys, and those checks and indexes that the change would
leave in other words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane.ddl.statement import Parts
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import own_name
from twolane.migrations import domains, enums
from twolane.migrations.domains import element
from twolane.migrations.wording import NOT_VALID


@dataclass(frozen=True)
class Remade:
    """Compares two states of the app's tables. made: the tables that come."""

    old: Snapshot
    new: Snapshot
    made: Collection[str]

    @cached_property
    def swapped(self) -> frozenset[str]:
        """The enums and domains that are made anew under the same name."""
        types = {
            name
            for name in enums.names(self.old)
            if f"enum {name}" in self.new and enums.needs_swap(name, self.old, self.new)
        }
        return frozenset(types) | domains.swapped(self.old, self.new, types)

    @cached_property
    def retyped(self) -> frozenset[str]:
        """The columns whose type changes, or gets another body under the same name."""
        return frozenset(
            i
            for i in self._kept_columns
            if _type(self._before(i)) != _type(self._after(i)) or self._has_swapped(i)
        )

    @cached_property
    def facts(self) -> frozenset[str]:
        """The columns, constraints and indexes that go and come back."""
        kept = [i for i in self.old if i in self.new and table_of(i) not in self.made]
        return frozenset({*self._changed(kept), *self._pointing_to_remade_keys(kept)})

    def _changed(self, kept: Iterable[str]) -> Iterator[str]:
        for identity in kept:
            kind = identities.kind(identity)
            if kind == "column" and identity in self._computed_anew:
                yield identity
            elif kind in ("constraint", "index"):
                old, new = self._before(identity), self._after(identity)
                is_other = old != new and not is_validated(old, new)
                if is_other or self._is_hindrance(identity, old):
                    yield identity

    def _is_hindrance(self, identity: str, parts: Parts) -> bool:
        """Whether Postgres can't keep a constraint or index, as it is, over a change of type."""
        if parts.get("type") != "foreign key":
            return _mentions(identity, parts["definition"], self._without_their_own)
        ends = [(table_of(identity), c) for c in parts["columns"]]
        ends += [(parts["references"], c) for c in parts["referenced_columns"]]
        retyped = {(table_of(i), identities.unquote(own_name(i))) for i in self.retyped}
        return bool(retyped & set(ends))

    @cached_property
    def _without_their_own(self) -> frozenset[str]:
        """The columns that no constraint or index keeps: of a type made anew, or computed anew."""
        swapped = {i for i in self.retyped if self._has_swapped(i)}
        return frozenset(swapped | self._computed_anew)

    @cached_property
    def _computed_anew(self) -> frozenset[str]:
        """The columns that go and come back: what they compute, or compute from, is another."""
        return frozenset(i for i in self._kept_columns if self._is_computed_anew(i))

    def _is_computed_anew(self, identity: str) -> bool:
        old = self._before(identity)
        return _gets_other_values(old, self._after(identity)) or (
            "generated" in old and _mentions(identity, old["generated"], self.retyped)
        )

    def _pointing_to_remade_keys(self, kept: Collection[str]) -> Iterator[str]:
        """Foreign keys that stay, to a key that goes."""
        going = {
            (table_of(i), tuple(self._before(i)["columns"]))
            for i in of_kind(self.old, "constraint")
            if self._before(i)["type"] in ("primary key", "unique")
            and (i not in self.new or self._before(i) != self._after(i))
        }
        for identity in kept:
            parts = self._before(identity) if identities.kind(identity) == "constraint" else {}
            if parts.get("type") == "foreign key":
                end = (parts["references"], tuple(parts["referenced_columns"]))
                if end in going:
                    yield identity

    @cached_property
    def _kept_columns(self) -> list[str]:
        return [i for i in of_kind(self.old, "column") if i in self.new]

    def _has_swapped(self, identity: str) -> bool:
        return element(self._before(identity)["type"]) in self.swapped

    def _before(self, identity: str) -> dict[str, Any]:
        return catalog.definition(self.old[identity])

    def _after(self, identity: str) -> dict[str, Any]:
        return catalog.definition(self.new[identity])


def table_of(identity: str) -> str:
    """The table that a fact is about."""
    return str(identities.relation(identity))


def of_kind(facts: Snapshot, kind: str) -> list[str]:
    """The identities of this kind."""
    return [i for i in facts if identities.kind(i) == kind]


def is_validated(old: Parts, new: Parts) -> bool:
    """Whether a constraint is the same, and no longer NOT VALID."""
    return bool(old.get("definition") == f"{new.get('definition')}{NOT_VALID}")


def _mentions(identity: str, text: str, columns: Iterable[str]) -> bool:
    """Whether the text names one of the columns, if that is on the same table."""
    names = {own_name(i) for i in columns if table_of(i) == table_of(identity)}
    return any(name in text for name in names) and not names.isdisjoint(columns_in(text))


_NAME = r'(?:"(?:[^"]|"")*"|\w[\w$]*)'
_QUALIFIED = rf"{_NAME}(?:\.{_NAME})*"
# Expressions, constraints and indexes as Postgres prints them: it qualifies no column, and writes
# its own words in capitals, for which a column would be quoted.
_WORDS = re.compile(
    r"'(?:[^']|'')*'"
    rf"|::{_QUALIFIED}(?: varying| precision)?(?:\(\d+\))?(?: with(?:out)? time zone)?"
    rf"|CREATE (?:UNIQUE )?INDEX {_NAME}|USING \w+|COLLATE {_QUALIFIED}|EXTRACT\(\w+"
    rf"|{_QUALIFIED}(?:\(| =>|=(?='))|\.{_NAME}|{_NAME}\.{_QUALIFIED}|(?P<column>{_NAME})"
)


def columns_in(text: str) -> Iterator[str]:
    """The columns that an expression, a constraint or an index names, quoted as in facts."""
    return (found["column"] for found in _WORDS.finditer(text) if found["column"])


def _gets_other_values(old: Parts, new: Parts) -> bool:
    """Whether a column goes and comes back, as its values come from somewhere else.

    Postgres changes an expression in place since 17 alone; it never takes one away that is virtual.
    """
    if "generated" in new:
        same = ("generated", "virtual", "type", "collation")
        return any(old.get(part) != new.get(part) for part in same)
    return bool(old.get("virtual"))


def _type(parts: Parts) -> tuple[str, str | None]:
    return parts["type"], parts.get("collation")
