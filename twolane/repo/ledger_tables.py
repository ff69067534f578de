"""The ledger's tables, in twolane's own private schema.

The schema is outside Supabase's data API and also has Alembic's version table, see `versions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

TABLES = """
create schema if not exists twolane;
revoke all on schema twolane from public;
create table if not exists twolane.sql_runs (
    id bigint generated always as identity primary key,
    file pg_catalog.text not null,
    digest pg_catalog.text not null,
    applied_at pg_catalog.timestamptz not null default pg_catalog.now(),
    applied_by pg_catalog.text not null default session_user,
    duration_ms integer not null
);
create table if not exists twolane.pushes (
    id bigint generated always as identity primary key,
    revision pg_catalog.text not null,
    digest pg_catalog.text not null,
    git_commit pg_catalog.text,
    pushed_at pg_catalog.timestamptz not null default pg_catalog.now(),
    pushed_by pg_catalog.text not null default session_user,
    duration_ms integer not null
);
create table if not exists twolane.label (
    only_one boolean primary key default true check (only_one),
    target pg_catalog.text not null,
    protected boolean not null
);
alter table twolane.sql_runs
    add column if not exists text pg_catalog.text,
    add column if not exists after_migrations boolean;
alter table twolane.pushes
    add column if not exists title pg_catalog.text,
    add column if not exists down pg_catalog.text[],
    add column if not exists ran pg_catalog.text[],
    add column if not exists undo pg_catalog.text[];
alter table twolane.pushes
    add column if not exists online pg_catalog.bool not null default false;
create table if not exists twolane.steps (
    revision pg_catalog.text not null,
    way pg_catalog.text not null,
    step pg_catalog.int4 not null,
    steps pg_catalog.int4 not null,
    digest pg_catalog.text not null,
    statement pg_catalog.text not null,
    touches pg_catalog.text[] not null,
    place pg_catalog.jsonb,
    is_done pg_catalog.bool not null default false,
    begun_at pg_catalog.timestamptz not null default pg_catalog.now(),
    done_at pg_catalog.timestamptz,
    primary key (revision, way, step)
);
create table if not exists twolane.facts (
    id bigint generated always as identity primary key,
    kind pg_catalog.text not null,
    digest pg_catalog.text not null,
    facts pg_catalog.bytea not null,
    recorded_at pg_catalog.timestamptz not null default pg_catalog.now()
);
"""


def prepare(connection: Connection[Any]) -> None:
    """Makes the ledger's tables if they are not there. Call it while holding twolane's lock."""
    newest = ask(
        connection,
        "select pg_catalog.to_regclass('twolane.facts'), pg_catalog.to_regclass('twolane.steps')",
    ).fetchone()
    if newest is None or None in newest:
        connection.execute(TABLES)
