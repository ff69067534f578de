"""G15 finds what breaks tenant isolation: a good schema, broken in one way at a time."""

import json

import pytest
from service import ROOT, Service
from steps import add_sql

A, B, NOBODY, FORGED, ANON = "user A", "user B", "no claims", "forged claims (an array)", "anon"
EVERYBODY = (A, B, NOBODY, FORGED, ANON)
USERS = (A, B)

DEFINER = "language sql security definer set search_path = ''"

# name: (the SQL that breaks it, the object, who, the operations that must be found)
BREAKS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "rls is off": (
        "alter table contacts disable row level security",
        "public.contacts",
        (A, B, NOBODY, FORGED),
        ("select", "insert", "update", "move", "delete", "upsert", "returning"),
    ),
    "using true, to read": (
        "drop policy contacts_select_own on contacts;"
        "create policy p on contacts for select to authenticated using (true)",
        "public.contacts",
        (A, B, NOBODY, FORGED),
        ("select",),
    ),
    "using true, to delete": (
        "drop policy contacts_delete_own on contacts;"
        "create policy p on contacts for delete to authenticated using (true)",
        "public.contacts",
        USERS,
        ("delete",),
    ),
    "a second, permissive policy": (
        "create policy more on documents for select to authenticated using (status = 'pending')",
        "public.documents",
        USERS,
        ("select",),
    ),
    "no check on insert": (
        "drop policy contacts_insert_own on contacts;"
        "create policy p on contacts for insert to authenticated with check (true)",
        "public.contacts",
        USERS,
        ("insert",),
    ),
    "an update that hands a row over": (
        "drop policy contacts_update_own on contacts;"
        "create policy p on contacts for update to authenticated"
        " using ((select auth.uid()) = user_id) with check (true)",
        "public.contacts",
        USERS,
        ("move",),
    ),
    "an update that takes a row": (
        "drop policy contacts_update_own on contacts;"
        "create policy p on contacts for update to authenticated"
        " using (true) with check ((select auth.uid()) = user_id)",
        "public.contacts",
        USERS,
        ("move",),
    ),
    "a policy for public": (
        "grant select on contacts to anon;"
        "drop policy contacts_select_own on contacts;"
        "create policy p on contacts for select using (user_id is not null)",
        "public.contacts",
        (A, B, ANON),
        ("select",),
    ),
    "anon may insert": (
        "grant insert on jobs to anon;create policy p on jobs for insert to anon with check (true)",
        "public.jobs",
        (ANON,),
        ("insert",),
    ),
    "a null id counts as everybody": (
        "drop policy threads_select_own on threads;"
        "create policy p on threads for select to authenticated"
        " using (auth.uid() is null or auth.uid() = user_id)",
        "public.threads",
        (NOBODY, FORGED),
        ("select",),
    ),
    "truncate is granted": (
        "grant truncate on jobs to authenticated",
        "public.jobs",
        USERS,
        ("truncate",),
    ),
    "one column is granted": (
        "revoke select on contacts from authenticated;"
        "grant select (display_name) on contacts to authenticated;"
        "alter table contacts disable row level security",
        "public.contacts",
        USERS,
        ("select",),
    ),
    "a view with its owner's rights": (
        "create view people as select display_name from contacts;"
        "grant select on people to authenticated, anon",
        "public.people",
        EVERYBODY,
        ("select",),
    ),
    "a view that deletes with its owner's rights": (
        "create view people as select * from contacts;"
        "grant update (display_name), delete on people to authenticated",
        "public.people",
        USERS,
        ("delete", "update"),
    ),
    "a view of a table out of reach": (
        "create schema hidden; create table hidden.keys (user_id uuid not null, value text);"
        "create view held as select value from hidden.keys;"
        "grant select on held to authenticated",
        "public.held",
        USERS,
        ("select",),
    ),
    "a materialized view": (
        "create materialized view stats as select status, count(*) from jobs group by status;"
        "grant select on stats to authenticated",
        "public.stats",
        USERS,
        ("select",),
    ),
    "a function that returns all rows": (
        f"create function everyone() returns setof public.contacts {DEFINER}"
        " as 'select * from public.contacts';"
        "grant execute on function everyone to authenticated",
        "public.everyone()",
        (A, B, NOBODY),
        ("call",),
    ),
    "a function that returns the row asked for": (
        f"create function phone_of(contact_id uuid) returns text {DEFINER}"
        " as 'select display_name from public.contacts c where c.id = phone_of.contact_id';"
        "grant execute on function phone_of to authenticated, anon",
        "public.phone_of(uuid)",
        EVERYBODY,
        ("call",),
    ),
    "a function that looks up by name": (
        f"create function find(name text, most int default 10) returns setof uuid {DEFINER}"
        " as 'select id from public.contacts c where c.display_name = find.name limit most';"
        "grant execute on function find to authenticated",
        "public.find(text, integer)",
        USERS,
        ("call",),
    ),
    "a function that changes the row named": (
        f"create function finish(job uuid) returns void {DEFINER}"
        " as 'update public.jobs set status = ''failed'' where id = job';"
        "grant execute on function finish to authenticated",
        "public.finish(uuid)",
        USERS,
        ("call",),
    ),
    "a procedure that deletes": (
        f"create procedure forget(contact uuid) {DEFINER}"
        " as 'delete from public.contacts where id = contact';"
        "grant execute on procedure forget to anon",
        "public.forget(uuid)",
        (ANON,),
        ("call",),
    ),
    "children that ask their parent alone": (
        "drop policy messages_select_own on messages;"
        "create policy p on messages for select to authenticated using"
        " (exists (select from threads t where t.id = thread_id and t.user_id = auth.uid()));"
        "drop policy messages_insert_own on messages;"
        "create policy i on messages for insert to authenticated"
        " with check (user_id = auth.uid())",
        "public.messages",
        USERS,
        ("insert",),
    ),
    "members who let themselves in": (
        "create table teams (id uuid primary key default gen_random_uuid());"
        "create table members (team_id uuid references teams, user_id uuid references auth.users,"
        " primary key (team_id, user_id));"
        "grant select, insert on teams, members to authenticated;"
        "create policy p on members for all to authenticated"
        " using (user_id = auth.uid()) with check (user_id = auth.uid());"
        "create policy p on teams for select to authenticated using"
        " (exists (select from members m where m.team_id = id and m.user_id = auth.uid()))",
        "public.members",
        USERS,
        ("insert",),
    ),
    "a table that everybody reads": (
        "create table countries (code char(2) primary key, name text not null);"
        "grant select on countries to anon, authenticated;"
        "create policy p on countries for select to anon, authenticated using (true)",
        "public.countries",
        EVERYBODY,
        ("select",),
    ),
    "a partition that is read past its table": (
        "create table logs (user_id uuid not null references auth.users, at date not null)"
        " partition by range (at);"
        "create table logs_2030 partition of logs for values from ('2030-01-01') to ('2031-01-01');"
        "alter table logs_2030 disable row level security;"
        "grant select on logs, logs_2030 to authenticated;"
        "create policy p on logs for select to authenticated using (user_id = auth.uid())",
        "public.logs_2030",
        USERS,
        ("select",),
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_g15_finds(service: Service, name: str) -> None:
    sql, broken, who, operations = BREAKS[name]
    add_sql(service, "60_break.sql", f"{sql};", after=True)

    result = service.invoke("db.prove", "--json", code=2)
    report = json.loads(result.out)

    found = {(f["object"], f["who"], f["operation"]) for f in report["findings"]}
    assert {(broken, actor, op) for actor in who for op in operations} <= found
    assert {finding[0] for finding in found} == {broken}
    assert not report["proven"]
    assert report["gaps"] == []
    assert "✗ db.prove refused · G15 tenancy" in result.err
    assert f"{broken} · {operations[0]} · " in result.err
    if name == "using true, to read":
        assert result.said in (ROOT / "docs/guards/G15.md").read_text("utf-8")
    assert "First:  correct grants and policies in supabase/sql" in result.err
