"""Both lanes through a transaction pooler, as Supabase's port 6543 is one."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from servers import PostgresServer
from service import DEV_MARKERS, Service
from steps import add_sql

# What the server connection would carry over to its next client. PgBouncer itself sets the five
# parameters that it tracks for each client.
LEFT_BEHIND = """
select format('%s = %s', name, setting) from pg_settings
where source = 'session' and name not in
    ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
union all select format('role %s', current_user) where current_user <> session_user
union all select format('advisory lock %s', objid) from pg_locks
    where pid = pg_backend_pid() and locktype = 'advisory'
union all select format('prepared %s', statement) from pg_prepared_statements
union all select format('temporary %s', relname) from pg_class
    where relnamespace = pg_my_temp_schema()
union all select format('listens to %s', channel) from pg_listening_channels() as channel
"""


@pytest.fixture
def empty(
    blank_service: Service,
    server: "PostgresServer",
    new_database: NewDatabase,
    platform: str,
    tmp_path: Path,
) -> Iterator[Service]:
    """A fresh render behind a pooler; its database has Supabase's part and nothing else."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    shadow = {"SHADOW_DATABASE_URL": server.get_uri()}
    with behind_pooler(Service(tmp_path / "crm", shadow), new_database(platform)) as service:
        yield service


@pytest.fixture
def ready(service: Service) -> Iterator[Service]:
    """A bootstrapped service behind a pooler."""
    with behind_pooler(service, service.env["DATABASE_URL"]) as pooled:
        yield pooled


@contextmanager
def behind_pooler(service: Service, database: str) -> Iterator[Service]:
    where: dict[str, Any] = conninfo_to_dict(database)
    with transaction_pooler(where["host"], where.get("port", 5432), where["dbname"]) as url:
        yield Service(service.folder, service.env | {"DATABASE_URL": url})


def ask(service: Service, question: str) -> list[Any]:
    """The first column of the answer, through the pooler."""
    with psycopg.connect(
        service.env["DATABASE_URL"], prepare_threshold=None, autocommit=True
    ) as connection:
        return [row[0] for row in connection.execute(question.encode())]


def leave(service: Service, statement: str) -> None:
    """Runs a statement as a client of the pooler that goes away."""
    url = service.env["DATABASE_URL"]
    with psycopg.connect(url, prepare_threshold=None, autocommit=True) as connection:
        connection.execute(statement.encode())


def run(service: Service, *arguments: str, code: int = 0) -> str:
    """Run a command; the server connection is the same before and after, and as it was."""
    server = ask(service, "select pg_backend_pid()")
    text = service.invoke(*arguments, code=code).text
    assert ask(service, LEFT_BEHIND) == [], arguments
    assert ask(service, "select pg_backend_pid()") == server, f"{arguments} broke it"
    return text


def test_both_lanes_work_through_a_transaction_pooler(empty: Service) -> None:
    assert ask(empty, LEFT_BEHIND) == []
    run(empty, "db.bootstrap")
    assert ask(empty, "select count(*) from pg_policies where schemaname = 'public'") != [0]
    assert "No schema changes." in run(empty, "db.sync")
    empty.commit()

    empty.write_app(DEV_MARKERS)
    assert "dev_markers" in run(empty, "db.gen", "-m", "add dev markers")
    assert "dev_markers" in run(empty, "db.push", "--dry-run")
    run(empty, "db.push")
    assert ask(empty, "select count(*) from dev_markers") == [0]
    assert "No schema changes." in run(empty, "db.sync")
    assert "No schema changes." in run(empty, "db.gen")

    view = "create or replace view public.totals with (security_invoker = true) as "
    add_sql(empty, "30_t.sql", f"{view}select label from public.dev_markers;", after=True)
    empty.write_app(
        DEV_MARKERS.replace("Mapped[str]", "Mapped[str] = mapped_column(String(80))").replace(
            "class DevMarkers", "from sqlalchemy import String\n\n\nclass DevMarkers"
        )
    )
    run(empty, "db.apply")
    run(empty, "db.sync")
    run(empty, "db.gen", "-m", "short labels")
    add_file(empty, "set role postgres; set lock_timeout = '1s'; select 1;\n")
    refused = run(empty, "db.deploy", code=2)
    consents = re.findall(r"needs --allow (\S+)", refused)
    run(empty, "db.deploy", *(f"--allow={consent}" for consent in consents))
    assert ask(empty, "select label from totals") == []
    run(empty, "db.sync")

    status = json.loads(run(empty, "db.status", "--json"))
    assert status["next"] == "nothing to do", status
    assert "dev_markers" in run(empty, "db.snapshot", "--json")
    assert "one" in run(empty, "db.psql", "-c", "select 1 as one")


def test_what_an_sql_file_sets_ends_with_it(ready: Service) -> None:
    settings = "set role anon; set search_path = nowhere; set lock_timeout = '1s';\n"
    add_file(ready, f"{settings}select 1 / 0;\n")
    assert "50_settings.sql:2" in run(ready, "db.apply", code=1)
    add_file(ready, f"{settings}select 1;\n")
    run(ready, "db.apply")
    assert ask(ready, "select file from twolane.sql_runs order by id desc limit 1") == [
        "50_settings.sql"
    ]


def test_what_others_and_an_sql_file_leave_in_a_session_ends(ready: Service) -> None:
    leave(ready, "create temporary table contacts (id int)")
    added = "alter table contacts add if not exists nick text;\n"
    session = (
        "create temporary table t (a int); listen news; prepare p as select 1;"
        " select pg_advisory_lock(7);\n"
    )
    add_file(ready, f"{added}{session}select 1 / 0;\n")
    ready.invoke("db.apply", code=1)
    held = "select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'"
    assert ask(ready, held) == [0]
    leave(ready, "deallocate all")
    add_file(ready, added + session)
    run(ready, "db.apply")
    assert ask(ready, "select count(*) from public.contacts where nick is null") == [0]


def test_what_a_migration_sets_ends_with_it(ready: Service) -> None:
    ready.write_app(DEV_MARKERS)
    run(ready, "db.gen", "-m", "add dev markers")
    body = 'op.execute("create table dev_markers (id uuid primary key)")\n'
    settings = "op.execute(\"set lock_timeout = '1s'; set work_mem = '64MB'; set role postgres\")\n"
    ready.edit_revision(settings + body + "op.execute('select 1 / 0')")
    assert "division by zero" in run(ready, "db.push", code=1)
    ready.edit_revision(settings + body)
    run(ready, "db.push")


def add_file(service: Service, text: str) -> None:
    service.write("supabase/sql/50_settings.sql", text)
    order = service.read("supabase/bootstrap.txt")
    if "50_settings.sql" not in order:
        before = order.replace("\n@migrations", "\n50_settings.sql\n@migrations")
        service.write("supabase/bootstrap.txt", before)
