"""What has been done to a database, recorded in its own private schema `twolane`.

The schema is outside Supabase's data API and also has Alembic's version table. Each row is written
in the transaction of the work that it records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.repo.sqlfiles import SqlFile

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.repo.revisions import Revision

TABLES = """
create schema if not exists twolane;
revoke all on schema twolane from public;
create table if not exists twolane.sql_runs (
    id bigint generated always as identity primary key,
    file text not null,
    digest text not null,
    applied_at timestamptz not null default now(),
    applied_by text not null default session_user,
    duration_ms integer not null
);
create table if not exists twolane.pushes (
    id bigint generated always as identity primary key,
    revision text not null,
    digest text not null,
    git_commit text,
    pushed_at timestamptz not null default now(),
    pushed_by text not null default session_user,
    duration_ms integer not null
);
create table if not exists twolane.label (
    only_one boolean primary key default true check (only_one),
    target text not null,
    protected boolean not null
);
"""


@dataclass(frozen=True)
class Ledger:
    """The newest state of the ledger; empty for a database that twolane never changed.

    applied: SQL file → digest at its last run. pushed: revision → digest when it was pushed.
    revision: where Alembic stands. protected_as: the target's name if the database is protected.
    """

    applied: Mapping[str, str] = field(default_factory=dict)
    pushed: Mapping[str, str] = field(default_factory=dict)
    revision: str | None = None
    protected_as: str | None = None


def read(connection: Connection[Any]) -> Ledger:
    """The ledger in at most two round trips."""
    row = connection.execute(
        "select to_regclass('twolane.sql_runs'), to_regclass('twolane.alembic_version')"
    ).fetchone()
    if row is None or row[0] is None:
        return Ledger()
    version = "select version_num from twolane.alembic_version" if row[1] else "select null::text"
    found = connection.execute(
        f"""
        select
            (select json_object_agg(file, digest) from (
                select distinct on (file) file, digest
                from twolane.sql_runs order by file, id desc) f),
            (select json_object_agg(revision, digest) from (
                select distinct on (revision) revision, digest
                from twolane.pushes order by revision, id desc) p),
            (select max(version_num) from ({version}) v (version_num)),
            (select target from twolane.label where protected)
        """.encode()
    ).fetchone()
    assert found is not None
    applied, pushed, revision, protected_as = found
    return Ledger(applied or {}, pushed or {}, revision, protected_as)


def prepare(connection: Connection[Any]) -> None:
    """Makes the ledger's tables if they are not there. Call it while holding twolane's lock."""
    if connection.execute("select to_regclass('twolane.label')").fetchone() == (None,):
        connection.execute(TABLES)


def record_file(connection: Connection[Any], file: SqlFile, milliseconds: int) -> None:
    connection.execute(
        "insert into twolane.sql_runs (file, digest, duration_ms) values (%s, %s, %s)",
        (file.name, file.digest, milliseconds),
    )


def record_push(
    connection: Connection[Any], revision: Revision, commit: str | None, milliseconds: int
) -> None:
    connection.execute(
        "insert into twolane.pushes (revision, digest, git_commit, duration_ms) "
        "values (%s, %s, %s, %s)",
        (revision.id, revision.digest, commit, milliseconds),
    )


def label(connection: Connection[Any], target: str) -> None:
    """Marks the database as protected under the target's name."""
    connection.execute(
        "insert into twolane.label (target, protected) values (%s, true) "
        "on conflict (only_one) do update set target = excluded.target, protected = true",
        (target,),
    )
