"""What a transaction leaves that facts don't show: rows, records, the server, blind schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase, database_name

from twolane.facts.traces import Traces, compare
from twolane.postgres.traces import look

Connection = psycopg.Connection[Any]

TABLES = """
create schema twolane;
create table twolane.label (target text);
create table people (id int primary key, name text);
create table notes (id serial primary key, person int references people on delete cascade);
create view everybody as select * from people;
insert into people values (1, 'a');
insert into notes (person) values (1);
"""


@pytest.fixture(scope="module")
def ground(lasting_database: NewDatabase, platform: str) -> Iterator[Connection]:
    with psycopg.connect(lasting_database(platform), autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


def traces(connection: Connection, *statements: str) -> Traces:
    """What the statements leave, before they are rolled back."""
    with connection.transaction(force_rollback=True):
        before = look(connection)
        for statement in statements:
            connection.execute(statement.encode())
        return compare(before, look(connection))


WRITES = {
    "delete from people where false": {"public.people"},
    "update people set name = 'b' where false": {"public.people"},
    "with gone as (delete from notes where false returning 1) select 1": {"public.notes"},
    "insert into notes (person) select id from people": {"public.notes"},
    "merge into people p using notes n on false when matched then delete": {"public.people"},
    "do 'begin execute ''delete from people''; end'": {"public.people", "public.notes"},
    "delete from everybody": {"public.people", "public.notes"},
    "insert into auth.users (id) values (gen_random_uuid())": {"auth.users"},
    "update storage.buckets set public = true": {"storage.buckets"},
}


@pytest.mark.parametrize("statement", WRITES)
def test_a_table_whose_rows_are_written_shows_also_where_there_is_no_row(
    ground: Connection, statement: str
) -> None:
    assert traces(ground, statement).written == WRITES[statement]


def test_rows_written_anew_or_thrown_away_show(ground: Connection) -> None:
    both = {"public.people", "public.notes"}
    assert traces(ground, "truncate people cascade").rewritten == both
    column = "alter table notes add column at float default random()"
    assert traces(ground, column).rewritten == {"public.notes"}


def test_a_sequence_shows_with_the_table_that_it_numbers(ground: Connection) -> None:
    moved = traces(ground, "select setval('notes_id_seq', 7)").moved
    assert moved == {"public.notes_id_seq": "public.notes"}


NO_TRACE = [
    "create table t (id serial primary key, person int references people, u uuid references"
    " auth.users); insert into t (person) values (1); alter table t enable row level security",
    "alter table notes add column at date not null default now(); create index on notes (at)",
    "alter table notes rename to remarks; comment on table remarks is 'ours'",
    "create trigger t before update on notes for each row execute function"
    " suppress_redundant_updates_trigger()",
    "alter publication supabase_realtime add table notes",
    "select * from people for update",
    "savepoint s; delete from people; rollback to savepoint s",
    "grant select on people to anon; create policy p on people using (true)",
]


@pytest.mark.parametrize("statement", NO_TRACE)
def test_what_facts_show_or_what_is_new_leaves_no_trace(ground: Connection, statement: str) -> None:
    assert traces(ground, statement) == Traces()


RECORDS = {
    "insert into twolane.label values ('x')": "~ rows of twolane.label",
    "truncate twolane.label": "~ rows of twolane.label",
    "grant usage on schema twolane to anon": "~ schema twolane",
    "grant select on twolane.label to anon": "~ relation twolane.label",
    "drop table twolane.label": "- relation twolane.label",
    "create table twolane.mine ()": "+ relation twolane.mine",
    "create rule r as on insert to twolane.label do instead nothing": "+ rule twolane.label.r",
}
OF_DATABASE = "do 'begin execute format(''{}'', current_database()); end'"
SERVER = {
    "grant service_role to anon": "+ membership in service_role of anon",
    "alter role anon bypassrls": "~ role anon",
    "alter role anon password 'x'": "~ role: what is not for everybody to see, like a password",
    "alter role anon set search_path to x": "+ settings of role anon",
    "create role evil": "+ role evil",
    OF_DATABASE.format("alter database %I set work_mem to 64"): ("~ settings of the database"),
    OF_DATABASE.format("alter database %I connection limit 3"): ("~ database "),
    OF_DATABASE.format("grant all on database %I to anon"): ("~ database "),
    "alter database template1 connection limit 3": "~ another database",
    "comment on role anon is 'x'": "+ comment on role anon",
    "grant set on parameter log_statement to anon": "+ parameter log_statement",
    "select lo_from_bytea(0, 'x')": "~ large objects",
}
PLATFORM = {
    "create schema supabase_functions": "+ schema supabase_functions",
    "create schema supabase_evil authorization supabase_admin": "+ schema supabase_evil",
    "create schema graphql; create function graphql.resolve() returns int return 1": (
        "+ function graphql.resolve()"
    ),
    "create function extensions.f() returns int return 1": "+ function extensions.f()",
    "create table storage.copy as select * from people": "+ relation storage.copy",
    "grant select on auth.users to anon": "~ relation auth.users",
    "grant select (email) on auth.users to anon": "~ columns of auth.users",
    "create or replace function auth.uid() returns uuid return null::uuid": "~ function auth.uid()",
    "alter function auth.uid() set search_path = public": "~ function auth.uid()",
    "alter table storage.objects disable row level security": "~ relation storage.objects",
    "grant create on schema auth to anon": "~ schema auth",
    "alter publication supabase_realtime add table auth.users": (
        "+ publication supabase_realtime of auth.users"
    ),
    "create view auth.v as select 1 as a": "+ rule auth.v.",
    "alter table auth.users add check (email <> 'x')": "+ constraint auth.users.users_email_check",
    "grant execute on function pg_sleep(float8) to anon": "+ function pg_catalog.pg_sleep(",
    "alter function pg_catalog.upper(text) volatile": "+ function pg_catalog.upper(text)",
    "revoke usage on language plpgsql from public": "~ language plpgsql",
    "alter default privileges for role supabase_admin grant select on tables to anon": (
        "+ default privileges "
    ),
}


@pytest.mark.parametrize("statement", RECORDS | SERVER | PLATFORM)
def test_records_server_and_platform_show_what_was_changed_of_them(
    ground: Connection, statement: str
) -> None:
    found = traces(ground, statement)
    if statement in RECORDS:
        seen, expected, others = found.records, RECORDS[statement], found.server + found.platform
    elif statement in SERVER:
        seen, expected, others = found.server, SERVER[statement], found.records + found.platform
    else:
        seen, expected, others = found.platform, PLATFORM[statement], found.records + found.server
    assert any(line.startswith(expected) for line in seen), found
    assert not others


def test_what_somebody_else_does_to_roles_meanwhile_is_not_this_transactions(
    ground: Connection,
) -> None:
    with ground.transaction(force_rollback=True):
        before = look(ground)
        with psycopg.connect(ground.info.dsn, autocommit=True) as other:
            role = f"made_by_{database_name(ground.info.dsn)[-8:]}"
            other.execute(f"create role {role}".encode())
        found = compare(before, look(ground))
        ground.execute(f"drop role {role}".encode())
    ground.execute(f"drop role {role}".encode())
    assert found == Traces()
