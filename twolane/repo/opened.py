"""Which relations an SQL file opens to the roles of the data API, in so many words. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from twolane.facts import identities
from twolane.sql import Statement, ident, quoted

# After these a relation may be there, or have another name, without a statement that says so.
_UNSAID = frozenset(
    {"DoStmt", "SelectStmt", "CallStmt", "AlterObjectSchemaStmt", "RenameStmt"}
    | {"ImportForeignSchemaStmt"}
)
_MADE: dict[str, Callable[[Any], Any]] = {
    "CreateStmt": lambda node: node.relation,
    "CreateForeignTableStmt": lambda node: node.base.relation,
    "CreateTableAsStmt": lambda node: node.into.rel,
    "ViewStmt": lambda node: node.view,
}
_GRANT = re.compile(r"\bgrant\b", re.IGNORECASE)
# Code that finds the relations by itself.
_FOUND = re.compile(r"\bpg_(class|tables|views)\b|\binformation_schema\b|\ball tables\b", re.I)
_TO_API = re.compile(r"\b(anon|authenticated)\b|\bto\s+public\b", re.IGNORECASE)


@dataclass(frozen=True)
class Opened:
    """What the statements of a file say about who reaches a relation."""

    statements: Sequence[Statement]

    def said(self, name: str) -> Sequence[str] | None:
        """The file's grants and revokes on the relation, in order, each as a statement of its own.

        None if the file takes its row level security off, or a block of code that grants something
        to the data API's roles names the relation, or may find it: what such a block grants is not
        known.
        """
        if any(_is_unlimited(statement, name) for statement in self.statements):
            return None
        made = self._made(name)
        return [
            _on(statement.node, name)
            for number, statement in enumerate(self.statements)
            if _is_grant(statement.node) and _is_on(statement.node, name, number > made)
        ]

    def _made(self, name: str) -> int:
        """The number of the statement that makes the relation, or may make it."""
        kinds = [type(statement.node).__name__ for statement in self.statements]
        for number, (kind, statement) in enumerate(zip(kinds, self.statements, strict=True)):
            if kind in _MADE and _is(_MADE[kind](statement.node), name):
                return number
        return max((number for number, kind in enumerate(kinds) if kind in _UNSAID), default=-1)


def _is_unlimited(statement: Statement, name: str) -> bool:
    node = statement.node
    match type(node).__name__:
        case "AlterTableStmt":
            off = any(each.subtype.name == "AT_DisableRowSecurity" for each in node.cmds)
            return off and _is(node.relation, name)
        case "DoStmt":
            code = statement.text
            grants = _GRANT.search(code) and _TO_API.search(code)
            own = identities.unquote(identities.split_name(name)[-1])
            named = re.search(rf"(?<!\w){re.escape(own)}(?!\w)", code)
            return bool(grants and (named or _FOUND.search(code)))
    return False


def _is(relation: Any, name: str) -> bool:
    """Whether the parser's name is the relation's; without a schema it may be in any."""
    if relation.schemaname:
        return name == quoted((relation.schemaname, relation.relname))
    return name.endswith(f".{ident(relation.relname)}")


def _is_grant(node: Any) -> bool:
    return type(node).__name__ == "GrantStmt" and node.objtype.name == "OBJECT_TABLE"


def _is_on(grant: Any, name: str, is_there: bool) -> bool:
    if grant.targtype.name == "ACL_TARGET_ALL_IN_SCHEMA":
        return is_there and any(name.startswith(f"{ident(each.sval)}.") for each in grant.objects)
    return any(_is(each, name) for each in grant.objects)


def _on(grant: Any, name: str) -> str:
    """The grant, or revoke, on one relation."""
    what = ", ".join(map(_privilege, grant.privileges or ())) or "all"
    roles = ", ".join(_roles(grant))
    if grant.is_grant:
        option = " with grant option" if grant.grant_option else ""
        return f"grant {what} on table {name} to {roles}{option}"
    option = "grant option for " if grant.grant_option else ""
    cascade = " cascade" if grant.behavior.name == "DROP_CASCADE" else ""
    return f"revoke {option}{what} on table {name} from {roles}{cascade}"


def _privilege(privilege: Any) -> str:
    columns = ", ".join(ident(column.sval) for column in privilege.cols or ())
    return f"{privilege.priv_name or 'all'}{f' ({columns})' if columns else ''}"


def _roles(grant: Any) -> Iterator[str]:
    for role in grant.grantees:
        kind = role.roletype.name.removeprefix("ROLESPEC_")
        yield ident(role.rolename) if kind == "CSTRING" else kind.lower()
