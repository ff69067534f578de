"""The owner of a row, from the schema: by a column with a user's id, or by a parent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twolane.prove.schema import USERS, ForeignKey, Relation, Schema


@dataclass(frozen=True)
class Owners:
    """`column`: the usual name of the tenant column. named: table → a different tenant column."""

    schema: Schema
    column: str
    named: Mapping[str, str]

    def tenant(self, table: Relation) -> str | None:
        """The column that identifies a row's owner, directly or through a parent; or None.

        Of several keys to parents, prefers the named one, then a required, then a cascading one.
        """
        if own := self.own(table):
            return own
        keys = sorted(
            self.links(table),
            key=lambda key: (
                key.columns[0] != self.named.get(table.name),
                not table.column(key.columns[0]).required,
                not key.cascades,
            ),
        )
        return keys[0].columns[0] if keys else None

    def own(self, table: Relation) -> str | None:
        """The column with a user's id: found by its name, else by its key to auth.users."""
        if table.name == USERS:
            return "id"
        parents = {name: key.parent for key in table.foreign_keys for name in key.columns}
        wanted = self.named.get(table.name, self.column)
        for column in table.columns:
            is_id = column.type.base == "uuid" or column.type.category == "S"
            if column.name == wanted and is_id and parents.get(wanted, USERS) == USERS:
                return wanted
        referring = [name for name, parent in parents.items() if parent == USERS]
        required = [name for name in referring if table.column(name).required]
        return None if table.name in self.named else next(iter(required or referring), None)

    def links(self, table: Relation) -> list[ForeignKey]:
        """The single-column keys to tables whose rows have an owner."""
        return [
            key
            for key in table.foreign_keys
            if len(key.columns) == 1 and key.parent != USERS and self._is_scoped(key.parent)
        ]

    def _is_scoped(self, name: str, seen: frozenset[str] = frozenset()) -> bool:
        table = self.schema.relations[name]
        return self.own(table) is not None or any(
            self._is_scoped(key.parent, seen | {name})
            for key in table.foreign_keys
            if key.parent not in seen | {name}
        )
