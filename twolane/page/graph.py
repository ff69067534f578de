"""Tables and the keys between them, as a picture shows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from twolane.errors import Failure
from twolane.facts import relations
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import plain
from twolane.facts.relations import Relation

TABLES = ("table", "foreign table")
OPEN, CLOSED, LIMITED = "open", "closed", "policies"

_SHORT = {
    "character varying": "varchar",
    "character": "char",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "double precision": "float8",
    "boolean": "bool",
    "integer": "int",
}


@dataclass(frozen=True)
class Column:
    """type: shortened. refers: `table.column` that it refers to, also of the platform."""

    name: str
    type: str
    is_key: bool
    refers: str
    is_required: bool


@dataclass(frozen=True)
class Table:
    """name: without quotes. lane: "sql" or "app". rls: "open" (row level security is off),
    "closed" (on, no policy), "policies"."""

    name: str
    lane: str
    rls: str
    columns: Sequence[Column]


@dataclass(frozen=True)
class Link:
    """A foreign key between two of the tables. many: whether several rows may refer to one."""

    name: str
    child: str
    columns: Sequence[str]
    parent: str
    parent_columns: Sequence[str]
    is_required: bool
    is_many: bool


@dataclass(frozen=True)
class Graph:
    tables: Sequence[Table]
    links: Sequence[Link]


def graph(facts: Snapshot, app: Collection[str]) -> Graph:
    """All tables but partitions. app: the identities of the app lane's facts."""
    return of(relations.relations(facts), app)


def of(everything: Sequence[Relation], app: Collection[str]) -> Graph:
    """The same, of relations that were put together before."""
    found = [r for r in everything if r.kind in TABLES and not r.is_partition]
    shown = {relation.name for relation in found}
    tables = [
        Table(
            relation.plain,
            lane(relation, app),
            rls(relation),
            list(_columns(relation)),
        )
        for relation in found
    ]
    return Graph(tables, [link for relation in found for link in _links(relation, shown)])


def lane(relation: Relation, app: Collection[str]) -> str:
    """Whose the relation is. app: the identities of the app lane's facts."""
    return "app" if f"{relation.kind} {relation.name}" in app else "sql"


def rls(relation: Relation) -> str:
    """What row level security does to the rows."""
    return (LIMITED if relation.policies else CLOSED) if relation.rls else OPEN


def around(whole: Graph, name: str, depth: int) -> Graph:
    """The table and those that so many keys lead to, in either direction.

    Raises:
        Failure: no table has the name.
    """
    chosen = {_named(whole, name)}
    for _ in range(depth):
        near = [link for link in whole.links if chosen & {link.child, link.parent}]
        chosen |= {end for link in near for end in (link.child, link.parent)}
    return Graph(
        [table for table in whole.tables if table.name in chosen],
        [link for link in whole.links if {link.child, link.parent} <= chosen],
    )


def _named(whole: Graph, name: str) -> str:
    names = [table.name for table in whole.tables]
    wanted = plain(name) if '"' in name else name
    for known in (wanted, f"public.{wanted}"):
        if known in names:
            return known
    local = [known for known in names if known.partition(".")[2] == wanted]
    if len(local) == 1:
        return local[0]
    near = local or get_close_matches(f"public.{wanted}", names, 3) or names[:1]
    told = f" The nearest: {', '.join(near)}." if near else ""
    raise Failure(
        f"There is no table {name}.{told}",
        f"invoke db.diagram --around '{near[0]}'" if near else "",
    )


@cache
def short_type(type_: str) -> str:
    """`timestamp with time zone` → `timestamptz`; without the schema of an extension."""
    type_ = type_.removeprefix("extensions.")
    for long, short in _SHORT.items():
        if re.match(rf"{long}(?![\w ])", type_):
            return short + type_.removeprefix(long)
    if found := re.match(r"(timestamp|time)\((\d)\) with(out)? time zone(.*)", type_):
        return f"{found[1]}{'' if found[3] else 'tz'}({found[2]}){found[4]}"
    return type_


def _columns(relation: Relation) -> Iterator[Column]:
    keys: set[str] = set()
    refers: dict[str, str] = {}
    for parts in relation.constraints.values():
        if parts["type"] == "primary key":
            keys |= set(parts["columns"])
        if parts["type"] == "foreign key":
            pairs = zip(parts["columns"], parts["referenced_columns"], strict=True)
            for own, other in pairs:
                refers.setdefault(own, f"{plain(parts['references'])}.{other}")
    ordered = sorted(relation.columns, key=lambda name: (name not in keys, name not in refers))
    for name in ordered:
        parts = relation.columns[name]
        required = bool(parts.get("not_null"))
        yield Column(name, short_type(parts["type"]), name in keys, refers.get(name, ""), required)


def _links(relation: Relation, shown: Collection[str]) -> Iterator[Link]:
    unique = {
        frozenset(parts["columns"])
        for parts in relation.constraints.values()
        if parts["type"] in ("primary key", "unique")
    }
    for name, parts in relation.constraints.items():
        if parts["type"] != "foreign key" or parts["references"] not in shown:
            continue
        columns = parts["columns"]
        yield Link(
            name,
            relation.plain,
            columns,
            plain(parts["references"]),
            parts["referenced_columns"],
            all(relation.columns[column].get("not_null") for column in columns),
            not any(each <= set(columns) for each in unique),
        )
