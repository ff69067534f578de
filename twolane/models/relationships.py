"""Foreign keys → relationships in both directions, and their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from twolane.facts.identities import split_name, unquote
from twolane.models import python
from twolane.models.keys import ForeignKey, Relation, Relationship, plainest_first, unique_columns
from twolane.models.types import plain_name


@dataclass(frozen=True)
class Link:
    """A foreign key from one class to another, and its names in both directions.

    written: the key's columns that its relationships write. overlaps: the names of relationships
    that write some of these, too.
    """

    relation: Relation
    key: ForeignKey
    target: Relation
    name: str
    reverse: str
    written: tuple[str, ...]
    overlaps: tuple[str, ...] = ()

    @property
    def is_partly_written(self) -> bool:
        return self.written != self.key.columns


def relate(mapped: dict[str, Relation]) -> None:
    """Gives every foreign key between two classes its relationships, in both directions."""
    links = list(_links(mapped))
    by_relation: dict[str, list[Link]] = defaultdict(list)
    for link in sorted(links, key=lambda link: _rank(link.relation, link.key)):
        by_relation[link.relation.identity].append(link)
    for link in links:
        others = by_relation[link.relation.identity]
        known = replace(link, overlaps=_overlaps(link, others[: others.index(link)]))
        link.relation.references.append(_forward(known))
        link.target.referenced_by.append(_backward(known))
        if link.is_partly_written:
            link.relation.shared_keys.append(_told(link, others))


def _overlaps(link: Link, before: Sequence[Link]) -> tuple[str, ...]:
    sharing = [each for each in before if not set(each.written).isdisjoint(link.written)]
    return tuple(dict.fromkeys(name for each in sharing for name in (each.name, each.reverse)))


def _links(mapped: dict[str, Relation]) -> Iterator[Link]:
    named: list[tuple[Relation, ForeignKey, str, str]] = []
    written: dict[str, dict[str, tuple[str, ...]]] = {}
    for relation in sorted(mapped.values(), key=lambda each: plainest_first(each.identity)):
        keys = [key for key in relation.foreign_keys if key.target in mapped]
        written[relation.identity] = written_columns(relation, keys)
        for key in keys:
            stem = _stem(relation, key)
            wanted = [stem, f"{stem}_{_singular(mapped[key.target].name)}"]
            named.append((relation, key, stem, _relationship_name(relation, wanted)))
    for relation, key, stem, name in sorted(named, key=lambda each: -len(each[1].columns)):
        target = mapped[key.target]
        back = python.snake_case(plain_name(relation.identity)) or "rows"
        is_plain = stem in (python.snake_case(target.name), _singular(target.name))
        by_stem = f"{back}_by_{stem}"
        reverse = _relationship_name(target, [back, by_stem] if is_plain else [by_stem])
        yield Link(relation, key, target, name, reverse, written[relation.identity][key.name])


def written_columns(relation: Relation, keys: Sequence[ForeignKey]) -> dict[str, tuple[str, ...]]:
    """The columns that the relationship of each key writes, by the key's name.

    Each column that several keys share is written by one of them, or setting one relationship would
    change what another one says: by a key of this column alone, else by a key that every row has.
    A relationship that may be None blanks the columns that it writes, so it writes none that is not
    null. A key of which others write all that it could writes the same columns once more
    ("Overlapping Foreign Keys", https://docs.sqlalchemy.org/en/21/orm/join_conditions.html).
    """
    writable = {key.name: _writable(relation, key) for key in keys}
    writers: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: _rank(relation, key)):
        for column in writable[key.name]:
            writers.setdefault(column, key.name)
    return {
        name: tuple(column for column in columns if writers[column] == name) or columns
        for name, columns in writable.items()
    }


def _rank(relation: Relation, key: ForeignKey) -> tuple[bool, bool]:
    return len(key.columns) > 1, _may_be_none(relation, key)


def _writable(relation: Relation, key: ForeignKey) -> tuple[str, ...]:
    may_be_none = _may_be_none(relation, key)
    return tuple(c for c in key.columns if not (may_be_none and relation.is_never_null(c)))


def _may_be_none(relation: Relation, key: ForeignKey) -> bool:
    return not all(map(relation.is_never_null, key.columns))


def _told(link: Link, others: Sequence[Link]) -> str:
    """What a reader has to set beside the relationship: `boss sets boss_id; tenant_id is …`."""
    words = [f"{link.name} sets {', '.join(link.written)}"]
    for column in (name for name in link.key.columns if name not in link.written):
        by = next((each.name for each in others if column in each.written), "")
        words.append(f"{column} is set by {by}" if by else f"{column} is the row's own to set")
    return "; ".join(words)


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
    if link.is_partly_written:
        options = [_join(link, many=False)]
    else:
        options = [_attributes("foreign_keys", relation, key.columns)]
        if target is relation:
            options.append(_attributes("remote_side", relation, key.target_columns))
    options += _how_written(link)
    nullable = " | None" if _may_be_none(relation, key) else ""
    annotation = f'"{target.class_name}{nullable}"'
    return Relationship(link.name, link.reverse, annotation, tuple(options))


def _backward(link: Link) -> Relationship:
    """The relationship from the referenced row to the rows that reference it.

    At most one if their columns are unique. The database decides what happens to them when the
    referenced row is deleted (ON DELETE).
    """
    relation, key = link.relation, link.key
    if link.is_partly_written:
        options = [_join(link, many=True)]
    else:
        attributes = [f"{relation.class_name}.{relation.attributes[name]}" for name in key.columns]
        columns = attributes[0] if len(attributes) == 1 else f"[{', '.join(attributes)}]"
        options = [f"foreign_keys={python.literal(columns)}"]
    options += [*_how_written(link), 'passive_deletes="all"']
    is_one = any(set(unique) <= set(key.columns) for unique in unique_columns(relation))
    name = relation.class_name
    annotation = f'"{name} | None"' if is_one else f'list["{name}"]'
    return Relationship(link.reverse, link.name, annotation, tuple(options))


def _join(link: Link, *, many: bool) -> python.Node:
    """The condition of the join; of its columns only those that are written are `foreign`.

    many: seen from the referenced row. Of a table that refers to itself `remote` is the other row.
    """
    relation, key, target = link.relation, link.key, link.target
    is_own = target is relation
    pairs = []
    for column, referenced in zip(key.columns, key.target_columns, strict=True):
        here = f"{relation.class_name}.{relation.attributes[column]}"
        there = f"{target.class_name}.{target.attributes[referenced]}"
        here = f"sa.orm.foreign({here})" if column in link.written else here
        here = f"sa.orm.remote({here})" if is_own and many else here
        there = f"sa.orm.remote({there})" if is_own and not many else there
        pairs.append(f"{here} == {there}")
    return python.call("primaryjoin=lambda: sa.and_", *pairs)


def _how_written(link: Link) -> list[python.Node]:
    """Write options: of two new rows that need each other, one is inserted, and updated later."""
    options: list[python.Node] = []
    if link.overlaps:
        options.append(f"overlaps={python.literal(','.join(link.overlaps))}")
    relation, target = link.relation, link.target
    is_mutual = target is not relation and any(
        back.target == relation.identity for back in target.foreign_keys
    )
    if is_mutual and _may_be_none(relation, link.key):
        options.append("post_update=True")
    return options


def _attributes(keyword: str, relation: Relation, columns: Iterable[str]) -> python.Node:
    names = tuple(relation.attributes[name] for name in columns)
    return python.keyword_argument(keyword, python.Group("[", names, "]"))
