"""From changes of facts to SQL: it brings about what it is made from, and may run again.

Every mutation is written as SQL, there and back, from its facts alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import FactsAfter, NewDatabase
from mutations import ON_GROUND, Mutation

from twolane.capture import trial as capture
from twolane.capture.trial import Trial
from twolane.ddl import render
from twolane.ddl.render import UNWRITTEN, Rank, Statement
from twolane.doctor import repeatable
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.repo.sqlfiles import SqlFile

pytestmark = pytest.mark.usefixtures("prepared_facts")

# What has no statement though its kind has, and what is said of it; empty: nothing but that it is
# left.
LEFT = {
    "check that a parent has, too": "",
    "collation of ICU": "Postgres",
    "collation's locale in ICU": "Postgres",
    "collation's rules": "Postgres",
    "collation, not deterministic": "Postgres",
    "column of a parent declared by the child": "",
    "column to an array": "cannot cast type boolean to boolean[]",
    "comment on not null": "",
    "configuration's parser": "types of tokens",
    "foreign data wrapper": "secrets",
    "foreign server": "secrets",
    "foreign table's key of a service": "secrets",
    "parameters of a partition's index": "",
    "partitions by an expression": "partition a table otherwise",
    "partitions by another collation": "partition a table otherwise",
    "partitions by another column": "partition a table otherwise",
    "partitions by another expression": "partition a table otherwise",
    "partitions by another operator class": "partition a table otherwise",
    "partitions by range": "partition a table otherwise",
    "partitions by two columns": "partition a table otherwise",
    "range's canonical function": "",
    "triggers of a foreign key disabled": "superuser",
    "triggers of a foreign key disabled in the other table": "superuser",
    "triggers of a partition's foreign key disabled": "superuser",
}
# What can be done, and not undone.
ONE_WAY = {"index of a partitioned table completed", "inheritance", "parents in another order"}


def kinds(mutation: Mutation) -> set[str]:
    """The kinds of the facts that a mutation changes."""
    facts = re.split(r",\s+(?=[-+~] )", mutation.facts.strip())
    return {identities.kind(fact[2:].strip()) for fact in facts}


def is_written(name: str) -> bool:
    return not (kinds(ON_GROUND[name]) & UNWRITTEN.keys() or name in LEFT)


@pytest.fixture(scope="module")
def connection(lasting_database: NewDatabase, ground: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(lasting_database(ground), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def before(connection: psycopg.Connection[Any]) -> Snapshot:
    return catalog.read(connection)


def after(connection: psycopg.Connection[Any], name: str) -> Snapshot:
    """The facts that a mutation leaves, which is taken back."""
    if connection.info.server_version < 10_000 * ON_GROUND[name].since:
        pytest.skip(f"Postgres {ON_GROUND[name].since} brought it")
    with connection.transaction(force_rollback=True):
        connection.execute(ON_GROUND[name].apply.encode())
        return catalog.read(connection)


def bring_about(connection: psycopg.Connection[Any], wanted: Snapshot) -> Trial:
    return capture.bring_about(
        connection, lambda facts: catalog.diff(facts, wanted), wanted, "postgres"
    )


def expect(connection: psycopg.Connection[Any], wanted: Snapshot) -> None:
    """A file brings the facts about, all of them, and changes none when it runs again."""
    with connection.transaction(force_rollback=True):
        trial = bring_about(connection, wanted)
    assert trial.reasons == {}
    text = render.text(trial.ran, "A test's.")
    assert list(repeatable.find(SqlFile("test.sql", text, ""))) == []
    for _ in ("from before", "again"):
        with connection.transaction():
            connection.execute(text.encode())
        assert catalog.diff(wanted, catalog.read(connection)) == []


@pytest.mark.parametrize("name", [name for name in ON_GROUND if is_written(name)])
def test_a_mutation_is_written_and_taken_back_from_its_facts(
    connection: psycopg.Connection[Any], before: Snapshot, name: str
) -> None:
    wanted = after(connection, name)
    with connection.transaction(force_rollback=True):
        expect(connection, wanted)
        if name not in ONE_WAY:
            expect(connection, before)


@pytest.mark.parametrize("name", LEFT)
def test_what_has_no_statement_is_left_with_a_reason(
    connection: psycopg.Connection[Any], name: str
) -> None:
    wanted = after(connection, name)
    with connection.transaction(force_rollback=True):
        trial = bring_about(connection, wanted)
        left = catalog.diff(catalog.read(connection), wanted)
    assert left
    assert any(LEFT[name] in trial.reasons.get(change.identity, "") for change in left)


def test_every_kind_of_fact_is_written_or_has_a_reason(before: Snapshot) -> None:
    found = {identities.kind(identity) for identity in before}
    assert found - render.WRITERS.keys() - UNWRITTEN.keys() == set()
    assert not render.WRITERS.keys() & UNWRITTEN.keys()


def since(facts: Snapshot, base: Snapshot) -> list[str]:
    return [s.sql for s in render.render(catalog.diff(base, facts), facts).statements]


def test_a_new_table_is_one_statement_that_reads_well(facts_after: FactsAfter) -> None:
    base = facts_after("create table public.topics (id uuid primary key)")
    facts = facts_after("""
        create table public.topics (id uuid primary key);
        create table public.notes (
          created_at timestamptz not null default now(), body text check (body <> ''),
          id uuid default gen_random_uuid() primary key, number int generated always as identity,
          size int generated always as (length(body)) stored,
          topic uuid references public.topics (id)
        );
        create index notes_topic_idx on public.notes (topic);
        alter table public.notes enable row level security;
        create policy notes_all on public.notes to authenticated using (body <> 'x');
        grant select, insert on public.notes to authenticated, service_role;
    """)
    assert since(facts, base) == [
        """create table if not exists public.notes (
  id uuid not null default gen_random_uuid(),
  body text,
  number integer not null generated always as identity,
  size integer generated always as (length(body)) stored,
  topic uuid,
  created_at timestamp with time zone not null default now(),
  constraint notes_body_check CHECK ((body <> ''::text)),
  constraint notes_pkey PRIMARY KEY (id)
);""",
        "CREATE INDEX IF NOT EXISTS notes_topic_idx ON public.notes USING btree (topic);",
        """drop policy if exists notes_all on public.notes;
create policy notes_all on public.notes
for all to authenticated
using ((body <> 'x'::text));""",
        "alter table public.notes enable row level security;",
        """revoke all on table public.notes from public, anon, authenticated, service_role;
grant insert, select on table public.notes to authenticated, service_role;""",
        """do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'public.notes'::regclass and conname = 'notes_topic_fkey'
  ) then
    alter table public.notes add constraint notes_topic_fkey """
        """FOREIGN KEY (topic) REFERENCES public.topics(id);
  end if;
end $$;""",
    ]


def test_what_goes_with_its_table_needs_no_statement(facts_after: FactsAfter) -> None:
    facts = facts_after("""
        create table public.notes (id int primary key, body text);
        create index on public.notes (body); comment on column public.notes.body is 'x';
        create policy mine on public.notes; grant select (id) on public.notes to anon;
        alter publication supabase_realtime add table public.notes;
    """)
    gone = render.render(catalog.diff(facts, facts_after("select")), {})
    assert [s.sql for s in gone.statements] == ["drop table if exists public.notes;"]
    assert gone.statements[0].loses == "table public.notes with its rows"


def test_who_may_use_a_new_object_does_not_hang_on_default_privileges(
    facts_after: FactsAfter, new_database: NewDatabase, platform: str
) -> None:
    """An older Supabase project grants everything on new tables, a newer one nothing."""
    make = "create table public.notes (id int); create function public.f() returns int return 1;"
    closed = facts_after(f"{make} revoke all on function public.f() from public")
    older = """alter default privileges in schema public
        grant all on tables to anon, authenticated, service_role;
        alter default privileges in schema public grant execute on functions to anon"""
    statements = since(closed, facts_after("select"))
    with psycopg.connect(new_database(platform)) as connection:
        connection.execute(older)
        for statement in statements:
            connection.execute(statement.encode())
        found = catalog.read(connection)
    assert [i for i in found if i.startswith(("grant table", "grant function"))] == []


def test_a_table_level_revoke_gives_the_columns_their_grants_back(
    connection: psycopg.Connection[Any],
) -> None:
    """What is revoked on a table is revoked on its columns (manual, REVOKE)."""
    columns = "grant select (a), update (b) on public.t to anon;"
    with connection.transaction(force_rollback=True):
        connection.execute(f"grant select, insert on public.t to anon; {columns}".encode())
        with connection.transaction(force_rollback=True):
            connection.execute(f"revoke insert on public.t from anon; {columns}".encode())
            wanted = catalog.read(connection)
        expect(connection, wanted)


def test_a_column_gets_another_type_though_views_read_it(
    connection: psycopg.Connection[Any],
) -> None:
    views = """create view public.of_c as select c from public.t;
        create view public.of_of_c with (security_invoker) as select c + 1 as c from public.of_c;
        grant select on public.of_of_c to anon; comment on view public.of_c is 'x'"""
    with connection.transaction(force_rollback=True):
        connection.execute(views)
        with connection.transaction(force_rollback=True):
            connection.execute("drop view public.of_of_c; drop view public.of_c")
            connection.execute(f"alter table public.t alter c type bigint; {views}")
            wanted = catalog.read(connection)
        expect(connection, wanted)


def test_what_hangs_together_is_ordered_by_trial(connection: psycopg.Connection[Any]) -> None:
    """A function of a table, the table with a default of a function, a view of both, a policy."""
    with connection.transaction(force_rollback=True):
        with connection.transaction(force_rollback=True):
            connection.execute("""
                create table public.zebras (id int);
                create function public.first_zebra() returns public.zebras language sql stable
                  begin atomic select id from public.zebras; end;
                create function public.zebra_id() returns int return 1;
                create table public.apes (id int default public.zebra_id(), zebra int);
                alter table public.zebras add primary key (id);
                alter table public.apes add foreign key (zebra) references public.zebras (id);
                create view public.all_of_them as
                  select a.id, (public.first_zebra()).id as first from public.apes a;
                create materialized view public.kept as select first from public.all_of_them;
                create unique index kept_idx on public.kept (first);
                create policy mine on public.apes using (exists (select from public.zebras));
            """)
            wanted = catalog.read(connection)
        expect(connection, wanted)


def test_a_statement_that_runs_in_no_order_is_named_with_what_postgres_says(
    connection: psycopg.Connection[Any],
) -> None:
    bad = Statement("select 1 / 0;", ("x",), Rank.TABLE)
    other = Statement("nonsense;", ("y",), Rank.TABLE, otherwise="select 1;")
    with connection.transaction(force_rollback=True):
        found = capture.order(connection, [bad, other])
    assert [(r.statement, r.message) for r in found.refused] == [(bad, "division by zero")]
    assert [s.sql for s in found.ran] == ["select 1;"]


HOSTILE = '"x\n$$; drop table public.t; --\'$do$"'


def test_names_say_nothing_in_sql(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(f"create table public.{HOSTILE} ({HOSTILE} int, b text)".encode())
        with connection.transaction(force_rollback=True):
            connection.execute(
                f"""alter table public.{HOSTILE} drop {HOSTILE};
                alter table public.{HOSTILE} alter b type varchar(3);
                alter table public.{HOSTILE} add constraint {HOSTILE} check (b <> '$$ then null');
                create policy {HOSTILE} on public.{HOSTILE} using (b <> '-- x');
                alter publication supabase_realtime add table public.{HOSTILE};
                create type public.{HOSTILE[:-1]}2" as enum ('it''s', '$$')""".encode()
            )
            wanted = catalog.read(connection)
        expect(connection, wanted)


def test_the_file_says_what_a_statement_makes_otherwise_and_gives_up(
    facts_after: FactsAfter,
) -> None:
    base = facts_after("create table public.notes (id int, body text, topic text)")
    facts = facts_after("create table public.notes (id int, body varchar(9))")
    text = render.text(render.render(catalog.diff(base, facts), facts).statements, "A title.")
    assert text.startswith("-- A title.\n--\n-- Safe to run again.\n")
    assert "-- ~ column public.notes.body type: text → character varying(9)\n" in text
    assert (
        "-- - column public.notes.topic text\n"
        "-- Gives up column public.notes.topic with its values.\n"
        "alter table public.notes drop column if exists topic;\n"
    ) in text
