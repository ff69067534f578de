"""G12: each convention refuses what departs from it, and lets the near miss pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import FactsAfter

from twolane.guards import conventions
from twolane.guards.findings import ERROR, WARNING, Finding

Find = Callable[..., list[Finding]]

ID = "id uuid primary key default gen_random_uuid()"
TIMES = (
    "created_at timestamptz not null default now(), updated_at timestamptz not null default now()"
)
USER = "user_id uuid not null references auth.users (id)"
FINE = f"create table notes ({ID}, {USER}, body text, {TIMES}); create index on notes (user_id);"
BODY = "language plpgsql as 'begin return null; end'"


@pytest.fixture
def find(facts_after: FactsAfter) -> Find:
    """What G12 finds once this SQL has run."""

    def run(sql: str, tenant: str = "user_id") -> list[Finding]:
        return list(conventions.find(facts_after(sql), tenant))

    return run


def table(columns: str) -> str:
    return f"create table notes ({columns})"


def test_a_table_as_the_starters_make_them_is_fine(find: Find) -> None:
    assert find(FINE) == []


def test_nothing_is_asked_of_a_schema_that_no_api_role_may_use(find: Find) -> None:
    bad = 'table {}."Notes" (user_id int)'
    assert find(f"create schema inner_part; create {bad.format('inner_part')}") == []
    opened = "create schema inner_part; grant usage on schema inner_part to authenticated;"
    assert {f.subject for f in find(f"{opened} create {bad.format('inner_part')}")} == {
        "inner_part.Notes"
    }


ERRORS = {
    f'create table "Notes" ({ID}, {TIMES})': "The table public.Notes is not in snake_case",
    table(f'{ID}, {TIMES}, "bodyText" text, "a b" int'): (
        "Columns of public.notes are not in snake_case: a b, bodyText."
    ),
    f'{FINE} create view "myNotes" as select 1 as a': "The view public.myNotes is not in",
    "create type \"Mood\" as enum ('good')": "The type public.Mood is not in snake_case",
    "create function \"getIt\"() returns int set search_path = '' language sql as 'select 1'": (
        "The function public.getIt is not in snake_case"
    ),
    table(f"id uuid, {TIMES}"): "has no primary key",
    table(f"{ID}, user_id uuid not null, {TIMES}, unique (user_id, id)"): (
        "no foreign key leads from it to auth.users"
    ),
    table(f"{ID}, {USER}, {TIMES}, unique (id, user_id)"): "no index begins with it",
    f"{table(f'{ID}, {USER}, {TIMES}')}; create index on notes (user_id) where id is null": (
        "no index begins with it"
    ),
    f"{table(f'{ID}, {USER}, {TIMES}')}; create index on notes (lower(user_id::text))": (
        "no index begins with it"
    ),
    f"create schema hidden; create function hidden.f() returns int security definer {BODY}": (
        "by the caller's search_path and runs with its owner's rights"
    ),
    f"create function f() returns trigger security definer {BODY}": "with its owner's rights",
}


@pytest.mark.parametrize("sql", ERRORS)
def test_g12_refuses(find: Find, sql: str) -> None:
    (found,) = find(sql)
    assert found.level == ERROR
    assert found.code == "G12"
    assert ERRORS[sql] in found.message
    assert found.first


WARNINGS = {
    table(f"id bigint primary key generated always as identity, {TIMES}"): "(id) is no uuid",
    table(f"id uuid primary key, {TIMES}"): "(id) is no uuid",
    table(ID): "has no created_at and no updated_at",
    table(f"{ID}, {TIMES.replace('updated_at timestamptz', 'updated_at timestamp')}"): (
        "has no updated_at timestamptz"
    ),
    table(f"{ID}, {TIMES.replace('updated_at timestamptz not null', 'updated_at timestamptz')}"): (
        "has no updated_at timestamptz"
    ),
    table(f"{ID}, {USER.replace('not null', '')}, {TIMES}, unique (user_id)"): "may be null",
    f'{FINE} create index "byBody" on notes (body)': "not in snake_case: byBody",
    f"create function f() returns int {BODY}": "by the caller's search_path.",
}


@pytest.mark.parametrize("sql", WARNINGS)
def test_g12_warns(find: Find, sql: str) -> None:
    (found,) = find(sql)
    assert found.level == WARNING
    assert WARNINGS[sql] in found.message


NEAR_MISSES = [
    f"{FINE} create table tags (note_id uuid references notes, tag_id uuid references notes,"
    f" {TIMES}, primary key (note_id, tag_id))",
    f"create table profiles (id uuid primary key references auth.users (id), {TIMES});"
    f"create table notes ({ID}, user_id uuid not null references profiles (id), {TIMES},"
    " unique (user_id))",
    table(f"{ID}, {USER}, {TIMES}, unique (user_id, id)"),
    f"{FINE} create table parts ({TIMES}, id uuid default gen_random_uuid(), primary key (id))"
    " partition by hash (id); create table parts_0 partition of parts"
    " for values with (modulus 1, remainder 0)",
    f'{FINE} create policy "Users see their own" on notes using (true)',
    "create function f() returns int set search_path = public language sql as 'select 1'",
    "create function f() returns int language sql begin atomic select 1; end",
    "create function f() returns int language sql return 1",
    f"create schema hidden; create function hidden.f() returns int {BODY}",
]


@pytest.mark.parametrize("sql", NEAR_MISSES)
def test_g12_lets_pass(find: Find, sql: str) -> None:
    assert find(sql) == []


def test_the_tenant_column_is_the_one_that_the_service_names(find: Find) -> None:
    own = table(f"{ID}, owner_id uuid not null references auth.users (id), {TIMES}")
    assert find(own) == []
    assert [f.message for f in find(own, "owner_id")] == [
        "public.notes.owner_id is the tenant, and no index begins with it: policies compare it for"
        " every row."
    ]


def test_tables_that_point_at_each_other_are_followed_to_an_end(find: Find) -> None:
    found = find(
        f"create table a ({ID}, user_id uuid not null unique, {TIMES});"
        f"create table b ({ID}, user_id uuid not null unique references a (user_id), {TIMES});"
        "alter table a add foreign key (user_id) references b (user_id)"
    )
    assert {f.subject for f in found} == {"public.a", "public.b"}
    assert all("no foreign key leads" in f.message for f in found)
