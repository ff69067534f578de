"""The SQL files that open tables to the members of an organization. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from twolane.errors import Failure
from twolane.prove import member_helpers, policy_text
from twolane.prove.member_helpers import MANAGED, MY, OWNED
from twolane.prove.organizations import Organization
from twolane.prove.policy_text import Surroundings
from twolane.prove.schema import ForeignKey, Relation
from twolane.sql import ident, literal


@dataclass(frozen=True)
class MemberPolicies:
    """The files for the tables of an organization. opening: tables that other files open now."""

    around: Surroundings
    organization: Organization
    read_only: bool = False
    opening: Collection[str] = ()

    def tables(self) -> list[Relation]:
        """The app's tables that follow by themselves: the organizations', the members', what refers
        to organizations, and what only a parent says the organization of."""
        first = [self.organization.table, self.organization.members]
        owners, known = self.around.owners, {table.name for table in first}
        rest = [table for table in self.around.schema.tables if table.name not in known]
        found = [table for table in rest if self._keys(table) and not self._is_users(table)]
        while following := [
            table
            for table in rest
            if table not in found
            and not owners.user_column(table)
            and any(self._relation(key.parent) in found for key in self._parents(table))
        ]:
            found += following
        return [table for table in [*first, *found] if table.name in self.around.app]

    def left_out(self) -> list[Relation]:
        """The app's tables that lead to an organization, but may be each user's own."""
        known = {table.name for table in self.tables()}
        return [
            table
            for table in self.around.schema.tables
            if table.name in self.around.app and table.name not in known and self._leads(table)
        ]

    def render(self, table: Relation, column: str | None = None) -> str:
        """The text of a table's file. column: what says whose a row is, where it was named.

        Raises:
            Failure: nothing leads from the table to an organization, or users may not read what
                does.
        """
        if table.name == self.organization.table.name:
            return self._of_organizations(table)
        if table.name == self.organization.members.name:
            return self._of_members(table)
        column = column or self.column(table)
        gives_role = self.organization.role is not None and table.has(self.organization.role)
        which, who = (MANAGED, "manager") if gives_role else (MY, "member")
        may = self._is_of(which, ident(column), table, column, table.short, 1)
        top = []
        if gives_role and len(self.organization.managing) > 1:
            owned = self._is_of(OWNED, ident(column), table, column, table.short, 1)
            top = [f"({self._is_not_top} or {owned})"]
        check = "\n  and ".join([may, *top, *self._same_organization(table, column)])
        policies = {"select": f"using ({may})"}
        if not self.read_only:
            policies |= {
                "insert": f"with check (\n  {check}\n)",
                "update": f"using ({may})\nwith check (\n  {check}\n)",
                "delete": f"using ({may})",
            }
        doing = "sees" if self.read_only else "sees and changes"
        about = [f"each {who} of an organization {doing} its rows."]
        if gives_role:
            about.append(f"A row gives a role ({self.organization.role}), so not every member may.")
        return policy_text.of_table(table, self.around, about, [column], policies, who)

    def column(self, table: Relation) -> str:
        """The column that leads to an organization: by itself, else through a parent.

        Raises:
            Failure: no column does.
        """
        if direct := self._keys(table):
            return direct[0].columns[0]
        for key in self._parents(table):
            if key.parent != table.name and self._leads(self._relation(key.parent)):
                return key.columns[0]
        raise Failure(
            f"Nothing leads from {table.name} to {self.organization.table.name}.",
            "Give it a column that refers there, in app.py, then: invoke db.gen, invoke db.push",
        )

    def _of_organizations(self, table: Relation) -> str:
        key = ident(self.organization.key)
        policies = {"select": f"using ({self._within(MY, key)})"}
        about = ["each member sees their organization."]
        if self.organization.role and not self.read_only:
            managed = self._within(MANAGED, key)
            policies["update"] = f"using ({managed})\nwith check ({managed})"
            about = ["each member sees their organization, who manages members may change it."]
        about += [
            "Only service_role makes organizations, with their first member, and deletes them;",
            "where users shall, write a `security definer` function that does both.",
        ]
        return policy_text.of_table(table, self.around, about, [], policies, "member")

    def _of_members(self, table: Relation) -> str:
        of = self.organization
        column = ident(of.column)
        policies = {"select": f"using ({self._within(MY, column)})"}
        about = ["each member sees the members of their organizations."]
        if not self.read_only:
            about = ["each member sees the members of their organizations, and may leave."]
        if of.role and not self.read_only:
            parts = [self._within(MANAGED, column)]
            about.append("Who manages members adds, changes and removes them.")
            if len(of.managing) > 1:
                top = of.managing[0]
                parts.append(f"({self._is_not_top} or {self._within(OWNED, column)})")
                about.append(f"The role {top} is given and taken by {top} alone.")
            may = "\n  and ".join(parts)
            check = "\n  and ".join([*parts, *self._same_organization(table, of.column)])
            indented = may.replace("\n", "\n  ")
            policies |= {
                "insert": f"with check (\n  {check}\n)",
                "update": f"using (\n  {may}\n)\nwith check (\n  {check}\n)",
                "delete": f"using (\n  {of.is_me}\n  or ({indented})\n)",
            }
        elif not self.read_only:
            about.append("Only service_role adds and changes them: no column has a role.")
            policies["delete"] = f"using ({of.is_me})"
        columns = [of.user, of.column]
        return policy_text.of_table(table, self.around, about, columns, policies, "member")

    @property
    def _is_not_top(self) -> str:
        """SQL: whether the role in a row is another than the highest."""
        role, top = str(self.organization.role), self.organization.managing[0]
        return f"{ident(role)} is distinct from {literal(top)}"

    def _within(self, which: str, spelled: str) -> str:
        return f"{spelled} in (select {member_helpers.name(self.organization, which)}())"

    def _is_of(
        self, which: str, spelled: str, table: Relation, column: str, alias: str, depth: int
    ) -> str:
        """SQL: whether a row is of an organization of the current user; follows parents up."""
        key = next((key for key in self._parents(table) if key.columns[0] == column), None)
        if key is None:
            raise Failure(
                f"{table.name}.{column} leads to no {self.organization.table.name}.",
                f"invoke db.rls {table.name} --org {self.organization.spelled}",
            )
        if key.parent == self.organization.table.name:
            return self._within(which, spelled)
        parent = self._readable(key, table)
        inner = f"parent_{depth}" if depth > 1 else "parent"
        step = self.column(parent)
        up = self._is_of(which, f"{inner}.{ident(step)}", parent, step, inner, depth + 1)
        return (
            f"exists (\n    select 1 from {parent.name} as {inner}\n"
            f"    where {inner}.{ident(key.parent_columns[0])} = {alias}.{ident(column)}\n"
            f"    and {up}\n  )"
        )

    def _same_organization(self, table: Relation, column: str) -> list[str]:
        """SQL conditions: each further parent of a row is of the same organization.

        Where the row's own is not in a column of it: of any of the user's organizations.
        """
        found, direct = [], column in {key.columns[0] for key in self._keys(table)}
        for key in self._parents(table):
            name, parent = key.columns[0], self._relation(key.parent)
            own = self._keys(parent)
            is_theirs = parent.name == self.organization.table.name or self._leads(parent)
            if name == column or key.parent == table.name or not is_theirs:
                continue
            condition = self._is_of(MY, ident(name), table, name, table.short, 1)
            if direct and own:
                condition = (
                    f"exists (\n    select 1 from {parent.name} as parent\n"
                    f"    where parent.{ident(key.parent_columns[0])} = {table.short}.{ident(name)}"
                    f"\n    and parent.{ident(own[0].columns[0])} = {table.short}.{ident(column)}"
                    "\n  )"
                )
            optional = not table.column(name).required
            found.append(f"({ident(name)} is null or {condition})" if optional else condition)
        return found

    def _keys(self, table: Relation) -> list[ForeignKey]:
        """A table's keys to organizations, the one that says whose a row is first."""
        if table.name == self.organization.table.name:
            return []
        found = [key for key in self._parents(table) if key.parent == self.organization.table.name]
        return sorted(
            found, key=lambda k: (not table.column(k.columns[0]).required, not k.cascades)
        )

    def _parents(self, table: Relation) -> list[ForeignKey]:
        """A table's keys, without those that say which user."""
        users = self.around.owners.referring(table)
        return [key for key in table.single_keys if key.columns[0] not in users]

    def _is_users(self, table: Relation) -> bool:
        """Whether a row may be a user's own: each has one, or the organization is optional."""
        user = self.around.owners.user_column(table)
        optional = not table.column(self._keys(table)[0].columns[0]).required
        return user is not None and (optional or [user] in [list(key) for key in table.keys])

    def _leads(self, table: Relation, seen: frozenset[str] = frozenset()) -> bool:
        seen |= {table.name}
        parents = [key.parent for key in self._parents(table) if key.parent not in seen]
        return bool(self._keys(table)) or any(self._leads(self._relation(p), seen) for p in parents)

    def _readable(self, key: ForeignKey, table: Relation) -> Relation:
        parent = self._relation(key.parent)
        if parent.name not in self.opening and "r" not in parent.rights["authenticated"]:
            raise Failure(
                f"The policies of {table.name} would ask {parent.name}, which is closed to users.",
                f"invoke db.rls {parent.name} --org {self.organization.spelled}",
            )
        return parent

    def _relation(self, name: str) -> Relation:
        return self.around.schema.relations[name]
