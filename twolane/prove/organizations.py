"""Tenancy by membership: which table has the organizations, which their members. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from twolane.errors import Failure
from twolane.facts import identities
from twolane.prove.policy_text import Surroundings, spellings
from twolane.prove.schema import ForeignKey, Relation, user_id
from twolane.prove.variety import highest
from twolane.sql import ident

FLAGS = ("is_owner", "is_admin")


@dataclass(frozen=True)
class Organization:
    """An organization: a row of `table`, that others refer to by `key`.

    members: the table of its members; `user` is whose a row of it is, `column` the organization.
    role: the column with the member's role, or None. managing: the roles that manage members, the
    highest first; none where the role is a flag.
    """

    table: Relation
    key: str
    members: Relation
    user: str
    column: str
    role: str | None
    managing: Sequence[str]

    @property
    def spelled(self) -> str:
        """As `--org` takes it."""
        return f"{self.members.name}.{self.column}"

    @property
    def is_me(self) -> str:
        """SQL: whether a member is the current user; begins with the column."""
        return f"{ident(self.user)} = {user_id(self.members.column(self.user))}"

    @property
    def understood(self) -> list[str]:
        """Lines: how it was understood, so that a reader can object."""
        refers = f"{self.table.name}.{self.key}"
        lines = [
            f"organizations: {self.table.name}",
            f"members: {self.members.name}, its {self.user} a user, its {self.column} → {refers}",
        ]
        if self.role is None:
            return [*lines, "roles: none, so users may leave, and only service_role adds members"]
        who = " and ".join(self.managing) if self.managing else f"who has {self.role}"
        return [*lines, f"roles: {self.members.name}.{self.role}; {who} may manage members"]


def find(spelled: str, around: Surroundings) -> Organization:
    """The organization that `TABLE.COLUMN` means: of the members' table, of a table that refers to
    organizations, or the key of the organizations' own.

    Raises:
        Failure: there is no such column, it names no organization, or no members are found.
    """
    table, column = _named(spelled, around)
    parent, key = _organization(table, column, around)
    found = _members(parent, key, around)
    mine = [member for member in found if member[0].name == table.name]
    if len(found) > 1 and not mine:
        names = " or ".join(f"{member.name}.{by}" for member, _, by in found)
        raise Failure(
            f"{parent.name} has several tables of members: {names}.",
            f"Name the one that decides: invoke db.rls --org {found[0][0].name}.{found[0][2]}",
        )
    if not found:
        raise _no_members(parent, key, around)
    members, user, by = (mine or found)[0]
    role, managing = _roles(members)
    return Organization(parent, key, members, user, by, role, managing)


def _named(spelled: str, around: Surroundings) -> tuple[Relation, str]:
    """The table and the column that a user has typed."""
    tables = [t for t in around.schema.tables if t.exposed]
    whole = [t for t in tables if spelled in spellings(t.name)]
    name, dot, column = spelled.rpartition(".")
    column = identities.unquote(column) if dot else ""
    found = [table for table in tables if name in spellings(table.name)]
    if len(whole) == 1 and not found:
        return whole[0], _likely(whole[0], around)
    if len(found) > 1:
        names = [f"{table.name}.{column}" for table in found]
        raise Failure(f"{spelled} may be {' or '.join(names)}.", f"invoke db.rls --org {names[0]}")
    if not found:
        known = {text: table.name for table in tables for text in spellings(table.name)}
        near = [known[text] for text in get_close_matches(name or spelled, known, 1)]
        raise Failure(
            f"There is no table {name or spelled}" + (f"; near it: {near[0]}." if near else "."),
            f"invoke db.rls --org {near[0] if near else 'memberships'}.{column or 'org_id'}",
        )
    (table,) = found
    if not table.has(column):
        names = [c.name for c in table.columns]
        likely = get_close_matches(column, names, 1) or _likely_columns(table, around) or names[:1]
        raise Failure(
            f"{table.name} has no column {column}; it has {', '.join(names)}.",
            f"invoke db.rls --org {table.name}.{likely[0]}",
        )
    return table, column


def _likely(table: Relation, around: Surroundings) -> str:
    """The column with the organization, where a table alone was named."""
    pairs = [k.columns[0] for k in table.single_keys if _pair(table, k, around)]
    if found := pairs or [key[0] for key in table.keys if len(key) == 1]:
        return found[0]
    raise Failure(
        f"{table.name} alone does not say which of its columns has the organization.",
        f"invoke db.rls --org {table.name}.{(_likely_columns(table, around) or ['COLUMN'])[0]}",
    )


def _organization(table: Relation, column: str, around: Surroundings) -> tuple[Relation, str]:
    """The table of organizations, and its key."""
    for key in table.single_keys:
        if key.columns[0] == column:
            return around.schema.relations[key.parent], key.parent_columns[0]
    composite = [key for key in table.foreign_keys if len(key.columns) > 1]
    if any(column in key.columns for key in composite):
        key = next(key for key in composite if column in key.columns)
        raise Failure(
            f"{table.name}.{column} is part of a key of several columns ({', '.join(key.columns)}) "
            f"to {key.parent}; db.rls writes policies for keys of one column.",
            f"Give {key.parent} a key of one column, or write the file by hand: docs/tenancy.md",
        )
    refers = any(list(key.columns) == [column] for key in table.foreign_keys)
    if [column] in [list(key) for key in table.keys] and not refers:
        return table, column
    likely = _likely_columns(table, around)
    what = "says which user, not which organization" if refers else "refers to no organization"
    raise Failure(
        f"{table.name}.{column} {what}.",
        f"invoke db.rls --org {table.name}.{likely[0]}"
        if likely
        else "Name the members' column that refers to their organization: --org TABLE.COLUMN",
    )


def _members(parent: Relation, key: str, around: Surroundings) -> list[tuple[Relation, str, str]]:
    """The tables with one row for each user and organization: the table, both its columns."""
    return [
        (table, user, refers.columns[0])
        for table in around.schema.tables
        if table.exposed
        for refers in table.single_keys
        if (refers.parent, list(refers.parent_columns)) == (parent.name, [key])
        for user in [_pair(table, refers, around)]
        if user
    ]


def _pair(table: Relation, key: ForeignKey, around: Surroundings) -> str | None:
    """The user's column, if it and the key's are unique together."""
    user = around.owners.user_column(table)
    pair = {user, key.columns[0]}
    return user if len(pair) == 2 and any(pair == set(unique) for unique in table.keys) else None


def _no_members(parent: Relation, key: str, around: Surroundings) -> Failure:
    near = [
        (table, str(around.owners.user_column(table)), refers.columns[0])
        for table in around.schema.tables
        for refers in table.single_keys
        if refers.parent == parent.name and around.owners.user_column(table)
        if table.name != parent.name
    ]
    near.sort(key=lambda found: "member" not in found[0].name)
    wanted = f"No table has the members of {parent.name}: one row for each user and organization"
    if not near:
        return Failure(
            f"{wanted}, with keys to auth.users and to {parent.name} ({key}).",
            "Add one to app.py, its primary key both columns, then: invoke db.gen",
        )
    table, user, column = near[0]
    return Failure(
        f"{wanted}. {table.name} has {user} and {column}, but is not unique in both together.",
        f'If it has the members, add UniqueConstraint("{column}", "{user}") to it, then: '
        "invoke db.gen",
    )


def _roles(members: Relation) -> tuple[str | None, list[str]]:
    """The column with a member's role, and the roles in it that manage members."""
    named = [column for column in members.columns if "role" in column.name]
    for column in sorted(named, key=lambda column: column.name != "role"):
        if managing := highest(members, column):
            return column.name, managing
    flags = [c.name for c in members.columns if c.name in FLAGS and c.type.base == "bool"]
    return (sorted(flags, key=FLAGS.index)[0] if flags else None), []


def _likely_columns(table: Relation, around: Surroundings) -> list[str]:
    """The columns that may have an organization, first those of one that has members."""
    keys = [key for key in table.single_keys if key.parent != table.name]
    relations = around.schema.relations
    keys.sort(key=lambda k: not _members(relations[k.parent], k.parent_columns[0], around))
    return [key.columns[0] for key in keys]
