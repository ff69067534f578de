"""The text of an SQL file that gives tenants access to a table. Pure.

It follows the rules at the top of `02_rls_core_tables.sql`: revoke all grants first, one policy per
operation, `to authenticated`, `(select auth.uid())`, parents of the same tenant.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from twolane.facts import identities
from twolane.prove.owners import Owners
from twolane.prove.schema import Relation, Schema
from twolane.sql import ident

WIDTH = 97
NO_NEWS = 'set local client_min_messages = warning; -- "does not exist, skipping" is not news'


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


def file_name(table: Relation) -> str:
    """`20_rls_notes.sql`; a table name that does not fit in a file name gets a hash suffix."""
    name = identities.plain(table.name).removeprefix("public.")
    simple = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if simple != name.replace(".", "_"):
        simple += f"_{sha256(table.name.encode()).hexdigest()[:6]}"
    return f"20_rls_{simple}.sql"


def of_table(
    table: Relation,
    around: Surroundings,
    about: Sequence[str],
    columns: Sequence[str],
    policies: Mapping[str, str],
    suffix: str,
) -> str:
    """The whole text. policies: command → its clauses; users have the right to these commands.

    about: what the policies give, in lines. columns: policies filter by them, so each has an index.
    """
    name = table.name
    told = [f"Row level security for {name}: {about[0]}", *about[1:]]
    lines = "\n-- ".join(line for text in told for line in textwrap.wrap(text, WIDTH))
    parts = [
        f"-- {lines}\n--\n-- Safe to run again.\n\n{NO_NEWS}",
        *(part for column in columns for part in _index(table, around, column)),
        f"alter table {name} enable row level security;",
        f"revoke all on table {name} from public, anon, authenticated, service_role;\n"
        f"grant {', '.join(policies)} on table {name} to authenticated;\n"
        f"grant select, insert, update, delete on table {name} to service_role;",
        *_sequences(table, around, "insert" in policies),
        *(_policy(table, command, clauses, suffix) for command, clauses in policies.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _policy(table: Relation, operation: str, clauses: str, suffix: str) -> str:
    # Postgres cuts names at 63 bytes; the four policies would get the same name.
    short = identities.unquote(table.short).encode()[:50].decode(errors="ignore")
    policy = ident(f"{short}_{operation}_{suffix}")
    return (
        f"drop policy if exists {policy} on {table.name};\n"
        f"create policy {policy} on {table.name}\n"
        f"for {operation} to authenticated\n{clauses};"
    )


def _index(table: Relation, around: Surroundings, column: str) -> Sequence[str]:
    if (table.name, column) in around.indexed:
        return []
    name = identities.unquote(table.short)
    index = ident(f"{name.encode()[:40].decode(errors='ignore')}_{column[:15]}_idx")
    return [
        "-- The policies filter by it in every query.\n"
        f"create index if not exists {index} on {table.name} ({ident(column)});"
    ]


def _sequences(table: Relation, around: Surroundings, may_insert: bool) -> list[str]:
    """SQL for the rights on sequences: an insert needs one for a serial, none for an identity."""
    parts = []
    for sequence, is_serial in around.sequences[table.name].items():
        lines = [
            f"revoke all on sequence {sequence} from public, anon, authenticated, service_role;"
        ]
        if is_serial:
            to = "authenticated, service_role" if may_insert else "service_role"
            lines.append(f"grant usage on sequence {sequence} to {to};")
        parts.append("\n".join(lines))
    return parts


def spellings(qualified: str) -> set[str]:
    """The names that a user may type: `public."Mixed"`, `public.Mixed`, `"Mixed"`, `Mixed`."""
    last = identities.split_name(qualified)[-1]
    return {qualified, identities.plain(qualified), last, identities.unquote(last)}
