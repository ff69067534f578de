"""Snapshot → classes for `app.py`: as in `introspected.py`, with all that a migration compares."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twolane.facts import ownership
from twolane.facts.catalog import Snapshot, as_text
from twolane.facts.identities import split_name, unquote
from twolane.models import python
from twolane.models.body import (
    Assignment,
    Target,
    column,
    expression,
    relationship_of,
    table_arguments,
    when_checked,
)
from twolane.models.indexes import index
from twolane.models.keys import ForeignKey, Relation, Relationship, table_name
from twolane.models.relations import columns_in_order, read_relations
from twolane.models.types import Types


@dataclass(frozen=True)
class AppClasses:
    """Classes of tables, in Python.

    names: table → class. constants: enums of the app; classes: the text of each. needs: the names
    that they take from elsewhere; mirrored: those among them that `introspected.py` has.
    """

    names: Mapping[str, str]
    constants: Mapping[str, str]
    classes: Mapping[str, str]
    needs: frozenset[str]
    mirrored: frozenset[str]


class Unsaid(Exception):
    """A table that no class of an app can declare; the message says why."""


def render(
    snapshot: Snapshot, tables: Collection[str], app: Collection[str], known: Mapping[str, str]
) -> AppClasses:
    """The classes of these tables, `schema.name` each.

    app: identities of the facts that are the app's then. known: table → class that `app.py` has.

    Raises:
        Unsaid: a table has nothing that tells its rows apart, or is not mapped at all.
    """
    relations, types, _ = read_relations(snapshot)
    mapped = {each.identity: each for each in relations}
    if lost := sorted(set(tables) - mapped.keys()):
        raise Unsaid(f"{lost[0]} has no column that tells its rows apart")
    writer = _Writer(mapped, frozenset(tables), frozenset(app), known)
    bodies = {name: list(writer.body(mapped[name])) for name in sorted(tables)}
    used = {word for body in bodies.values() for line in body for word in line.names}
    own = {mapped[name].class_name for name in tables}
    enums = dict(_enums(types, app))
    constants = {name: text for name, text in enums.items() if name in used}
    others = {each.class_name for each in relations} | {each.name for each in types.constants}
    needs = (used | {"AppBase"} | ({"sa", "Any"} if "DatabaseType" in used else set())) - {
        "IntrospectedBase",
        *own,
        *constants,
        *known.values(),
    }
    needs |= {"postgresql"} if constants else set()
    return AppClasses(
        {name: mapped[name].class_name for name in sorted(tables)},
        constants,
        {mapped[name].class_name: _class(mapped[name], bodies[name]) for name in sorted(tables)},
        frozenset(needs),
        frozenset(needs & others),
    )


def _enums(types: Types, app: Collection[str]) -> Iterator[tuple[str, str]]:
    """The constants of the app's enums: the models make these types themselves."""
    for named in types.constants:
        value = named.expression
        if isinstance(value, python.Group) and f"enum {types.type_of(named.name)}" in app:
            items = tuple(item for item in value.items if item != "create_type=False")
            yield named.name, Assignment(named.name, replace(value, items=items)).text()


@dataclass(frozen=True)
class _Writer:
    mapped: Mapping[str, Relation]
    tables: frozenset[str]
    app: frozenset[str]
    known: Mapping[str, str]

    def body(self, relation: Relation) -> Iterator[Assignment]:
        if relation.row_key == ("ctid",):
            raise Unsaid(f"{relation.identity} has no column that tells its rows apart")
        yield Assignment("__tablename__", python.literal(relation.name))
        if arguments := list(self._arguments(relation)):
            yield Assignment("__table_args__", python.Group("(", tuple(arguments)))
        for name in columns_in_order(relation):
            yield _column(relation, name, self._target)
        if not relation.key:
            key = tuple(relation.attributes[name] for name in relation.row_key)
            mapping = python.Group("{", (python.Group('"primary_key": [', key, "]"),), "}")
            yield Assignment("__mapper_args__", mapping, kind="mapper")
        for relationship in sorted(relation.references, key=lambda each: each.attribute):
            yield from self._forward(relationship)
        for relationship in sorted(relation.referenced_by, key=lambda each: each.attribute):
            if self._table(relationship) in self.tables:
                yield relationship_of(relationship)

    def _arguments(self, relation: Relation) -> Iterator[python.Node]:
        yield from _primary_key(relation)
        yield from table_arguments(relation, self._target)
        yield from _checks(relation)
        for name, parts in relation.facts["index"].items():
            if not ownership.is_sql_only("index", as_text(parts)):
                yield index(parts["definition"], name)
        options: list[python.Node] = []
        if relation.schema != "public":
            options.append(f'"schema": {python.literal(relation.schema)}')
        if relation.comment:
            options.append(f'"comment": {python.literal(relation.comment)}')
        if "partition_by" in relation.parts:
            options.append(
                f'"postgresql_partition_by": {python.literal(relation.parts["partition_by"])}'
            )
        options += _storage(relation.parts)
        if options:
            yield python.Group("{", tuple(options), "}")

    def _target(self, key: ForeignKey, name: str) -> str:
        """The target by its attribute, or in the same metadata by its name."""
        if key.target == "auth.users":
            return "AuthUsers.id"
        if f"table {key.target}" in self.app:
            return python.literal(f"{table_name(key.target)}.{name}")
        target = self.mapped[key.target]
        return f"{target.class_name}.{target.attributes[name]}"

    def _forward(self, relationship: Relationship) -> Iterator[Assignment]:
        """To a class that moves along in both directions; to another one without a way back."""
        table = self._table(relationship)
        if table in self.tables:
            yield relationship_of(relationship)
            return
        name = self.mapped[table].class_name
        options = relationship.options
        if f"table {table}" in self.app:
            if table not in self.known:
                return
            annotation = relationship.annotation.replace(name, self.known[table], 1)
            options = tuple(python.renamed(each, name, self.known[table]) for each in options)
        else:
            annotation = relationship.annotation.strip('"')
        value = python.call("relationship", *options)
        yield Assignment(relationship.attribute, value, annotation, "relationship")

    def _table(self, relationship: Relationship) -> str:
        word = re.search(r'"(\w+)', relationship.annotation)
        name = word[1] if word else ""
        return next(i for i, each in self.mapped.items() if each.class_name == name)


def _storage(parts: Mapping[str, Any]) -> Iterator[python.Node]:
    """How the table is stored, as SQLAlchemy says it."""
    if parts.get("unlogged"):
        yield '"prefixes": ["UNLOGGED"]'
    found = [*parts.get("options", ()), *(f"toast.{o}" for o in parts.get("toast_options", ()))]
    if found:
        pairs = (option.partition("=") for option in found)
        items = (f"{python.literal(name)}: {python.literal(value)}" for name, _, value in pairs)
        yield python.Group('"postgresql_with": {', tuple(items), "}")
    for part, option in (("tablespace", "tablespace"), ("access_method", "using")):
        if part in parts:
            yield f'"postgresql_{option}": {python.literal(parts[part])}'


def _column(relation: Relation, name: str, target: Target) -> Assignment:
    """A column; a serial key without its default, for SQLAlchemy makes it with its sequence."""
    sequence = f"{relation.name}_{name}_seq"
    default = str(relation.columns[name].get("default"))
    counter = re.fullmatch(r"nextval\('(.*)'::regclass\)", default)
    counted = counter[1].replace("''", "'") if counter else ""
    is_serial = [*map(unquote, split_name(counted))] == [relation.schema, sequence]
    if not is_serial or relation.key[:1] != (name,):
        made = column(relation, name, target)
        return _with(made, "autoincrement=False") if _would_count(relation, name) else made
    del relation.columns[name]["default"]
    made = column(relation, name, target)
    return _with(made, "autoincrement=True") if len(relation.key) > 1 else made


def _would_count(relation: Relation, name: str) -> bool:
    """Whether SQLAlchemy would take the column for a serial key, and it is none."""
    is_filled = relation.columns[name].keys() & {"default", "identity", "generated"}
    points = any(name in key.columns for key in relation.foreign_keys)
    is_number = relation.types[name].annotation == "int"
    return relation.key == (name,) and is_number and not is_filled and not points


def _with(made: Assignment, argument: str) -> Assignment:
    assert isinstance(made.value, python.Group)
    return replace(made, value=replace(made.value, items=(*made.value.items, argument)))


def _primary_key(relation: Relation) -> Iterator[python.Node]:
    """The key, where its name or its time is not what `base.py` gives it."""
    for name, parts in relation.constraints("primary key"):
        options = when_checked(parts["definition"].rpartition(")")[2])
        if name != f"{relation.name}_pkey" or options:
            columns = map(python.literal, parts["columns"])
            named = f"name={python.literal(name)}"
            yield python.call("sa.PrimaryKeyConstraint", *columns, named, *options)


def _checks(relation: Relation) -> Iterator[python.Node]:
    for name, parts in relation.constraints("check"):
        yield python.call(
            "sa.CheckConstraint",
            condition(parts["definition"]),
            python.keyword_argument("name", _check_name(relation.name, name)),
        )


def condition(text: str) -> python.Node:
    """What a check demands, in words that Postgres prints alike once it has read them.

    A `varchar in (…)` is printed as a cast of the whole list, and read as one of each item.
    """
    inner = _unwrapped(_LIST.sub(_as_list, text.removeprefix("CHECK ").rpartition(")")[0] + ")"))
    is_plain = not re.search(r"(?<!:):(?!:)", inner)
    return python.literal(inner) if is_plain else expression(inner)


_NAME = r"(?:\w+|\"[^\"]+\")"
_TEXT = r"'(?:[^']|'')*'::text"
_VARCHAR = r"'(?:[^']|'')*'::character varying"
_LIST = re.compile(
    rf"\(({_NAME}) = ANY \(ARRAY\[({_TEXT}(?:, {_TEXT})*)\]\)\)"
    rf"|\(\(({_NAME})\)::text = ANY \(\(ARRAY\[({_VARCHAR}(?:, {_VARCHAR})*)\]\)::text\[\]\)\)"
)


def _as_list(found: re.Match[str]) -> str:
    name, items = found[1] or found[3], found[2] or found[4]
    values = re.findall(r"('(?:[^']|'')*')::(?:text|character varying)", items)
    return f"({name} IN ({', '.join(values)}))"


def _unwrapped(text: str) -> str:
    """The text without the brackets around all of it."""
    while text.startswith("(") and _end(text) == len(text) - 1:
        text = text[1:-1]
    return text


def _end(text: str) -> int:
    """Where the bracket closes that the text begins with."""
    depth, quote = 0, ""
    for place, letter in enumerate(text):
        if quote or letter in "'\"":
            quote = "" if letter == quote else quote or letter
            continue
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return place
    return -1


def _check_name(table: str, name: str) -> python.Node:
    """The part of the name that `base.py` makes a name of; else the name, marked as final."""
    inner = name.removeprefix(f"{table}_").removesuffix("_check")
    if inner and name == f"{table}_{inner}_check":
        return python.literal(inner)
    return python.call("sa.schema.conv", python.literal(name))


def _class(relation: Relation, assignments: list[Assignment]) -> str:
    lines = [f"class {relation.class_name}(AppBase):"]
    kind = "table"
    for assignment in assignments:
        if assignment.kind != kind:
            lines.append("")
            kind = assignment.kind
        text = assignment.text(indent=4)
        if assignment.kind == "mapper":  # a dictionary, which ruff takes for a default value
            first, *rest = text.split("\n")
            text = "\n".join([f"{first}  # noqa: RUF012", *rest])
        lines += map(python.folded, text.split("\n"))
    return "\n".join(lines)
