"""`db.prove`: the starters hold; verdicts, what is shared or closed, copies."""

import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest
from proofs import OMNICRM, hint, proven, report, verdicts
from service import Service
from steps import add_sql

from twolane import config
from twolane.prove import attempts
from twolane.prove.attempts import Attempt, Outcome
from twolane.repo import kept


def test_the_tables_of_omnicrm_hold(service: Service) -> None:
    found = report(service)

    assert found["proven"]
    assert proven(found) == {f"public.{name}" for name in OMNICRM}
    assert found["gaps"] == found["findings"] == found["undecided"] == []
    everything = {"select", "insert", "update", "delete"}
    for name in OMNICRM:
        own = verdicts(found, f"public.{name}", "own")
        assert own["select"] == "allowed", name
        assert set(own) == everything
        others = verdicts(found, f"public.{name}", "other's")
        assert set(others) == {*everything, "move", "upsert", "returning", "truncate"}
        assert set(others.values()) <= {"filtered", "denied"}
    assert verdicts(found, "public.contacts", "own") == dict.fromkeys(everything, "allowed")
    closed = verdicts(found, "public.jobs", "other's", "anon")
    assert set(closed.values()) == {"denied"}


def test_the_tables_of_minimal_hold(minimal_service: Service, tmp_path: Path, server: Any) -> None:
    shutil.copytree(minimal_service.folder, tmp_path / "crm")
    service = Service(tmp_path / "crm")
    service.env["SHADOW_DATABASE_URL"] = server.get_uri()
    found = report(service)
    assert found["proven"]
    assert proven(found) == {"public.ai_quotas", "public.ai_usage"}

    result = service.invoke("db.prove")
    assert "public.ai_usage   tenant: user_id\n" in result.out
    assert "  user A, user B: own" in result.out
    seen = kept.newest(config.load(service.folder), kept.PROVE)
    assert seen and seen["report"]["proven"], "for the page"
    assert all(cell["statement"] for cell in seen["report"]["matrix"])
    assert result.out.splitlines()[-1] == (
        f"✓ Tenancy holds: {result.out.splitlines()[-1].split()[3]} attempts on 2 tables, "
        "none reached a row of another."
    )


LOOKUP = (
    "create table countries (code text primary key);"
    "grant select on countries to anon, authenticated;"
    "create policy p on countries for select to anon, authenticated using (true);"
)


def test_what_is_declared_shared_may_be_read_by_all_and_changed_by_none(service: Service) -> None:
    add_sql(service, "60_lookup.sql", LOOKUP, after=True)
    result = service.invoke("db.prove", code=2)
    assert "public.countries · select · user A, user B, no claims" in result.err
    assert 'no tenant column: if all may read it, list it under "shared"' in result.err

    hint(service, "", 'shared = ["public.countries"]')
    found = report(service)
    assert verdicts(found, "public.countries", "other's")["select"] == "allowed"
    assert "public.countries   shared\n" in service.invoke("db.prove").out

    add_sql(
        service,
        "61_break.sql",
        "grant delete on countries to authenticated;"
        "create policy d on countries for delete to authenticated using (true);",
        after=True,
    )
    broken = report(service, code=2)["findings"]
    assert {(f["object"], f["operation"]) for f in broken} >= {("public.countries", "delete")}
    assert all(f["operation"] != "select" for f in broken)


def test_a_table_closed_to_the_data_api_needs_no_row(service: Service) -> None:
    add_sql(
        service,
        "60_raw.sql",
        "create table raw (code text not null check (code ~ '^[QX][0-9]{3}-[KM]$'));"
        "create schema hidden; create table hidden.things (a text not null);",
        after=True,
    )
    found = report(service)
    assert found["closed"] == ["public.raw"]
    assert "public.raw   closed to anon and authenticated" in service.invoke("db.prove").out


def test_a_team_sees_its_own_rows_alone_though_no_column_says_whose(service: Service) -> None:
    add_sql(
        service,
        "60_teams.sql",
        "create table teams (id uuid primary key default gen_random_uuid());"
        "create table members (team_id uuid references teams, user_id uuid references auth.users,"
        " primary key (team_id, user_id));"
        "grant select on teams, members to authenticated;"
        "create policy p on members for select to authenticated using (user_id = auth.uid());"
        "create policy p on teams for select to authenticated using"
        " (id in (select team_id from members where user_id = auth.uid()));",
        after=True,
    )
    found = report(service)
    assert {"public.teams", "public.members"} <= proven(found)
    assert verdicts(found, "public.teams", "own")["select"] == "allowed"


def test_functions_and_views_that_keep_tenants_apart_pass(service: Service) -> None:
    add_sql(
        service,
        "60_good.sql",
        "create view people with (security_invoker) as select * from contacts;"
        "grant select, update on people to authenticated;"
        "create function mine() returns setof public.contacts language sql security definer"
        " set search_path = '' as"
        " 'select * from public.contacts where user_id = (select auth.uid())';"
        "create view ages with (security_invoker) as select id, now() - created_at as age"
        " from contacts; grant select on ages to authenticated;"
        "create function token() returns uuid language sql as 'select gen_random_uuid()';"
        # A clock whose tick comes between one call and the next but one.
        "create sequence calls; create function tick() returns boolean language sql"
        " security definer set search_path = '' as"
        " 'select nextval($$public.calls$$) % 3 = 0';"
        "create function never(a uuid) returns text language plpgsql"
        " as 'begin raise division_by_zero; end';"
        "grant execute on function mine, token, tick, never to authenticated;",
        after=True,
    )
    found = report(service)
    assert found["proven"]
    assert verdicts(found, "public.people", "own")["select"] == "allowed"
    assert verdicts(found, "public.ages", "other's")["select"] == "filtered"
    assert verdicts(found, "public.mine()", "other's")["call"] == "filtered"
    assert [item["object"] for item in found["uncalled"]] == ["public.never(uuid)"]
    result = service.invoke("db.prove")
    assert "! public.never(uuid) could not be called: division_by_zero" in result.out


def test_a_copy_of_the_local_database_is_proven_and_itself_untouched(
    minimal_service: Service, tmp_path: Path
) -> None:
    shutil.copytree(minimal_service.folder, tmp_path / "crm")
    service = Service(tmp_path / "crm")
    try:
        service.invoke("db.bootstrap")
        assert report(service, "--target", "local")["database"] == "local"

        grant = (
            "grant select on ai_usage to anon; alter table ai_usage disable row level security;"
            "create function by_api() returns setof uuid language sql security definer as 'select"
            " user_id from ai_usage where session_user = $$authenticator$$';"
            "grant execute on function by_api to authenticated"
        )
        service.invoke("db.psql", "--command", grant)
        result = service.invoke("db.prove", "--target", "local", code=2)
        assert "public.ai_usage · select · user A, user B, no claims" in result.err
        assert "public.by_api() · call · user A, user B" in result.err
        service.invoke("db.prove")  # the files are what they were

        url = service.invoke("db.up").out.splitlines()[-1]
        with psycopg.connect(url) as connection:
            count = "select (select count(*) from ai_usage) + (select count(*) from auth.users)"
            assert connection.execute(count).fetchone() == (0,)
            clones = "select count(*) from pg_database where datname like 'clone_%'"
            assert connection.execute(clones).fetchone() == (0,)
    finally:
        service.invoke("db.down")


def test_a_live_database_is_never_written_to(service: Service) -> None:
    result = service.invoke("db.prove", "--target", "default", code=2)
    assert "✗ db.prove refused · G01 target" in result.err
    assert "First:  invoke db.prove" in result.err
    service.invoke("db.prove")
    assert service.sql("select count(*) from auth.users") == [(0,)]


@pytest.mark.parametrize(
    ("outcome", "whose", "expected"),
    [
        (Outcome(effect="sees rows of another"), "other's", "allowed"),
        (Outcome(count=1), "other's", "filtered"),
        (Outcome(count=1), "own", "allowed"),
        (Outcome(count=0), "own", "filtered"),
        (Outcome("42501", "permission denied"), "other's", "denied"),
        (Outcome("22P02", "invalid input syntax for type uuid"), "other's", "denied"),
        (Outcome("23514", "violates check constraint"), "other's", "failed"),
    ],
)
def test_a_verdict_says_what_came_of_a_statement(
    outcome: Outcome, whose: str, expected: str
) -> None:
    assert attempts.verdict(outcome, whose) == expected


def test_of_several_attempts_the_one_that_went_furthest_counts() -> None:
    def tried(verdict: str) -> Attempt:
        return Attempt("public.a", "table", "user A", "other's", "update", verdict, "", "")

    (cell,) = attempts.merged([tried("denied"), tried("allowed"), tried("filtered")]).values()
    assert cell.verdict == "allowed"
    assert attempts.findings([cell], shared=["public.a"]) == [cell], "shared is to be read alone"
