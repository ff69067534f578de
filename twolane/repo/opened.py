"""Which relations an SQL file opens to the roles of the data API, in so many words. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane import blocks
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

        None if the file takes its row level security off, or a block of code grants something on it
        to the data API's roles, or may put such a grant together: whether it does is not known.
        """
        if any(_is(relation, name) for relation in self._unlimited) or self._is_in_code(name):
            return None
        made = self._made(name)
        return [
            _on(grant, name)
            for number, grant in self._of_kind("GrantStmt")
            if grant.objtype.name == "OBJECT_TABLE" and _is_on(grant, name, number > made)
        ]

    def _of_kind(self, kind: str) -> Sequence[tuple[int, Any]]:
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> Mapping[str, Sequence[tuple[int, Any]]]:
        """Kind of statement → its number and its syntax tree."""
        found: dict[str, list[tuple[int, Any]]] = {}
        for number, statement in enumerate(self.statements):
            found.setdefault(type(statement.node).__name__, []).append((number, statement.node))
        return found

    @cached_property
    def _unlimited(self) -> Sequence[Any]:
        """The tables whose row level security is taken off."""
        return [
            node.relation
            for _, node in self._of_kind("AlterTableStmt")
            if any(each.subtype.name == "AT_DisableRowSecurity" for each in node.cmds)
        ]

    @cached_property
    def _blocks(self) -> Sequence[blocks.Code]:
        return [blocks.code(self.statements[number]) for number, _ in self._of_kind("DoStmt")]

    @cached_property
    def _grants(self) -> Sequence[Any]:
        """What blocks grant the data API's roles on relations, as it is written there."""
        nodes = [found.node for block in self._blocks for found in block.statements]
        return [
            node
            for node in nodes
            if type(node).__name__ == "GrantStmt" and node.is_grant and _is_to_api(node)
        ]

    @cached_property
    def _texts(self) -> Sequence[str]:
        """The code of blocks that may put together a grant to the data API's roles."""
        texts = [text for block in self._blocks for text in block.texts]
        return [text for text in texts if _GRANT.search(text) and _TO_API.search(text)]

    def _is_in_code(self, name: str) -> bool:
        own = re.escape(identities.unquote(identities.split_name(name)[-1]))
        named = re.compile(rf"(?<!\w){own}(?!\w)")
        return any(
            grant.objtype.name == "OBJECT_TABLE" and _is_on(grant, name, is_there=True)
            for grant in self._grants
        ) or any(named.search(text) or _FOUND.search(text) for text in self._texts)

    def _made(self, name: str) -> int:
        """The number of the statement that makes the relation, or may make it."""
        for kind, relation in _MADE.items():
            for number, node in self._of_kind(kind):
                if _is(relation(node), name):
                    return number
        return max((number for kind in _UNSAID for number, _ in self._of_kind(kind)), default=-1)


def _is(relation: Any, name: str) -> bool:
    """Whether the parser's name is the relation's; without a schema it may be in any."""
    if relation.schemaname:
        return name == quoted((relation.schemaname, relation.relname))
    return name.endswith(f".{ident(relation.relname)}")


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


def _is_to_api(grant: Any) -> bool:
    return not {"anon", "authenticated", "public"}.isdisjoint(_roles(grant))


def _roles(grant: Any) -> Iterator[str]:
    for role in grant.grantees:
        kind = role.roletype.name.removeprefix("ROLESPEC_")
        yield ident(role.rolename) if kind == "CSTRING" else kind.lower()
