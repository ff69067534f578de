"""The stand-ins for extensions beside the real ones: nothing lacks, and no schema differs."""

from __future__ import annotations

import re
import subprocess

import psycopg
import pytest
from conftest import NewDatabase
from servers import PostgresServer, Server
from standins import EXTENSIONS, Pair, install, members, need_real

from twolane.facts import catalog
from twolane.postgres import standins
from twolane.sql import statements


@pytest.mark.parametrize("name", EXTENSIONS)
def test_what_the_real_one_brings_along_the_stand_in_does(pair: Pair, name: str) -> None:
    real, stand_in = members(pair.real, name), members(pair.stand_in, name)
    assert {key: stand_in.get(key) for key in real} == real
    own = {identity for kind, identity in stand_in.keys() - real.keys()}
    assert all(identity.startswith("twolane_") for identity in own), own


@pytest.mark.parametrize("name", EXTENSIONS)
def test_whoever_makes_one_is_told(new_database: NewDatabase, offered: str, name: str) -> None:
    said = []
    with psycopg.connect(new_database(), options=offered) as connection:
        connection.add_notice_handler(lambda d: said.append((d.severity, d.message_primary)))
        connection.execute(f'create extension "{name}"'.encode())
    ((severity, message),) = said
    assert severity == "WARNING" and str(message).startswith(f"twolane's stand-in for {name}: ")


def test_a_script_calls_nothing_that_somebody_made_in_its_schema(
    new_database: NewDatabase, offered: str
) -> None:
    """As it runs: Postgres runs it as superuser, whoever makes the extension, and wherever."""
    with psycopg.connect(new_database(), options=offered) as connection:
        connection.execute(
            """
            create schema evil;
            create function evil.format(text, text) returns text return 1 / 0;
            create function evil.format(text, text, text) returns text return 1 / 0;
            """
        )
        install(connection, "evil")
    for name in EXTENSIONS:
        (script,) = standins.SOURCE.glob(f"{name}--*.sql")
        for statement in statements(script.read_text(encoding="utf-8")):
            kind = type(statement.node).__name__
            assert kind in ("DoStmt", "CreateFunctionStmt"), statement.text
            if kind == "DoStmt":
                called = re.findall(r"([\w.]+)\(", re.sub(r"'[^']*'", "''", statement.text))
                assert all(word.startswith("pg_catalog.") for word in called), called


def test_versions_are_those_that_supabase_has(pair: Pair) -> None:
    """So that `create extension … version '1.3'` runs in both places."""
    versions = "select extname, extversion from pg_extension where extname = any (%s) order by 1"
    assert len(pair.same(versions, list(EXTENSIONS))) == len(EXTENSIONS)


def test_bodies_do_not_depend_on_the_callers_search_path(
    new_database: NewDatabase, offered: str
) -> None:
    queries = [
        "select b.digest('x', 'sha256'), b.hmac('a', 'b', 'sha1')",
        "select b.crypt('p', '$2a$04$abcdefghijklmnopqrstuu'), b.crypt('p', '$1$abc')",
        "select b.uuid_generate_v5(b.uuid_nil(), 'x'), b.uuid_generate_v3(b.uuid_nil(), 'x')",
        "select pg_catalog.length(b.gen_salt('bf')), pg_catalog.length(b.gen_random_bytes(20))",
    ]
    with psycopg.connect(new_database(), options=offered, autocommit=True) as connection:
        connection.execute("create schema a; create schema b; create schema evil")
        install(connection, "a")
        for name in EXTENSIONS:
            connection.execute(f'alter extension "{name}" set schema b'.encode())
        before = [connection.execute(query.encode()).fetchall() for query in queries]
        connection.execute(
            """
            create function evil.lower(text) returns text language sql as $$ select 'evil' $$;
            create function evil.length(bytea) returns int language sql as 'select 1';
            create function evil.sha256(bytea) returns bytea language sql as 'select $1';
            create function evil.no(text, text) returns boolean language sql as 'select false';
            create operator evil.= (leftarg = text, rightarg = text, function = evil.no);
            create function evil.zero(int, int) returns int language sql as 'select 0';
            create operator evil.+ (leftarg = int, rightarg = int, function = evil.zero);
            create domain evil.text as int; create domain evil.bytea as int;
            create domain evil.int8 as int;
            set search_path = evil, pg_catalog
            """
        )
        assert [connection.execute(query.encode()).fetchall() for query in queries] == before


SCHEMA = """
create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions version '1.1';
create extension if not exists citext;
create extension if not exists pg_trgm with schema extensions;
create table public.people (
    id uuid primary key default extensions.uuid_generate_v4(),
    email citext not null unique check (email ~~ '%@%'),
    token text not null default encode(extensions.gen_random_bytes(16), 'hex'),
    fingerprint bytea generated always as (extensions.digest(name, 'sha256')) stored,
    name text check (name operator(extensions.%) 'abc'),
    labels citext[] default '{}'
);
create index on public.people using gin
    (name extensions.gin_trgm_ops, to_tsvector('english', name));
create index on public.people using gist (lower(name) extensions.gist_trgm_ops (siglen = 32));
create index on public.people using hash (email);
create index on public.people (email citext_pattern_ops desc, email collate "C") where email <> 'x';
create view public.names as
    select id, max(email) as email, min(extensions.similarity(name, 'abc')) as likeness
    from public.people where email ilike 'a%' and name operator(extensions.<->) 'b' < 0.5
    group by id;
create function public.known(address citext) returns boolean
    language sql stable set search_path = ''
    as $$ select exists (select from public.people where email operator(public.=) address) $$;
create policy own on public.people using (email = current_setting('x')::citext);
"""


def test_the_facts_are_those_of_the_real_ones(
    fifteen: Server, new_database: NewDatabase, platform: str, offered: str
) -> None:
    need_real()
    found = []
    for url, options in ((fifteen.new_database(), ""), (new_database(platform), offered)):
        with psycopg.connect(url, options=options) as connection:
            connection.execute("set search_path = public, extensions")
            connection.execute(SCHEMA.encode())
            found.append(dict(catalog.read(connection)))
    real, stand_in = found
    assert "extension citext" in real and "index public.people.people_name_to_tsvector_idx" in real
    real.pop("view public.names"), stand_in.pop("view public.names")  # majors print it differently
    assert stand_in == real


def test_a_database_with_them_is_dumped_and_restored(
    server: PostgresServer, new_database: NewDatabase, platform: str, offered: str
) -> None:
    old, new = new_database(platform), new_database()
    with psycopg.connect(old, options=offered) as connection:
        connection.execute(SCHEMA.encode())
        connection.execute("insert into public.people (email, name) values ('A@b', 'abc')")
    dump = subprocess.run(
        [server.bin_path / "pg_dump", f"--dbname={old}"], check=True, capture_output=True
    ).stdout
    subprocess.run(
        [server.bin_path / "psql", "-qX", "-v", "ON_ERROR_STOP=1", f"--dbname={new}"],
        check=True,
        capture_output=True,
        input=dump,
        env={"PGOPTIONS": offered},
    )
    found = []
    for url in (old, new):
        with psycopg.connect(url) as connection:
            rows = connection.execute("select * from public.people where email = 'a@B'").fetchall()
            assert len(rows) == 1
            found.append((rows, dict(catalog.read(connection))))
    assert found[0] == found[1]
