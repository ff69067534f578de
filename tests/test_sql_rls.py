"""Tenant isolation of the nine files, through connections that act as the data API's roles."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from conftest import BOOTSTRAP, NewDatabase, run_files
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sample_rows import (
    ALICE,
    BOB,
    GUARDRAIL_TABLES,
    REFERENCES,
    TENANT_TABLES,
    Ids,
    add_users,
    fill,
    insert,
    sample,
)

ALL_TABLES = TENANT_TABLES + GUARDRAIL_TABLES

# What a user may do with rows of their own. Everything else must be refused.
ALLOWED = {table: {"select", "insert", "update", "delete"} for table in ALL_TABLES} | {
    "raw_events": {"select", "insert", "delete"},
    "jobs": {"select", "insert"},
    "embeddings": {"select"},
    "ai_insights": {"select"},
    "ai_quotas": {"select"},
    "ai_usage": {"select"},
}

API_ROLES = "anon, authenticated, service_role"
PROJECTS = {
    "made since autumn 2026": [],
    "older": [
        f"alter default privileges in schema public grant all on {kind} to {API_ROLES}, postgres"
        for kind in ("tables", "sequences", "functions")
    ],
    "older, hardened by the dashboard": [
        (
            "alter default privileges in schema public"
            f" grant references, trigger, truncate on tables to {API_ROLES}"
        )
    ],
}


class Project:
    """A bootstrapped database in which two users have a row in every table."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        with psycopg.connect(conninfo) as connection:
            add_users(connection)
            self.alice = fill(connection, ALL_TABLES, user_id=ALICE)
            self.bob = fill(connection, ALL_TABLES, user_id=BOB)

    @contextmanager
    def acting_as(self, role: str, user: str | None = None) -> Iterator[psycopg.Connection]:
        """A connection of its own, in a transaction that leaves nothing behind."""
        claims = json.dumps({"sub": user, "role": role} if user else {"role": role})
        with (
            psycopg.connect(self.conninfo) as connection,
            connection.transaction(force_rollback=True),
        ):
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
            yield connection

    @contextmanager
    def refusing(
        self, role: str, user: str | None = None, match: str | None = None
    ) -> Iterator[psycopg.Connection]:
        """The same, where what is attempted must be refused."""
        with (
            self.acting_as(role, user) as connection,
            pytest.raises(InsufficientPrivilege, match=match),
        ):
            yield connection


@pytest.fixture(scope="module", params=PROJECTS)
def project(
    request: pytest.FixtureRequest, lasting_database: NewDatabase, platform: str
) -> Project:
    conninfo = lasting_database(platform)
    with psycopg.connect(conninfo) as connection:
        for statement in PROJECTS[request.param]:
            connection.execute(statement)
    run_files(conninfo, *BOOTSTRAP)
    return Project(conninfo)


def execute(connection: psycopg.Connection, statement: str, table: str, *values: object) -> int:
    return connection.execute(
        sql.SQL(statement).format(sql.Identifier(table)), values or None
    ).rowcount


every_table = pytest.mark.parametrize("table", ALL_TABLES)


@every_table
def test_a_user_sees_their_own_rows_and_no_others(project: Project, table: str) -> None:
    with project.acting_as("authenticated", ALICE) as connection:
        statement = sql.SQL("select id::text, user_id::text from public.{}")
        rows = connection.execute(statement.format(sql.Identifier(table))).fetchall()
    assert rows == [(project.alice[table], ALICE)]


@every_table
def test_a_user_does_with_own_rows_what_is_allowed_and_no_more(
    project: Project, table: str
) -> None:
    def insert_own(connection: psycopg.Connection) -> int:
        return insert(connection, table, {**sample(table, project.alice), "user_id": ALICE})

    def update_own(connection: psycopg.Connection) -> int:
        return execute(connection, "update public.{} set created_at = now()", table)

    def delete_own(connection: psycopg.Connection) -> int:
        return execute(connection, "delete from public.{}", table)

    for command, do in [("insert", insert_own), ("update", update_own), ("delete", delete_own)]:
        with project.acting_as("authenticated", ALICE) as connection:
            if command in ALLOWED[table]:
                assert do(connection) == 1, command
            else:
                with pytest.raises(InsufficientPrivilege):
                    do(connection)


@every_table
def test_a_user_cannot_insert_a_row_for_another(project: Project, table: str) -> None:
    for parents in (project.alice, project.bob):
        with project.refusing("authenticated", ALICE) as connection:
            insert(connection, table, {**sample(table, parents), "user_id": BOB})


@every_table
@pytest.mark.parametrize(
    ("command", "statement"),
    [
        ("update", "update public.{} set created_at = now() where id = %s"),
        ("delete", "delete from public.{} where id = %s"),
    ],
)
def test_a_user_cannot_change_rows_of_another(
    project: Project, table: str, command: str, statement: str
) -> None:
    with project.acting_as("authenticated", ALICE) as connection:
        if command in ALLOWED[table]:
            assert execute(connection, statement, table, project.bob[table]) == 0
        else:
            with pytest.raises(InsufficientPrivilege):
                execute(connection, statement, table, project.bob[table])


@every_table
def test_a_user_cannot_move_a_row_to_another_tenant(project: Project, table: str) -> None:
    with project.refusing("authenticated", ALICE) as connection:
        execute(connection, "update public.{} set user_id = %s", table, BOB)


@pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
def test_a_row_cannot_point_at_a_row_of_another_tenant(
    project: Project, table: str, column: str, parent: str
) -> None:
    astray = {**sample(table, project.alice), column: project.bob[parent], "user_id": ALICE}
    with project.refusing("authenticated", ALICE, match="row-level security") as connection:
        insert(connection, table, astray)
    astray_update = sql.SQL("update public.{} set {} = %s").format(
        sql.Identifier(table), sql.Identifier(column)
    )
    with project.refusing("authenticated", ALICE, match="row-level security") as connection:
        connection.execute(astray_update, [project.bob[parent]])


def test_the_references_that_are_tested_are_all_that_users_can_write(project: Project) -> None:
    with psycopg.connect(project.conninfo) as connection:
        references = connection.execute(
            """
            select conrelid::regclass::text, attname::text, confrelid::regclass::text
            from pg_constraint join pg_attribute on attrelid = conrelid and attnum = conkey[1]
            where contype = 'f' and confrelid <> 'auth.users'::regclass
            and connamespace = 'public'::regnamespace
            and has_table_privilege('authenticated', conrelid, 'insert, update')
            """
        ).fetchall()
    assert sorted(references) == sorted(REFERENCES)


@every_table
@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_nobody_truncates(project: Project, table: str, role: str) -> None:
    with project.refusing(role, ALICE) as connection:
        execute(connection, "truncate public.{} cascade", table)


@every_table
@pytest.mark.parametrize(
    "attempt",
    [
        lambda connection, table, _: execute(connection, "select from public.{}", table),
        lambda connection, table, ids: insert(
            connection, table, {**sample(table, ids), "user_id": ALICE}
        ),
        lambda connection, table, _: execute(connection, "update public.{} set id = id", table),
        lambda connection, table, _: execute(connection, "delete from public.{}", table),
    ],
    ids=["select", "insert", "update", "delete"],
)
def test_anon_reaches_nothing(
    project: Project, table: str, attempt: Callable[[psycopg.Connection, str, Ids], int]
) -> None:
    with project.refusing("anon", ALICE) as connection:
        attempt(connection, table, project.alice)


def test_anon_holds_no_privilege_on_anything_of_ours(project: Project) -> None:
    with psycopg.connect(project.conninfo) as connection:
        held = connection.execute(
            """
            select oid::regclass::text from pg_class
            where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
            and case
              when relkind = 'S' then has_sequence_privilege('anon', oid, 'usage, select, update')
              when relkind in ('r', 'p', 'v', 'm') then
                has_table_privilege('anon', oid, 'select, insert, update, delete, truncate')
                or has_table_privilege('anon', oid, 'references, trigger')
                or has_any_column_privilege('anon', oid, 'select, insert, update, references')
              else false
            end
            union all
            select oid::regprocedure::text from pg_proc
            where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
            and has_function_privilege('anon', oid, 'execute')
            """
        ).fetchall()
    assert held == []


@every_table
def test_a_user_without_claims_sees_nothing(project: Project, table: str) -> None:
    with project.acting_as("authenticated") as connection:
        assert execute(connection, "select from public.{}", table) == 0


@every_table
def test_the_service_role_reads_and_writes_for_every_tenant(project: Project, table: str) -> None:
    with project.acting_as("service_role") as connection:
        assert execute(connection, "select from public.{}", table) == 2
        assert insert(connection, table, {**sample(table, project.bob), "user_id": BOB}) == 1
        assert execute(connection, "update public.{} set created_at = now()", table) == 3
        assert execute(connection, "delete from public.{}", table) == 3


@pytest.mark.parametrize(
    "forged",
    [{"status": "succeeded"}, {"attempts": 9}, {"locked_at": "now"}, {"finished_at": "now"}],
    ids=lambda forged: next(iter(forged)),
)
def test_a_user_can_only_queue_a_job(project: Project, forged: dict[str, object]) -> None:
    with project.refusing("authenticated", ALICE, match="row-level security") as connection:
        insert(connection, "jobs", {"kind": "mail.ingest", "user_id": ALICE, **forged})


def test_embeddings_go_with_their_source_though_users_cannot_write_them(project: Project) -> None:
    with (
        psycopg.connect(project.conninfo) as connection,
        connection.transaction(force_rollback=True),
    ):
        for kind, table in [("interaction", "interactions"), ("message", "messages")]:
            row = sample("embeddings", project.alice) | {"source_kind": kind, "user_id": ALICE}
            insert(connection, "embeddings", row | {"source_id": project.alice[table]})
        connection.execute("set local role authenticated")
        claims = json.dumps({"sub": ALICE})
        connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        assert execute(connection, "select from public.{}", "embeddings") == 3
        execute(connection, "delete from public.{}", "contacts")  # and so its interactions
        assert execute(connection, "select from public.{}", "embeddings") == 1
        execute(connection, "delete from public.{}", "threads")  # and so its messages
        assert execute(connection, "select from public.{}", "embeddings") == 0
        connection.execute("reset role")
        assert execute(connection, "select from public.{}", "embeddings") == 1, "Bob's"


def test_every_kind_of_project_ends_alike(
    new_database: NewDatabase, platform: str, bootstrapped: str, dump_schema: Callable[[str], str]
) -> None:
    expected = sorted(dump_schema(new_database(bootstrapped)).splitlines())
    for statements in PROJECTS.values():
        conninfo = new_database(platform)
        with psycopg.connect(conninfo) as connection:
            for statement in statements:
                connection.execute(statement)
        run_files(conninfo, *BOOTSTRAP)
        assert sorted(dump_schema(conninfo).splitlines()) == expected
