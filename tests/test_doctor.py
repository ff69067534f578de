"""`db.doctor` without a server: URLs, variables, `.env` and git, SQL that runs once only."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from service import ROOT, Service

from tasks import catalog, doctor_environment, doctor_files, doctor_server, doctor_urls, repeatable
from tasks.config import load
from tasks.doctor_environment import Disk, Embedded
from tasks.doctor_files import Models
from tasks.doctor_server import Clock
from tasks.doctor_urls import Route, Url
from tasks.findings import Finding
from tasks.sqlfiles import SqlFile

SECRET = "hunter2"
POOLER = "aws-0-eu-central-1.pooler.supabase.com"
DIRECT = "db.abcdefghij.supabase.co"
TLS = "?sslmode=require"
NOWHERE = "postgresql://127.0.0.1:1/x"  # nobody listens there


def url(text: str, variable: str = "DATABASE_URL") -> Url:
    return doctor_urls.read(variable, text)


def at(host: str, port: int = 5432, user: str = "postgres", rest: str = TLS) -> Url:
    return url(f"postgresql://{user}:{SECRET}@{host}:{port}/postgres{rest}")


def levels(findings: Iterable[Finding]) -> list[str]:
    found = list(findings)
    assert all(f.message and f.first and SECRET not in str(f) for f in found)
    return [finding.level for finding in found]


def message(findings: Iterable[Finding]) -> str:
    (found,) = findings
    return f"{found.message} {found.first}"


@pytest.fixture
def folder(blank_service: Service, tmp_path: Path) -> Service:
    """A fresh render of the test's own, a git repo; it has met no database."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    return Service(tmp_path / "crm", {"DATABASE_URL": NOWHERE, "SHADOW_DATABASE_URL": NOWHERE})


def doctor(service: Service, *options: str, **env: str) -> dict[str, Any]:
    """The report; whatever it says, it has no password in it."""
    done = service.invoke("db.doctor", "--json", *options, code=None, **env)
    assert SECRET not in done.text
    report: dict[str, Any] = json.loads(done.out)
    assert done.code == (1 if report["errors"] else 0)
    return report


def found(report: dict[str, Any], check: str) -> list[tuple[str, str]]:
    """Level and subject of what a check found."""
    return [(f["level"], f["subject"]) for f in report["findings"] if f["check"] == check]


def status(report: dict[str, Any], check: str) -> str:
    return next(str(c["status"]) for c in report["checks"] if c["check"] == check)


# How a URL is written


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}@x@h/postgres",
        f"postgresql://u:{SECRET}/x@h/postgres",
        f"postgresql://u:12/{SECRET}@h/postgres",
        f"postgresql://u:a@b/{SECRET}@h/postgres",
        f"postgresql://u:{SECRET}%zz@h/postgres",
        f"postgresql://u:{SECRET} x@h/postgres",
        f"mysql://u:{SECRET}@h/postgres",
        "postgresql://postgres.abc:[YOUR-PASSWORD]@h/postgres",
        "postgresql://postgres.abc:PASSWORD@h/postgres",
    ],
)
def test_a_url_that_is_misread_is_an_error(text: str) -> None:
    assert levels(doctor_urls.written([url(text)])) == ["error"]


@pytest.mark.parametrize("letter", ["#", "?", "[", "]", "|"])
def test_a_letter_that_programs_read_differently_is_a_warning(letter: str) -> None:
    text = f"postgresql://u:{SECRET}{letter}x@h/postgres"
    assert levels(doctor_urls.written([url(text)])) == ["warning"]


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}%2F%40%23@h/postgres{TLS}",
        f"postgresql+psycopg://u:{SECRET}!$&'()*+,;=:@h/postgres",
        "postgresql:///postgres?host=/tmp&application_name=a@b",
        "postgresql://u@/postgres?host=%2Ftmp",
        "postgresql://[::1]/postgres",
    ],
)
def test_a_url_that_is_well_written_is_none(text: str) -> None:
    assert levels(doctor_urls.written([url(text)])) == []


# Host, port and user


def test_the_transaction_pooler_is_fine_but_for_a_session() -> None:
    said = message(doctor_urls.ports([at(POOLER, 6543, "postgres.abc")]))
    assert "fine for every command" in said and "create index concurrently" in said
    assert "5432" in said


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        (POOLER, 6543, ["info"]),
        (POOLER, 5432, []),
        (POOLER, 5433, ["error"]),
        (DIRECT, 5432, []),
        (DIRECT, 6543, ["warning"]),
        (DIRECT, 5431, ["error"]),
        ("db.example.org", 6543, []),
        ("127.0.0.1", 5433, []),
        ("supabase.com.example.org", 6000, []),
    ],
)
def test_a_port_is_held_against_its_host(host: str, port: int, expected: list[str]) -> None:
    assert levels(doctor_urls.ports([at(host, port)])) == expected


@pytest.mark.parametrize(
    ("host", "user", "rest", "expected"),
    [
        (POOLER, "postgres", TLS, ["error"]),
        (POOLER, "postgres.abc", TLS, []),
        (POOLER, "postgres", "?options=reference%3Dabc", []),
        (DIRECT, "postgres.abc", TLS, ["error"]),
        (DIRECT, "postgres", TLS, []),
        ("db.example.org", "postgres", TLS, []),
        ("db.example.org", "first.last", TLS, []),
    ],
)
def test_the_poolers_user_names_the_project(
    host: str, user: str, rest: str, expected: list[str]
) -> None:
    assert levels(doctor_urls.users([at(host, user=user, rest=rest)])) == expected


@pytest.mark.parametrize(
    ("host", "rest", "expected"),
    [
        (POOLER, "", ["warning"]),
        (POOLER, "?sslmode=prefer", ["warning"]),
        (POOLER, "?sslmode=disable", ["warning"]),
        (POOLER, "?sslmode=require", []),
        (POOLER, "?sslmode=verify-full", []),
        ("db.example.org", "", ["warning"]),
        ("10.0.0.7", "", ["warning"]),
        ("localhost", "", []),
        ("127.0.0.2", "", []),
        ("[::1]", "", []),
    ],
)
def test_a_remote_host_wants_sslmode(host: str, rest: str, expected: list[str]) -> None:
    assert levels(doctor_urls.encrypted([at(host, rest=rest)])) == expected


def test_sslmode_may_come_from_the_environment_and_a_socket_needs_none() -> None:
    assert levels(doctor_urls.encrypted([at(POOLER, rest="")], "require")) == []
    assert levels(doctor_urls.encrypted([url("postgresql:///postgres?host=/tmp")])) == []


def test_the_shadow_has_a_server_of_its_own() -> None:
    shadow = replace(at(POOLER), variable="SHADOW_DATABASE_URL")
    assert levels(doctor_urls.separate([at(POOLER), shadow])) == ["warning"]
    assert levels(doctor_urls.separate([at(POOLER), replace(at(POOLER), variable="STAGING")])) == []
    assert levels(doctor_urls.separate([at(DIRECT), shadow])) == []
    local = [at("localhost"), replace(at("localhost"), variable="SHADOW_DATABASE_URL")]
    assert levels(doctor_urls.separate(local)) == []


def route(host: str, addressed: Sequence[int], routed: Sequence[int]) -> Route:
    return Route("DATABASE_URL", host, frozenset(addressed), frozenset(routed))


@pytest.mark.parametrize(
    ("host", "addressed", "routed", "expected"),
    [
        (DIRECT, [6], [], ["error"]),
        (DIRECT, [6], [6], ["info"]),
        (DIRECT, [4], [4], []),
        (DIRECT, [], [], ["error"]),
        ("db.example.org", [4, 6], [4], []),
        ("db.example.org", [6], [6], []),
        ("db.example.org", [6], [], ["error"]),
    ],
)
def test_ipv6_alone_needs_ipv6_here(
    host: str, addressed: list[int], routed: list[int], expected: list[str]
) -> None:
    assert levels(doctor_urls.reachable([route(host, addressed, routed)])) == expected


def test_the_way_on_from_ipv6_is_the_pooler() -> None:
    assert "pooler's host" in message(doctor_urls.reachable([route(DIRECT, [6], [])]))
    assert "paused" in message(doctor_urls.reachable([route(DIRECT, [], [])]))


def test_addresses_and_routes_are_this_machines(folder: Service) -> None:
    config = load(folder.folder)

    def routes(host: str) -> tuple[set[int], bool]:
        environment = {"DATABASE_URL": f"postgresql://u:{SECRET}@{host}/x"}
        (found,) = doctor_urls.routes(
            replace(config, environment=environment), config.targets["default"]
        )
        return set(found.addressed), found.addressed <= found.routed

    assert routes("127.0.0.1") == ({4}, True)
    assert routes("no.such.invalid") == (set(), True)
    # A documentation address (RFC 3849): no one has it, and only a machine with IPv6 has a route.
    assert routes("[2001:db8::1]") == ({6}, has_ipv6())


def has_ipv6() -> bool:
    """Whether the kernel's table has a route for all addresses."""
    table = Path("/proc/net/ipv6_route")
    lines = table.read_text().splitlines() if table.exists() else []
    default = (line.split() for line in lines)
    return any(parts[:2] == ["0" * 32, "00"] and parts[-1] != "lo" for parts in default)


def test_each_fault_of_a_url_is_found_by_the_command(folder: Service) -> None:
    login = f"postgres:{SECRET}%23"
    wrong = f"postgresql://{login}@{POOLER}:5433/postgres?hostaddr=127.0.0.1"
    report = doctor(folder, DATABASE_URL=wrong, SHADOW_DATABASE_URL=wrong)
    both = ["DATABASE_URL", "SHADOW_DATABASE_URL"]
    assert found(report, "url") == [] and found(report, "network") == []
    assert found(report, "port") == [("error", name) for name in both]
    assert found(report, "user") == [("error", name) for name in both]
    assert found(report, "tls") == [("warning", name) for name in both]
    assert found(report, "separate") == [("warning", "SHADOW_DATABASE_URL")]
    assert [status(report, name) for name in ("shadow", "connection")] == ["failed", "failed"]
    bare = doctor(folder, DATABASE_URL=f"postgresql://u:{SECRET}#@127.0.0.1:1/x")
    assert found(bare, "url") == [("warning", "DATABASE_URL")]
    nowhere = doctor(folder, DATABASE_URL=f"postgresql://u:{SECRET}@no.such.invalid/x")
    assert found(nowhere, "network") == [("error", "DATABASE_URL")]


# Variables, settings, git


def test_an_unset_variable_is_found(folder: Service) -> None:
    toml = folder.read("pyproject.toml")
    folder.write("pyproject.toml", toml + '\n[tool.twolane.targets.staging]\nenv = "STAGING_URL"\n')
    assert found(doctor(folder), "variables") == [("warning", "STAGING_URL")]
    config = replace(load(folder.folder), environment={})
    assert levels(doctor_environment.variables(config)) == ["info", "warning"]
    config = replace(config, environment={"DATABASE_URL": "x", "STAGING_URL": "y"})
    assert levels(doctor_environment.variables(config)) == []


def test_a_target_that_is_not_there_leaves_the_rest_to_look_at(folder: Service) -> None:
    report = doctor(folder, "--target", "production")
    assert found(report, "target") == [("error", "production")]
    assert found(report, "shadow") == [("error", "production")]
    assert report["target"] == "production"
    skipped = {c["check"]: c["reason"] for c in report["checks"] if c["status"] == "skipped"}
    assert skipped["connection"] == "after target" and skipped["drafts"] == "after shadow"
    assert {status(report, name) for name in ("settings", "repeatable", "git")} == {"passed"}


def test_unknown_keys_of_the_settings_are_found(folder: Service) -> None:
    toml = folder.read("pyproject.toml")
    folder.write(
        "pyproject.toml",
        toml.replace("[tool.twolane]\n", '[tool.twolane]\ntenant_colum = "owner"\n')
        + '\n[tool.twolane.targets.prod]\nenv = "PROD"\n'
        + "[tool.twolane.check]\nignor = []\n",
    )
    config = load(folder.folder)
    said = [f"{f.message} {f.first}" for f in doctor_environment.settings(config)]
    assert len(said) == 2
    for key, like in (
        ("tenant_colum", "tenant_column"),
        ("ignor", "ignore"),
    ):
        assert any(f"`{key}`" in text and f"Write it `{like}`" in text for text in said)


def test_every_setting_that_is_read_is_known() -> None:
    """The constant keys with which config.py looks into its tables."""
    tree = ast.parse((ROOT / "template/tasks/config.py").read_text(encoding="utf-8"))
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert keys(functions["load"]) == {*doctor_environment.SETTINGS, *doctor_environment.OF_CHECK}


def keys(function: ast.FunctionDef) -> set[str]:
    names = {"get", "_text", "_texts"}
    return {
        argument.value
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) in names
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_settings_that_cannot_be_read_are_one_error(folder: Service) -> None:
    (folder.folder / ".env").write_bytes(f"DATABASE_URL={SECRET}".encode("utf-16"))
    report = doctor(folder)
    assert status(report, "settings") == "failed" and report["errors"] == 1
    assert {c["status"] for c in report["checks"][1:]} == {"skipped"}


def test_the_environment_goes_before_dotenv(folder: Service) -> None:
    folder.write(".env", "DATABASE_URL=postgresql://127.0.0.1:1/one\n")
    assert found(doctor(folder), "override") == [("warning", "DATABASE_URL")]
    same = doctor(folder, DATABASE_URL="postgresql://127.0.0.1:1/one")
    assert found(same, "override") == []


def secrets(service: Service) -> list[tuple[str, str]]:
    git = doctor_environment.git(service.folder)
    return [(f.level, f.subject) for f in doctor_environment.secrets(git)]


def test_a_committed_env_with_a_password_is_an_error(folder: Service) -> None:
    assert secrets(folder) == []
    folder.write(".env", f"DATABASE_URL=postgresql://u:{SECRET}@127.0.0.1:1/x\n")
    assert secrets(folder) == []  # ignored
    folder.git("add", "--force", ".env")
    folder.commit()
    report = doctor(folder)
    assert found(report, "secrets") == [("error", ".env")]
    (finding,) = (f for f in report["findings"] if f["check"] == "secrets")
    assert "git rm --cached .env" in finding["first"] and "password" in finding["first"]

    folder.git("rm", "--quiet", "--cached", ".env")
    folder.commit()
    assert secrets(folder) == [("warning", ".env")]  # in its history


def test_other_env_files_in_git_are_found(folder: Service) -> None:
    folder.write(".env.production", f"# a comment\nX=postgresql://u:{SECRET}@h/x\n")
    folder.write(".env.test", "# X=postgresql://u:commented@h/x\nDEBUG=1\n")
    folder.git("add", "--force", ".env.production", ".env.test")
    assert secrets(folder) == [("error", ".env.production"), ("warning", ".env.test")]


def test_an_env_that_git_would_take_is_found(folder: Service) -> None:
    folder.write(".gitignore", ".postgres/\n")
    assert secrets(folder) == [("warning", ".env")]


def history(folder: Path) -> list[str]:
    return [f.message for f in doctor_environment.history(doctor_environment.git(folder))]


def test_git_that_records_no_commit_is_explained(
    folder: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert history(folder.folder) == []
    folder.git("checkout", "--quiet", "--detach")
    assert "HEAD is detached" in history(folder.folder)[0]

    (tmp_path / "new").mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "new", check=True)
    assert "no commit yet" in history(tmp_path / "new")[0]

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    assert "no git repository" in history(tmp_path / "plain")[0]

    monkeypatch.setenv("PATH", str(tmp_path))
    assert "There is no git" in history(folder.folder)[0]


# This machine


def test_a_full_disk_is_found() -> None:
    mebibyte = 1024**2
    assert levels(doctor_environment.space(Disk(100 * mebibyte, 10**12))) == ["error"]
    assert levels(doctor_environment.space(Disk(1000 * mebibyte, 10**12))) == ["warning"]
    assert levels(doctor_environment.space(Disk(5000 * mebibyte, 10**12))) == []


def test_the_disk_is_the_one_of_the_services_folder(folder: Service) -> None:
    usage = shutil.disk_usage(folder.folder)
    found = doctor_environment.disk(load(folder.folder))
    assert found.total == usage.total and 0 < found.free <= usage.total


def test_what_lies_in_the_embedded_servers_folder(tmp_path: Path) -> None:
    home = tmp_path / ".postgres"
    well = Embedded(home / "18", home / "18", True, [])
    assert levels(doctor_environment.leftovers(None)) == []
    assert levels(doctor_environment.leftovers(well)) == []
    assert levels(doctor_environment.leftovers(replace(well, owner=None, running=False))) == []
    assert levels(doctor_environment.leftovers(replace(well, running=False))) == ["info"]
    assert levels(doctor_environment.leftovers(replace(well, others=["16"]))) == ["info"]
    copied = replace(well, owner=tmp_path / "origin/.postgres/18")
    assert levels(doctor_environment.leftovers(copied)) == ["error"]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (Clock(100.0, 101.0, 102.0), []),
        (Clock(100.0, 104.0, 101.0), []),
        (Clock(100.0, 200.0, 160.0), ["warning"]),
        (Clock(100.0, 40.0, 101.0), ["warning"]),
        (Clock(100.0, 130.0, 160.0), []),
    ],
)
def test_a_clock_that_is_off_is_found(clock: Clock, expected: list[str]) -> None:
    class Server:
        target = "default"

    server = Server()
    server.clock = clock  # type: ignore[attr-defined]
    assert levels(doctor_server.clock(server)) == expected  # type: ignore[arg-type]


# SQL files


def once(text: str) -> list[str]:
    file = SqlFile("10_x.sql", text, "")
    return [f"{o.line} {o.made.title}: {o.made.fix}" for o in repeatable.find(file)]


@pytest.mark.parametrize(
    ("text", "title", "fix"),
    [
        ("create policy p on notes using (true)", "policy p on public.notes", "drop policy if"),
        ('create policy "P x" on s."N" using (true)', 'policy "P x" on s."N"', '"P x" on s."N"'),
        (
            "create trigger t before insert on notes execute function f()",
            "trigger t on public.notes",
            "drop trigger if exists t on public.notes",
        ),
        (
            "create rule r as on insert to notes do nothing",
            "rule r on public.notes",
            "drop rule if exists r on public.notes",
        ),
        (
            "create event trigger e on ddl_command_end execute function f()",
            "event trigger e",
            "drop event trigger if exists e",
        ),
        ("create type mood as enum ('well')", "type public.mood", "exception when duplicate"),
        ("create type pair as (a int, b int)", "type public.pair", "exception when duplicate"),
        ("create type r as range (subtype = int)", "type public.r", "exception when duplicate"),
        ("create domain d as text", "type public.d", "exception when duplicate"),
        ("create publication p", "publication p", "exception when duplicate"),
        ("create role r", "role r", "exception when duplicate"),
        ("create table notes (id int)", "table public.notes", "table if not exists public.notes"),
        ("create table n as select 1", "table public.n", "table if not exists public.n"),
        ("create index i on notes (id)", "index i on public.notes", "index if not exists i"),
        ("create index on notes (id)", "", "give it a name"),
        ("create schema s", "schema s", "schema if not exists s"),
        ("create sequence s", "sequence public.s", "sequence if not exists public.s"),
        ("create extension vector", "extension vector", "extension if not exists vector"),
        ("create view v as select 1", "view public.v", "or replace view public.v"),
        (
            "create materialized view v as select 1",
            "materialized view public.v",
            "materialized view if not exists public.v",
        ),
        (
            "create function f() returns int language sql as 'select 1'",
            "function public.f",
            "or replace function public.f",
        ),
        (
            "alter table notes add column body text",
            "column body on public.notes",
            "add column if not exists body",
        ),
        (
            "alter table notes add constraint c check (id > 0)",
            "constraint c on public.notes",
            "alter table public.notes drop constraint if exists c;",
        ),
        ("alter type mood add value 'ill'", "value public.mood.ill", "add value if not exists"),
    ],
)
def test_a_statement_that_runs_once_only_is_found(text: str, title: str, fix: str) -> None:
    (said,) = once(f"-- first\nselect 1;\n\n/* above\nit */ {text};\n")
    assert said.startswith(f"5 {title}") and fix in said


@pytest.mark.parametrize(
    "text",
    [
        "drop policy if exists p on notes; create policy p on public.notes using (true)",
        "drop trigger if exists t on public.notes; "
        "create trigger t before insert on notes execute function f()",
        "create or replace trigger t before insert on notes execute function f()",
        "drop rule if exists r on notes; create rule r as on insert to notes do nothing",
        "create or replace rule r as on insert to notes do nothing",
        "drop event trigger if exists e; "
        "create event trigger e on ddl_command_end execute function f()",
        "drop type if exists mood; create type mood as enum ('well')",
        "drop domain if exists d; create domain d as text",
        "do $$ begin create type mood as enum ('well'); "
        "exception when duplicate_object then null; end $$",
        "create table if not exists notes (id int)",
        "drop table if exists notes; create table notes (id int); create index i on notes (id); "
        "create policy p on notes using (true)",
        "drop schema if exists s cascade; create schema s; create table s.notes (id int)",
        "create temporary table t (id int) on commit drop",
        "create index if not exists i on notes (id)",
        "drop index if exists i; create index i on notes (id)",
        "create or replace view v as select 1",
        "drop view if exists v; create view v as select 1",
        "drop materialized view if exists v; create materialized view v as select 1",
        "drop function if exists f(int); create function f() returns int language sql as '1'",
        "create or replace procedure p() language sql as ''",
        "alter table notes add column if not exists body text",
        "alter table notes drop constraint if exists c, add constraint d check (true), "
        "drop constraint if exists d; alter table notes add constraint c check (id > 0)",
        "alter type mood add value if not exists 'ill'",
        "alter type mood rename value 'ill' to 'sick'",
        "drop role if exists r; create role r",
        "drop extension if exists hstore; create extension hstore",
    ],
)
def test_a_statement_that_is_guarded_is_none(text: str) -> None:
    assert [said for said in once(text) if "constraint d" not in said] == []


@pytest.mark.parametrize(
    "text",
    [
        "drop policy p on notes; create policy p on notes using (true)",
        "create policy p on notes using (true); drop policy if exists p on notes",
        "drop policy if exists p on others; create policy p on notes using (true)",
        "drop policy if exists q on notes; create policy p on notes using (true)",
        "drop policy if exists p on s.notes; create policy p on notes using (true)",
    ],
)
def test_only_a_drop_of_that_policy_before_it_guards_it(text: str) -> None:
    assert len(once(text)) == 1


def test_the_place_of_such_a_statement_is_told(folder: Service) -> None:
    text = "-- no guard\n\ncreate policy p on contacts using (true);\n"
    folder.write("supabase/sql/50_policy.sql", text)
    order = folder.read("supabase/bootstrap.txt")
    folder.write("supabase/bootstrap.txt", order + "50_policy.sql\n")
    report = doctor(folder)
    (finding,) = (f for f in report["findings"] if f["check"] == "repeatable")
    assert (finding["file"], finding["line"]) == ("supabase/sql/50_policy.sql", 3)
    assert finding["first"] == "above it: drop policy if exists p on public.contacts;"


def test_files_that_do_not_parse_or_are_not_listed_are_found(folder: Service) -> None:
    folder.write("supabase/sql/05_guardrails.sql", "select 1;\nselect from from;\n")
    folder.write("supabase/sql/60_stray.sql", "select 1;\n")
    report = doctor(folder)
    assert found(report, "syntax") == [("error", "05_guardrails.sql")]
    assert found(report, "files") == [("error", "bootstrap.txt")]
    (finding,) = (f for f in report["findings"] if f["check"] == "syntax")
    assert (finding["file"], finding["line"]) == ("supabase/sql/05_guardrails.sql", 2)


def test_an_extension_that_a_server_lacks_is_found() -> None:
    text = "create schema x;\ncreate extension if not exists pg_trgm;\ncreate extension vector;"
    files = [SqlFile("10_x.sql", text, "")]
    (finding,) = doctor_files.extensions(files, frozenset({"vector"}), "the shadow", "get it")
    assert finding.subject == "pg_trgm" and finding.place and finding.place.line == 2
    both = frozenset({"vector", "pg_trgm"})
    assert levels(doctor_files.extensions(files, both, "the shadow", "get it")) == []


def test_vector_columns_need_their_type_in_the_models() -> None:
    lock = {
        "column public.a.v": catalog.as_text({"type": "extensions.vector(3)"}),
        "column public.a.h": catalog.as_text({"type": "halfvec(3)[]"}),
        "column public.a.t": catalog.as_text({"type": "tsvector"}),
    }
    assert set(doctor_files.vector_columns(lock)) == {"public.a.v", "public.a.h"}
    typed = Models(lock, "from pgvector.sqlalchemy import VECTOR", True)
    assert levels(doctor_files.vectors(typed)) == []
    assert levels(doctor_files.vectors(replace(typed, text="USER-DEFINED"))) == ["warning"]
    assert levels(doctor_files.vectors(replace(typed, has_pgvector=False))) == ["error"]
    assert levels(doctor_files.vectors(Models({}, "", False))) == []


def test_models_without_the_vector_type_are_found_by_the_command(folder: Service) -> None:
    models = "src/crm/db/schema/introspected.py"
    text = folder.read(models).replace(
        "from pgvector.sqlalchemy import VECTOR\n", "VECTOR = None\n"
    )
    folder.write(models, text)
    assert found(doctor(folder), "vectors") == [("warning", "introspected.py")]


def test_a_model_of_a_table_that_is_lane_as_is_found(folder: Service) -> None:
    table = '__tablename__ = "contacts"'
    folder.write_app(f"\n\nclass Mine(UUIDKey, AppBase):\n    {table}\n\n    name: Mapped[str]\n")
    report = doctor(folder)
    assert found(report, "scope") == [("error", "src/crm/db/schema/app.py")]
    (finding,) = (f for f in report["findings"] if f["check"] == "scope")
    assert finding["code"] == "G04" and finding["details"] == ["public.contacts"]
