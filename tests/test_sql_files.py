"""The nine SQL files of the template, run on Supabase's stub."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from conftest import BOOTSTRAP, PLATFORM, SQL, NewDatabase, run_files
from psycopg import sql
from sample_rows import ALICE, BOB, GUARDRAIL_TABLES, TENANT_TABLES, add_users, fill

ALL_TABLES = TENANT_TABLES + GUARDRAIL_TABLES
MINIMAL = ["01_extensions_and_vector.sql", "05_guardrails.sql"]

DumpSchema = Callable[[str], str]


@pytest.fixture
def database(new_database: NewDatabase, bootstrapped: str) -> str:
    return new_database(bootstrapped)


@pytest.fixture
def bare_database(new_database: NewDatabase, platform: str) -> str:
    return new_database(platform)


def query(conninfo: str, statement: str, *parameters: object) -> list[Any]:
    """The rows of a query; where it has one column, that column."""
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(statement, parameters or None).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def run(conninfo: str, statement: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(statement)


def contents(conninfo: str) -> dict[str, list[Any]]:
    tables = {t: sql.SQL("select * from public.{} order by id") for t in ALL_TABLES}
    with psycopg.connect(conninfo) as connection:
        return {
            name: connection.execute(statement.format(sql.Identifier(name))).fetchall()
            for name, statement in tables.items()
        }


def test_the_bootstrap_order_names_every_file() -> None:
    assert sorted(BOOTSTRAP) == sorted(path.name for path in SQL.glob("*.sql"))


def test_the_platform_stub_may_run_again(bare_database: str, dump_schema: DumpSchema) -> None:
    before = dump_schema(bare_database)
    run(bare_database, PLATFORM.read_text())
    assert dump_schema(bare_database) == before


def test_the_platform_stub_sets_the_search_path_of_its_database(new_database: NewDatabase) -> None:
    conninfo = new_database()
    run(conninfo, PLATFORM.read_text())
    assert query(conninfo, "show search_path") == ['"$user", public, extensions']


def test_a_bootstrap_says_nothing(bare_database: str) -> None:
    assert run_files(bare_database, *BOOTSTRAP) == []


def test_a_second_run_of_every_file_changes_nothing(database: str, dump_schema: DumpSchema) -> None:
    with psycopg.connect(database) as connection:
        add_users(connection)
        for user in (ALICE, BOB):
            fill(connection, ALL_TABLES, user_id=user)
    schema, rows = dump_schema(database), contents(database)
    for name in BOOTSTRAP:
        assert run_files(database, name) == [], name
        assert dump_schema(database) == schema, name
        assert contents(database) == rows, name


def test_the_minimal_pair_stands_alone(bare_database: str, dump_schema: DumpSchema) -> None:
    run_files(bare_database, *MINIMAL)
    tables = query(bare_database, "select tablename from pg_tables where schemaname = 'public'")
    assert sorted(tables) == GUARDRAIL_TABLES
    schema = dump_schema(bare_database)
    assert run_files(bare_database, *MINIMAL) == []
    assert dump_schema(bare_database) == schema


def test_every_table_in_public_is_tenant_scoped_and_closed_by_rls(database: str) -> None:
    rows = query(
        database,
        """
        select relname, relrowsecurity,
          exists (
            select from pg_attribute
            where attrelid = pg_class.oid and attname = 'user_id' and attnotnull
          ),
          exists (
            select from pg_constraint
            where conrelid = pg_class.oid and confrelid = 'auth.users'::regclass
            and confdeltype = 'c'
          )
        from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
        """,
    )
    assert sorted(rows) == [(table, True, True, True) for table in sorted(ALL_TABLES)]


def test_every_foreign_key_has_an_index_that_begins_with_it(database: str) -> None:
    unindexed = query(
        database,
        """
        select conrelid::regclass || '.' || conname from pg_constraint
        where contype = 'f' and connamespace = 'public'::regnamespace
        and not exists (
          select from pg_index where indrelid = conrelid and indkey[0] = conkey[1]
        )
        """,
    )
    assert unindexed == []


def test_deleting_a_user_deletes_what_is_theirs_and_nothing_else(database: str) -> None:
    with psycopg.connect(database) as connection:
        add_users(connection)
        for user in (ALICE, BOB):
            fill(connection, ALL_TABLES, user_id=user)
        connection.execute("delete from auth.users where id = %s", [ALICE])
        for table in ALL_TABLES:
            statement = sql.SQL("select user_id::text from public.{}")
            owners = connection.execute(statement.format(sql.Identifier(table))).fetchall()
            assert owners == [(BOB,)], table


def test_updated_at_moves_with_every_update(database: str) -> None:
    with psycopg.connect(database) as connection:
        add_users(connection)
        fill(connection, ALL_TABLES, user_id=ALICE)
        for table in ALL_TABLES:
            statement = (
                "update public.{} set updated_at = '2000-01-01' returning updated_at = now()"
            )
            moved = connection.execute(sql.SQL(statement).format(sql.Identifier(table))).fetchall()
            assert moved == [(True,)], table


def test_a_vector_in_another_schema_is_explained(bare_database: str) -> None:
    run(bare_database, "create extension vector with schema public")
    with pytest.raises(psycopg.errors.RaiseException, match="schema public") as error:
        run_files(bare_database, "01_extensions_and_vector.sql")
    assert "alter extension vector set schema extensions" in str(error.value.diag.message_hint)


def test_cleanup_drops_the_leftover_but_not_what_came_to_depend_on_it(bare_database: str) -> None:
    first = (SQL / BOOTSTRAP[-1]).read_text("utf-8").splitlines()[0]
    assert "databases that have the left-over" in first and "may go" in first, "why, at once"
    run(bare_database, "create table public.jacuzzi_models ()")
    run_files(bare_database, BOOTSTRAP[-1])
    assert query(bare_database, "select to_regclass('public.jacuzzi_models')") == [None]

    run(bare_database, "create table public.jacuzzi_models ()")
    run(bare_database, "create view public.jacuzzis as select from public.jacuzzi_models")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        run_files(bare_database, BOOTSTRAP[-1])


@pytest.mark.parametrize(
    "statement",
    [
        "create table public.later (id int)",
        "create table public.later as select 1 as id",
        "select 1 as id into public.later",
        "create table public.later (id int) partition by list (id)",
    ],
)
def test_a_table_made_later_begins_closed(bare_database: str, statement: str) -> None:
    for kind in ("tables", "sequences", "functions"):  # an older project
        run(
            bare_database,
            f"alter default privileges in schema public grant all on {kind}"
            " to anon, authenticated, service_role",
        )
    run_files(bare_database, *MINIMAL)
    run(bare_database, statement)
    assert query(
        bare_database,
        "select relrowsecurity, relacl from pg_class where oid = 'public.later'::regclass",
    ) == [(True, None)]


def test_tables_outside_exposed_schemas_are_left_alone(database: str) -> None:
    run(database, "create table private.later (id int); create temporary table later (id int)")
    assert query(
        database, "select relrowsecurity from pg_class where oid = 'private.later'::regclass"
    ) == [False]


def test_a_function_made_later_is_closed_except_where_extensions_live(database: str) -> None:
    for schema, callable_by_anon in [("public", False), ("private", False), ("extensions", True)]:
        run(database, f"create function {schema}.later() returns int language sql return 1")
        assert query(
            database, "select has_function_privilege('anon', %s, 'execute')", f"{schema}.later()"
        ) == [callable_by_anon]


def test_a_role_that_is_no_superuser_can_run_every_file(like_supabase: str) -> None:
    """As on Supabase, where the platform installs the extension on the role's behalf."""
    role = str(psycopg.conninfo.conninfo_to_dict(like_supabase)["user"])
    for _ in range(2):
        assert run_files(like_supabase, *BOOTSTRAP) == [
            (
                f"WARNING: the role {role} may not create an event trigger:"
                " new tables begin without RLS"
            )
        ]
    assert query(like_supabase, "select evtname from pg_event_trigger") == []
    closed = "select count(*) from pg_class where relowner::regrole::text = %s and relrowsecurity"
    assert query(like_supabase, closed, role) == [len(ALL_TABLES)]
