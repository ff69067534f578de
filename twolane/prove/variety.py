"""Further rows, in which a policy, view or function may see something: what they compare with,
flags both ways, dates past and to come, nothing and something in every nullable column. Pure.

They belong to users of their own, because many tables take one row of each user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from twolane.prove.mining import Sources
from twolane.prove.owners import Owners
from twolane.prove.schema import USERS, Check, Column, Relation
from twolane.prove.values import NUMBERS, literals, mined, near_numbers, rotated
from twolane.sql import literal

FEWEST, MOST = 3, 7
_TIMES = ("date", "timestamp", "timestamptz")
_PAST, _FUTURE = "2001-01-01", "2999-01-01"
HIGHEST = ("owner", "admin", "administrator")
"""What a role that may do everything is usually called, the highest first."""
LOWEST = ("member", "user", "viewer", "reader", "guest")
_STRUCTURED = ("json", "jsonb")


def highest(table: Relation, column: Column) -> list[str]:
    """The roles of this column that may do everything, as it spells them, the highest first.

    Of free text, what they are usually called.
    """
    if column.type.category not in "SE" or column.type.kind not in "be":
        return []
    known = spelled(table, column)
    if not known:
        return list(HIGHEST[:2])
    return [text for name in HIGHEST for text in known if text.lower() == name]


def spelled(table: Relation, column: Column) -> list[str]:
    """The texts that an enum or a check lets the column have; none for free text."""
    checks = [c.expression for c in table.checks if column.name in c.columns]
    found = mined([*checks, *column.type.checks])
    return list(column.type.labels or [text for text in found if text.strip("0123456789")])


def _from_highest(texts: Sequence[str]) -> list[str]:
    """What may do everything first, what may do the least last."""

    def rank(text: str) -> int:
        name = text.lower()
        return HIGHEST.index(name) if name in HIGHEST else 2 * len(HIGHEST) + (name in LOWEST)

    return sorted(texts, key=rank)


@dataclass(frozen=True)
class Variety:
    """Values for the rows of the n-th further user; all differ from those of the usual rows."""

    sources: Sources
    owners: Owners

    @property
    def count(self) -> int:
        """How many further users there should be: as many as the most constants for a column."""
        columns = {(c.name, c.type.base): c for t in self.owners.schema.tables for c in t.columns}
        most = [len(self._known(column)) + 1 for column in columns.values()]
        return min(max([FEWEST, *most, *self._policies()]), MOST)

    def preferred(
        self, table: Relation, number: int, given: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        """Column → SQL expressions of values for it, best first."""
        if table.name == USERS:
            return {}
        referring = {name for key in table.foreign_keys for name in key.columns}
        return {
            column.name: self._values(column, number)
            for column in table.columns
            if column.name not in referring | set(given)
            and not (column.generated or column.identity or column.serial)
        }

    def of_member(self, table: Relation, given: Collection[str]) -> Mapping[str, Sequence[str]]:
        """The same for a member of an organization, who has accepted and may do everything."""
        values = dict(self.preferred(table, 0, given))
        for column in table.columns:
            is_text = column.type.category in "SE" and column.type.kind in "be"
            if column.name in values and "role" in column.name and is_text:
                roles = [*highest(table, column), *HIGHEST]
                values[column.name] = [f"{literal(r)}::{column.type.name}" for r in roles]
        return values

    def wish(self, table: Relation, number: int) -> Check | None:
        """A condition of one of the table's policies, with the columns in it."""
        texts = [source for source in self.sources.all if source.table == table.name]
        if not texts:
            return None
        source = texts[number % len(texts)]
        columns = [column.name for column in table.columns if column.name in source.words]
        return Check(source.text, columns) if columns else None

    def rights(self, table: Relation) -> Mapping[str, Sequence[str]]:
        """Columns that may decide what a user may do → SQL expressions, the least of them last."""
        referring = {name for key in table.foreign_keys for name in key.columns}
        found = {}
        for column in table.columns:
            texts = self._rights(table, column)
            if texts and column.name not in referring and not column.generated:
                values = [f"{literal(text)}::{column.type.name}" for text in dict.fromkeys(texts)]
                found[column.name] = values
        is_of_members = table.name in self.owners.members
        named = ("role", "admin", "owner", "permission", "level", "rank")
        return {
            name: values
            for name, values in found.items()
            if not is_of_members or any(word in name for word in named)
        }

    def _rights(self, table: Relation, column: Column) -> list[str]:
        known = list(self.sources.constants.get(column.name, ()))
        asked = column.name in self.sources.constants
        if column.type.base == "bool":
            return ["true", "false"] if asked else []
        if column.type.kind == "e" and (asked or "role" in column.name):
            return _from_highest(column.type.labels)
        if column.type.category != "S" or column.type.kind != "b":
            return []
        if "role" in column.name:
            return _from_highest(spelled(table, column) or [*HIGHEST[:2], *known, "member"])
        return [text for text in known if not text.startswith("{")][:MOST]

    def _policies(self) -> Iterable[int]:
        """How many conditions the policies of each table have."""
        return Counter(source.table for source in self.sources.all if source.table).values()

    def _known(self, column: Column) -> list[str]:
        """What columns of this name are compared with; of a number also one more and one less."""
        found = self.sources.constants.get(column.name, ())
        if column.type.base not in NUMBERS:
            return list(found)
        return list(dict.fromkeys(number for text in found for number in near_numbers(text)))

    def _values(self, column: Column, number: int) -> list[str]:
        known = rotated([*self._known(column), ""], number)
        known = known[: known.index("")]  # what comes after it is nothing special
        base, texts = column.type.base, list[str]()
        if base == "bool":
            texts = ["true", "false"][number % 2 :]
        elif base in _TIMES:
            texts = [] if number % 3 == 2 else [(_PAST, _FUTURE)[number % 3]]
        elif column.type.category == "A":
            texts = [f'{{"{text}"}}' for text in known if not text.startswith("{")]
        elif base in _STRUCTURED:
            texts = [text for text in known if text.startswith("{")]
        elif column.type.kind in "be":
            texts = [text for text in known if not text.startswith("{")]
        if not texts and number % 3 == 2 and column.type.category != "S":
            return ["null"] if column.nullable else []
        is_text = column.type.category == "S" and column.default is not None
        if not texts and (column.nullable or is_text):
            texts = literals(column.type, 1000 + number)[:3]
        return [f"{literal(text)}::{column.type.name}" for text in texts]
