"""The owner of a row, from the schema: a user, an organization, or a parent's owner. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from twolane.facts import identities
from twolane.prove.mining import Source, Sources
from twolane.prove.schema import OBJECTS, USERS, ForeignKey, Relation, Schema

_NAMED = {USERS: "id", OBJECTS: "owner"}


@dataclass(frozen=True)
class Membership:
    """A table of members: `user` names a user, `key` refers to the organization's table."""

    table: str
    user: str
    key: ForeignKey

    @property
    def column(self) -> str:
        """The column with the organization."""
        return self.key.columns[0]


@dataclass(frozen=True)
class Owners:
    """`column`: the usual name of the tenant column. named: table → a different tenant column."""

    schema: Schema
    column: str
    named: Mapping[str, str]

    def tenant(self, table: Relation) -> str | None:
        """The column that identifies a row's owner, directly or through a parent; or None.

        Of several keys to parents, prefers the named one, then one that leads to an organization,
        then one to a user's profile, then a required, then a cascading one.
        """
        if own := self.own(table):
            return own
        if table.name in self.members:
            return self.members[table.name].column
        keys = sorted(
            self.links(table),
            key=lambda key: (
                key.columns[0] != self.named.get(table.name),
                not self._leads_to_organization(key),
                not self._stands_for_user(key),
                not table.column(key.columns[0]).required,
                not key.cascades,
            ),
        )
        return keys[0].columns[0] if keys else None

    def own(self, table: Relation) -> str | None:
        """The column with the id of the user whose a row is; None if it is an organization's.

        In a table of an organization, a column with a user's id says who wrote the row.
        """
        return None if self.is_organizations(table) else self.user_column(table)

    def user_column(self, table: Relation) -> str | None:
        """The column with a user's id: found by its name, else by its key to a user.

        Of several keys to users, prefers those that the table's policies ask, then the required
        ones, then the one that most conditions name.
        """
        if table.name in _NAMED:
            return _NAMED[table.name]
        referring = self.referring(table)
        parents = {name: key.parent for key in table.foreign_keys for name in key.columns}
        wanted = self.named.get(table.name, self.column)
        for column in table.columns:
            is_id = column.type.base == "uuid" or column.type.category == "S"
            if column.name == wanted and is_id and (wanted in referring or wanted not in parents):
                return wanted
        if table.name in self.named:
            return None
        asking = [source.words for source in self._asked.get(table.name, ())]

        def rank(name: str) -> tuple[bool, bool, int]:
            naming = sum(name in words for words in asking)
            return not naming, not table.column(name).required, -naming

        return min(referring, key=rank, default=None)

    def is_organizations(self, table: Relation) -> bool:
        """Whether its rows belong to an organization: it is one, its members, or refers to one."""
        if table.name in self.named:
            return self._leads_to_organization_by(table, self.named[table.name])
        if table.name in self.members or table.name in self.organizations:
            return True
        keys = [key for key in table.single_keys if self._leads_to_organization(key)]
        user = self.user_column(table)
        asked = self._asked_for(table)
        return bool(keys) and (
            user is None or user not in asked or any(key.columns[0] in asked for key in keys)
        )

    @cached_property
    def members(self) -> Mapping[str, Membership]:
        """Table of members → what it says. Its key is a user and a parent, and a policy of another
        table, or a function, asks it who is asking."""
        found = {}
        for table in self.schema.tables:
            user = self.user_column(table)
            keys = self._paired_with(user, table) if user else []
            for key in keys if keys and self._is_asked_by_others(table) else ():
                if not self._is_shared(self.schema.relations[key.parent]):
                    found[table.name] = Membership(table.name, str(user), key)
                    break
        return found

    def _paired_with(self, user: str, table: Relation) -> list[ForeignKey]:
        """Its keys of one column that are a key of the table together with the user's."""
        pairs = [set(unique) for unique in table.keys]
        return [
            key
            for key in table.single_keys
            if key.columns[0] != user and {user, key.columns[0]} in pairs
        ]

    def _is_asked_by_others(self, table: Relation) -> bool:
        """Whether a policy of another table, or a function, asks it who is asking."""
        words = {identities.unquote(table.short), "uid"}
        return any(s.table != table.name and words <= s.words for s in self.schema.sources.all)

    def _is_shared(self, table: Relation) -> bool:
        """Whether a row is a user's, who shares it with others, and not an organization.

        It has the tenant column, and a policy or function asks it; an organization may only have
        noted there who made it.
        """
        if self.user_column(table) != self.column:
            return False
        words = {identities.unquote(table.short), self.column}
        asking = [s for s in self.schema.sources.all if words <= s.words or (
            s.table == table.name and self.column in s.words)]  # fmt: skip
        return bool(asking) or not table.policies

    @cached_property
    def organizations(self) -> frozenset[str]:
        return frozenset(member.key.parent for member in self.members.values())

    def understood(self, table: Relation) -> str:
        """The tenancy in words: `org_id, of the members in public.members`."""
        column = self.tenant(table)
        of = [m.table for m in self.members.values() if m.key.parent == table.name]
        if of:
            return f"its members in {', '.join(of)}"
        if column is None:
            return ""
        if self.own(table) == column:
            return column
        key = next(k for k in table.single_keys if k.columns[0] == column)
        return f"{column}, of {key.parent}"

    def links(self, table: Relation) -> list[ForeignKey]:
        """The single-column keys to tables whose rows have an owner."""
        return [key for key in table.single_keys if self._is_scoped(key.parent)]

    def referring(self, table: Relation) -> list[str]:
        """The columns that refer to a user, in auth.users or by a table with the user's id."""
        return [
            key.columns[0]
            for key in table.foreign_keys
            if len(key.columns) == 1
            and (key.parent == USERS or self._is_user(key.parent, key.parent_columns[0]))
        ]

    def _is_user(self, name: str, column: str) -> bool:
        """Whether a column has a user's id: it refers to auth.users, or to a column that does."""
        seen = {(name, column)}
        waiting = [(name, column)]
        while waiting:
            name, column = waiting.pop()
            for key in self.schema.relations[name].foreign_keys:
                if list(key.columns) != [column]:
                    continue
                if key.parent == USERS:
                    return True
                parent = (key.parent, key.parent_columns[0])
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return False

    def _stands_for_user(self, key: ForeignKey) -> bool:
        """Whether it refers to a table with one row for each user, a profile."""
        parent = self.schema.relations[key.parent]
        return [self.user_column(parent)] in [list(unique) for unique in parent.keys]

    def _asked_for(self, table: Relation) -> frozenset[str]:
        """The words in the policies of a table."""
        return Sources(self._asked.get(table.name, ())).words

    @cached_property
    def _asked(self) -> Mapping[str, list[Source]]:
        """Table → the conditions of its policies."""
        own: dict[str, list[Source]] = defaultdict(list)
        for source in self.schema.sources.all:
            own[source.table].append(source)
        return own

    def _leads_to_organization_by(self, table: Relation, column: str) -> bool:
        keys = [key for key in table.single_keys if key.columns[0] == column]
        return any(map(self._leads_to_organization, keys))

    def _leads_to_organization(self, key: ForeignKey) -> bool:
        """Whether its parent is an organization, or has a key that leads to one by no user."""
        return key.parent in self.organizations or (key.parent in self._led and self._leads_on(key))

    def _leads_on(self, key: ForeignKey) -> bool:
        return not self._is_user(key.parent, key.parent_columns[0])

    @cached_property
    def _led(self) -> Set[str]:
        """The tables with a key that leads to an organization."""
        orgs = self.organizations
        return self._below(orgs, lambda key: key.parent in orgs or self._leads_on(key))

    def _is_scoped(self, name: str) -> bool:
        return name in self._scoped

    @cached_property
    def _scoped(self) -> Set[str]:
        """The tables whose rows have an owner: their own, or by a key to rows that have one."""
        relations = self.schema.relations.items()
        with_user = {name for name, each in relations if self.user_column(each) is not None}
        own = self.organizations | with_user
        return own | self._below(own, lambda _: True)

    def _below(self, parents: Set[str], leads: Callable[[ForeignKey], bool]) -> set[str]:
        """The tables with keys that lead to one of these, directly or by others; each once."""
        referring: dict[str, list[tuple[str, ForeignKey]]] = defaultdict(list)
        for name, relation in self.schema.relations.items():
            for key in relation.single_keys:
                referring[key.parent].append((name, key))
        found: set[str] = set()
        waiting = list(parents)
        while waiting:
            for name, key in referring[waiting.pop()]:
                if name not in found and leads(key):
                    found.add(name)
                    waiting.append(name)
        return found
