"""01b on a database that had its tables, and rows in them, before it had tenants."""

import psycopg
import pytest
from conftest import NewDatabase, run_files
from psycopg import sql
from sample_rows import ALICE, BOB, TENANT_TABLES, Ids, add_users, fill

TENANT_COLUMNS = "01b_add_user_tenant_columns.sql"


@pytest.fixture
def legacy(new_database: NewDatabase, platform: str) -> str:
    """The tables as they were before tenants."""
    conninfo = new_database(platform)
    run_files(conninfo, "00_core_tables.sql", "00_chat_tables.sql")
    with psycopg.connect(conninfo) as connection:
        add_users(connection)
    return conninfo


def fill_legacy(conninfo: str, tables: list[str] = TENANT_TABLES) -> Ids:
    with psycopg.connect(conninfo) as connection:
        return fill(connection, tables)


def run(conninfo: str, statement: str, *parameters: object) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(statement, parameters or None)


def owners(conninfo: str) -> dict[str, list[str]]:
    with psycopg.connect(conninfo) as connection:
        return {
            table: [
                row[0]
                for row in connection.execute(
                    sql.SQL("select user_id::text from public.{} order by created_at").format(
                        sql.Identifier(table)
                    )
                )
            ]
            for table in TENANT_TABLES
        }


def test_empty_legacy_tables_get_the_column(legacy: str) -> None:
    assert run_files(legacy, TENANT_COLUMNS) == []
    assert owners(legacy) == {table: [] for table in TENANT_TABLES}


def test_rows_without_an_owner_stop_the_file_and_stay_as_they_are(legacy: str) -> None:
    ids = fill_legacy(legacy)
    with pytest.raises(psycopg.errors.NotNullViolation) as error:
        run_files(legacy, TENANT_COLUMNS)

    for table in TENANT_TABLES:
        assert f"1 in public.{table}" in str(error.value.diag.message_primary)
    assert "twolane.default_user_id" in str(error.value.diag.message_hint)
    with psycopg.connect(legacy) as connection:
        for table in TENANT_TABLES:
            rows = connection.execute(
                sql.SQL("select to_jsonb(t) from public.{} as t").format(sql.Identifier(table))
            ).fetchall()
            assert [row[0]["id"] for row in rows] == [ids[table]]
            assert "user_id" not in rows[0][0], "the transaction was not rolled back whole"


def test_the_hint_can_be_followed_to_the_letter(legacy: str) -> None:
    fill_legacy(legacy)
    with pytest.raises(psycopg.errors.NotNullViolation) as error:
        run_files(legacy, TENANT_COLUMNS)
    hint = str(error.value.diag.message_hint).splitlines()
    statements = [line for line in hint if line.endswith(";")]
    run(legacy, "\n".join(statements).replace("<uuid>", BOB))
    run_files(legacy, TENANT_COLUMNS)
    assert owners(legacy) == {table: [BOB] for table in TENANT_TABLES}


def test_the_default_user_gets_every_row_that_has_no_owner(legacy: str) -> None:
    fill_legacy(legacy)
    messages = run_files(legacy, TENANT_COLUMNS, settings=f"-c twolane.default_user_id={ALICE}")
    assert owners(legacy) == {table: [ALICE] for table in TENANT_TABLES}
    assert "NOTICE: contacts: 1 row(s) given to the default user" in messages
    assert "NOTICE: messages: 1 row(s) inherit the owner of what they belong to" in messages


def test_a_default_user_that_does_not_exist_is_refused(legacy: str) -> None:
    fill_legacy(legacy)
    nobody = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run_files(legacy, TENANT_COLUMNS, settings=f"-c twolane.default_user_id={nobody}")


def test_children_inherit_the_owner_of_what_they_belong_to(legacy: str) -> None:
    for _ in range(2):
        fill_legacy(legacy)
    for table in ("contacts", "raw_events", "jobs"):
        run(legacy, f"alter table public.{table} add column user_id uuid")
        run(
            legacy,
            f"update public.{table} set user_id = case when created_at ="
            f" (select min(created_at) from public.{table}) then %s::uuid else %s::uuid end",
            ALICE,
            BOB,
        )
    run_files(legacy, TENANT_COLUMNS)
    assert owners(legacy) == {table: [ALICE, BOB] for table in TENANT_TABLES}


def test_every_kind_of_embedding_inherits_from_its_source(legacy: str) -> None:
    ids = fill_legacy(legacy)
    with psycopg.connect(legacy) as connection:
        for table in ("interactions", "documents", "messages"):
            connection.execute(
                "insert into public.embeddings (source_kind, source_id, content, model)"
                " values (%s, %s, 'text', 'test')",
                [table.removesuffix("s"), ids[table]],
            )
        for table in ("contacts", "raw_events", "jobs"):
            connection.execute(f"alter table public.{table} add column user_id uuid")
            connection.execute(f"update public.{table} set user_id = %s", [ALICE])
    run_files(legacy, TENANT_COLUMNS)
    assert owners(legacy)["embeddings"] == [ALICE] * 4


def test_an_owner_that_is_known_is_not_overwritten_by_the_default_user(legacy: str) -> None:
    fill_legacy(legacy)
    run(legacy, "alter table public.contacts add column user_id uuid")
    run(legacy, "update public.contacts set user_id = %s", BOB)
    run_files(legacy, TENANT_COLUMNS, settings=f"-c twolane.default_user_id={ALICE}")
    after = owners(legacy)
    assert after["contacts"] == after["messages"] == after["embeddings"] == [BOB]
    assert after["jobs"] == after["raw_events"] == [ALICE]


def test_what_was_unique_becomes_unique_for_each_tenant(legacy: str) -> None:
    run_files(legacy, TENANT_COLUMNS)
    add = "insert into public.contacts (display_name, email, user_id) values ('Ada', 'a@b.c', %s)"
    run(legacy, add, ALICE)
    run(legacy, add, BOB)
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(legacy, add, BOB)
