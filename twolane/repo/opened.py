"""Which relations an SQL file opens to the roles of the data API, in so many words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twolane.postgres.exposure import API_ROLES
from twolane.sql import Statement, quoted


@dataclass(frozen=True)
class Opened:
    """Names of relations and schemas (all tables in it), as in facts.

    by_code: a block of code grants something: what it grants is not known before it runs.
    """

    relations: frozenset[str]
    schemas: frozenset[str]
    by_code: bool

    def is_meant(self, name: str) -> bool:
        """Whether the file says that the API's roles reach the relation."""
        return self.by_code or name in self.relations or name.split(".")[0] in self.schemas


def find(statements: Sequence[Statement]) -> Opened:
    """What the statements grant to the API's roles, or take from row level security."""
    relations: set[str] = set()
    schemas: set[str] = set()
    by_code = False
    for statement in statements:
        node = statement.node
        match type(node).__name__:
            case "GrantStmt" if _opens(node):
                if node.targtype.name == "ACL_TARGET_ALL_IN_SCHEMA":
                    schemas.update(quoted([each.sval]) for each in node.objects)
                else:
                    relations.update(_name(each) for each in node.objects)
            case "AlterTableStmt":
                if any(each.subtype.name == "AT_DisableRowSecurity" for each in node.cmds):
                    relations.add(_name(node.relation))
            case "DoStmt":
                by_code |= "grant " in statement.text.lower()
    return Opened(frozenset(relations), frozenset(schemas), by_code)


def _opens(grant: Any) -> bool:
    if not grant.is_grant or grant.objtype.name != "OBJECT_TABLE":
        return False
    return any(
        role.roletype.name == "ROLESPEC_PUBLIC" or role.rolename in API_ROLES
        for role in grant.grantees
    )


def _name(relation: Any) -> str:
    return quoted((relation.schemaname or "public", relation.relname))
