"""Facts → relations with names in Python: classes, attributes, what refers to what.

The order of columns is no fact, so a class has an order of its own: the key's columns as the key
has them, the others by name, and last the timestamps that most tables share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from twolane.facts.catalog import Snapshot
from twolane.facts.identities import split_name
from twolane.models import python
from twolane.models.filled import fill
from twolane.models.keys import (
    ForeignKey,
    Relation,
    plainest_first,
    primary_key,
    relations_in,
    substitute_key,
    table_name,
)
from twolane.models.relationships import relate
from twolane.models.types import IMPORTS, Types, plain_name

# Inside a class a name means the attribute first, so no attribute may hide what annotations and
# calls mention; the rest belongs to SQLAlchemy (`metadata`, `registry`) or to Python (`self`, the
# first parameter of the constructor that takes the columns by name).
_RESERVED = frozenset(
    {"metadata", "registry", "self", "DatabaseType", "type_annotation_map"}
    | {"bool", "bytes", "dict", "float", "int", "list", "str"}
    | {name for section in IMPORTS for _, names in section for name in names}
)


def class_names(relations: Iterable[str]) -> dict[str, str]:
    """The name of each relation's class; the relations as `schema.name`."""
    return python.distinct_names(
        sorted(relations, key=plainest_first),
        lambda identity: python.class_name(plain_name(identity)),
        set(_RESERVED),
    )


def read_relations(
    snapshot: Snapshot, names: Mapping[str, str] | None = None
) -> tuple[list[Relation], Types, list[str]]:
    """The relations that can be mapped, the types that they use, and what can't be mapped.

    names: those of all classes, where the snapshot has not every relation.
    """
    relations = relations_in(snapshot)
    names = class_names(relations) if names is None else names
    types = Types(snapshot, {*_RESERVED, *names.values()})
    for identity, relation in relations.items():
        relation.class_name = names[identity]
        relation.types = {n: types.of(parts["type"]) for n, parts in relation.columns.items()}
        relation.key = primary_key(relation, relations)
        relation.row_key = relation.key or substitute_key(relation)
    mapped = _with_a_key_of_their_own(relations)
    for relation in mapped.values():
        _read_foreign_keys(relation, mapped)
    for relation in mapped.values():
        _name_columns(relation)
    fill(relations)
    relate(mapped)
    return list(mapped.values()), types, [i for i in relations if i not in mapped]


def _with_a_key_of_their_own(relations: dict[str, Relation]) -> dict[str, Relation]:
    """The relations that can be mapped: each has a key, and a name of its own in SQLAlchemy.

    For SQLAlchemy `public."a.b"` and `a.b` are one table.
    """
    mapped = {}
    seen = set()
    for identity, relation in relations.items():
        name = table_name(identity)
        if relation.row_key and name not in seen:
            mapped[identity] = relation
            seen.add(name)
    return mapped


def _read_foreign_keys(relation: Relation, mapped: dict[str, Relation]) -> None:
    """Stores the foreign keys that the mapping can express; the others, as text for the reader."""
    seen = set()
    for name, parts in relation.constraints("foreign key"):
        columns, target = tuple(parts["columns"]), parts["references"]
        tail = _behind_columns(parts["definition"])
        key = ForeignKey(name, columns, target, tuple(parts["referenced_columns"]), tail)
        same = (frozenset(columns), target)
        if same in seen or not _is_expressible(key, mapped):
            relation.foreign_keys_left_out.append(f"{name}: {parts['definition']}")
            continue
        seen.add(same)
        relation.foreign_keys.append(key)
        if target in mapped:  # each class will mention the other
            relation.taken.add(mapped[target].class_name)
            mapped[target].taken.add(relation.class_name)


def _is_expressible(key: ForeignKey, mapped: dict[str, Relation]) -> bool:
    """Whether the mapping can express it: SQLAlchemy splits `schema.table.column` at the dots."""
    if key.target == "auth.users":
        return key.target_columns == ("id",)
    if key.target not in mapped or not mapped[key.target].columns.keys() >= {*key.target_columns}:
        return False
    return not any("." in name for name in (*split_name(key.target), *key.target_columns))


def _behind_columns(text: str) -> str:
    """` ON DELETE CASCADE` of `FOREIGN KEY (a) REFERENCES b(c) ON DELETE CASCADE`."""
    without_names = re.sub(r'"(?:[^"]|"")*"', lambda quoted: "x" * len(quoted[0]), text)
    first = without_names.index(")")
    return text[without_names.index(")", first + 1) + 1 :]


def _name_columns(relation: Relation) -> None:
    """Names an attribute for each column; columns that can keep their names come first."""
    taken = relation.taken.union(_RESERVED, *(type_.names for type_ in relation.types.values()))
    for name in sorted(relation.columns, key=lambda n: (python.attribute_name(n, taken) != n, n)):
        relation.attributes[name] = python.attribute_name(name, taken)
        taken.add(relation.attributes[name])
    if relation.row_key == ("ctid",):
        relation.attributes["ctid"] = "ctid"
    relation.taken = taken


def columns_in_order(relation: Relation) -> list[str]:
    """The names of the columns, in the order of the class."""
    return sorted(relation.columns, key=lambda name: _column_order(name, relation.row_key))


_TIMESTAMPS = (
    "inserted_at",
    "created_at",
    "updated_at",
    "deleted_at",
    "createdAt",
    "updatedAt",
    "deletedAt",
)


def _column_order(name: str, key: Sequence[str]) -> tuple[int, int, str]:
    if name in key:
        return 0, key.index(name), name
    if name in _TIMESTAMPS:
        return 2, _TIMESTAMPS.index(name), name
    return 1, 0, name
