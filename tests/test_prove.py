"""`db.prove`: rows for every table by itself, verdicts, hints, what is no finding."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from service import Service, render
from steps import add_sql

from tasks import prove, prove_values
from tasks.prove import Attempt, Outcome
from tasks.prove_schema import Check, Type

OWN = "using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()))"
TENANT = "user_id uuid not null references auth.users on delete cascade"
OMNICRM = {
    "ai_insights", "ai_quotas", "ai_usage", "contacts", "documents", "embeddings", "interactions",
    "jobs", "messages", "raw_events", "threads", "tool_invocations",
}  # fmt: skip


def report(service: Service, *arguments: str, code: int = 0) -> dict[str, Any]:
    found = json.loads(service.invoke("db.prove", "--json", *arguments, code=code).out)
    assert isinstance(found, dict)
    return found


def proven(found: dict[str, Any]) -> set[str]:
    """The tables on which something was tried."""
    return {cell["object"] for cell in found["matrix"] if cell["kind"] == "table"}


def verdicts(found: dict[str, Any], name: str, rows: str, who: str = "user A") -> dict[str, str]:
    return {
        cell["operation"]: cell["verdict"]
        for cell in found["matrix"]
        if (cell["object"], cell["who"], cell["rows"]) == (name, who, rows)
    }


def opened(table: str, columns: str, rest: str = "") -> str:
    """A table of tenants, open to them and right."""
    return (
        f"create table {table} ({TENANT}, {columns});"
        f"grant select, insert, update, delete on {table} to authenticated;"
        f'create policy "own" on {table} for all to authenticated {OWN};{rest}'
    )


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


def test_the_tables_of_minimal_hold(tmp_path: Path, server: Any) -> None:
    service = render(tmp_path / "crm", starter="minimal")
    service.env["SHADOW_DATABASE_URL"] = server.get_uri()
    found = report(service)
    assert found["proven"]
    assert proven(found) == {"public.ai_quotas", "public.ai_usage"}

    result = service.invoke("db.prove")
    assert "public.ai_usage   tenant: user_id\n" in result.out
    assert "  user A, user B: own" in result.out
    assert result.out.splitlines()[-1] == (
        f"✓ Tenancy holds: {result.out.splitlines()[-1].split()[3]} attempts on 2 tables, "
        "none reached a row of another."
    )


MANY_TYPES = """
create type mood as enum ('good', 'bad');
create type size as (width int, unit text);
create type span as range (subtype = float8);
create domain percent as numeric(5, 2) check (value between 1 and 99);
create domain code as text check (value ~ '^[A-Z]{3}$') not null;
create domain tiny as percent check (value < 3);
"""
COLUMNS = {
    "scalars": "a int2 not null, b int8 not null, c float8 not null, d numeric(4, 3) not null,"
    " e money not null, f bool not null, g bytea not null, h bit(3) not null, i varbit(8) not null",
    "texts": "a text not null, b varchar(3) not null unique, c char(2) not null unique,"
    ' d name not null, "Mixed Case" text not null, "order" "char" not null',
    "times": "a date not null, b timestamp not null, c timestamptz not null, d time not null,"
    " e timetz not null, f interval not null",
    "networks": "a inet not null, b cidr not null, c macaddr not null, d macaddr8 not null",
    "shapes": "a point not null, b line not null, c lseg not null, d box not null, e path not null,"
    " f polygon not null, g circle not null",
    "documents2": "a json not null, b jsonb not null check (jsonb_typeof(b) = 'array'), c xml,"
    " d tsvector not null, e tsquery not null, f jsonpath not null",
    "arrays": "a text[] not null check (array_length(a, 1) > 0), b int[] not null,"
    " c mood[] not null, d uuid[] not null, e int[][] not null",
    "ranges": "a int4range not null, b tstzrange not null, c daterange not null, d span not null,"
    " e int8multirange not null, exclude using gist (a with &&)",
    "own_types": "a mood not null unique, b size not null, c percent not null, d code unique,"
    " e tiny not null, f extensions.vector(5) not null, g extensions.halfvec(4) not null,"
    " h extensions.sparsevec(3) not null",
    "identities": "a bigint generated always as identity primary key,"
    " b int generated by default as identity, c serial, d int generated always as (b * 2) stored,"
    " check (d > 0)",
    "checks": "a text not null check (a in ('open', 'done')), b int not null check (b between 50"
    " and 60), c int not null, d text not null check (length(d) = 7), e timestamptz not null,"
    " f timestamptz, g text not null check (g ~ '^https://'), check (c > b), check (f > e),"
    " check (a <> 'open' or f is not null), h text not null check (h like '%@%')",
    "uniques": "a int not null unique, b text not null, c uuid not null unique,"
    " unique (b, user_id), primary key (user_id)",
    "unkeyed": "a text",
    '"Odd.Name"': '"B""c" text not null, "select" int not null unique',
}


def test_rows_are_made_for_every_type_and_constraint(service: Service) -> None:
    tables = "".join(opened(name, columns) for name, columns in COLUMNS.items())
    add_sql(service, "60_types.sql", MANY_TYPES + tables, after=True)

    found = report(service)

    assert found["gaps"] == []
    assert {f"public.{name}" for name in COLUMNS} <= proven(found)
    for name in COLUMNS:
        own = verdicts(found, f"public.{name}", "own")
        assert {own["select"], own["insert"], own["delete"]} == {"allowed"}, name
        others = verdicts(found, f"public.{name}", "other's")
        assert set(others.values()) <= {"filtered", "denied"}, (name, others)


RELATED = (
    opened("projects", "id uuid primary key default gen_random_uuid(), lead uuid unique")
    + opened("tasks", "id int generated always as identity, project uuid not null"
             " references projects on delete cascade, parent int, primary key (id, user_id),"
             " foreign key (parent, user_id) references tasks (id, user_id)")
    + "alter table projects add task int,"
    " add foreign key (task, user_id) references tasks (id, user_id);"
    # Whose it is, the parent of the parent says.
    "create table notes (id serial primary key, task int not null, owner uuid not null,"
    " project uuid not null references projects,"
    " foreign key (task, owner) references tasks (id, user_id));"
    "create table lines (id uuid primary key default gen_random_uuid(),"
    " note int not null references notes on delete cascade, body text not null);"
    "grant select, insert, update, delete on notes, lines to authenticated;"
    "create policy p on notes for all to authenticated using"
    " (project in (select id from projects));"
    "create policy p on lines for all to authenticated using (note in (select id from notes));"
)  # fmt: skip


def test_a_row_belongs_to_the_tenant_of_its_parents(service: Service) -> None:
    add_sql(service, "60_related.sql", RELATED, after=True)
    found = report(service)
    tenants = {table["table"]: table["tenant"] for table in found["tables"]}
    assert tenants["public.notes"] == "project"
    assert tenants["public.lines"] == "note"
    assert {"public.projects", "public.tasks", "public.notes", "public.lines"} <= proven(found)
    lines = verdicts(found, "public.lines", "other's")
    assert {lines["insert"], lines["move"]} <= {"denied", "filtered"}

    add_sql(
        service,
        "61_break.sql",
        "drop policy p on lines; create policy p on lines for all to authenticated"
        " using (note in (select id from notes)) with check (true);",
        after=True,
    )
    broken = report(service, code=2)["findings"]
    assert {(f["object"], f["operation"]) for f in broken} >= {
        ("public.lines", "insert"),
        ("public.lines", "move"),
    }


def test_a_profile_that_a_trigger_makes_counts_as_the_users(service: Service) -> None:
    add_sql(
        service,
        "60_profiles.sql",
        "create table profiles (id uuid primary key references auth.users, name text not null);"
        "grant select, update on profiles to authenticated;"
        "create policy r on profiles for select to authenticated using (id = auth.uid());"
        "create policy u on profiles for update to authenticated using (id = auth.uid());"
        "create function private.welcome() returns trigger language plpgsql security definer"
        " set search_path = '' as $$ begin insert into public.profiles values (new.id,"
        " new.raw_user_meta_data ->> 'name'); return new; end $$;"
        "create trigger welcome after insert on auth.users"
        " for each row execute function private.welcome();",
        after=True,
    )
    result = service.invoke("db.prove", code=1)
    assert 'auth.users takes no row: null value in column "name"' in result.err
    assert '[tool.twolane.prove.rows."auth.users"]' in result.err

    hint(
        service, 'rows."auth.users"', "raw_user_meta_data = '''json_build_object('name', 'Ada')'''"
    )
    found = report(service)
    assert "public.profiles" in proven(found)
    assert verdicts(found, "public.profiles", "own")["update"] == "allowed"


def hint(service: Service, table: str, line: str) -> None:
    text = service.read("pyproject.toml")
    head = f"[tool.twolane.prove{f'.{table}' if table else ''}]"
    service.write("pyproject.toml", f"{text}\n{head}\n{line}\n")


def test_g15_a_table_that_takes_no_row_is_named_until_a_hint_says_how(service: Service) -> None:
    add_sql(
        service,
        "60_codes.sql",
        opened("codes", "code text not null check (code ~ '^[QX][0-9]{3}-[KM]$')")
        + opened("uses", "id int primary key references seldom").replace(
            "references seldom", ", code text not null"
        )
        + "create table tagged (code int references unmade);".replace("references unmade", ""),
        after=True,
    )
    result = service.invoke("db.prove", code=2)
    assert "✗ db.prove refused · G15 tenancy\n" in result.err
    assert "    public.codes: no value tried meets the check (code ~ " in result.err
    assert (
        "First:  say what a row needs, in pyproject.toml: [tool.twolane.prove.rows." in result.err
    )

    hint(
        service,
        'rows."public.codes"',
        "code = \"'Q' || lpad((random() * 999)::int::text, 3, '0') || '-K'\"",
    )
    assert "public.codes" in proven(report(service))


def test_a_policy_that_no_row_tried_meets_leaves_it_undecided_until_a_hint(
    service: Service,
) -> None:
    add_sql(
        service,
        "60_drafts.sql",
        f"create table drafts ({TENANT}, kind text not null);"
        "grant select, insert on drafts to authenticated;"
        "create policy s on drafts for select to authenticated using (user_id = auth.uid());"
        "create policy i on drafts for insert to authenticated with check (kind like 'd_aft');",
        after=True,
    )
    result = service.invoke("db.prove")
    assert "! undecided: public.drafts · insert · user A, user B: new row violates" in result.out

    hint(service, 'rows."public.drafts"', "kind = \"'draft'\"")
    found = report(service, code=2)["findings"]
    assert ("public.drafts", "insert") in {(f["object"], f["operation"]) for f in found}


def test_a_table_whose_parent_takes_no_row_says_so(service: Service) -> None:
    add_sql(
        service,
        "60_codes.sql",
        opened("codes", "code text primary key check (code ~ '^[QX][0-9]{3}-[KM]$')")
        + opened("uses", "code text not null references codes"),
        after=True,
    )
    found = report(service, code=2)
    gaps = {gap["object"]: gap["reason"] for gap in found["gaps"]}
    assert set(gaps) == {"public.codes", "public.uses"}
    assert gaps["public.uses"].startswith("code refers to public.codes: no value tried meets")
    assert not found["proven"]


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("", 'shared = ["public.countrys"]', "shared: public.countrys is no table, view or"),
        ('rows."public.contact"', 'email = "null"', "public.contact is no table"),
        ('rows."public.contacts"', 'mail = "null"', "public.contacts has no column mail"),
        ("", "sharde = []", "`prove.sharde` is no setting"),
        ("rows.public.contacts", 'email = "null"', "`contacts` must be a string"),
    ],
)
def test_a_hint_that_names_nothing_is_an_error(
    service: Service, table: str, line: str, message: str
) -> None:
    hint(service, table, line)
    assert message in service.invoke("db.prove", code=1).err


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
        "create function token() returns uuid language sql as 'select gen_random_uuid()';"
        "create function never(a uuid) returns text language plpgsql"
        " as 'begin raise division_by_zero; end';"
        "grant execute on function mine, token, never to authenticated;",
        after=True,
    )
    found = report(service)
    assert found["proven"]
    assert verdicts(found, "public.people", "own")["select"] == "allowed"
    assert verdicts(found, "public.mine()", "other's")["call"] == "filtered"
    assert [item["object"] for item in found["uncalled"]] == ["public.never(uuid)"]
    result = service.invoke("db.prove")
    assert "! public.never(uuid) could not be called: division_by_zero" in result.out


def test_a_copy_of_the_local_database_is_proven_and_itself_untouched(
    blank_service: Service, tmp_path: Path
) -> None:
    service = render(tmp_path / "crm", starter="minimal")
    try:
        service.invoke("db.bootstrap")
        assert report(service, "--target", "local")["database"] == "local"

        grant = "grant select on ai_usage to anon; alter table ai_usage disable row level security"
        service.invoke("db.psql", "--command", grant)
        result = service.invoke("db.prove", "--target", "local", code=2)
        assert "public.ai_usage · select · user A, user B, no claims" in result.err
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
    assert prove.verdict(outcome, whose) == expected


def test_of_several_attempts_the_one_that_went_furthest_counts() -> None:
    def tried(verdict: str) -> Attempt:
        return Attempt("public.a", "table", "user A", "other's", "update", verdict, "", "")

    (cell,) = prove.merged([tried("denied"), tried("allowed"), tried("filtered")]).values()
    assert cell.verdict == "allowed"
    assert prove.findings([cell], shared=["public.a"]) == [cell], "shared is to be read alone"


def test_values_come_from_the_checks_themselves() -> None:
    text = Type("text", "text", "b", "S", -1, None, [], [])
    found = prove_values.literals(text, 1, ["kind in ('it''s', 'b')", "length(kind) = 9"])
    assert found.index("it's") < 3
    assert "000000001" in found
    number = Type("integer", "int4", "b", "N", -1, None, [], [])
    assert {"50", "51", "49"} <= set(prove_values.literals(number, 1, ["a >= 50"]))


def test_checks_that_share_columns_are_met_together() -> None:
    checks = [Check("a > 1", ["a"]), Check("c > 1", ["c"]), Check("a < b", ["a", "b"])]
    groups = [(sorted(columns), len(found)) for columns, found in prove_values.groups(checks)]
    assert sorted(groups) == [(["a", "b"], 2), (["c"], 1)]
