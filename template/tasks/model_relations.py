"""Facts → relations: the facts of each table and view, its names, key and relationships in Python.

The order of columns is no fact, so a class has an order of its own: the key's columns as the key
has them, the others by name, and last the timestamps that most tables share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import python_text as py
from .catalog import RELATION_KINDS, Snapshot, definition, kind, split_name, unquote
from .model_types import IMPORTS, Type, Types, plain_name

# Inside a class a name means the attribute first, so no attribute may hide what annotations and
# calls mention; the rest belongs to SQLAlchemy (`metadata`, `registry`) or to Python (`self`, the
# first parameter of the constructor that takes the columns by name).
_RESERVED = frozenset(
    {"metadata", "registry", "self", "DatabaseType", "type_annotation_map"}
    | {"bool", "bytes", "dict", "float", "int", "list", "str"}
    | {name for section in IMPORTS for _, names in section for name in names}
)

_TIMESTAMPS = (
    "inserted_at",
    "created_at",
    "updated_at",
    "deleted_at",
    "createdAt",
    "updatedAt",
    "deletedAt",
)


@dataclass(frozen=True)
class ForeignKey:
    """A `foreign key` constraint fact. `tail` is what its definition says behind the columns."""

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
    options: tuple[py.Node, ...]


@dataclass
class Relation:
    """A table or view, the facts that are about it, and what they come to in Python."""

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


def read_relations(snapshot: Snapshot) -> tuple[list[Relation], Types, list[str]]:
    """The relations that can be mapped, the types that they use, and what can't be mapped."""
    relations = _relations(snapshot)
    taken = set(_RESERVED)
    names = py.distinct_names(
        sorted(relations, key=_plainest_first),
        lambda identity: py.class_name(plain_name(identity)),
        taken,
    )
    types = Types(snapshot, taken)
    for identity, relation in relations.items():
        relation.class_name = names[identity]
        relation.types = {n: types.of(parts["type"]) for n, parts in relation.columns.items()}
        relation.key = _key(relation, relations)
        relation.row_key = relation.key or _substitute_key(relation)
    mapped = _with_a_key_of_their_own(relations)
    for relation in mapped.values():
        _read_foreign_keys(relation, mapped)
    for relation in mapped.values():
        _name_columns(relation)
    _relate(mapped)
    return list(mapped.values()), types, [i for i in relations if i not in mapped]


def _plainest_first(identity: str) -> tuple[bool, bool, str]:
    """Of two that want one name, the one in `public`, then the one that needs no quotes gets it."""
    return not identity.startswith("public."), '"' in identity, identity


def _relations(snapshot: Snapshot) -> dict[str, Relation]:
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


def _key(relation: Relation, relations: dict[str, Relation]) -> tuple[str, ...]:
    """The primary key's columns; a partition has its parent's."""
    for _, parts in relation.constraints("primary key"):
        return tuple(parts["columns"])
    if "bound" in relation.parts and (parent := relations.get(relation.parts["inherits"][0])):
        return _key(parent, relations)
    return ()


def _unique_columns(relation: Relation) -> list[tuple[str, ...]]:
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


def _substitute_key(relation: Relation) -> tuple[str, ...]:
    """What tells rows apart where there is no primary key.

    Columns that are unique and not null; else all that can be compared; else, in a table, the
    place of the row. `ctid` changes when the row does, so it serves to read, not to update.
    """
    for columns in _unique_columns(relation):
        if relation.all_not_null(columns):
            return columns
    comparable = [name for name in sorted(relation.columns) if relation.types[name].hashable]
    if not comparable and relation.kind in ("table", "materialized view"):
        return ("ctid",)
    return tuple(comparable)


def _with_a_key_of_their_own(relations: dict[str, Relation]) -> dict[str, Relation]:
    """The relations that can be mapped: rows can be told apart, and SQLAlchemy the tables.

    To SQLAlchemy `public."a.b"` and `a.b` are one table.
    """
    mapped = {}
    seen = set()
    for identity, relation in relations.items():
        name = table_name(identity)
        if relation.row_key and name not in seen:
            mapped[identity] = relation
            seen.add(name)
    return mapped


def table_name(identity: str) -> str:
    """How SQLAlchemy refers to a table: one in `public` without its schema."""
    schema, name = map(unquote, split_name(identity))
    return name if schema == "public" else f"{schema}.{name}"


# Foreign keys and columns


def _read_foreign_keys(relation: Relation, mapped: dict[str, Relation]) -> None:
    """The foreign keys that the mapping can express; of the others, what to tell the reader."""
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
    """SQLAlchemy splits `schema.table.column` at the dots, so no name may hold one."""
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
    """An attribute for each column; those that can keep their names come first."""
    taken = relation.taken.union(_RESERVED, *(type_.names for type_ in relation.types.values()))
    for name in sorted(relation.columns, key=lambda n: (py.attribute_name(n, taken) != n, n)):
        relation.attributes[name] = py.attribute_name(name, taken)
        taken.add(relation.attributes[name])
    if relation.row_key == ("ctid",):
        relation.attributes["ctid"] = "ctid"
    relation.taken = taken


def columns_in_order(relation: Relation) -> list[str]:
    """The names of the columns, as the class has them."""
    return sorted(relation.columns, key=lambda name: _column_order(name, relation.row_key))


def _column_order(name: str, key: Sequence[str]) -> tuple[int, int, str]:
    if name in key:
        return 0, key.index(name), name
    if name in _TIMESTAMPS:
        return 2, _TIMESTAMPS.index(name), name
    return 1, 0, name


# Relationships


def _relate(mapped: dict[str, Relation]) -> None:
    """Give every foreign key between two classes its relationship, there and back."""
    named: list[tuple[Relation, ForeignKey, str, str]] = []
    for relation in sorted(mapped.values(), key=lambda each: _plainest_first(each.identity)):
        for key in relation.foreign_keys:
            if key.target in mapped:
                stem = _stem(relation, key)
                wanted = [stem, f"{stem}_{_singular(mapped[key.target].name)}"]
                named.append((relation, key, stem, _relationship_name(relation, wanted)))
    written: dict[str, set[str]] = defaultdict(set)
    # Of two foreign keys with a column in common, the one with more columns says more.
    for relation, key, stem, name in sorted(named, key=lambda each: -len(each[1].columns)):
        target = mapped[key.target]
        back = py.snake_case(plain_name(relation.identity)) or "rows"
        is_plain = stem in (py.snake_case(target.name), _singular(target.name))
        by_stem = f"{back}_by_{stem}"
        reverse = _relationship_name(target, [back, by_stem] if is_plain else [by_stem])
        view_only = not written[relation.identity].isdisjoint(key.columns)
        written[relation.identity].update(key.columns)
        relation.references.append(_forward(relation, key, target, name, reverse, view_only))
        target.referenced_by.append(_backward(relation, key, target, name, reverse, view_only))


def _relationship_name(relation: Relation, wanted: list[str]) -> str:
    """The first of the wanted names that is free, else the last one altered."""
    free = [name for name in wanted if py.attribute_name(name, relation.taken) == name]
    name = free[0] if free else py.attribute_name(wanted[-1], relation.taken)
    relation.taken.add(name)
    return name


def _stem(relation: Relation, key: ForeignKey) -> str:
    """What a foreign key calls its target: `author` for the column `author_id`.

    Of several columns the one that speaks of the target; else what the constraint's name adds to
    the table's.
    """
    stems = [re.sub(r"(?<=[^_])_id$", "", py.snake_case(column)) for column in key.columns]
    target = unquote(split_name(key.target)[1])
    if len(stems) > 1:
        of_target = {py.snake_case(target), _singular(target)}
        named = py.snake_case(key.name).removeprefix(py.snake_case(relation.name) + "_")
        named = re.sub(r"_(?:fkey|fk)$|^fk_", "", named)
        stems = [stem for stem in stems if stem in of_target] or [named]
    return stems[0] or _singular(target) or "row"


def _singular(name: str) -> str:
    """A table's name in the singular, near enough: it only ever tells relationships apart."""
    word = py.snake_case(name)
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + instead
    return word


def _forward(
    relation: Relation,
    key: ForeignKey,
    target: Relation,
    name: str,
    reverse: str,
    view_only: bool,
) -> Relationship:
    """From the referencing row to the one that it references."""
    options = [_attributes("foreign_keys", relation, key.columns)]
    if target is relation:
        options.append(_attributes("remote_side", relation, key.target_columns))
    options += _how_written(relation, key, target, view_only)
    nullable = "" if relation.all_not_null(key.columns) else " | None"
    return Relationship(name, reverse, target.class_name + nullable, tuple(options))


def _backward(
    relation: Relation,
    key: ForeignKey,
    target: Relation,
    name: str,
    reverse: str,
    view_only: bool,
) -> Relationship:
    """From the referenced row to those that reference it; one at most if their columns are unique.

    What becomes of them when it is deleted is the database's to decide (ON DELETE).
    """
    attributes = [f"{relation.class_name}.{relation.attributes[name]}" for name in key.columns]
    columns = attributes[0] if len(attributes) == 1 else f"[{', '.join(attributes)}]"
    options: list[py.Node] = [f"foreign_keys={py.literal(columns)}"]
    options += _how_written(relation, key, target, view_only)
    if not view_only:
        options.append('passive_deletes="all"')
    is_one = any(set(unique) <= set(key.columns) for unique in _unique_columns(relation))
    annotation = f"{relation.class_name} | None" if is_one else f"list[{relation.class_name}]"
    return Relationship(reverse, name, annotation, tuple(options))


def _how_written(
    relation: Relation, key: ForeignKey, target: Relation, view_only: bool
) -> list[py.Node]:
    """Of two new rows that need each other, one is inserted first and updated afterwards."""
    if view_only:
        return ["viewonly=True"]
    is_mutual = target is not relation and any(
        back.target == relation.identity for back in target.foreign_keys
    )
    return ["post_update=True"] if is_mutual and not relation.all_not_null(key.columns) else []


def _attributes(keyword: str, relation: Relation, columns: Iterable[str]) -> py.Node:
    names = tuple(relation.attributes[name] for name in columns)
    return py.keyword_argument(keyword, py.Group("[", names, "]"))
