"""The embedded server's extensions: real ones, and two stand-ins, wherever its data lie."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from servers import programs
from service import ROOT, Service
from standins import EXTENSIONS
from steps import add_sql
from test_embedded import (
    NewService,
    as_administrator,
    own_servers,
    query,
    set_postgres,
    up,
)

FILE = """
create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;
create extension if not exists citext with schema extensions;
create extension if not exists pg_trgm with schema extensions;
create extension if not exists hstore with schema extensions;
create extension if not exists ltree with schema extensions;
create extension if not exists unaccent with schema extensions;
create extension if not exists btree_gist with schema extensions;
create extension if not exists moddatetime with schema extensions;
create table if not exists public.people (
    id uuid primary key default extensions.uuid_generate_v4(),
    user_id uuid not null references auth.users (id),
    email extensions.citext not null unique,
    token text not null default encode(extensions.gen_random_bytes(16), 'hex'),
    name text not null check (extensions.similarity(name, 'x') < 1),
    tags extensions.hstore,
    path extensions.ltree,
    during tstzrange,
    exclude using gist (user_id with =, during with &&),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index if not exists people_user_id_idx on public.people (user_id);
create index if not exists people_name_idx on public.people
    using gin (name extensions.gin_trgm_ops);
create index if not exists people_email_idx on public.people
    using gist (email extensions.gist_trgm_ops (siglen = 32));
create or replace trigger people_updated before update on public.people
    for each row execute function extensions.moddatetime(updated_at);
alter table public.people enable row level security;
drop policy if exists people_select_own on public.people;
create policy people_select_own on public.people for select to authenticated
    using ((select auth.uid()) = user_id);
"""
USER = "11111111-1111-1111-1111-111111111111"


@pytest.fixture(scope="module")
def new_service(blank_service: Service) -> Iterator[NewService]:
    with own_servers(blank_service) as make:
        yield make


@pytest.fixture(scope="module")
def used(new_service: NewService) -> Service:
    """A service whose SQL needs all of them, bootstrapped."""
    service = new_service("used")
    add_sql(service, "30_people.sql", FILE)
    said = service.invoke("db.bootstrap").text
    for name in EXTENSIONS:
        assert f"! 30_people.sql: twolane's stand-in for {name}: " in said
    service.commit()
    return service


def offered(url: str) -> set[str]:
    """The stand-ins that the server offers to a new connection."""
    rows = query(
        url, "select name from pg_available_extensions where comment like 'twolane''s stand-in%'"
    )
    return {str(name) for (name,) in rows}


def test_files_that_need_them_are_bootstrapped_checked_and_proven(used: Service) -> None:
    url = up(used)
    query(url, f"insert into auth.users (id) values ('{USER}') on conflict do nothing")
    insert = "insert into public.people (user_id, email, name) values"
    query(url, f"{insert} ('{USER}', 'Ann@example.com', 'Ann'), ('{USER}', 'bob', 'Bob')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        query(url, f"{insert} ('{USER}', 'ANN@EXAMPLE.COM', 'Ann')")
    with pytest.raises(psycopg.errors.CheckViolation):
        query(url, f"{insert} ('{USER}', 'x', 'X')")
    found = query(url, "select name, length(token) from public.people where email like 'ANN%'")
    assert found == [("Ann", 32)]
    query(url, "update public.people set tags = 'a=>1', path = 'a.b'")
    found = query(url, "select tags -> 'a', nlevel(path), updated_at > created_at from people")
    assert found == [("1", 2, True)] * 2
    plan = query(
        f"{url}?options=-c%20enable_seqscan%3Doff", "explain select from people where name % 'Anne'"
    )
    assert "people_name_idx" in str(plan)
    assert query(url, "select unaccent('é'), length(gen_random_bytes(3))") == [("e", 3)]
    assert "✓ No schema changes." in used.invoke("db.sync").out
    checked = used.invoke("db.check", "--json", code=None)
    assert [f for f in json.loads(checked.out)["findings"] if "people" in f["subject"]] == []
    assert checked.code == 0, checked.text
    assert "postgresql.CITEXT" in used.read("src/crm/db/schema/introspected.py")


@pytest.mark.parametrize("name", ["dblink", "postgres_fdw"])
def test_what_logs_in_to_other_databases_is_not_made(used: Service, name: str) -> None:
    """With SCRAM pass-through, new in 18, each did so as the role that runs a file."""
    make = f"select supabase_stand_in.create_extension('{name}', true, null, 'public', null, false)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is not made here") as refused:
        query(up(used), make)
    assert "Name a Postgres 17" in str(refused.value.diag.message_hint)


def test_the_doctor_lists_them(used: Service) -> None:
    report = json.loads(used.invoke("db.doctor", "--json", code=None).out)
    (finding,) = (f for f in report["findings"] if f["check"] == "stand-ins")
    assert finding["level"] == "info"
    assert finding["subject"] == "pgcrypto, uuid-ossp"
    for name, line in zip(EXTENSIONS, finding["details"], strict=True):
        assert line.startswith(f"twolane's stand-in for {name}: ")
        assert line.endswith("(target local and the shadow)")
    assert finding["first"].startswith("[tool.twolane] postgres = ")


def test_a_changed_stand_in_makes_the_shadow_anew_and_reaches_the_server(
    used: Service, tmp_path: Path
) -> None:
    shadows = set(used.folder.glob(".postgres/shadow/*.json"))
    used.invoke("db.status")
    assert set(used.folder.glob(".postgres/shadow/*.json")) == shadows
    newer = tmp_path / "twolane"
    shutil.copytree(ROOT / "twolane", newer, ignore=shutil.ignore_patterns("__pycache__"))
    control = newer / "postgres/extension/pgcrypto.control"
    text = control.read_text(encoding="utf-8")
    control.write_text(text.replace("stand-in for pgcrypto: ", "stand-in for pgcrypto: new, "))
    used.invoke("db.status", PYTHONPATH=str(tmp_path))
    assert set(used.folder.glob(".postgres/shadow/*.json")) - shadows
    url = used.invoke("db.up", PYTHONPATH=str(tmp_path)).out.splitlines()[-1]
    rows = query(url, "select comment from pg_available_extensions where name = 'pgcrypto'")
    assert "new, " in str(rows)


def test_a_server_of_an_earlier_version_offers_them_while_it_runs(used: Service) -> None:
    url = up(used)
    administrator = as_administrator(used, url)
    query(administrator, "alter system reset extension_control_path")
    query(administrator, "select pg_reload_conf()")
    shutil.rmtree(used.folder / ".postgres/standins")
    up(used)
    assert offered(url) == set(EXTENSIONS)


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_they_are_found_wherever_the_service_lies(new_service: NewService) -> None:
    """The setting parts its folders by colons, and can't quote one."""
    service = new_service('it\'s a "colon:"')
    assert offered(up(service)) == set(EXTENSIONS)
    service.invoke("db.down")
    moved = Service(service.folder.with_name("moved away"))
    service.folder.rename(moved.folder)
    assert offered(up(moved)) == set(EXTENSIONS)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="Postgres runs as the same user")
def test_they_are_read_where_only_root_may_look(new_service: NewService) -> None:
    service = new_service("closed")
    for path in [service.folder, *service.folder.rglob("*")]:
        path.chmod(0o700)
    umask = os.umask(0o077)
    try:
        url = up(service)
    finally:
        os.umask(umask)
    query(url, "drop extension pgcrypto; create extension pgcrypto")


def test_sixteen_has_none_and_the_way_on_is_named(used: Service) -> None:
    toml = used.read("pyproject.toml")
    set_postgres(used, "16")
    try:
        failure = used.invoke("db.bootstrap", code=1).err
    finally:
        used.write("pyproject.toml", toml)
    assert 'extension "pgcrypto" is not available' in failure
    assert "`postgres` in [tool.twolane], or SHADOW_DATABASE_URL" in failure


def test_a_postgres_of_the_machines_own_has_its_own(used: Service) -> None:
    """Here the bundled programs are in the part of the machine's; the data are the same."""
    toml = used.read("pyproject.toml")
    set_postgres(used, json.dumps(str(programs(18))))
    try:
        assert offered(up(used)) == set()
    finally:
        used.write("pyproject.toml", toml)
    assert offered(up(used)) == set(EXTENSIONS)
