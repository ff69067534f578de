"""Foreign keys → relationships in both directions, and their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twolane.facts.identities import split_name, unquote
from twolane.models import python
from twolane.models.keys import ForeignKey, Relation, Relationship, plainest_first, unique_columns
from twolane.models.types import plain_name


@dataclass(frozen=True)
class Link:
    """A foreign key from one class to another, and its names in both directions.

    view_only: another relationship writes one of its columns.
    """

    relation: Relation
    key: ForeignKey
    target: Relation
    name: str
    reverse: str
    view_only: bool


def relate(mapped: dict[str, Relation]) -> None:
    """Gives every foreign key between two classes its relationships, in both directions."""
    for link in _links(mapped):
        link.relation.references.append(_forward(link))
        link.target.referenced_by.append(_backward(link))


def _links(mapped: dict[str, Relation]) -> Iterator[Link]:
    named: list[tuple[Relation, ForeignKey, str, str]] = []
    for relation in sorted(mapped.values(), key=lambda each: plainest_first(each.identity)):
        for key in relation.foreign_keys:
            if key.target in mapped:
                stem = _stem(relation, key)
                wanted = [stem, f"{stem}_{_singular(mapped[key.target].name)}"]
                named.append((relation, key, stem, _relationship_name(relation, wanted)))
    written: dict[str, set[str]] = defaultdict(set)
    # Of two foreign keys that share a column, the one with more columns is more specific.
    for relation, key, stem, name in sorted(named, key=lambda each: -len(each[1].columns)):
        target = mapped[key.target]
        back = python.snake_case(plain_name(relation.identity)) or "rows"
        is_plain = stem in (python.snake_case(target.name), _singular(target.name))
        by_stem = f"{back}_by_{stem}"
        reverse = _relationship_name(target, [back, by_stem] if is_plain else [by_stem])
        view_only = not written[relation.identity].isdisjoint(key.columns)
        written[relation.identity].update(key.columns)
        yield Link(relation, key, target, name, reverse, view_only)


def _relationship_name(relation: Relation, wanted: list[str]) -> str:
    """The first of the wanted names that is free, else the last one altered."""
    free = [name for name in wanted if python.attribute_name(name, relation.taken) == name]
    name = free[0] if free else python.attribute_name(wanted[-1], relation.taken)
    relation.taken.add(name)
    return name


def _stem(relation: Relation, key: ForeignKey) -> str:
    """What a foreign key calls its target: `author` for the column `author_id`.

    Of several columns the one that names the target; else what the constraint's name adds to the
    table's name.
    """
    stems = [re.sub(r"(?<=[^_])_id$", "", python.snake_case(column)) for column in key.columns]
    target = unquote(split_name(key.target)[1])
    if len(stems) > 1:
        of_target = {python.snake_case(target), _singular(target)}
        named = python.snake_case(key.name).removeprefix(python.snake_case(relation.name) + "_")
        named = re.sub(r"_(?:fkey|fk)$|^fk_", "", named)
        stems = [stem for stem in stems if stem in of_target] or [named]
    return stems[0] or _singular(target) or "row"


def _singular(name: str) -> str:
    """A table's name in the singular, roughly: it only serves to tell relationships apart."""
    word = python.snake_case(name)
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + instead
    return word


def _forward(link: Link) -> Relationship:
    """The relationship from the referencing row to the row that it references."""
    relation, key, target = link.relation, link.key, link.target
    options = [_attributes("foreign_keys", relation, key.columns)]
    if target is relation:
        options.append(_attributes("remote_side", relation, key.target_columns))
    options += _how_written(link)
    nullable = "" if relation.all_not_null(key.columns) else " | None"
    annotation = f'"{target.class_name}{nullable}"'
    return Relationship(link.name, link.reverse, annotation, tuple(options))


def _backward(link: Link) -> Relationship:
    """The relationship from the referenced row to the rows that reference it.

    At most one if their columns are unique. The database decides what happens to them when the
    referenced row is deleted (ON DELETE).
    """
    relation, key = link.relation, link.key
    attributes = [f"{relation.class_name}.{relation.attributes[name]}" for name in key.columns]
    columns = attributes[0] if len(attributes) == 1 else f"[{', '.join(attributes)}]"
    options: list[python.Node] = [f"foreign_keys={python.literal(columns)}"]
    options += _how_written(link)
    if not link.view_only:
        options.append('passive_deletes="all"')
    is_one = any(set(unique) <= set(key.columns) for unique in unique_columns(relation))
    name = relation.class_name
    annotation = f'"{name} | None"' if is_one else f'list["{name}"]'
    return Relationship(link.reverse, link.name, annotation, tuple(options))


def _how_written(link: Link) -> list[python.Node]:
    """Write options: of two new rows that need each other, one is inserted, and updated later."""
    if link.view_only:
        return ["viewonly=True"]
    relation, target = link.relation, link.target
    is_mutual = target is not relation and any(
        back.target == relation.identity for back in target.foreign_keys
    )
    needs_other = relation.all_not_null(link.key.columns)
    return ["post_update=True"] if is_mutual and not needs_other else []


def _attributes(keyword: str, relation: Relation, columns: Iterable[str]) -> python.Node:
    names = tuple(relation.attributes[name] for name in columns)
    return python.keyword_argument(keyword, python.Group("[", names, "]"))
