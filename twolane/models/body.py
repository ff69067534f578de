"""Relation → the body of its class: what the ORM needs, as assignments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twolane.models import python
from twolane.models.keys import ForeignKey, Relation, Relationship, table_name
from twolane.models.relations import columns_in_order


@dataclass(frozen=True)
class Assignment:
    """`target = value`, or `target: Mapped[annotation] = value`."""

    target: str
    value: python.Node
    annotation: str = ""
    kind: str = "table"

    @property
    def names(self) -> set[str]:
        """The names that the assignment needs."""
        needed = {"Mapped", "IntrospectedBase"} if self.annotation else set()
        return {*python.names_in(self.value), *re.findall(r"[A-Za-z]\w*", self.annotation), *needed}

    def text(self, indent: int = 0) -> str:
        mapped = f": Mapped[{self.annotation}]" if self.annotation else ""
        return " " * indent + python.layout(self.value, indent, f"{self.target}{mapped} = ")


def target(key: ForeignKey, column: str) -> str:
    """A foreign key's target, as SQLAlchemy has it."""
    if key.target == "auth.users":
        return "AuthUsers.id"
    return python.literal(f"{table_name(key.target)}.{column}")


Target = Callable[[ForeignKey, str], str]


def body(relation: Relation) -> Iterator[Assignment]:
    """What the ORM needs of a table or view: name, arguments, columns, relationships."""
    yield Assignment("__tablename__", python.literal(relation.name))
    if arguments := [*table_arguments(relation), *_options(relation)]:
        yield Assignment("__table_args__", python.Group("(", tuple(arguments)))
    if relation.row_key == ("ctid",):
        value = python.call(
            "mapped_column",
            python.call("DatabaseType", python.literal("tid")),
            "system=True",
            python.keyword_argument("server_default", python.call("sa.FetchedValue")),
        )
        yield Assignment("ctid", value, "str", "column")
    for name in columns_in_order(relation):
        yield column(relation, name)
    if not relation.key:
        key = tuple(relation.attributes[name] for name in relation.row_key)
        mapping = python.Group("{", (python.Group('"primary_key": [', key, "]"),), "}")
        yield Assignment("__mapper_args__", mapping, kind="mapper")
    elif _is_auth_users(relation):
        foreign = [name for name in ("created_at", "email", "id") if name not in relation.columns]
        mapping = python.Group(
            "{",
            (python.Group('"exclude_properties": [', tuple(map(python.literal, foreign)), "]"),),
            "}",
        )
        yield Assignment("__mapper_args__", mapping, kind="mapper")
    for relationships in (relation.references, relation.referenced_by):
        for relationship in sorted(relationships, key=lambda each: each.attribute):
            yield relationship_of(relationship)


def _is_auth_users(relation: Relation) -> bool:
    """Whether the table shares its name with the platform's, which `base.py` has."""
    return (relation.schema, relation.name) == ("auth", "users")


def table_arguments(relation: Relation, target: Target = target) -> Iterator[python.Node]:
    """The unique constraints and the foreign keys of several columns."""
    for name, parts in relation.constraints("unique"):
        yield python.call(
            "sa.UniqueConstraint",
            *map(python.literal, parts["columns"]),
            f"name={python.literal(name)}",
            *when_checked(parts["definition"].rpartition(")")[2]),
            *_nulls(parts["definition"]),
        )
    for key in relation.foreign_keys:
        if len(key.columns) > 1:
            yield python.call(
                "sa.ForeignKeyConstraint",
                python.strings(key.columns),
                python.Group("[", tuple(target(key, column) for column in key.target_columns), "]"),
                *_foreign_key_options(key),
            )


def _options(relation: Relation) -> Iterator[python.Node]:
    if relation.schema != "public":
        options = [f'"schema": {python.literal(relation.schema)}']
        if _is_auth_users(relation):
            options.append('"extend_existing": True')
        yield python.Group("{", tuple(options), "}")


def column(relation: Relation, name: str, target: Target = target) -> Assignment:
    """A column with its type, keys and default."""
    parts, type_, attribute = (
        relation.columns[name],
        relation.types[name],
        relation.attributes[name],
    )
    arguments: list[python.Node] = [] if attribute == name else [python.literal(name)]
    arguments.append(type_.expression)
    arguments += [
        python.call("sa.ForeignKey", target(key, key.target_columns[0]), *_foreign_key_options(key))
        for key in relation.foreign_keys
        if key.columns == (name,)
    ]
    if "generated" in parts:
        persisted = f"persisted={'virtual' not in parts}"
        arguments.append(python.call("sa.Computed", expression(parts["generated"]), persisted))
    if "identity" in parts:
        arguments.append(_identity(parts))
    if name in relation.key:
        arguments.append("primary_key=True")
    elif type_.annotation == "Any" or relation.is_never_null(name) != ("not_null" in parts):
        arguments.append(f"nullable={'not_null' not in parts}")  # the annotation does not say it
    if "default" in parts:
        arguments.append(python.keyword_argument("server_default", expression(parts["default"])))
    elif name in relation.filled:
        arguments.append("server_default=sa.FetchedValue()")
    if name in relation.column_comments:
        arguments.append(f"comment={python.literal(relation.column_comments[name])}")
    is_optional = not relation.is_never_null(name) and type_.annotation != "Any"
    annotation = type_.annotation + (" | None" if is_optional else "")
    return Assignment(attribute, python.call("mapped_column", *arguments), annotation, "column")


def relationship_of(relationship: Relationship) -> Assignment:
    """A relationship to another class, in both directions."""
    back = f"back_populates={python.literal(relationship.back)}"
    value = python.call("relationship", back, *relationship.options)
    return Assignment(relationship.attribute, value, relationship.annotation, "relationship")


def expression(text: str) -> python.Node:
    """An SQL expression; `text()` would take a colon that stands alone for a parameter."""
    has_lone_colon = re.search(r"(?<!:):(?!:)", text)
    return python.call("sa.literal_column" if has_lone_colon else "sa.text", python.literal(text))


def _identity(parts: dict[str, Any]) -> python.Node:
    """The options that differ from what Postgres would choose (CREATE SEQUENCE)."""
    options = parts.get("identity_options", {})
    largest = {"smallint": 2**15 - 1, "integer": 2**31 - 1}.get(options.get("type"), 2**63 - 1)
    usual = {"start": 1, "increment": 1, "min": 1, "max": largest, "cache": 1, "cycle": None}
    names = {"min": "minvalue", "max": "maxvalue"}
    changed = [
        f"{names.get(option, option)}={options[option]}"
        for option, value in usual.items()
        if options.get(option, value) != value
    ]
    return python.call(
        "sa.Identity", *(["always=True"] if parts["identity"] == "always" else []), *changed
    )


_ACTION = r"(CASCADE|RESTRICT|NO ACTION|SET (?:NULL|DEFAULT)(?: \(.+\))?)"


def _foreign_key_options(key: ForeignKey) -> list[python.Node]:
    options: list[python.Node] = [f"name={python.literal(key.name)}"]
    for event in ("update", "delete"):
        if found := re.search(f" ON {event.upper()} {_ACTION}", key.tail):
            options.append(f"on{event}={python.literal(found[1])}")
    if " MATCH FULL" in key.tail:
        options.append('match="FULL"')
    return options + when_checked(key.tail)


def when_checked(tail: str) -> list[python.Node]:
    options: list[python.Node] = ["deferrable=True"] if " DEFERRABLE" in tail else []
    return [*options, 'initially="DEFERRED"'] if " INITIALLY DEFERRED" in tail else options


def _nulls(text: str) -> list[python.Node]:
    is_distinct = not text.startswith("UNIQUE NULLS NOT DISTINCT ")
    return [] if is_distinct else ["postgresql_nulls_not_distinct=True"]
