"""Statements for columns, and for the attributes of composite types. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.ddl.clauses import (
    differs_from,
    foreign_options,
    list_of,
    set_options,
    texts,
    unlike,
    when,
)
from twolane.ddl.sequences import sequence_options
from twolane.ddl.statement import Edit, Parts, Rank, Statement
from twolane.facts import identities
from twolane.sql import literal

_STORAGE = {"p": "plain", "e": "external", "x": "extended", "m": "main"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}


def clause(table: str, column: str, parts: Parts) -> str:
    """A column's clause for `create table` and `add column`; `extras` has the rest."""
    words = [column, parts["type"]]
    if "collation" in parts:
        words.append(f"collate {parts['collation']}")
    if "generated" in parts:
        kind = "virtual" if parts.get("virtual") else "stored"
        words.append(f"generated always as ({parts['generated']}) {kind}")
    if parts.get("not_null") and not _is_special(parts):
        words.append("not null")
    if "default" in parts:
        words.append(f"default {parts['default']}")
    if "identity" in parts:
        words.append(identity_clause(parts, table, column))
    return " ".join(words)


def identity_clause(parts: Parts, table: str, column: str) -> str:
    steps = sequence_options(parts["identity_options"], {})
    name = parts["identity_options"].get("sequence")
    if name == f"{table}_{column}_seq":  # the name that Postgres gives by itself
        name = None
    inside = " ".join([*([f"sequence name {name}"] if name else []), *steps])
    return f"generated {parts['identity']} as identity{f' ({inside})' if inside else ''}"


def extras(table: str, column: str, new: Parts, old: Parts, alter: str = "table") -> list[str]:
    """Statements for column properties that `clause` cannot express: storage, statistics, options.

    They may run again.
    """
    only = "only " if alter.endswith("table") else ""  # a child has its own
    target = f"{alter} {only}{table} alter column {column}"
    steps = []
    if new.get("storage") != old.get("storage"):
        storage = _STORAGE.get(new.get("storage", ""), "default")
        steps.append(f"alter {target} set storage {storage};")
    if new.get("compression") != old.get("compression"):
        method = _COMPRESSION.get(new.get("compression", ""), "default")
        steps.append(f"alter {target} set compression {method};")
    if new.get("statistics") != old.get("statistics"):
        steps.append(f"alter {target} set statistics {new.get('statistics', -1)};")
    steps += set_options(target, list_of(old, "options"), list_of(new, "options"))
    before, after = list_of(old, "server_options"), list_of(new, "server_options")
    if change := foreign_options(before, after):
        held = _attribute(table, column, "attfdwoptions")
        wanted = texts(after) if after else "null"
        steps.append(when(unlike(held, wanted), f"alter {target} options ({change});"))
    for name, word in (("not_null_not_valid", "not valid"), ("not_null_no_inherit", "no inherit")):
        if new.get(name) and not old.get(name):
            steps.append(_not_null(table, column, word))
    return steps


def _not_null(table: str, column: str, word: str) -> str:
    """SQL that adds a constraint of Postgres 18. Its name is no fact, so Postgres chooses it."""
    there = _attribute(table, column, "attnotnull")
    return when(f"not {there}", f"alter table {table} add not null {column} {word};")


def _attribute(table: str, column: str, what: str) -> str:
    """SQL that reads one property of a column."""
    name = literal(identities.unquote(column))
    return (
        f"(select {what} from pg_attribute\n"
        f"    where (attrelid, attname) = ({literal(table)}::regclass, {name})\n"
        "    and not attisdropped)"
    )


def write(edit: Edit) -> Iterator[Statement]:
    """Statements for a column that was added, dropped or changed."""
    kind = edit.live.relation_kind(edit.table)
    if kind == "composite type":
        yield from _attribute_of_type(edit)
    elif kind in ("view", "materialized view"):
        yield from _of_view(edit, kind)
    elif _follows_from_parent(edit):
        yield from _same_column(edit, kind)
    elif edit.after is None:
        lost = f"column {edit.table}.{edit.own} with its values"
        sql = f"alter {kind} {edit.table} drop column if exists {edit.own};"
        yield edit.write(sql, Rank.UNHOOK, loses="" if "generated" in edit.old else lost)
    elif edit.before is None:
        column = clause(edit.table, edit.own, edit.after)
        add = f"alter {kind} {edit.table} add column if not exists {column};"
        more = extras(edit.table, edit.own, edit.after, {}, kind)
        yield edit.write("\n".join([add, *more]), Rank.COLUMN)
    elif _is_remade(edit):
        yield _remade(edit)
    else:
        yield from _same_column(edit, kind)


def _follows_from_parent(edit: Edit) -> bool:
    parts = edit.after or edit.old
    return bool(parts.get("inherited") and not parts.get("declared_here"))


def _is_remade(edit: Edit) -> bool:
    """Whether to drop the column and add it again, with computed values.

    That changes its expression on every major version of Postgres.
    """
    return "generated" in edit.new and edit.differs("generated", "virtual")


def _remade(edit: Edit) -> Statement:
    expression = (
        "(select attgenerated::text || pg_get_expr(adbin, adrelid) "
        "from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum "
        f"where adrelid = {literal(edit.table)}::regclass "
        f"and attname = {literal(edit.plain)})"
    )
    kind = "v" if edit.new.get("virtual") else "s"
    sql = when(
        differs_from(edit, expression, "generated", kind),
        f"alter table {edit.table} drop column if exists {edit.own};",
        f"alter table {edit.table} add column {clause(edit.table, edit.own, edit.new)};",
    )
    lost = f"the values of {edit.table}.{edit.own}, which is computed from now on"
    more = extras(edit.table, edit.own, edit.new, {})
    loses = "" if "generated" in edit.old else lost
    return edit.write("\n".join([sql, *more]), Rank.COLUMN, loses=loses)


def _same_column(edit: Edit, kind: str) -> Iterator[Statement]:
    """Statements for a column whose name stays and whose properties changed."""
    if edit.after is None or edit.before is None:
        return  # it is added and dropped with the parent's
    old, new = edit.before, edit.after
    alter = f"alter {kind} {edit.table} alter column {edit.own}"
    steps, loses = [], ""
    if "generated" in old and "generated" not in new:
        steps.append(f"{alter} drop expression if exists;")
    if edit.differs("type", "collation") and not _follows_from_parent(edit):
        steps.append(_retyped(edit, alter, kind))
        loses = (
            f"what of {edit.table}.{edit.own} does not fit {new['type']}; its rows are rewritten"
        )
    if edit.differs("default") or (edit.differs("type") and "default" in new):
        default = f"set default {new['default']}" if "default" in new else "drop default"
        steps.append(f"{alter} {default};")
    steps += _identity(edit, alter)
    if edit.differs("not_null") and not _is_special(new):
        steps.append(f"{alter} {'set' if new.get('not_null') else 'drop'} not null;")
    steps += extras(edit.table, edit.own, new, old, kind)
    if steps:
        yield edit.write("\n".join(steps), Rank.COLUMN, loses=loses)


def _is_special(parts: Parts) -> bool:
    return bool(parts.keys() & {"not_null_not_valid", "not_null_no_inherit"})


def _retyped(edit: Edit, alter: str, kind: str) -> str:
    wanted = edit.new["type"]
    collate = f" collate {edit.new['collation']}" if "collation" in edit.new else ""
    using = "" if kind == "foreign table" else f" using {edit.own}::{wanted}"
    is_other = unlike(
        _attribute(edit.table, edit.own, "format_type(atttypid, atttypmod)"), literal(wanted)
    )
    if edit.differs("collation"):
        collation = _attribute(edit.table, edit.own, _COLLATION)
        is_other += f"\n    or {unlike(collation, _or_null(edit.new.get('collation')))}"
    drop = [f"{alter} drop default;"] if "default" in edit.old else []
    # Postgres can't change the type of a column that a view reads; `render` makes the views again.
    off = [f"drop {view};" for view in reversed(edit.live.readers.get(edit.identity, ()))]
    return when(is_other, *off, *drop, f"{alter} type {wanted}{collate}{using};")


# A column's collation where it differs from its type's, as in facts.
_COLLATION = (
    "(select attcollation::regcollation::text from pg_type "
    "where oid = atttypid and typcollation <> attcollation)"
)


def _or_null(text: str | None) -> str:
    return literal(text) if text else "null"


def _identity(edit: Edit, alter: str) -> list[str]:
    old, new = edit.old, edit.new
    if "identity" not in new:
        return [f"{alter} drop identity if exists;"] if "identity" in old else []
    if "identity" not in old:
        absent = _attribute(edit.table, edit.own, "attidentity")
        required = [] if old.get("not_null") else [f"{alter} set not null;"]
        return [
            *required,
            when(f"{absent} = ''", f"{alter} add {identity_clause(new, edit.table, edit.own)};"),
        ]
    steps = []
    if edit.differs("identity"):
        steps.append(f"{alter} set generated {new['identity']};")
    before, after = old["identity_options"], new["identity_options"]
    if (was := before.get("sequence")) != (name := after.get("sequence")):
        own = identities.split_name(str(name))[-1]
        there = f"to_regclass({literal(str(was))}) is not null"
        steps.append(when(there, f"alter sequence {was} rename to {own};"))
    if changed := sequence_options(after, before):
        steps.append(f"{alter} {' '.join(f'set {option}' for option in changed)};")
    return steps


def _attribute_of_type(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        sql = f"alter type {edit.table} drop attribute if exists {edit.own};"
        yield edit.write(sql, Rank.UNHOOK, loses=f"attribute {edit.name} of all values")
        return
    collate = f" collate {edit.after['collation']}" if "collation" in edit.after else ""
    words = f"{edit.after['type']}{collate}"
    if edit.before is None:
        absent = f"{_attribute(edit.table, edit.own, 'attnum')} is null"
        sql = when(absent, f"alter type {edit.table} add attribute {edit.own} {words};")
    else:
        sql = f"alter type {edit.table} alter attribute {edit.own} type {words};"
    yield edit.write(sql, Rank.TYPE)


def _of_view(edit: Edit, kind: str) -> Iterator[Statement]:
    """Statements for a view column's other properties; the view's definition makes the column."""
    if edit.after is None:
        return
    alter = f"alter {kind} {edit.table} alter column {edit.own}"
    steps = extras(edit.table, edit.own, edit.after, edit.old, kind)
    if edit.differs("default"):
        default = edit.after.get("default")
        steps.append(f"{alter} {f'set default {default}' if default else 'drop default'};")
    if steps:
        yield edit.write("\n".join(steps), Rank.ON_TABLE)
