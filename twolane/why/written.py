"""Where facts are made, by the words of the files: for a repo too large to try each statement.

What a DO block or a function makes has no words of its own, so its place is not found here. The
replay (`trail`) knows better, and takes longer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from twolane.facts import identities
from twolane.facts.identities import RELATION_KINDS, plain, unquote
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import readable_statements

Written = tuple[str, int, str | None]
"""A file, a line in it, and its revision."""

_COME_WITH = ("rls", "grant")  # by an event trigger, by default privileges
_NAMED_ALONE = (
    *(*RELATION_KINDS, "sequence", "function", "procedure", "aggregate"),
    *("enum", "domain", "composite type", "range type", "type"),
)


def made_by(step: SqlFile | Revision) -> dict[str, list[int]]:
    """What it makes → the lines whose words make it: statements, or a revision's `op.…("name")`."""
    return _of_revision(step) if isinstance(step, Revision) else _of_file(step)


def _of_file(file: SqlFile) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for statement in readable_statements(file.text):
        for key in _of_statement(statement.node):
            found.setdefault(key, []).append(statement.line)
    return found


def _of_revision(revision: Revision) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for function in ast.parse(revision.path.read_bytes()).body:
        if isinstance(function, ast.FunctionDef) and function.name == "upgrade":
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                for key in _of_call(call):
                    found.setdefault(key, []).append(call.lineno)
    return found


def together(
    parts: Iterable[tuple[str, str | None, Mapping[str, Sequence[int]]]],
) -> Mapping[str, Sequence[Written]]:
    """What all make → the places. parts: file, revision, and what it makes, in their order."""
    found: dict[str, list[Written]] = {}
    for file, revision, made in parts:
        for key, lines in made.items():
            found.setdefault(key, []).extend((file, line, revision) for line in lines)
    return found


def of(identity: str, found: Mapping[str, Sequence[Written]]) -> Sequence[Written]:
    """The places of a fact; of its table, for what comes with one and is not named."""
    if places := found.get(_key(identity)):
        return places
    relation = plain(identities.relation(identity) or "")
    comes_with = identities.kind(identity) in _COME_WITH or f"all of {relation}" in found
    return found.get(relation, ())[:1] if relation and comes_with else ()


def _key(identity: str) -> str:
    kind = identities.kind(identity)
    if of := identities.about(identity):
        name = plain(identities.named(of))
        to = f" to {unquote(identities.grantee(identity))}" if kind == "grant" else ""
        return f"{kind} {name}{to}"
    name = plain(identities.named(identity))
    return name if kind in _NAMED_ALONE else f"{kind} {name}"


def _of_statement(node: Any) -> Iterator[str]:
    """The keys of what it makes; the names of fields are those of Postgres's parser."""
    match type(node).__name__:
        case "CreateStmt":
            yield from _of_table(node)
        case "CreateForeignTableStmt":
            yield from _of_table(node.base)
        case "ViewStmt" | "CreateTableAsStmt":
            relation = _relation(node.view if hasattr(node, "view") else node.into.rel)
            yield from (relation, f"all of {relation}")
        case "CreateSeqStmt":
            yield _relation(node.sequence)
        case "CreateFunctionStmt":
            yield _dotted(node.funcname)
        case "CreateEnumStmt" | "CreateRangeStmt":
            yield _dotted(node.typeName)
        case "CompositeTypeStmt":
            yield _relation(node.typevar)
        case "CreateDomainStmt":
            yield _dotted(node.domainname)
        case "IndexStmt":
            columns = [part.name or "expr" for part in node.indexParams]
            default = "_".join([node.relation.relname, *columns, "idx"])
            yield f"index {_relation(node.relation)}.{node.idxname or default}"
        case "CreatePolicyStmt":
            yield f"policy {_relation(node.table)}.{node.policy_name}"
        case "CreateTrigStmt":
            yield f"trigger {_relation(node.relation)}.{node.trigname}"
        case "AlterTableStmt":
            yield from _of_alteration(_relation(node.relation), node.cmds)
        case "CommentStmt":
            yield from _of_comment(node)
        case "GrantStmt" if node.is_grant and node.objects:
            yield from _of_grant(node)
        case "CreateExtensionStmt":
            yield f"extension {node.extname}"
        case "CreateSchemaStmt":
            yield f"schema {node.schemaname}"
        case "CreateEventTrigStmt":
            yield f"event trigger {node.trigname}"


def _of_table(node: Any) -> Iterator[str]:
    """The table, its columns and keys; all of it, where it has what its own words don't say."""
    relation = _relation(node.relation)
    yield relation
    if node.inhRelations or node.ofTypename or not node.tableElts:
        yield f"all of {relation}"
    for part in node.tableElts or ():
        match type(part).__name__:
            case "ColumnDef":
                yield from _of_column(relation, part)
            case "Constraint":
                yield from _of_constraint(relation, part, part.keys or part.fk_attrs or ())
            case "TableLikeClause":
                yield f"all of {relation}"


def _of_column(relation: str, node: Any) -> Iterator[str]:
    yield f"column {relation}.{node.colname}"
    for part in node.constraints or ():
        yield from _of_constraint(relation, part, (node.colname,))


def _of_constraint(relation: str, node: Any, columns: Sequence[Any]) -> Iterator[str]:
    """By its name, or the one that Postgres gives it (ChooseConstraintName)."""
    if ending := _ENDINGS.get(node.contype.name):
        names = [getattr(column, "sval", column) for column in columns]
        table = relation.partition(".")[2]
        middle = [] if ending == "pkey" else names
        yield f"constraint {relation}.{node.conname or '_'.join([table, *middle, ending])}"


_ENDINGS = {
    **{"CONSTR_PRIMARY": "pkey", "CONSTR_UNIQUE": "key", "CONSTR_FOREIGN": "fkey"},
    **{"CONSTR_CHECK": "check", "CONSTR_EXCLUSION": "excl"},
}


def _of_alteration(relation: str, commands: Iterable[Any]) -> Iterator[str]:
    for command in commands:
        match command.subtype.name:
            case "AT_AddColumn":
                yield from _of_column(relation, command.def_)
            case "AT_AddConstraint":
                keys = command.def_.keys or command.def_.fk_attrs or ()
                yield from _of_constraint(relation, command.def_, keys)
            case "AT_EnableRowSecurity" | "AT_DisableRowSecurity" | "AT_ForceRowSecurity":
                yield f"rls {relation}"


def _of_comment(node: Any) -> Iterator[str]:
    parts = getattr(node.object, "objname", node.object)
    if isinstance(parts, tuple):
        least = 3 if node.objtype.name in _OF_A_TABLE else 2
        yield f"comment {_dotted(parts, least)}"


_OF_A_TABLE = ("OBJECT_COLUMN", "OBJECT_POLICY", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER")


def _of_grant(node: Any) -> Iterator[str]:
    for one in node.objects:
        name = _relation(one) if hasattr(one, "relname") else _dotted(getattr(one, "objname", ()))
        for role in node.grantees:
            yield f"grant {name} to {role.rolename or 'PUBLIC'}"


def _relation(node: Any) -> str:
    return f"{node.schemaname or 'public'}.{node.relname}"


def _dotted(parts: Iterable[Any], least: int = 2) -> str:
    names = [part.sval for part in parts]
    return ".".join(names if len(names) >= least else ["public", *names])


def _of_call(call: ast.Call) -> Iterator[str]:
    names = [_text(argument) for argument in call.args[:2]]
    schema = next((_text(k.value) for k in call.keywords if k.arg == "schema"), None) or "public"
    match (getattr(call.func, "attr", ""), names):
        case ("create_table", [str(table), *_]):
            yield from (f"{schema}.{table}", f"all of {schema}.{table}")
        case ("add_column" | "alter_column", [str(table), str(column)]):
            yield f"column {schema}.{table}.{column}"
        case ("create_index", [str(name), str(table)]):
            yield f"index {schema}.{table}.{name}"
        case (
            "create_foreign_key"
            | "create_unique_constraint"
            | "create_check_constraint"
            | "create_primary_key",
            [str(name), str(table)],
        ):
            yield f"constraint {schema}.{table}.{name}"


def _text(node: ast.expr) -> str | None:
    """A text, also as `op.f("…")`, and the name of a `sa.Column("…")`."""
    if isinstance(node, ast.Call) and node.args:
        return _text(node.args[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
