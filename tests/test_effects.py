"""What a transaction leaves that facts don't show: rows, records, the server, blind schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase, copy, database_name
from service import Service
from steps import has_rls, pushes

from twolane.facts.traces import Traces, compare
from twolane.postgres import exposure, transactions
from twolane.postgres.traces import look
from twolane.repo import revisions
from twolane.sql import ends_transaction

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


@pytest.fixture(scope="module")
def attacked(
    pushed_service: Service, lasting_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service with a revision that waits, for each test to write anew; none is ever pushed."""
    service = copy(pushed_service, tmp_path_factory.mktemp("attacked") / "crm", lasting_database)
    service.invoke("db.gen", "--empty", "-m", "attack")
    return service


def run_by(service: Service, *statements: str) -> None:
    service.edit_revision("\n".join(f"op.execute({statement!r})" for statement in statements))


def only_there(*statements: str) -> str:
    """SQL that does something in the target alone: the shadow's role is no superuser."""
    body = "".join(f"execute {_quoted(statement)};" for statement in statements)
    return f"do $do$ begin if current_setting('is_superuser') = 'on' then {body} end if; end $do$"


def _quoted(statement: str) -> str:
    return "$text$" + statement + "$text$"


SWAP = (
    "alter table contacts rename email to aside;"
    "alter table contacts rename phone to email;"
    "alter table contacts rename aside to phone"
)


def test_rows_of_what_lane_b_does_not_own_are_refused_by_whatever_way(attacked: Service) -> None:
    run_by(
        attacked,
        "with gone as (delete from jobs returning 1) select 1",
        "update threads set title = title where exists (select from twolane.alembic_version)",
        "insert into auth.users (id) select id from auth.users",
        "do 'begin execute ''update storage.buckets set public = true''; end'",
        f"{SWAP}",
    )
    raw = "op.get_bind().connection.driver_connection"
    path = attacked.revisions()[-1]
    path.write_text(
        path.read_text().replace(
            "\n\n\ndef downgrade",
            f'\n    {raw}.execute("delete from documents")\n\n\ndef downgrade',
        )
    )
    for command in ("db.push", "db.deploy"):
        refused = attacked.invoke(command, "--dry-run", code=2).err
        assert "G05 baseline" in refused
        for table in ("public.jobs", "public.threads", "auth.users", "storage.buckets"):
            assert f"rows of {table}   are written" in refused
        assert "rows of public.documents   are written" in refused
        assert "column public.contacts.email   is another one by that name" in refused
    assert "rows of public.jobs   are written" in attacked.invoke("db.check", code=2).out


def test_records_server_and_platform_are_refused_and_the_shadow_keeps_nothing(
    attacked: Service,
) -> None:
    role = f"evil_{database_name(attacked.env['DATABASE_URL'])[-8:]}"
    run_by(
        attacked,
        f"create role {role}; grant service_role to anon",
        "delete from twolane.label; insert into twolane.alembic_version values ('second')",
        "grant usage on schema twolane to anon; create table twolane.mine ()",
        "create schema supabase_functions; create function extensions.f() returns int return 1",
    )
    refused = attacked.invoke("db.push", code=2).err
    assert "G05 baseline" in refused
    for line in (
        f"+ role {role}   of the whole server",
        "+ membership in service_role of anon   of the whole server",
        "~ rows of twolane.label   of twolane's record",
        "~ rows of twolane.alembic_version   of twolane's record",
        "~ schema twolane   of twolane's record",
        "+ relation twolane.mine   of twolane's record",
        "+ schema supabase_functions   of the platform",
        "+ function extensions.f()   of the platform",
    ):
        assert line in refused
    assert "changes the server, not only the database" in attacked.invoke("db.check", code=1).out
    assert attacked.sql("select to_regrole(%s)", role) == [(None,)]  # the shadow's server, too
    assert attacked.sql("select pg_has_role('anon', 'service_role', 'member')") == [(False,)]


def test_what_is_done_in_the_database_alone_is_refused_before_the_commit(attacked: Service) -> None:
    run_by(
        attacked,
        only_there(
            "delete from jobs",
            "truncate tool_invocations",
            SWAP,
            "alter role anon bypassrls",
            "insert into twolane.label values (true, 'x', true)",
            "alter table storage.objects disable row level security",
            "create or replace function auth.uid() returns uuid stable return null::uuid",
        ),
    )
    refused = attacked.invoke("db.push", code=2).err
    assert "G05 baseline" in refused and "nothing was applied" in refused
    for line in (
        "rows of public.jobs   are written",
        "table public.tool_invocations   its data are lost or written anew",
        "column public.contacts.phone   is another one by that name",
        "~ role anon   of the whole server",
        "~ rows of twolane.label   of twolane's record",
        "~ relation storage.objects   of the platform",
        "~ function auth.uid()   of the platform",
    ):
        assert line in refused
    assert has_rls(attacked, "storage.objects")
    assert len(pushes(attacked)) == 1

    run_by(attacked, only_there("grant select on dev_markers to anon"))
    refused = attacked.invoke("db.push", code=1).err
    assert "+ grant table public.dev_markers to anon" in refused

    run_by(attacked, "alter role anon bypassrls")  # as Supabase refuses it
    assert '"anon" is a reserved role' in attacked.invoke("db.push", code=1).err


def test_what_works_beyond_the_apps_tables_is_lane_as(attacked: Service) -> None:
    run_by(
        attacked,
        "create function watch() returns event_trigger language plpgsql as 'begin end'",
        "create event trigger watch on ddl_command_end execute function watch()",
        "create operator === (leftarg = text, rightarg = text, function = texteq)",
        "create type pair as (a int, b int)",
        "create function to_text(pair) returns text immutable return ''",
        "create cast (pair as text) with function to_text(pair) as implicit",
        "create schema theirs authorization authenticated",
        "create schema api; grant usage on schema api to public",
    )
    refused = attacked.invoke("db.push", code=2).err
    assert "G07 sql-only" in refused
    for line in (
        "+ event trigger watch",
        "+ operator public.===(",
        "+ cast (public.pair AS ",
        "+ owner schema theirs   role: authenticated",
        "+ grant schema api to public",
    ):
        assert line in refused


PUT_OFF = """
create function later() returns trigger language plpgsql as $f$ begin {} return null; end $f$;
create constraint trigger later after insert on dev_markers deferrable initially deferred
for each row execute function later();
insert into dev_markers (label) values ('a')
"""
ONCE_MORE = """
set constraints all deferred;
if new.label < {} then insert into dev_markers (label) values (new.label || 'a');
else delete from jobs; end if;
"""


def test_what_is_put_off_to_the_commit_is_seen_or_fails(attacked: Service) -> None:
    run_by(attacked, PUT_OFF.format("drop policy jobs_select_own on jobs; delete from jobs;"))
    refused = attacked.invoke("db.push", code=2).err
    assert "- policy public.jobs.jobs_select_own" in refused
    assert "rows of public.jobs   are written" in refused

    run_by(attacked, PUT_OFF.format(ONCE_MORE.format("'aaaa'")))
    assert "rows of public.jobs   are written" in attacked.invoke("db.push", code=2).err

    run_by(attacked, PUT_OFF.format(ONCE_MORE.format("'b'")))
    assert "puts off its work to the commit, again" in attacked.invoke("db.push", code=1).err


AT_THE_COMMIT = """
create function at_the_commit() returns int language plpgsql as
$$ begin delete from people; return 1; end $$;
create function hold() returns trigger language plpgsql as
$$ begin declare c cursor for select 1; begin
execute 'declare by_trigger cursor with hold for select at_the_commit()'; return null; end; end $$;
create constraint trigger hold after insert on notes deferrable initially deferred
for each row execute function hold();
insert into notes (person) values (1);
declare plain cursor with hold for select at_the_commit();
do $$ begin execute 'declare by_block scroll cursor with hold for select at_the_commit()'; end $$;
create temporary table mine as select 1;
declare on_temporary cursor for select * from mine
"""


def test_a_cursor_that_is_held_runs_nothing_at_the_commit(ground: Connection) -> None:
    with transactions.transaction(ground):
        with transactions.theirs(ground):
            ground.execute(AT_THE_COMMIT)
        transactions.reset(ground)
        ground.execute("drop trigger hold on public.notes; drop function public.hold()")
    assert ground.execute("select count(*) from people").fetchone() == (1,)
    assert ground.execute("select from pg_cursors where is_holdable").fetchall() == []
    ground.execute("drop function at_the_commit()")


ENDS = ["op.execute('commit')", "driver.execute('/* so */ end')", "driver.cursor('c').execute(B)"]
ENDS += ["op.get_bind().commit()", "op.get_bind().rollback()", "driver.commit()"]


def test_a_migration_that_ends_its_transaction_in_the_database_alone_is_stopped_before(
    attacked: Service,
) -> None:
    for way in ENDS:
        attacked.edit_revision(
            "driver = op.get_bind().connection.driver_connection\n"
            "B = 'select 1; commit'\n"
            "op.execute('alter table jobs disable row level security')\n"
            "if driver.info.parameter_status('is_superuser') == 'on':\n"
            f"    {way}\n"
            "op.execute('alter table jobs enable row level security')"
        )
        failed = attacked.invoke("db.push", code=1).err
        assert "attack.py:" in failed and "ends the transaction that it runs in" in failed
        assert has_rls(attacked, "jobs")
    run_by(attacked, "set standard_conforming_strings = off", r"select '\'' ; commit; select ''")
    assert "standard_conforming_strings off" in attacked.invoke("db.push", code=1).err


def test_a_file_edited_while_the_push_waits_does_not_run(attacked: Service) -> None:
    run_by(attacked, "select 1")
    path = attacked.revisions()[-1]
    with psycopg.connect(attacked.env["DATABASE_URL"]) as other:
        other.execute("select pg_advisory_xact_lock(%s)", [transactions.ADVISORY_LOCK])
        waiting = attacked.start("db.push")
        assert waiting.stdout
        while "waiting for another twolane command" not in (line := waiting.stdout.readline()):
            assert line
        path.write_text(path.read_text().replace("select 1", "select 2"))
        other.commit()
        said = waiting.communicate(timeout=120)[0]
    assert waiting.returncode == 1, said
    assert f"{path.name}: edited while the command was at work" in said
    assert len(pushes(attacked)) == 1


def test_rows_of_the_apps_own_tables_are_written_with_consent(pushed: Service) -> None:
    pushed.sql("insert into dev_markers (label) values ('a')")
    pushed.invoke("db.gen", "--empty", "-m", "fill")
    run_by(
        pushed,
        "alter table dev_markers add column size bigint generated always as identity",
        "update dev_markers set label = upper(label)",
        "select setval(pg_get_serial_sequence('dev_markers', 'size'), 7)",
        "create table heaps (id int primary key); insert into heaps values (1)",
        "comment on table dev_markers is 'ours'",
    )
    key = "write:dev_markers"
    rewrite = ("--allow", "rewrite:dev_markers")
    assert f"! {key}   its rows are written" in pushed.invoke("db.push", "--dry-run").out
    refused = pushed.invoke("db.push", *rewrite, code=2).err
    assert "G06 destructive" in refused and f"--allow {key}" in refused
    pushed.invoke("db.push", *rewrite, "--allow", key)
    assert pushed.sql("select label from dev_markers") == [("A",)]

    pushed.invoke("db.gen", "--empty", "-m", "fill again")
    body = "if exists (select from dev_markers) then update dev_markers set label = 'b'; end if;"
    run_by(
        pushed,
        f"do $$ begin {body} end $$",
        "update dev_markers set label = label where exists (select from twolane.alembic_version)",
    )
    assert "from twolane.alembic_version" in pushed.invoke("db.push", "--dry-run").out
    run_by(pushed, f"do $$ begin {body} end $$")
    refused = pushed.invoke("db.push", code=2).err
    assert "In the database, other than on the shadow" in refused
    pushed.invoke("db.push", "--allow", key)
    assert pushed.sql("select label from dev_markers") == [("b",)]

    pushed.sql("create table kept (marker uuid references dev_markers on delete cascade)")
    pushed.sql("insert into kept select id from dev_markers")
    pushed.invoke("db.sync")
    pushed.invoke("db.gen", "--empty", "-m", "delete")
    run_by(pushed, "delete from dev_markers")
    refused = pushed.invoke("db.push", "--allow", key, code=2).err
    assert "G05 baseline" in refused and "rows of public.kept   are written" in refused
    assert len(pushed.sql("select 1 from kept")) == 1


def test_a_way_back_writes_rows_with_consent_and_nothing_elsewhere(pushed: Service) -> None:
    path = pushed.revisions()[-1]
    head, back, rest = path.read_text().partition("def downgrade() -> None:\n")
    way_back = ("db.downgrade", "--to", "base", "--allow=drop:dev_markers")

    def takes_back(statement: str) -> None:
        path.write_text(f"{head}{back}    op.execute({statement!r})\n{rest}")
        (revision,) = revisions.read(pushed.folder / "migrations")
        pushed.sql("update twolane.pushes set digest = %s", revision.digest)

    for statement, line in (
        ("grant service_role to anon", "+ membership in service_role of anon"),
        ("delete from auth.users", "rows of auth.users   are written"),
        (only_there("delete from auth.users"), "rows of auth.users   are written"),
    ):
        takes_back(statement)
        refused = pushed.invoke(*way_back, code=2).err
        assert "G05 baseline" in refused and line in refused
    takes_back("delete from jobs")
    assert "--allow write:jobs" in pushed.invoke(*way_back, code=2).err
    pushed.invoke(*way_back, "--allow=write:jobs")


def test_what_a_revision_builds_on_lane_a_is_closed_where_defaults_open_it(
    service: Service,
) -> None:
    service.sql("alter default privileges in schema public grant all on tables to anon")
    service.invoke("db.sync")
    service.invoke("db.gen", "--empty", "-m", "look")
    run_by(
        service,
        "create view everyone as select * from contacts",
        "create materialized view stale as select * from contacts",
        "create function leak() returns setof contacts security definer"
        " language sql as 'select * from contacts'",
        "grant execute on function leak() to public",  # as it is by default: G07 sees no change
    )
    service.invoke("db.push")
    for thing in ("everyone", "stale"):
        ask = "select has_table_privilege('anon', %s, 'select')"
        assert service.sql(ask, thing) == [(False,)]
    assert service.sql("select has_function_privilege('anon', 'leak()', 'execute')") == [(False,)]


def test_what_the_apis_roles_have_by_a_role_that_they_are_in_is_taken_back(
    ground: Connection,
) -> None:
    """And who listens to that finds its names as the database says."""
    with ground.transaction(force_rollback=True), transactions.transaction(ground):
        with transactions.theirs(ground):
            ground.execute(
                "create role readers; grant readers to anon;"
                "create function told() returns event_trigger language plpgsql as"
                " 'begin perform * from contacts_told; end';"
                "create table contacts_told ();"
                "alter default privileges in schema public grant all on tables to readers;"
                "alter default privileges in schema public grant execute on functions to readers;"
            )
            before = exposure.look(ground)
            ground.execute(
                "create view everyone as select 1 as id;"
                "create function leak(int) returns int security definer language sql as 'select 1';"
                "create event trigger told on ddl_command_end execute function told();"
            )
        made = exposure.look(ground).since(before)
        assert list(exposure.take_back(ground, made.relations)) == ["public.everyone"]
        assert len(list(exposure.take_back_functions(ground, made.functions))) == 1
        assert exposure.look(ground) == before


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("commit", True),
        ("select 1; -- so\nEND", True),
        ("rollback and chain", True),
        ("prepare transaction 'x'", True),
        ("create table t (a int) newer syntax; rollback", True),
        ("create table t (a int) newer syntax; /* so */ rollback", True),
        ("-- so\nrollback -- all\n; create table t (a int) newer syntax", True),
        ("rollback to savepoint s; release savepoint s", False),
        ("do $$ begin perform 1; end $$", False),
        ("select 'commit; rollback'", False),
        ("create table t (a int) newer syntax; select case when true then 1 end", False),
    ],
)
def test_the_parser_knows_what_ends_a_transaction(text: str, ends: bool) -> None:
    assert ends_transaction(text) is ends
