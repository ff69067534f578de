"""The rows that a finding's statement needs, as SQL to paste before it into any copy. Pure.

A proof makes its rows in a copy that is thrown away. Of these, the statement needs the ones of who
sends it and of whom it reaches, in the object's tables, in those that they refer to, and in those
that policies and functions ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twolane.facts import identities
from twolane.prove.attempts import Attempt
from twolane.prove.rows import Rows, in_order
from twolane.prove.schema import USERS, Relation, Schema
from twolane.sql import literal

_QUIET = "set session_replication_role = {};"


@dataclass(frozen=True)
class Setting:
    """What stood in the copy when the attempts were made."""

    schema: Schema
    rows: Rows

    def of(self, attempt: Attempt) -> str:
        """SQL that makes the rows, without triggers; '' where the script makes its own."""
        tables = self._tables(attempt)
        users = self._users(attempt, tables)
        lines = [
            line for table in in_order(tables) for user in users for line in self._rows(table, user)
        ]
        if not lines:
            return ""
        filled = [
            f"refresh materialized view {view.name};"
            for view in self.schema.materialized
            if view.name == attempt.object
        ]
        return "\n".join([_QUIET.format("replica"), *lines, _QUIET.format("origin"), *filled])

    def _rows(self, table: Relation, user: str) -> Iterator[str]:
        columns = ", ".join(c.quoted for c in table.columns if not c.generated)
        for text in self.rows.written.get((table.name, user), ()):
            row = f"jsonb_populate_record(null::{table.name}, {literal(text)})"
            yield (
                f"insert into {table.name} ({columns}) overriding system value"
                f" select {columns} from {row} on conflict do nothing;"
            )

    def _users(self, attempt: Attempt, tables: Iterable[Relation]) -> list[str]:
        """Who sends the statement, and whose values it or its effect has; or everybody."""
        text = f"{attempt.statement}\n{attempt.evidence}"
        names = [table.name for table in tables]
        reached = [u for u in self.rows.users if any(v in text for v in self._own(u, names))]
        sender = attempt.script.replace(attempt.statement, "")
        me = [u for u, sub in self.rows.users.items() if sub in sender]
        if set(reached) <= set(me):
            return list(self.rows.users)
        return [user for user in self.rows.users if user in {*me, *reached}]

    def _own(self, user: str, names: Iterable[str]) -> set[str]:
        """The values that no other user's rows have."""
        values: dict[bool, set[str]] = {True: {self.rows.users[user]}, False: set()}
        for name in names:
            for owner in self.rows.users:
                for _, row in self.rows.held.get((name, owner), ()):
                    values[owner == user] |= {v for v in row.values() if v and len(v) > 8}
        return values[True] - values[False]

    def _tables(self, attempt: Attempt) -> list[Relation]:
        """The object's tables, and all that they refer to or that policies ask about them."""
        found: dict[str, Relation] = {}
        todo = [*self._named(attempt), self.schema.relations[USERS]]
        while todo:
            table = todo.pop()
            if table.name in found:
                continue
            found[table.name] = table
            todo += [self.schema.relations[key.parent] for key in table.foreign_keys]
            todo += self._asked(table.conditions)
        return list(found.values())

    def _named(self, attempt: Attempt) -> list[Relation]:
        relation = self.schema.relations.get(attempt.object)
        if relation and relation.is_table:
            return [relation]
        name = attempt.object.partition("(")[0]
        texts = [source.text for source in self.schema.of_platform(name).all]
        return self._asked([*texts, self.schema.source(name), attempt.statement])

    def _asked(self, texts: Iterable[str]) -> list[Relation]:
        """The tables that the texts name, or the functions and views that they name."""
        words = self.schema.words_of(texts)
        return [t for t in self.schema.tables if identities.unquote(t.short) in words]
