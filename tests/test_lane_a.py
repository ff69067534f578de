"""Lane A: SQL files into the database."""

import shutil
import signal
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase, run_files
from sample_rows import ALICE, TENANT_TABLES, add_users, fill
from service import Service, render
from steps import SQL, add_sql, tables, wait_until

from twolane.postgres import transactions

RAN = "select file, digest, applied_by = session_user, duration_ms >= 0 from twolane.sql_runs"


@pytest.mark.parametrize("starter", ["omnicrm", "minimal"])
def test_bootstrap_of_a_fresh_render_leaves_git_clean(
    starter: str,
    ready_service: Service,
    new_database: NewDatabase,
    platform: str,
    tmp_path: Path,
) -> None:
    service = render(tmp_path / "crm", starter=starter)
    service.env = ready_service.env | {"DATABASE_URL": new_database(platform)}

    result = service.invoke("db.bootstrap")

    assert "✓ No schema changes." in result.out
    assert "Commit:" not in result.out, "there is nothing to commit"
    assert service.git("status", "--porcelain") == ""
    again = service.invoke("db.bootstrap")
    assert ".sql" not in again.out, "a second bootstrap runs no file"


def test_apply_runs_new_and_changed_files_in_order_and_records_them(service: Service) -> None:
    second = "create table if not exists second ();"
    add_sql(service, "20_first.sql", "create table if not exists first (id int primary key);")
    add_sql(service, "10_second.sql", second)  # bootstrap.txt decides, not the name
    before = len(service.sql(RAN))

    result = service.invoke("db.apply")

    assert "Applied to target default: 20_first.sql, 10_second.sql." in result.out
    assert "invoke db.sync" in result.out
    digest = sha256(second.encode()).hexdigest()
    rows = service.sql(f"{RAN} order by id")[before:]
    assert [row[0] for row in rows] == ["20_first.sql", "10_second.sql"]
    assert rows[1] == ("10_second.sql", digest, True, True)

    assert "Nothing to apply" in service.invoke("db.apply").out
    service.write(f"{SQL}/10_second.sql", second.replace(";", ";\r\n"))
    service.invoke("db.apply")
    service.write(f"{SQL}/20_first.sql", "comment on table first is 'changed';")
    result = service.invoke("db.apply")
    assert "Applied to target default: 20_first.sql." in result.out


def test_line_ends_alone_are_no_change(service: Service) -> None:
    path = service.folder / SQL / "00_core_tables.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "Nothing to apply" in service.invoke("db.apply").out


def test_a_file_given_by_name_runs_though_it_is_unchanged(service: Service) -> None:
    names = ("01_extensions_and_vector.sql", "supabase/sql/00_core_tables.sql")
    result = service.invoke("db.apply", *(part for name in names for part in ("--file", name)))
    done = "Applied to target default: 00_core_tables.sql, 01_extensions_and_vector.sql."
    assert done in result.out

    result = service.invoke("db.apply", "--file", "nothing.sql", code=1)
    assert "bootstrap.txt lists no nothing.sql" in result.err


def test_a_failing_file_leaves_nothing_of_itself_and_the_earlier_ones_stay(
    service: Service,
) -> None:
    add_sql(service, "10_good.sql", "create table good ();")
    add_sql(service, "11_bad.sql", "create table bad ();\n\nselect 1,\n  nix from good;\n")
    add_sql(service, "12_later.sql", "create table later ();")

    result = service.invoke("db.apply", code=1)

    assert '11_bad.sql:4:3: column "nix" does not exist' in result.err
    assert "\n      nix from good;\n      ^\n" in result.err
    assert "Nothing of this file was applied" in result.err
    assert tables(service) & {"good", "bad", "later"} == {"good"}
    recorded = {row[0] for row in service.sql(RAN)}
    assert "10_good.sql" in recorded and "11_bad.sql" not in recorded

    service.write(f"{SQL}/11_bad.sql", "create table bad ();")
    result = service.invoke("db.apply")
    assert "Applied to target default: 11_bad.sql, 12_later.sql." in result.out


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("begin;\ncreate table x ();\ncommit;", "11_bad.sql:1:1", "take `begin` and `commit` out"),
        (
            "select 1;\n create index concurrently i on contacts (id);",
            "11_bad.sql:2:2",
            "without `concurrently`",
        ),
        ("/* tidy up */ vacuum contacts;", "11_bad.sql:1:", "invoke db.psql"),
        ("select 1;\n\\d contacts", "11_bad.sql:2:1", "backslash"),
    ],
)
def test_what_cannot_be_part_of_a_transaction_is_explained_before_anything_runs(
    service: Service, text: str, place: str, advice: str
) -> None:
    add_sql(service, "10_good.sql", "create table good ();")
    add_sql(service, "11_bad.sql", text)

    result = service.invoke("db.apply", code=1)

    assert place in result.err
    assert advice in result.err
    assert "good" not in tables(service)


def test_the_settings_of_one_file_do_not_reach_the_next(service: Service) -> None:
    settings = "set search_path = storage; set role service_role; set statement_timeout = '77s';"
    add_sql(service, "10_settings.sql", settings)
    add_sql(
        service,
        "11_table.sql",
        "create table plain as select current_setting('statement_timeout') as said;",
    )

    service.invoke("db.apply")

    owner = service.sql("select tableowner from pg_tables where tablename = 'plain'")
    assert owner == [("postgres",)]
    assert "plain" in tables(service, "public")
    assert service.sql("select said from plain") == [("15min",)]


def test_apply_shows_what_a_file_raises_and_not_what_postgres_skips(service: Service) -> None:
    add_sql(
        service,
        "10_talks.sql",
        "create table if not exists contacts (); drop table if exists nothing;\n"
        "do $$ begin raise notice '3 rows kept'; "
        "raise warning 'no event trigger' using hint = 'Enable RLS.'; end $$;",
    )
    result = service.invoke("db.apply")
    assert "! 10_talks.sql: 3 rows kept\n" in result.out
    assert "! 10_talks.sql: no event trigger\n    Enable RLS.\n" in result.out
    assert "skipping" not in result.text


def test_rows_without_an_owner_stop_the_bootstrap_and_its_hint_leads_on(
    ready_service: Service, new_database: NewDatabase, platform: str, tmp_path: Path
) -> None:
    shutil.copytree(ready_service.folder, tmp_path / "crm")
    database = new_database(platform)
    service = Service(tmp_path / "crm", ready_service.env | {"DATABASE_URL": database})
    run_files(database, "00_core_tables.sql", "00_chat_tables.sql")
    with psycopg.connect(database) as connection:
        add_users(connection)
        fill(connection, TENANT_TABLES)

    result = service.invoke("db.bootstrap", code=1)
    assert "01b_add_user_tenant_columns.sql" in result.err
    assert "rows without an owner" in result.err
    assert "twolane.default_user_id=<uuid>' invoke db.apply --file 01b_add_user" in result.err

    settings = f"-c twolane.default_user_id={ALICE}"
    name = "01b_add_user_tenant_columns.sql"
    result = service.invoke("db.apply", "--file", name, PGOPTIONS=settings)
    assert "row(s) given to the default user" in result.out
    service.invoke("db.bootstrap")
    assert service.sql("select distinct user_id::text from contacts") == [(ALICE,)]


def test_two_applies_at_once_run_a_file_once(service: Service) -> None:
    add_sql(service, "10_slow.sql", "create table slow (); select pg_sleep(1);")
    both = [service.start("db.apply") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(service.sql(f"{RAN} where file = '10_slow.sql'")) == 1
    assert sorted("Nothing to apply" in output for output in outputs) == [False, True]


def test_an_interrupted_apply_leaves_nothing_half_done(service: Service) -> None:
    add_sql(service, "10_slow.sql", "create table slow (); select pg_sleep(600);")
    process = service.start("db.apply")
    sleeping = "select 1 from pg_stat_activity where datname = current_database() and query ~ %s"
    wait_until(lambda: bool(service.sql(sleeping, r"^select pg_sleep")))

    process.send_signal(signal.SIGINT)

    output = process.communicate(timeout=120)[0]
    assert process.returncode == 130, output
    assert "rolled back" in output
    assert "Traceback" not in output
    assert "slow" not in tables(service)
    assert service.sql(f"{RAN} where file = '10_slow.sql'") == []


def test_after_the_sql_of_a_user_its_transaction_still_has_time_limits(
    new_database: NewDatabase, platform: str
) -> None:
    with (
        psycopg.connect(new_database(platform), autocommit=True) as connection,
        transactions.transaction(connection),
    ):
        connection.execute("set lock_timeout = 0; set statement_timeout = 0")
        transactions.reset(connection)
        for name, limit in (("lock_timeout", "5s"), ("statement_timeout", "15min")):
            assert connection.execute(f"show {name}").fetchone() == (limit,)
