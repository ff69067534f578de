"""`db.doctor` on a real server: each fault made for real, and found; nothing changed by looking."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psycopg
from conftest import NewDatabase
from doctors import SECRET, doctor, found, only, status
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from servers import PostgresServer, Server
from service import Service
from steps import add_sql
from test_pooler import LEFT_BEHIND

from twolane.doctor import server as doctor_server

FINDING = {"check", "code", "level", "subject", "message", "details", "first", "file", "line"}
# The names that scripts may ask for, in their order.
CHECKS = [
    "settings", "variables", "override", "secrets", "git", "url", "port", "user", "tls",
    "separate", "disk", "embedded", "files", "syntax", "repeatable", "vectors", "scope",
    "shadow", "drafts", "shadow-extensions", "target", "network", "connection", "server",
    "lock", "transactions", "sessions", "indexes", "version", "clock", "ledger-rights",
    "table-rights", "rls", "event-triggers", "search-path", "extensions", "stand-ins", "label",
    "history", "work", "replay", "mirror", "app-columns",
]  # fmt: skip


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
    add_sql(service, "10_search.sql", "create extension if not exists postgis;\n")
    report = doctor(service)
    for check, way in (("extensions", "Install it"), ("shadow-extensions", "[tool.twolane]")):
        (finding,) = found(report, check)
        assert (finding["level"], finding["subject"]) == ("error", "postgis")
        assert finding["first"].startswith(way)
        assert (finding["file"], finding["line"]) == ("supabase/sql/10_search.sql", 1)
