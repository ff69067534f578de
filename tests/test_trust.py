"""SQL that others wrote runs as a role like Supabase's `postgres`, never as superuser."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from adopting import newcomer
from conftest import NewDatabase, copy
from servers import PostgresServer, Server
from service import Service

from twolane.config import load
from twolane.facts import catalog
from twolane.repo import sqlfiles
from twolane.repo.sqlfiles import FileFailure
from twolane.shadow import shadow
from twolane.shadow.steps import files_step

# Volatile, with what only a superuser may do; and the same declared immutable, for predicates.
PROGRAM = """
create function public.out() returns text language plpgsql volatile as
$$ begin copy (select 1) to program 'cat > {canary}'; return 'x'; end $$;
create function public.imm(t text) returns text language plpgsql immutable as
$$ declare r text; begin execute 'select public.out()' into r; return t;
exception when insufficient_privilege then return t; end $$;
create table public.companies (id bigint primary key, name text);
insert into public.companies values (1, 'Acme');
"""
# Each evaluates the function as it is made, or as something else is made after it.
ATTACKS = {
    "predicate": "create index on public.companies (name) where public.imm('x') = 'x'",
    "index expression": "create index on public.companies (public.imm(name))",
    "generated column": "alter table public.companies add u text"
    " generated always as (public.imm(name)) stored",
    "default": "alter table public.companies add d text default public.out()",
    "check": "alter table public.companies add check (public.imm(name) <> 'y')",
    "materialized view": "create materialized view public.m as select public.imm(name)"
    " from public.companies",
    "event trigger": """
        create function public.e() returns event_trigger language plpgsql as
        $$ begin perform public.imm('x'); end $$;
        create event trigger e on ddl_command_start execute function public.e();
        alter event trigger e enable always;
        create extension if not exists vector; drop trigger if exists t on auth.users;
        create publication p for all tables; create table public.late (id int)""",
    "login": """
        create function public.l() returns event_trigger language plpgsql as
        $$ begin perform public.imm('x'); end $$;
        create event trigger l on login execute function public.l()""",
    "literal of a policy": """
        create domain public.d as text check (public.imm(value) = value);
        create policy p on storage.objects using ('{x}'::public.d[] is not null)""",
    "filter of a publication": """
        create domain public.d as text check (public.imm(value) = value);
        create publication p for table public.companies
            where (name = any ('{x}'::public.d[])), tables in schema public""",
    "validator": """
        create function public.v(text[], oid) returns void language plpgsql as
        $$ begin perform public.imm('x'); end $$;
        create foreign data wrapper w validator public.v options (a 'b')""",
    "cast": """
        create type public.t as (name text);
        create function public.c(public.t) returns text language sql immutable as
        $$ select public.imm('x') $$;
        create cast (public.t as text) with function public.c(public.t) as implicit;
        create index on public.companies (name) where row('x')::public.t::text = 'x'""",
    "operator": """
        create function public.o(text, text) returns boolean language sql immutable as
        $$ select public.imm($1) = $2 $$;
        create operator public.=== (leftarg = text, rightarg = text, function = public.o);
        create index on public.companies (name) where 'x' operator(public.===) 'x'""",
    "a role that starts programs": """
        create function public.take() returns text language plpgsql volatile as
        $$ begin execute 'grant pg_execute_server_program to current_user';
        return public.out(); end $$;
        create function public.g(t text) returns text language plpgsql immutable as
        $$ declare r text; begin execute 'select public.take()' into r; return t; end $$;
        create index on public.companies (name) where public.g('x') = 'x'""",
    "escape from the role": """
        reset role; reset session authorization; set role none;
        do $$ begin perform public.imm('x'); end $$;
        select public.imm('x') from public.companies""",
    "the stub's own functions": """
        create function public.text(regclass) returns text language sql immutable as
        $$ select public.imm('x') $$;
        set local search_path = public, pg_temp;
        select supabase_stand_in.publish_all('p"; select public.imm(''x''); --', null)""",
    "a temporary view of a catalog's name": """
        create temporary view pg_extension as
        select *, public.out() from pg_catalog.pg_extension;
        create extension if not exists vector; select out from pg_extension""",
}


@pytest.fixture
def canary() -> Iterator[Path]:
    """A file that anybody may make: there once an attack got through."""
    folder = Path(tempfile.mkdtemp(prefix="twolane-canary-"))
    folder.chmod(0o777)
    yield folder / "made"
    shutil.rmtree(folder)


@pytest.fixture
def service(blank_service: Service, server: PostgresServer, tmp_path: Path) -> Service:
    """A fresh service; the shadow's server is one that the URL reaches as superuser."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    return Service(tmp_path / "crm", {"SHADOW_DATABASE_URL": server.get_uri()})


def replay(service: Service, text: str) -> str:
    """Runs an SQL file on the shadow; why it does not run, or nothing."""
    settings = replace(load(service.folder), environment=service.env)
    step = files_step([sqlfiles.of_text("attack.sql", text)])
    try:
        made = shadow.replay(settings, [step], nullcontext)
    except FileFailure as failure:
        return failure.message
    with shadow.connect(settings, made.database) as connection:
        catalog.read(connection)
    return ""


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_program_starts(
    attack: str, service: Service, canary: Path, new_database: NewDatabase, platform: str
) -> None:
    hostile = PROGRAM.replace("{canary}", str(canary))
    with psycopg.connect(new_database(platform), autocommit=True) as connection:
        connection.execute(hostile.encode())
        with suppress(psycopg.Error):
            connection.execute(ATTACKS[attack].encode())
        connection.execute("drop event trigger if exists l")
    assert canary.exists() or attack in ("login", "the stub's own functions"), "no attack"
    canary.unlink(missing_ok=True)
    said = replay(service, f"{hostile};\n{ATTACKS[attack]};")
    assert not canary.exists(), said


@pytest.mark.parametrize(
    "attack", ["a role that starts programs", "event trigger", "literal of a policy"]
)
@pytest.mark.parametrize("older", ["fifteen", "sixteen"])
def test_no_program_starts_on_an_older_server(
    attack: str, older: str, service: Service, canary: Path, request: pytest.FixtureRequest
) -> None:
    """Where no setting switches event triggers off."""
    service.env["SHADOW_DATABASE_URL"] = request.getfixturevalue(older).url()
    hostile = PROGRAM.replace("{canary}", str(canary))
    said = replay(service, f"{hostile};\n{ATTACKS[attack].replace('vector', 'plpgsql')};")
    assert not canary.exists(), said
    assert "available" not in said, said


# `earthdistance` reads the literal of a `cube` as it is made, in versions before 1.2 of any.
SCRIPT = """
create schema evil; create schema cubes;
create domain evil.d as text check (public.imm(value) = value);
create type evil.cube as (a evil.d);
create function evil.cube_is_point(evil.cube) returns boolean return true;
create function evil.cube_dim(evil.cube) returns int return 1;
create function evil.cube_distance(evil.cube, evil.cube) returns float8 return 1.0::float8;
create extension cube schema cubes; create extension earthdistance schema evil;
"""


def test_the_script_of_an_extension_meets_nothing_that_others_made(
    service: Service, canary: Path, fifteen: Server
) -> None:
    service.env["SHADOW_DATABASE_URL"] = fifteen.url()
    said = replay(service, f"{PROGRAM.replace('{canary}', str(canary))};\n{SCRIPT}")
    assert not canary.exists(), said
    assert said == ""


def test_neither_adopt_nor_capture_starts_a_program(
    minimal_service: Service,
    ready_service: Service,
    canary: Path,
    new_database: NewDatabase,
    platform: str,
    tmp_path: Path,
) -> None:
    hostile = PROGRAM.replace("{canary}", str(canary))
    shadow = ready_service.env["SHADOW_DATABASE_URL"]
    adopting = newcomer(minimal_service, tmp_path / "new", new_database(platform), shadow)
    capturing = copy(ready_service, tmp_path / "ready", new_database)
    for each in (adopting, capturing):
        each.sql(hostile)
        each.sql(ATTACKS["predicate"])
    canary.unlink()
    assert '"identical": true' in adopting.invoke("db.adopt", "--json").out
    assert "companies_name_idx" in capturing.invoke("db.capture", "--dry-run", code=None).out
    assert not canary.exists()


# What needs more than Supabase's `postgres` has, and what is said about it.
TOO_MUCH = {
    "alter table storage.objects enable row level security": "must be owner of table objects",
    "create index on auth.users (email)": "must be owner of table users",
    "create function auth.x() returns int language sql as 'select 1'": (
        "permission denied for schema auth"
    ),
    "alter table auth.users add column plan text": "must be owner of table users",
    "create or replace function auth.uid() returns uuid language sql as 'select null::uuid'": (
        "permission denied for schema auth"
    ),
}
ALLOWED = """
create extension if not exists vector with schema extensions;
alter extension vector set schema public;
alter extension vector set schema extensions;
create policy p on storage.objects for select to authenticated using (owner = (select auth.uid()));
alter policy p on storage.objects using (true);
drop policy p on storage.objects;
create policy q on realtime.messages for select to authenticated using (true);
create function public.f() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger t after insert on auth.users for each row execute function public.f();
drop trigger if exists t on auth.users;
create trigger t after insert on auth.users for each row execute function public.f();
create schema private;
create table private.a (id int primary key, user_id uuid references auth.users (id));
create publication everything for all tables with (publish = 'insert, update');
create publication part for table private.a where (id > 1), tables in schema public;
alter publication part add tables in schema private;
alter publication part set tables in schema private;
alter publication supabase_realtime add table private.a;
create foreign data wrapper w options (a 'it''s "x"');
create function private.e() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger e on ddl_command_end when tag in ('CREATE TABLE')
    execute function private.e();
alter event trigger e disable; drop event trigger e;
do $$ begin
    if true then create event trigger e on sql_drop execute function private.e(); end if;
    create extension if not exists vector;
end $$;
set local session_replication_role = replica;
create role reporter_of_trust; grant anon to reporter_of_trust; drop role reporter_of_trust;
alter default privileges for role postgres in schema private grant select on tables to anon;
comment on extension vector is 'é';
drop publication everything; drop foreign data wrapper w;
"""


def test_a_file_may_do_what_supabase_lets_postgres_do(service: Service) -> None:
    said = replay(service, ALLOWED)
    assert said == ""
    settings = replace(load(service.folder), environment=service.env)
    made = shadow.replay(settings, [files_step([sqlfiles.of_text("a", ALLOWED)])], nullcontext)
    owners = [identity for identity in made.facts if identity.startswith("owner ")]
    assert owners == ["owner schema public"], "the role owns what was made for it"
    assert "default privileges for postgres in schema private on tables" in made.facts
    assert not [text for text in (*made.facts, *made.facts.values()) if "twolane_" in text]


@pytest.mark.parametrize("statement", TOO_MUCH)
def test_a_file_that_needs_more_fails_as_on_supabase(service: Service, statement: str) -> None:
    settings = replace(load(service.folder), environment=service.env)
    step = files_step([sqlfiles.of_text("a.sql", f"{statement};")])
    with pytest.raises(FileFailure) as raised:
        shadow.replay(settings, [step], nullcontext)
    assert TOO_MUCH[statement] in raised.value.message
    assert raised.value.first.startswith("It is the platform's, on Supabase as here")
