"""G13: what reaches past row level security is refused, the near miss is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import FactsAfter

from twolane.guards import exposed
from twolane.guards.findings import ERROR, WARNING, Finding

Find = Callable[..., list[Finding]]

NOTES = "create table notes (id int, user_id uuid);"
RLS = "alter table notes enable row level security;"
OWN = "create policy own on notes using (user_id = auth.uid());"
BODY = "language plpgsql as 'begin return null; end'"
HIDDEN = "create schema hidden;"


@pytest.fixture
def find(facts_after: FactsAfter) -> Find:
    """What G13 finds once this SQL has run; `app` are the tables of lane B."""

    def run(sql: str, *app: str) -> list[Finding]:
        return list(exposed.find(facts_after(sql), {f"table {name}" for name in app}, "user_id"))

    return run


ERRORS = {
    f"{NOTES} {OWN}": "no row level security: on a project that grants by default, everybody",
    f"{NOTES} {OWN} grant select on notes to anon, authenticated": (
        "no row level security: anon and authenticated can reach every row"
    ),
    f"{NOTES} {OWN} grant select (id) on notes to anon": "no row level security: anon can",
    f"{NOTES} {RLS}": "row level security and no policy",
    f"{NOTES} {RLS} create policy own on notes as restrictive using (true)": "and no policy",
    "create table events (id int) partition by list (id);"
    "alter table events enable row level security;"
    "create table events_1 partition of events for values in (1)": (
        "The table public.events_1 has no row level security"
    ),
    "create view people as select 1 as a; grant select on people to anon": (
        "The view public.people asks as its owner"
    ),
    "create view people with (security_invoker = false) as select 1 as a;"
    "grant select on people to public": "everybody can reach it",
    "create view people as select 1 as a; grant select (a) on people to authenticated": (
        "authenticated can reach it"
    ),
    "create materialized view totals as select 1 as a; grant select on totals to authenticated": (
        "The materialized view public.totals can't have row level security"
    ),
    "create foreign data wrapper w; create server s foreign data wrapper w;"
    "create foreign table far (id int) server s; grant select on far to authenticated": (
        "The foreign table public.far can't have row level security"
    ),
    f"create function f() returns int security definer {BODY}": "everybody can call it",
    f"create procedure p() security definer {BODY.replace('return null', 'return')};"
    "revoke all on procedure p() from public; grant execute on procedure p() to anon": (
        "The procedure public.p() runs with its owner's rights, anon can call it"
    ),
    f"{HIDDEN} grant usage on schema hidden to authenticated; create table hidden.t ()": (
        "The table hidden.t has no row level security"
    ),
}


@pytest.mark.parametrize("sql", ERRORS)
def test_g13_refuses(find: Find, sql: str) -> None:
    (found,) = find(sql)
    assert found.level == ERROR
    assert found.code == "G13"
    assert ERRORS[sql] in found.message
    assert found.first


NEAR_MISSES = [
    f"{NOTES} {RLS} {OWN} grant select on notes to authenticated",
    "create table for_the_server (id int); alter table for_the_server enable row level security",
    f"{HIDDEN} create table hidden.t ()",
    f"{HIDDEN} grant create on schema hidden to anon; create table hidden.t ()",
    "create view people with (security_invoker) as select 1 as a; grant select on people to anon",
    "create view people with (security_invoker = on) as select 1 as a;"
    "grant select on people to anon",
    "create view people as select 1 as a; grant select on people to service_role",
    "create materialized view totals as select 1 as a",
    f"create function f() returns int security definer set search_path = '' {BODY}",
    f"create function f() returns int {BODY}",
    f"create function f() returns int security definer {BODY};"
    "revoke all on function f() from public",
    f"create function f() returns trigger security definer {BODY}",
    f"{HIDDEN} create function hidden.f() returns int security definer {BODY}",
]


@pytest.mark.parametrize("sql", NEAR_MISSES)
def test_g13_lets_pass(find: Find, sql: str) -> None:
    assert find(sql) == []


def test_a_table_of_lane_b_is_closed_until_lane_a_opens_it(find: Find) -> None:
    (found,) = find(f"{NOTES} {RLS}", "public.notes")
    assert found.level == WARNING
    assert found.first == "invoke db.rls notes"


def test_a_table_that_is_granted_and_shows_nothing_is_worth_a_word(find: Find) -> None:
    shared = "create table plans (id int); alter table plans enable row level security;"
    (found,) = find(f"{shared} grant select on plans to anon")
    assert found.level == WARNING
    assert find(shared) == []


def test_status_names_the_tables_that_no_policy_opens_as_g13_does(facts_after: FactsAfter) -> None:
    facts = facts_after(
        f"{NOTES} {RLS} create policy own on notes as restrictive using (true);"
        "create table plans (id int); alter table plans enable row level security;"
        "grant select on plans to anon;"
        "create table tags (id int, user_id uuid); alter table tags enable row level security;"
        "create policy every on tags using (true); create policy own on tags as restrictive"
        " using (user_id = auth.uid())"
    )
    named = [f.subject for f in exposed.find(facts, set(), "user_id") if "no policy" in f.message]
    assert named == ["public.notes", "public.plans"]
    assert [table.plain for table in exposed.closed(facts, "user_id")] == named
