"""Finds SQL statements that fail, or repeat their effect, when their file runs again. Pure.

`db.check` runs every file twice to be sure; this module only reads them, and needs no server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twolane.repo.sqlfiles import SqlFile
from twolane.sql import quoted, readable_statements

_BLOCK = "do $$ begin … exception when duplicate_object then null; end $$"


@dataclass(frozen=True)
class Made:
    """An object that a statement creates. name: the unquoted parts of its full name.

    inside: the table that it is a part of. way: how to write the statement so that it may run
    again; {own} and {inside} are quoted. guarded: whether the statement has a guarding clause
    (`if not exists`, `or replace`).
    """

    kind: str
    name: tuple[str, ...]
    guarded: bool
    way: str
    inside: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        table = f" on {quoted(self.inside)}" if self.inside else ""
        return f"{self.kind} {quoted(self.name[-1:] if self.inside else self.name)}{table}"

    @property
    def fix(self) -> str:
        return self.way.format(
            kind=self.kind, own=quoted(self.name[-1:]), name=quoted(self.name),
            inside=quoted(self.inside),
        )  # fmt: skip


@dataclass(frozen=True)
class Once:
    """A statement that may run only once: its file and line, and the object that it creates."""

    file: SqlFile
    line: int
    made: Made


def find(file: SqlFile) -> Iterator[Once]:
    """The statements without a guard: they have no guarding clause, and no drop before them.

    A drop of a table, or of a schema, also drops the objects in it. Ignores the content of DO
    blocks: they have their own conditions.
    """
    gone: set[tuple[str, ...]] = set()
    for statement in readable_statements(file.text):
        for made in _made(statement.node):
            around = [(made.kind, *made.name), ("table", *made.inside), ("schema", made.name[0])]
            if not made.guarded and not gone.intersection(around):
                yield Once(file, statement.line, made)
        gone |= set(_dropped(statement.node))


def extensions(file: SqlFile) -> Iterator[tuple[str, int]]:
    """The extensions that the file creates, each with its line."""
    for statement in readable_statements(file.text):
        if type(statement.node).__name__ == "CreateExtensionStmt":
            yield statement.node.extname, statement.line


def _made(statement: Any) -> Sequence[Made]:
    makes = _MAKES.get(type(statement).__name__)
    return makes(statement) if makes else ()


def _of_table(kind: str, own: str, relation: Any, guarded: bool) -> Sequence[Made]:
    """The policy, trigger or rule that a statement creates on a table."""
    table = _relation(relation)
    way = "above it: drop {kind} if exists {own} on {inside};"
    return [Made(kind, (*table, own), guarded, way, table)]


def _plain(kind: str, name: tuple[str, ...], guarded: bool, way: str) -> Sequence[Made]:
    return [Made(kind, name, guarded, way)]


def _if_not_exists(kind: str, name: tuple[str, ...], guarded: bool) -> Sequence[Made]:
    return _plain(kind, name, guarded, "create {kind} if not exists {name}")


def _or_replace(kind: str, name: tuple[str, ...], guarded: bool) -> Sequence[Made]:
    return _plain(kind, name, guarded, "create or replace {kind} {name}")


def _table(relation: Any, guarded: bool, kind: str = "table") -> Sequence[Made]:
    """The table; nothing for a temporary one, which ends with its session or transaction."""
    temporary = relation.relpersistence == "t"
    return () if temporary else _if_not_exists(kind, _relation(relation), guarded)


def _index(made: Any) -> Sequence[Made]:
    table = _relation(made.relation)
    if made.idxname is None:  # Postgres would choose a new name each time
        way = "give it a name, and write: create index if not exists"
        return [Made("index", (table[0], "without a name"), False, way, table)]
    way = "create index if not exists {own}"
    return [Made("index", (table[0], made.idxname), bool(made.if_not_exists), way, table)]


def _alter(altered: Any) -> Iterator[Made]:
    table = _relation(altered.relation)
    for command in altered.cmds:
        match command.subtype.name:
            case "AT_AddColumn":
                name, way = command.def_.colname, "add column if not exists {own}"
                yield Made("column", (*table, name), bool(command.missing_ok), way, table)
            case "AT_AddConstraint" if command.def_.conname:
                way = "above it: alter table {inside} drop constraint if exists {own};"
                yield Made("constraint", (*table, command.def_.conname), False, way, table)


def _value(altered: Any) -> Sequence[Made]:
    if altered.oldVal:
        return ()
    name = (*_names(altered.typeName), altered.newVal)
    return _plain("value", name, bool(altered.skipIfNewValExists), "add value if not exists")


def _names(parts: Any) -> tuple[str, ...]:
    """The parts of a name in a statement; the default schema is public."""
    names = tuple(part.sval for part in parts)
    return names if len(names) > 1 else ("public", *names)


def _relation(relation: Any) -> tuple[str, ...]:
    return (relation.schemaname or "public", relation.relname)


_TYPE = f"wrap it: {_BLOCK}"
_MAKES: Mapping[str, Callable[[Any], Sequence[Made]]] = {
    "CreatePolicyStmt": lambda s: _of_table("policy", s.policy_name, s.table, False),
    "CreateTrigStmt": lambda s: _of_table("trigger", s.trigname, s.relation, bool(s.replace)),
    "RuleStmt": lambda s: _of_table("rule", s.rulename, s.relation, bool(s.replace)),
    "CreateEventTrigStmt": lambda s: _plain(
        "event trigger", (s.trigname,), False, "above it: drop event trigger if exists {own};"
    ),
    "CreatePublicationStmt": lambda s: _plain("publication", (s.pubname,), False, _TYPE),
    "CreateRoleStmt": lambda s: _plain("role", (s.role,), False, _TYPE),
    "CreateEnumStmt": lambda s: _plain("type", _names(s.typeName), False, _TYPE),
    "CreateRangeStmt": lambda s: _plain("type", _names(s.typeName), False, _TYPE),
    "CompositeTypeStmt": lambda s: _plain("type", _relation(s.typevar), False, _TYPE),
    "CreateDomainStmt": lambda s: _plain("type", _names(s.domainname), False, _TYPE),
    "CreateStmt": lambda s: _table(s.relation, bool(s.if_not_exists)),
    "CreateForeignTableStmt": lambda s: _table(s.base.relation, bool(s.base.if_not_exists)),
    "CreateTableAsStmt": lambda s: _table(
        s.into.rel,
        bool(s.if_not_exists),
        "materialized view" if s.objtype.name == "OBJECT_MATVIEW" else "table",
    ),
    "IndexStmt": _index,
    "CreateSchemaStmt": lambda s: (
        _if_not_exists("schema", (s.schemaname,), bool(s.if_not_exists)) if s.schemaname else ()
    ),
    "CreateExtensionStmt": lambda s: _if_not_exists(
        "extension", (s.extname,), bool(s.if_not_exists)
    ),
    "CreateSeqStmt": lambda s: _if_not_exists(
        "sequence", _relation(s.sequence), bool(s.if_not_exists)
    ),
    "ViewStmt": lambda s: _or_replace("view", _relation(s.view), bool(s.replace)),
    "CreateFunctionStmt": lambda s: _or_replace(
        "procedure" if s.is_procedure else "function", _names(s.funcname), bool(s.replace)
    ),
    "AlterTableStmt": lambda s: tuple(_alter(s)) if s.relation else (),
    "AlterEnumStmt": _value,
}

# The names of these kinds in `drop … if exists`: ObjectType in src/include/nodes/parsenodes.h.
_NAMELESS = ("OBJECT_CAST", "OBJECT_TRANSFORM")  # identified by types, not by name
_KINDS = {
    "OBJECT_DOMAIN": "type",
    "OBJECT_FOREIGN_TABLE": "table",
    "OBJECT_MATVIEW": "materialized view",
    "OBJECT_ROUTINE": "function",
}


def _dropped(statement: Any) -> Iterator[tuple[str, ...]]:
    """The objects that certainly don't exist after the statement, as kind and name."""
    match type(statement).__name__:
        case "DropStmt" if statement.missing_ok and statement.removeType.name not in _NAMELESS:
            object_type = statement.removeType.name
            kind = _KINDS.get(object_type) or object_type[7:].replace("_", " ").lower()
            yield from ((kind, *_dropped_name(kind, item)) for item in statement.objects)
        case "DropRoleStmt" if statement.missing_ok:
            yield from (("role", role.rolename) for role in statement.roles)
        case "AlterTableStmt" if statement.relation:
            for command in statement.cmds:
                if command.missing_ok and command.name:
                    kind = command.subtype.name.removeprefix("AT_Drop").lower()
                    yield (kind, *_relation(statement.relation), command.name)


def _dropped_name(kind: str, item: Any) -> tuple[str, ...]:
    if hasattr(item, "sval"):  # an object outside schemas: a schema, an extension, an event trigger
        return (item.sval,)
    parts = getattr(item, "names", None) or getattr(item, "objname", None) or item
    if kind in ("policy", "trigger", "rule"):
        return (*_names(parts[:-1]), parts[-1].sval)
    return _names(parts)
