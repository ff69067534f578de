"""Facts → relations: the facts of each table and view, and the columns that tell its rows apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from twolane.facts.catalog import Snapshot, definition
from twolane.facts.identities import RELATION_KINDS, kind, split_name, unquote
from twolane.models import python
from twolane.models.types import Type


@dataclass(frozen=True)
class ForeignKey:
    """A `foreign key` constraint fact. `tail` is the part of its definition after the columns."""

    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    tail: str


@dataclass(frozen=True)
class Relationship:
    """One direction of a foreign key."""

    attribute: str
    back: str
    annotation: str
    options: tuple[python.Node, ...]


@dataclass
class Relation:
    """A table or view, the facts about it, and their counterparts in Python."""

    identity: str
    kind: str
    parts: dict[str, Any]
    facts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    comment: str = ""
    column_comments: dict[str, str] = field(default_factory=dict)
    class_name: str = ""
    types: dict[str, Type] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    row_key: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    foreign_keys_left_out: list[str] = field(default_factory=list)
    shared_keys: list[str] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)
    references: list[Relationship] = field(default_factory=list)
    referenced_by: list[Relationship] = field(default_factory=list)

    @property
    def schema(self) -> str:
        return unquote(split_name(self.identity)[0])

    @property
    def name(self) -> str:
        return unquote(split_name(self.identity)[1])

    @property
    def columns(self) -> dict[str, dict[str, Any]]:
        """The `column` facts, by name."""
        return self.facts["column"]

    def constraints(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The `constraint` facts of these types, by name."""
        for name, parts in self.facts["constraint"].items():
            if parts["type"] in types:
                yield name, parts

    def all_not_null(self, columns: Iterable[str]) -> bool:
        return all("not_null" in self.columns[name] for name in columns)

    def is_never_null(self, column: str) -> bool:
        """Whether each row has a value: the column is not null, or in a table its type is."""
        is_stored = self.kind not in ("view", "materialized view")
        return self.all_not_null([column]) or (is_stored and self.types[column].not_null)


def table_name(identity: str) -> str:
    """How SQLAlchemy refers to a table: one in `public` without its schema."""
    schema, name = map(unquote, split_name(identity))
    return name if schema == "public" else f"{schema}.{name}"


def plainest_first(identity: str) -> tuple[bool, bool, str]:
    """A sort key; the first of two with one name keeps it: `public` first, then unquoted."""
    return not identity.startswith("public."), '"' in identity, identity


def relations_in(snapshot: Snapshot) -> dict[str, Relation]:
    """Every table and view with the facts about it, in one pass over each half of the facts."""
    relations: dict[str, Relation] = {}
    others = []
    for identity, text in snapshot.items():
        what = kind(identity)
        if what in RELATION_KINDS:
            name = identity.removeprefix(what + " ")
            relations[name] = Relation(name, what, definition(text))
        elif what in ("column", "constraint", "index", "trigger", "rule", "policy", "rls"):
            others.append((what, identity.removeprefix(what + " "), text))
        elif what == "comment":
            others.append((what, identity.removeprefix("comment "), text))
    for what, name, text in others:
        if what == "comment":
            _add_comment(relations, name, definition(text)["text"])
        elif what == "rls":
            if name in relations:
                relations[name].facts["rls"][""] = definition(text)
        elif found := relations.get((owner_and_part := _split_part(name))[0]):
            found.facts[what][owner_and_part[1]] = definition(text)
    return dict(sorted(relations.items()))


def _add_comment(relations: dict[str, Relation], about: str, text: str) -> None:
    what = kind(about)
    name = about.removeprefix(what + " ")
    if what in RELATION_KINDS and name in relations:
        relations[name].comment = text
    elif what == "column":
        owner, column = _split_part(name)
        if owner in relations:
            relations[owner].column_comments[column] = text


def _split_part(name: str) -> tuple[str, str]:
    """`public.contacts.email` → (`public.contacts`, `email`), the part unquoted."""
    if '"' not in name:
        owner, _, part = name.rpartition(".")
        return owner, part
    parts = split_name(name)
    return ".".join(parts[:-1]), unquote(parts[-1])


def primary_key(relation: Relation, relations: dict[str, Relation]) -> tuple[str, ...]:
    """The primary key's columns; a partition has its parent's."""
    for _, parts in relation.constraints("primary key"):
        return tuple(parts["columns"])
    if "bound" in relation.parts and (parent := relations.get(relation.parts["inherits"][0])):
        return primary_key(parent, relations)
    return ()


def unique_columns(relation: Relation) -> list[tuple[str, ...]]:
    """The sets of columns that are unique for every row, the primary key first."""
    found = [relation.key] if relation.key else []
    found += [tuple(parts["columns"]) for _, parts in relation.constraints("unique")]
    for parts in relation.facts["index"].values():
        if "unique" in parts and (columns := _indexed_columns(parts["definition"])):
            found.append(columns)
    return found


_IDENTIFIER = r'(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
_ON_COLUMNS = re.compile(rf" USING btree \(({_IDENTIFIER}(?:, {_IDENTIFIER})*)\)$")


def _indexed_columns(text: str) -> tuple[str, ...] | None:
    """The columns of an index that is on plain columns and without a predicate."""
    if found := _ON_COLUMNS.search(text):
        return tuple(unquote(name) for name in re.findall(_IDENTIFIER, found[1]))
    return None


def substitute_key(relation: Relation) -> tuple[str, ...]:
    """The columns that tell rows apart where there is no primary key.

    Columns that are unique and not null; else all that can be compared; else, in a table, the
    place of the row. `ctid` changes when the row does, so it serves to read, not to update.
    """
    for columns in unique_columns(relation):
        if relation.all_not_null(columns):
            return columns
    comparable = [name for name in sorted(relation.columns) if relation.types[name].hashable]
    if not comparable and relation.kind in ("table", "materialized view"):
        return ("ctid",)
    return tuple(comparable)
