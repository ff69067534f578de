"""Statements for schemas, extensions, routines and types. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twolane.ddl.clauses import (
    list_of,
    operator,
    routine,
    signature,
    texts,
    unless_there,
    unlike,
    when,
)
from twolane.ddl.statement import Edit, Rank, Statement
from twolane.sql import ident, literal


def schema(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield edit.write(f"drop schema if exists {edit.name};", Rank.DROP)
    else:
        yield edit.write(f"create schema if not exists {edit.name};", Rank.SCHEMA)


def extension(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield edit.write(f"drop extension if exists {edit.name};", Rank.DROP)
    elif edit.before is None:
        place = ident(edit.new["schema"])
        sql = f"create extension if not exists {edit.name} with schema {place};"
        yield edit.write(sql, Rank.SCHEMA)
    else:
        place = ident(edit.new["schema"])
        yield edit.write(f"alter extension {edit.name} set schema {place};", Rank.SCHEMA)


def function(edit: Edit) -> Iterator[Statement]:
    """Statements for functions and procedures."""
    name = signature(edit.kind, edit.name)
    if edit.after is None:
        yield edit.write(f"drop {edit.kind} if exists {name};", Rank.DROP)
        return
    words = str(edit.after["definition"])
    create = words.rstrip("\n") + ";"
    # `or replace` refuses another result, and other names or defaults of the arguments.
    found = f"to_regprocedure({literal(edit.name)})"
    arguments, result = _signature(words, edit.name)
    is_other = (
        f"(pg_get_function_arguments({found}), pg_get_function_result({found}))\n"
        f"    is distinct from ({literal(arguments)}, {literal(result)})"
    )
    drop = when(is_other, f"drop routine if exists {name};")
    yield edit.write(create, Rank.ROUTINE, otherwise=f"{drop}\n{create}" if edit.before else "")


def _signature(words: str, name: str) -> tuple[str, str]:
    """Arguments and result, as `pg_get_functiondef` prints them on its first two lines."""
    head, found, rest = words.partition(")\n RETURNS ")
    if not found:
        head = words.partition(")\n LANGUAGE ")[0]
    return head.partition(f" {routine(name)}(")[2], rest.partition("\n")[0]


def aggregate(edit: Edit) -> Iterator[Statement]:
    drop = f"drop aggregate if exists {edit.name};"
    if edit.after is None:
        yield edit.write(drop, Rank.DROP)
        return
    new = edit.after
    parts = [f"sfunc = {routine(new['transition'])}", f"stype = {new['state']}"]
    for name, part in _FUNCTIONS.items():
        parts += [f"{name} = {routine(new[part])}"] if part in new else []
    for name, part in _VALUES.items():
        parts += [f"{name} = {literal(new[part])}"] if part in new else []
    for name, part in _NUMBERS.items():
        parts += [f"{name} = {new[part]}"] if part in new else []
    for name, part in _FLAGS.items():
        parts += [name] if new.get(part) else []
    for name, part in _MODIFIES.items():
        parts += [f"{name} = {_MODIFY[new[part]]}"] if part in new else []
    parts += [f"sortop = {operator(new['sort'])}"] if "sort" in new else []
    parts += ["hypothetical"] if new["kind"] == "h" else []
    parts += [f"parallel = {_PARALLEL[new['parallel']]}"] if new["parallel"] != "u" else []
    inside = ",\n  ".join(parts)
    create = (
        f"create or replace aggregate {routine(edit.name)}({new['arguments']}) (\n  {inside}\n);"
    )
    yield edit.write(create, Rank.ROUTINE, otherwise=f"{drop}\n{create}" if edit.before else "")


# Options of CREATE AGGREGATE → the part of the fact that holds them.
_FUNCTIONS = {
    "finalfunc": "final",
    "combinefunc": "combine",
    "serialfunc": "serial",
    "deserialfunc": "deserial",
    "msfunc": "moving",
    "minvfunc": "moving_inverse",
    "mfinalfunc": "moving_final",
    "mstype": "moving_state",
}
_VALUES = {"initcond": "initial", "minitcond": "moving_initial"}
_NUMBERS = {"sspace": "space", "msspace": "moving_space"}
_FLAGS = {"finalfunc_extra": "final_extra", "mfinalfunc_extra": "moving_final_extra"}
_MODIFIES = {"finalfunc_modify": "modify", "mfinalfunc_modify": "moving_modify"}
_MODIFY = {"r": "read_only", "s": "shareable", "w": "read_write"}
_PARALLEL = {"s": "safe", "r": "restricted"}


def enum(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield _dropped(edit)
        return
    old, new = list_of(edit.old, "labels"), list_of(edit.new, "labels")
    create = f"create type {edit.name} as enum ({', '.join(map(literal, new))});"
    if edit.before is None:
        yield edit.write(unless_there(create), Rank.TYPE)
    elif (renamed := _renames(old, new)) is not None:
        earlier = {after: before for before, after in renamed}
        added = list(_added(edit.name, old, [earlier.get(label, label) for label in new]))
        if added:
            yield edit.write("\n".join(added), Rank.VALUE)
        if renamed:
            steps = [_renamed(edit.name, *pair) for pair in renamed]
            yield edit.write("\n".join(steps), Rank.TYPE)
    else:  # only dropping the type drops a value; Postgres refuses that while a column has it
        held = (
            "array(select enumlabel::text from pg_enum "
            f"where enumtypid = to_regtype({literal(edit.name)}) order by enumsortorder)"
        )
        drop = f"drop type if exists {edit.name};"
        yield edit.write(when(unlike(held, texts(new)), drop, create), Rank.TYPE)


def _added(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for place, label in enumerate(new):
        if label in old:
            continue
        where = f" after {literal(new[place - 1])}" if place else f" before {literal(old[0])}"
        yield f"alter type {name} add value if not exists {literal(label)}{where};"


def _renames(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]] | None:
    """The labels that got another name, before and after; None where that can't be told.

    No label goes while its type stays. Between two labels that both have, as many others are the
    same in other words; where there were none, they are new.
    """
    if [label for label in old if label in new] != [label for label in new if label in old]:
        return None
    pairs = list(zip(_gaps(old, new), _gaps(new, old), strict=True))
    if any(gone and len(gone) != len(come) for gone, come in pairs):
        return None
    return [pair for gone, come in pairs for pair in zip(gone, come, strict=False)]


def _gaps(labels: Sequence[str], others: Sequence[str]) -> list[list[str]]:
    """The labels that the others lack, between those that both have."""
    found: list[list[str]] = [[]]
    for label in labels:
        if label in others:
            found.append([])
        else:
            found[-1].append(label)
    return found


def _renamed(name: str, old: str, new: str) -> str:
    there = (
        f"exists (select from pg_enum where enumtypid = {literal(name)}::regtype "
        f"and enumlabel = {literal(old)})"
    )
    return when(there, f"alter type {name} rename value {literal(old)} to {literal(new)};")


def _dropped(edit: Edit) -> Statement:
    kind = "domain" if edit.kind == "domain" else "type"
    return edit.write(f"drop {kind} if exists {edit.name};", Rank.DROP)


def domain(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield _dropped(edit)
        return
    new = edit.after
    create = f"create domain {edit.name} as {new['type']}"
    create += f" collate {new['collation']}" if "collation" in new else ""
    create += f" default {new['default']}" if "default" in new else ""
    create += " not null" if new.get("not_null") else ""
    if edit.before is None:
        yield edit.write(unless_there(f"{create};"), Rank.TYPE)
        return
    if edit.differs("type", "collation"):
        held = (
            "(select array[format_type(t.typbasetype, t.typtypmod), "
            "case when t.typcollation <> b.typcollation "
            "then t.typcollation::regcollation::text end] "
            "from pg_type t join pg_type b on b.oid = t.typbasetype "
            f"where t.oid = to_regtype({literal(edit.name)}))"
        )
        collation = literal(new["collation"]) if "collation" in new else "null"
        is_other = unlike(held, f"array[{literal(new['type'])}, {collation}]")
        drop = f"drop domain if exists {edit.name};"
        yield edit.write(when(is_other, drop, f"{create};"), Rank.TYPE)
        return
    steps = []
    if edit.differs("default"):
        default = f"set default {new['default']}" if "default" in new else "drop default"
        steps.append(f"alter domain {edit.name} {default};")
    if edit.differs("not_null"):
        how = "set" if new.get("not_null") else "drop"
        steps.append(f"alter domain {edit.name} {how} not null;")
    yield edit.write("\n".join(steps), Rank.TYPE)


def composite(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield _dropped(edit)
        return
    new, old = list_of(edit.new, "attributes"), list_of(edit.old, "attributes")
    create = f"create type {edit.name} as ({', '.join(_attributes(edit, new))});"
    facts = list(edit.live.parts_of(edit.name, "column"))
    if edit.before is None:
        yield edit.write(unless_there(create), Rank.TYPE, facts=facts)
    elif set(new) == set(old):  # an added or dropped attribute is a fact of its own
        held = (
            "array(select attname::text from pg_attribute "
            f"where attrelid = to_regclass({literal(edit.name)}) "
            "and attnum > 0 and not attisdropped order by attnum)"
        )
        drop = f"drop type if exists {edit.name};"
        yield edit.write(when(unlike(held, texts(new)), drop, create), Rank.TYPE)


def _attributes(edit: Edit, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        parts = edit.live.parts(f"column {edit.name}.{ident(name)}")
        collate = f" collate {parts['collation']}" if "collation" in parts else ""
        yield f"{ident(name)} {parts['type']}{collate}"


def range_type(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield _dropped(edit)
        return
    new = edit.after
    words = {
        "subtype": new["subtype"],
        "subtype_opclass": str(new["operator_class"]).partition(" USING ")[0],
        "collation": new.get("collation"),
        "canonical": routine(new["canonical"]) if "canonical" in new else None,
        "subtype_diff": routine(new["difference"]) if "difference" in new else None,
        "multirange_type_name": new["multirange"],
    }
    inside = ", ".join(f"{name} = {word}" for name, word in words.items() if word)
    create = f"create type {edit.name} as range ({inside});"
    if edit.before is None:
        yield edit.write(unless_there(create), Rank.TYPE)
        return
    held = (
        "(select array[rngsubtype::regtype::text, "
        "(select identity from pg_identify_object('pg_opclass'::regclass, rngsubopc, 0)), "
        "nullif(rngcollation, 0)::regcollation::text, nullif(rngcanonical, 0)::regprocedure::text, "
        "nullif(rngsubdiff, 0)::regprocedure::text, rngmultitypid::regtype::text] "
        f"from pg_range where rngtypid = to_regtype({literal(edit.name)}))"
    )
    parts = ("subtype", "operator_class", "collation", "canonical", "difference", "multirange")
    wanted = ", ".join(literal(new[part]) if part in new else "null" for part in parts)
    drop = f"drop type if exists {edit.name};"
    yield edit.write(when(unlike(held, f"array[{wanted}]"), drop, create), Rank.TYPE)
