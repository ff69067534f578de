"""SQL conditions that hold while a dump entry's object does not exist. They lock nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twolane.postgres.dump import Entry, parsed
from twolane.sql import literal, quoted


def condition(entry: Entry) -> tuple[str, str]:
    """The condition that the entry's object does not exist, and the table that it is on.

    Both are empty for a statement that changes an object and may run again.
    """
    statement = parsed(entry.statements[0])
    if type(statement).__name__ in _CONDITIONS:
        return of_statement(statement)
    if entry.kind in ("SHELL TYPE", "TYPE"):
        return _no_type(statement.defnames, " and typisdefined" if statement.definition else "")
    if entry.thing is None:
        return "", ""
    return _unlisted(entry.thing.catalog, entry.thing.name), ""


def of_statement(statement: Any) -> tuple[str, str]:
    """The same for a parsed statement; both are empty for a kind that few databases have."""
    find = _CONDITIONS.get(type(statement).__name__)
    return find(statement) if find else ("", "")


def _unlisted(catalog: str, name: str) -> str:
    """The condition that `pg_identify_object` finds no object of that name.

    It reads the whole catalog, so it is for rare kinds only.
    """
    named = f"cross join pg_identify_object('pg_catalog.{catalog}'::regclass, o.oid, 0) i"
    return _none(f"{catalog} o\n    {named}", f"i.identity = {literal(name)}")


def _none(source: str, where: str) -> str:
    return f"not exists (\n    select from pg_catalog.{source}\n    where {where}\n  )"


def _name(relation: Any) -> str:
    return quoted((relation.schemaname or "public", relation.relname))


def _regclass(name: str) -> str:
    return f"{literal(name)}::regclass"


def _no_relation(relation: Any) -> tuple[str, str]:
    return f"to_regclass({literal(_name(relation))}) is null", ""


def _no_definition(view: Any) -> tuple[str, str]:
    """The condition that the view reads no relation and calls no function: a placeholder.

    pg_dump makes a view in a dependency cycle twice, first with null columns only.
    """
    rule = "pg_rewrite w join pg_catalog.pg_depend d on d.objid = w.oid"
    reads = "d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)"
    here = f"w.ev_class = to_regclass({literal(_name(view))})"
    here += " and d.classid = 'pg_rewrite'::regclass"
    return _none(rule, f"{here} and {reads} and d.refobjid <> w.ev_class"), ""


def _no_type(parts: Sequence[Any], also: str = "") -> tuple[str, str]:
    schema, name = (part.sval for part in parts)
    here = f"typnamespace = {literal(quoted([schema]))}::regnamespace"
    return _none("pg_type", f"{here} and typname = {literal(name)}{also}"), ""


def _no_part(catalog: str, table: str, name: str, relation: Any, own: str) -> tuple[str, str]:
    """The condition that the relation has no part `own`; `table`, `name` are catalog columns."""
    on = f"{table} = {_regclass(_name(relation))} and {name} = {literal(own)}"
    return _none(catalog, on), _name(relation)


def _no_index(made: Any) -> tuple[str, str]:
    name = quoted((made.relation.schemaname, made.idxname))
    return f"to_regclass({literal(name)}) is null", _name(made.relation)


def _unaltered(altered: Any) -> tuple[str, str]:
    command, table = altered.cmds[0], altered.relation
    here, name = _regclass(_name(table)), _name(table)
    column = f"attrelid = {here} and attname = {literal(command.name or '')}"
    match command.subtype.name:
        case "AT_AddConstraint":
            return _no_part("pg_constraint", "conrelid", "conname", table, command.def_.conname)
        case "AT_ColumnDefault":
            return _none("pg_attribute", f"{column} and atthasdef"), name
        case "AT_AddIdentity":
            return _none("pg_attribute", f"{column} and attidentity <> ''"), name
        case "AT_EnableRowSecurity":
            return _none("pg_class", f"oid = {here} and relrowsecurity"), name
        case "AT_AttachPartition":
            part = _regclass(_name(command.def_.name))
            return _none("pg_inherits", f"inhrelid = {part} and inhparent = {here}"), ""
    return "", ""


def _unowned(altered: Any) -> tuple[str, str]:
    """The condition for `ALTER SEQUENCE … OWNED BY`: the table does not own the sequence."""
    owned_by = next(option.arg for option in altered.options if option.defname == "owned_by")
    table = quoted([part.sval for part in owned_by[:-1]])
    hangs = f"objid = {_regclass(_name(altered.sequence))} and refobjid = {_regclass(table)}"
    return _none("pg_depend", f"{hangs} and deptype = 'a'"), ""


_CONDITIONS: Mapping[str, Callable[[Any], tuple[str, str]]] = {
    "CreateStmt": lambda s: _no_relation(s.relation),
    "CreateForeignTableStmt": lambda s: _no_relation(s.base.relation),
    "CreateSeqStmt": lambda s: _no_relation(s.sequence),
    "CreateTableAsStmt": lambda s: _no_relation(s.into.rel),
    "ViewStmt": lambda s: _no_definition(s.view) if s.replace else _no_relation(s.view),
    "CompositeTypeStmt": lambda s: _no_relation(s.typevar),
    "CreateEnumStmt": lambda s: _no_type(s.typeName),
    "CreateRangeStmt": lambda s: _no_type(s.typeName),
    "CreateDomainStmt": lambda s: _no_type(s.domainname),
    "IndexStmt": _no_index,
    "CreatePolicyStmt": lambda s: _no_part(
        "pg_policy", "polrelid", "polname", s.table, s.policy_name
    ),
    "CreateTrigStmt": lambda s: _no_part("pg_trigger", "tgrelid", "tgname", s.relation, s.trigname),
    "RuleStmt": lambda s: _no_part("pg_rewrite", "ev_class", "rulename", s.relation, s.rulename),
    "CreatePublicationStmt": lambda s: (
        _none("pg_publication", f"pubname = {literal(s.pubname)}"),
        "",
    ),
    "AlterTableStmt": _unaltered,
    "AlterSeqStmt": _unowned,
}
