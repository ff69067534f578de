"""G12 conventions: names, keys, times, the tenant column, `search_path`. Facts → findings.

The conventions apply only to schemas that `anon` or `authenticated` may use. A finding is an error
if it costs safety or speed, or if a later fix would break clients; the rest are warnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from twolane.facts import identities
from twolane.facts.catalog import Snapshot
from twolane.facts.relations import (
    Relation,
    Routine,
    exposed_schemas,
    relations,
    routines,
    schema_of,
)
from twolane.guards.exposed import open_definers
from twolane.guards.findings import ERROR, WARNING, Finding

_SNAKE = re.compile(r"[a-z_][a-z0-9_]*")
_TIME = {"type": "timestamp with time zone", "not_null": True, "default": "now()"}
_TIMES = ("created_at", "updated_at")
_TYPES = ("enum", "domain", "composite type", "range type")
_USERS = "auth.users"


def find(facts: Snapshot, tenant: str) -> Iterator[Finding]:
    """Departures from the conventions; `tenant` is the tenant column's name.

    Errors: a table, view, column, function or type whose name always needs quotes; a table without
    a primary key; a tenant column without a foreign key that leads to `auth.users`, or without an
    index that begins with it; a `security definer` function that uses the caller's `search_path`,
    unless G13 names it.
    Warnings: a primary key that is no uuid with a default; `created_at`, `updated_at` missing or
    different from `timestamptz not null default now()`; a nullable tenant column; an index or
    constraint whose name needs quotes; another function that uses the caller's `search_path`.
    """
    exposed, found = exposed_schemas(facts), relations(facts)
    tables = {relation.name: relation for relation in found}
    for relation in found:
        if relation.schema in exposed and not relation.is_partition:
            yield from _names(relation)
            if relation.kind == "table":
                yield from _key(relation)
                yield from _times(relation)
                if tenant in relation.columns:
                    yield from _tenant(relation, tenant, tables)
    for identity in facts:
        name = identity.removeprefix(f"{identities.kind(identity)} ")
        if identities.kind(identity) in _TYPES and schema_of(name) in exposed:
            yield from _bad_name(identities.plain(name), "type", identities.plain(name))
    named_by_g13 = open_definers(facts)
    for routine in routines(facts):
        if routine not in named_by_g13:
            yield from _routine(routine, routine.schema in exposed)


def _names(relation: Relation) -> Iterator[Finding]:
    yield from _bad_name(relation.plain, relation.kind, relation.plain)
    if columns := _not_snake(relation.columns):
        yield _finding(
            relation.plain,
            f"Columns of {relation.plain} are not in snake_case: {columns}.",
            "rename them while nothing depends on it: alter table … rename column",
        )
    others = _not_snake({**relation.indexes, **relation.constraints})
    if others and not _not_snake({relation.plain.rpartition(".")[2]: ()}):
        yield _finding(
            relation.plain,
            f"Indexes or constraints of {relation.plain} are not in snake_case: {others}.",
            "alter index … rename to; alter table … rename constraint",
            WARNING,
        )


def _bad_name(name: str, what: str, subject: str) -> Iterator[Finding]:
    if not _SNAKE.fullmatch(name.rpartition(".")[2]):
        yield _finding(
            subject,
            f"The {what} {name} is not in snake_case: every query has to quote it.",
            f"rename it while nothing depends on it: alter {what} … rename to",
        )


def _not_snake(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(name for name in names if not _SNAKE.fullmatch(name)))


def _key(table: Relation) -> Iterator[Finding]:
    keys = [c for c in table.constraints.values() if c["type"] == "primary key"]
    if not keys:
        yield _finding(
            table.plain,
            f"The table {table.plain} has no primary key.",
            "id uuid primary key default gen_random_uuid()",
        )
        return
    columns = keys[0]["columns"]
    pointing = all(_points_somewhere(table, column) for column in columns)
    if not pointing and not (len(columns) == 1 and _is_uuid(table.columns[columns[0]])):
        yield _finding(
            table.plain,
            f"The primary key of {table.plain} ({', '.join(columns)}) is no uuid that the "
            "database makes.",
            "id uuid primary key default gen_random_uuid()",
            WARNING,
        )


def _points_somewhere(table: Relation, column: str) -> bool:
    """Whether the key column is in a foreign key: in a join table, or with one row per user."""
    return any(
        c["type"] == "foreign key" and column in c["columns"] for c in table.constraints.values()
    )


def _is_uuid(column: Mapping[str, object]) -> bool:
    return column["type"] == "uuid" and "default" in column


def _times(table: Relation) -> Iterator[Finding]:
    wrong = [
        name
        for name in _TIMES
        if any(table.columns.get(name, {}).get(part) != value for part, value in _TIME.items())
    ]
    if wrong:
        yield _finding(
            table.plain,
            f"{table.plain} has no {' and no '.join(wrong)} timestamptz not null default now().",
            "in app.py the mixin Timestamps; in SQL the two columns, and the trigger that sets "
            "updated_at (private.set_updated_at)",
            WARNING,
        )


def _tenant(table: Relation, tenant: str, tables: Mapping[str, Relation]) -> Iterator[Finding]:
    first = f"{tenant} uuid not null references {_USERS} (id) on delete cascade"
    if not _leads_to_users(table, tenant, tables, frozenset()):
        yield _finding(
            table.plain,
            f"{table.plain}.{tenant} is the tenant, and no foreign key leads from it to {_USERS}.",
            first,
        )
    if not _has_index(table, tenant):
        yield _finding(
            table.plain,
            f"{table.plain}.{tenant} is the tenant, and no index begins with it: policies compare "
            "it for every row.",
            f"create index on {table.name} ({tenant})",
        )
    if not table.columns[tenant].get("not_null"):
        yield _finding(
            table.plain,
            f"{table.plain}.{tenant} may be null: such a row is nobody's.",
            first,
            WARNING,
        )


def _leads_to_users(
    table: Relation, column: str, tables: Mapping[str, Relation], seen: frozenset[str]
) -> bool:
    """Whether foreign keys lead from the column to `auth.users`, for example by `profiles`."""
    for constraint in table.constraints.values():
        if constraint["type"] != "foreign key" or column not in constraint["columns"]:
            continue
        target = constraint["references"]
        if target == _USERS:
            return True
        next_column = constraint["referenced_columns"][constraint["columns"].index(column)]
        place = f"{target}.{next_column}"
        if target not in tables or place in seen:
            continue
        if _leads_to_users(tables[target], next_column, tables, seen | {place}):
            return True
    return False


def _has_index(table: Relation, tenant: str) -> bool:
    """Whether an index that is not partial, or a key's, begins with the tenant column."""
    led_by = re.compile(rf" USING btree \({tenant}[,) ]")
    keys = ("primary key", "unique")
    return any(
        c["type"] in keys and c["columns"][:1] == [tenant] for c in table.constraints.values()
    ) or any(
        led_by.search(i["definition"]) and " WHERE " not in i["definition"] and "invalid" not in i
        for i in table.indexes.values()
    )


def _routine(routine: Routine, is_exposed: bool) -> Iterator[Finding]:
    if is_exposed:
        yield from _bad_name(routine.plain.partition("(")[0], routine.kind, routine.plain)
    if routine.is_pinned or not (is_exposed or routine.is_definer):
        return
    rights = " and runs with its owner's rights" if routine.is_definer else ""
    yield _finding(
        routine.plain,
        f"The {routine.kind} {routine.plain} finds tables by the caller's search_path{rights}.",
        f"alter {routine.kind} {routine.name} set search_path = '', and qualify names in it",
        ERROR if routine.is_definer else WARNING,
    )


def _finding(subject: str, message: str, first: str, level: str = ERROR) -> Finding:
    return Finding("conventions", subject, message, first, "G12", level)
