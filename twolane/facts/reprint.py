"""Lets a server print a definition again: what a text means, not how it was first printed.

What Postgres prints is not always a fixed point: `check (x in ('a', 'b'))` on a `varchar` is
printed as `(ARRAY[…])::text[]`, and read again from that text it is another tree, which is printed
in another way (`get_rule_expr` in src/backend/utils/adt/ruleutils.c). So two texts mean the same
if one server prints both alike.

Each function makes the object on a temporary copy of its table, in a savepoint that is rolled back.
`binary` selects the extended protocol, which allows only one statement, so no text can add another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog, identities
from twolane.sql import runnable

if TYPE_CHECKING:
    from psycopg import Connection

    Connected = Connection[Any]

Parts = Mapping[str, Any]


def again(identity: str, parts: Parts, connection: Connected) -> Parts:
    """Those parts of a fact that are expressions, as this server prints them.

    Empty for a fact without any, and if the server can't make the object.
    """
    import psycopg

    printer = _PRINTERS.get(identities.kind(identity))
    if printer is None:
        return {}
    name = identity.removeprefix(f"{identities.kind(identity)} ")
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(catalog.settings())
            return printer(name, parts, connection)
    except psycopg.Error:
        return {}


def _run(connection: Connected, statement: str) -> None:
    connection.execute(statement.encode(), binary=True)


def _ask(connection: Connected, question: str) -> str:
    row = connection.execute(question.encode()).fetchone()
    return str(row[0]) if row else ""


def _copied(table: str, connection: Connected, more: str = "") -> str:
    """A temporary table with the table's name and columns, and `more` clauses; its name.

    The same name, since a subquery in an expression may qualify a column by it.
    """
    copy = f"pg_temp.{identities.split_name(table)[-1]}"
    _run(connection, f"create temporary table {copy.partition('.')[2]} (like {table}){more}")
    return copy


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _view(name: str, parts: Parts, connection: Connected) -> Parts:
    # The view's own name, since a recursive query may have it as well.
    own = identities.split_name(name)[-1]
    _run(connection, f"create temporary view {own} as {runnable(parts['definition'])}")
    view = _literal(f"pg_temp.{own}")
    question = f"select pg_catalog.pg_get_viewdef({view}::pg_catalog.regclass)"
    return {"definition": _ask(connection, question)}


def _constraint(name: str, parts: Parts, connection: Connected) -> Parts:
    if parts["type"] not in ("check", "exclude"):
        return {}
    owner = ".".join(identities.split_name(name)[:-1])
    words = parts["definition"]
    is_domain = f"select pg_catalog.to_regclass({_literal(owner)}) is null"
    if _ask(connection, is_domain) == "True":
        base = _ask(
            connection,
            "select pg_catalog.format_type(typbasetype, typtypmod) from pg_catalog.pg_type"
            f" where oid = pg_catalog.to_regtype({_literal(owner)})",
        )
        _run(connection, f"create domain pg_temp.printed as {base} constraint printed {words}")
    else:
        copy = _copied(owner, connection)
        _run(connection, f"alter table {copy} add constraint printed {words}")
    question = (
        "select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint"
        " where conname = 'printed' and connamespace = pg_catalog.pg_my_temp_schema()"
    )
    return {"definition": _ask(connection, question)}


def _domain(name: str, parts: Parts, connection: Connected) -> Parts:
    if "default" not in parts:
        return {}
    words = f"{parts['type']} default {parts['default']}"
    _run(connection, f"create domain pg_temp.printed as {words}")
    question = (
        "select pg_catalog.pg_get_expr(typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass)"
        " from pg_catalog.pg_type where oid = 'pg_temp.printed'::pg_catalog.regtype"
    )
    return {"default": _ask(connection, question)}


def _column(name: str, parts: Parts, connection: Connected) -> Parts:
    part = next((part for part in ("generated", "default") if part in parts), None)
    if part is None:
        return {}
    *table, own = identities.split_name(name)
    copy = _copied(".".join(table), connection)
    if part == "default":
        _run(connection, f"alter table {copy} alter column {own} set default {parts['default']}")
    else:
        kind = "virtual" if parts.get("virtual") else "stored"
        _run(connection, f"alter table {copy} drop column {own}")
        words = f"{parts['type']} generated always as ({parts['generated']}) {kind}"
        _run(connection, f"alter table {copy} add column {own} {words}")
    question = (
        "select pg_catalog.pg_get_expr(d.adbin, d.adrelid) from pg_catalog.pg_attrdef d"
        " join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum"
        f" where d.adrelid = {_literal(copy)}::pg_catalog.regclass"
        f" and a.attname = {_literal(identities.unquote(own))}"
    )
    return {part: _ask(connection, question)}


def _index(name: str, parts: Parts, connection: Connected) -> Parts:
    *table, own = identities.split_name(name)
    copy = _copied(".".join(table), connection)
    there, here = f" {'.'.join(table)} USING ", f" {copy} USING "
    _run(connection, parts["definition"].replace(f" ONLY{there}", there, 1).replace(there, here, 1))
    index = _literal(f"pg_temp.{own}")
    printed = _ask(connection, f"select pg_catalog.pg_get_indexdef({index}::pg_catalog.regclass)")
    only = f" ONLY{there}" if f" ONLY{there}" in parts["definition"] else there
    return {"definition": printed.replace(here, only, 1)}


def _policy(name: str, parts: Parts, connection: Connected) -> Parts:
    *table, own = identities.split_name(name)
    copy = _copied(".".join(table), connection)
    words = f"create policy {own} on {copy} for {parts['for']}"
    words += f" using ({parts['using']})" if "using" in parts else ""
    words += f" with check ({parts['check']})" if "check" in parts else ""
    _run(connection, words)
    found = {}
    for part, place in (("using", "polqual"), ("check", "polwithcheck")):
        if part in parts:
            question = f"select pg_catalog.pg_get_expr({place}, polrelid) from pg_catalog.pg_policy"
            found[part] = _ask(
                connection, f"{question} where polrelid = {_literal(copy)}::pg_catalog.regclass"
            )
    return found


def _trigger(name: str, parts: Parts, connection: Connected) -> Parts:
    if " WHEN (" not in parts["definition"]:
        return {}
    return _on_copy(
        name, parts, connection, " ON ", "pg_get_triggerdef", "trigger t", "tg{}", "tgrelid"
    )


def _rule(name: str, parts: Parts, connection: Connected) -> Parts:
    return _on_copy(
        name, parts, connection, " TO ", "pg_get_ruledef", "rewrite t", "rule{}", "ev_class"
    )


def _on_copy(
    name: str,
    parts: Parts,
    connection: Connected,
    word: str,
    function: str,
    source: str,
    column: str,
    relation: str,
) -> Parts:
    """A trigger or rule, made on a copy of its table, whose name stands once after `word`."""
    *table, own = identities.split_name(name)
    copy = _copied(".".join(table), connection)
    there, here = f"{word}{'.'.join(table)}", f"{word}{copy}"
    _run(connection, _renamed(parts["definition"], there, here))
    question = (
        f"select {function}(t.oid) from pg_catalog.pg_{source}"
        f" where {relation} = {_literal(copy)}::pg_catalog.regclass"
        f" and {column.format('name')} = {_literal(identities.unquote(own))}"
    )
    return {"definition": _renamed(_ask(connection, question), here, there)}


def _renamed(text: str, there: str, here: str) -> str:
    """The text with `here` for the first `there` that ends a word."""
    return re.sub(re.escape(there) + r"(?=\s)", lambda _: here, text, count=1)


def _partitioned(name: str, parts: Parts, connection: Connected) -> Parts:
    if "partition_by" not in parts:
        return {}
    copy = _copied(name, connection, f" partition by {parts['partition_by']}")
    question = f"select pg_catalog.pg_get_partkeydef({_literal(copy)}::pg_catalog.regclass)"
    return {"partition_by": _ask(connection, question)}


def _statistics(name: str, parts: Parts, connection: Connected) -> Parts:
    own = identities.split_name(name)[-1]
    head, _, table = parts["definition"].rpartition(" FROM ")
    copy = _copied(table, connection)
    start = "CREATE STATISTICS "
    words = head.replace(f"{start}{name}", f"{start}pg_temp.{own}", 1)
    _run(connection, f"{words} FROM {copy}")
    question = (
        "select pg_catalog.pg_get_statisticsobjdef(oid) from pg_catalog.pg_statistic_ext"
        f" where stxrelid = {_literal(copy)}::pg_catalog.regclass"
    )
    printed = _ask(connection, question).rpartition(" FROM ")[0]
    printed = printed.replace(f"{start}pg_temp.{own}", f"{start}{name}", 1)
    return {"definition": f"{printed} FROM {table}"}


def _routine(name: str, parts: Parts, connection: Connected) -> Parts:
    """Only defaults and a body in SQL's own form are kept as trees; other bodies are texts."""
    words = str(parts.get("definition", ""))
    head = words.partition("\nAS $")[0]
    if " DEFAULT " not in head and "\nBEGIN ATOMIC" not in head and "\nRETURN " not in head:
        return {}
    schema = identities.split_name(name)[0]
    _run(connection, "set local check_function_bodies = off")
    _run(connection, words.replace(f" {schema}.", " pg_temp.", 1))
    there = _literal(f"pg_temp.{name.removeprefix(schema + '.')}")
    question = f"select pg_catalog.pg_get_functiondef({there}::pg_catalog.regprocedure)"
    printed = _ask(connection, question)
    return {"definition": re.sub(r" pg_temp(_\d+)?\.", f" {schema}.", printed, count=1)}


_Printer = Callable[[str, Parts, Any], Parts]
_PRINTERS: Mapping[str, _Printer] = {
    "table": _partitioned,
    "view": _view,
    "materialized view": _view,
    "constraint": _constraint,
    "domain": _domain,
    "column": _column,
    "index": _index,
    "policy": _policy,
    "trigger": _trigger,
    "rule": _rule,
    "statistics object": _statistics,
    "function": _routine,
    "procedure": _routine,
}

PARTS: Mapping[str, tuple[str, ...]] = {
    "table": ("partition_by",),
    "domain": ("default",),
    "column": ("default", "generated"),
    "policy": ("using", "check"),
    **dict.fromkeys(_PRINTERS.keys() - {"table", "domain", "column", "policy"}, ("definition",)),
}
"""Kind of fact → its parts that are expressions, or have some."""
