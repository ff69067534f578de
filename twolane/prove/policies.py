"""The text of the SQL file that gives tenants access to a table of the app. Pure.

It follows the rules at the top of `02_rls_core_tables.sql`: revoke all grants first, one policy per
operation, `to authenticated`, `(select auth.uid())`, parents of the same tenant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256

from twolane.errors import Failure
from twolane.facts import identities
from twolane.prove.owners import Owners
from twolane.prove.schema import ForeignKey, Relation, Schema
from twolane.sql import ident


@dataclass(frozen=True)
class Surroundings:
    """The facts about the database at head that a new file needs.

    app: the tables that migrations create. sequences: table → sequence → whether inserts need a
    right on it. indexed: the (table, column) pairs where an index begins with the column.
    """

    schema: Schema
    owners: Owners
    app: frozenset[str]
    sequences: Mapping[str, Mapping[str, bool]]
    indexed: frozenset[tuple[str, str]]


def find(name: str, around: Surroundings) -> Relation:
    """The app's table of that name, with or without its schema and quotes.

    Raises:
        Failure: no table, or several tables, have the name, or lane A owns the table.
    """
    found = [t for t in around.schema.tables if t.exposed and name in _names(t.name)]
    ours = [table for table in found if table.name in around.app]
    if len(ours) > 1:
        raise Failure(
            f"{name} may be {' or '.join(t.name for t in ours)}.", f"invoke db.rls {ours[0].name}"
        )
    if ours:
        return ours[0]
    if found:
        raise Failure(
            f"{found[0].name} is lane A's: an SQL file makes it, and its policies stand there.",
            "Edit its file in supabase/sql, then: invoke db.apply",
        )
    known = {spelled: table for table in around.app for spelled in _names(table)}
    near = list(dict.fromkeys(known[n] for n in get_close_matches(name, known, 3)))
    raise Failure(
        f"The revisions make no table {name}"
        + (f"; near it: {', '.join(near)}." if near else ".")
        + ("" if around.app else " They make none at all."),
        f"invoke db.rls {near[0]}" if near else 'For a table in app.py: invoke db.gen -m "…"',
    )


def tenant(table: Relation, around: Surroundings, column: str | None, via: str | None) -> str:
    """The column that identifies the owner of a row.

    Raises:
        Failure: the table has no such column, or `via` is not a key to a table with a tenant.
    """
    named = column or via
    if named and not table.has(named):
        names = [c.name for c in table.columns]
        near = get_close_matches(named, names, 1) or names[:1]
        option = "--column" if column else "--via"
        raise Failure(
            f"{table.name} has no column {named}; it has {', '.join(names)}.",
            f"invoke db.rls {table.name} {option} {near[0]}",
        )
    if via:
        if not any(key.columns[0] == via for key in around.owners.links(table)):
            raise Failure(
                f"{table.name}.{via} refers to no table that has a tenant.",
                "Name a foreign key to one, or a column with the user's id: --column NAME",
            )
        return via
    own = column or around.owners.user_column(table)
    if own is None:
        links = [key.columns[0] for key in around.owners.links(table)]
        raise Failure(
            f"{table.name} has no tenant column {around.owners.column}, nor a key to auth.users.",
            f"Through its parent: invoke db.rls {table.name} --via {links[0]}"
            if links
            else "Add TenantOwned to its model, or name the column: --column NAME",
        )
    return own


def file_name(table: Relation) -> str:
    """`20_rls_notes.sql`; a table name that does not fit in a file name gets a hash suffix."""
    name = identities.plain(table.name).removeprefix("public.")
    simple = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if simple != name.replace(".", "_"):
        simple += f"_{sha256(table.name.encode()).hexdigest()[:6]}"
    return f"20_rls_{simple}.sql"


def render(table: Relation, around: Surroundings, column: str, read_only: bool) -> str:
    """The text of the file.

    Raises:
        Failure: the policies read a parent table that users may not read.
    """
    name = table.name
    mine = _is_mine(ident(column), table, column, around, _alias(table), 1)
    check = "\n  and ".join([mine, *_same_tenant(table, around, column)])
    policies = [_policy(table, "select", f"using ({mine})")]
    if not read_only:
        policies += [
            _policy(table, "insert", f"with check (\n  {check}\n)"),
            _policy(table, "update", f"using ({mine})\nwith check (\n  {check}\n)"),
            _policy(table, "delete", f"using ({mine})"),
        ]
    may = "select" if read_only else "select, insert, update, delete"
    doing = "sees" if read_only else "sees and changes"
    parts = [
        f"-- Row level security for {name}: each user {doing} their own rows, nobody else's.\n"
        "--\n-- Safe to run again.\n\n"
        'set local client_min_messages = warning; -- "does not exist, skipping" is not news',
        *_index(table, around, column),
        f"alter table {name} enable row level security;",
        f"revoke all on table {name} from public, anon, authenticated, service_role;\n"
        f"grant {may} on table {name} to authenticated;\n"
        f"grant select, insert, update, delete on table {name} to service_role;",
        *_sequences(table, around, read_only),
        *policies,
    ]
    return "\n\n".join(parts) + "\n"


def _is_mine(
    spelled: str, table: Relation, column: str, around: Surroundings, alias: str, depth: int
) -> str:
    """SQL: whether the current user owns a row; follows parents up to the tenant column."""
    key = next((k for k in around.owners.links(table) if k.columns[0] == column), None)
    if key is None or around.owners.user_column(table) == column:
        cast = "" if table.column(column).type.base == "uuid" else "::text"
        return f"(select auth.uid()){cast} = {spelled}"
    parent = _readable(key, table, around)
    inner = f"parent_{depth}" if depth > 1 else "parent"
    step = str(around.owners.tenant(parent))
    return (
        f"exists (\n    select 1 from {parent.name} as {inner}\n"
        f"    where {inner}.{ident(key.parent_columns[0])} = {alias}.{ident(column)}\n    and "
        f"{_is_mine(f'{inner}.{ident(step)}', parent, step, around, inner, depth + 1)}\n  )"
    )


def _readable(key: ForeignKey, table: Relation, around: Surroundings) -> Relation:
    parent = around.schema.relations[key.parent]
    if "r" not in parent.rights["authenticated"]:
        raise Failure(
            f"The policies of {table.name} would ask {parent.name}, which is closed to users.",
            f"invoke db.rls {parent.name}",
        )
    return parent


def _same_tenant(table: Relation, around: Surroundings, column: str) -> list[str]:
    """SQL conditions: the same user owns each parent of a row; for parents that users may read."""
    if around.owners.user_column(table) != column:
        return []
    alias, found = _alias(table), []
    for key in around.owners.links(table):
        parent = around.schema.relations[key.parent]
        own = around.owners.user_column(parent)
        if own is None or key.parent == table.name or "r" not in parent.rights["authenticated"]:
            continue
        refers = ident(key.columns[0])
        exists = (
            f"exists (\n    select 1 from {parent.name} as parent\n"
            f"    where parent.{ident(key.parent_columns[0])} = {alias}.{refers}\n"
            f"    and parent.{ident(own)} = {alias}.{ident(column)}\n  )"
        )
        optional = not table.column(key.columns[0]).required
        found.append(f"({refers} is null or {exists})" if optional else exists)
    return found


def _policy(table: Relation, operation: str, conditions: str) -> str:
    # Postgres cuts names at 63 bytes; the four policies would get the same name.
    short = identities.unquote(_alias(table)).encode()[:50].decode(errors="ignore")
    policy = ident(f"{short}_{operation}_own")
    return (
        f"drop policy if exists {policy} on {table.name};\n"
        f"create policy {policy} on {table.name}\n"
        f"for {operation} to authenticated\n{conditions};"
    )


def _index(table: Relation, around: Surroundings, column: str) -> Sequence[str]:
    if (table.name, column) in around.indexed:
        return []
    name = identities.unquote(_alias(table))
    index = ident(f"{name.encode()[:40].decode(errors='ignore')}_{column[:15]}_idx")
    return [
        "-- The policies filter by it in every query.\n"
        f"create index if not exists {index} on {table.name} ({ident(column)});"
    ]


def _sequences(table: Relation, around: Surroundings, read_only: bool) -> list[str]:
    """SQL for the rights on sequences: an insert needs one for a serial, none for an identity."""
    parts = []
    for sequence, is_serial in around.sequences[table.name].items():
        lines = [
            f"revoke all on sequence {sequence} from public, anon, authenticated, service_role;"
        ]
        if is_serial:
            to = "service_role" if read_only else "authenticated, service_role"
            lines.append(f"grant usage on sequence {sequence} to {to};")
        parts.append("\n".join(lines))
    return parts


def _alias(table: Relation) -> str:
    return identities.split_name(table.name)[-1]


def _names(qualified: str) -> set[str]:
    """The names that a user may type: `public."Mixed"`, `public.Mixed`, `"Mixed"`, `Mixed`."""
    last = identities.split_name(qualified)[-1]
    return {qualified, identities.plain(qualified), last, identities.unquote(last)}
