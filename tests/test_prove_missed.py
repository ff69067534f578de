"""G15 finds what is open by a value, a claim, an argument, a trigger or a role of one's own.

Each case is one table, right but for one way in, or a function beside it; all are tried together.
"""

from conftest import NewDatabase
from proofs import broken, tried

TABLE = """
create table {0} (
  id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users,
  body text not null default 'x', kind text not null default 'mine',
  flag boolean not null default false, at timestamptz not null default now(), gone timestamptz,
  tags text[], meta jsonb, token text, email text,
  score int not null default 5
);
alter table {0} enable row level security;
grant select, insert, update, delete on {0} to authenticated;
create policy own on {0} for all to authenticated
using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
"""
READ = "create policy x on {0} for select to authenticated using "
DEFINER = "language sql security definer set search_path = ''"
DYNAMIC = "language plpgsql security definer set search_path = ''"

# name: (the SQL that opens the table, what must be found: an operation, or a function's call)
BY_VALUES = {
    "literal": (READ + "(kind = 'shared')", "select"),
    "one_of": (READ + "(kind in ('open', 'shown'))", "select"),
    "pattern": (READ + "(body like 'public%')", "select"),
    "flag": (READ + "(flag)", "select"),
    "no_flag": (READ + "(not flag and gone is not null)", "select"),
    "past": (READ + "(at < now() - interval '1 year')", "select"),
    "future": (READ + "(at > '2500-01-01')", "select"),
    "filled": (READ + "(gone is not null)", "select"),
    "many": (READ + "(score > 40)", "select"),
    "few": (READ + "(score < 3 and token is null)", "select"),
    "element": (READ + "('public' = any (tags))", "select"),
    "document": (READ + "(meta ->> 'visibility' = 'public')", "select"),
    "inserted": (
        "create policy x on {0} for insert to authenticated with check (kind = 'shared')",
        "insert",
    ),
    "taken": (
        f"create function take_{{0}}() returns trigger {DYNAMIC} as $$ begin update public.{{0}}"
        " set user_id = new.user_id where body = new.body and id <> new.id; return new; end $$;"
        "create trigger t after insert on {0} for each row execute function take_{0}()",
        "insert",
    ),
}
BY_CLAIMS = {
    "metadata": (READ + "((select auth.jwt()) -> 'user_metadata' ->> 'rank' = 'chief')", "select"),
    "metadata_flag": (
        READ + "(coalesce((auth.jwt() -> 'user_metadata' ->> 'is_chief')::boolean, false))",
        "select",
    ),
    "metadata_id": (
        READ + "(user_id = (auth.jwt() -> 'user_metadata' ->> 'acting_for')::uuid)",
        "select",
    ),
    "stored_metadata": (
        f"create function is_boss() returns boolean {DEFINER} stable as $$ select exists (select"
        " from auth.users where id = auth.uid() and raw_user_meta_data ->> 'boss' = 'yes') $$;"
        + READ
        + "(is_boss())",
        "select",
    ),
    "domain": (READ + "(auth.email() like '%@corp.com')", "select"),
    "any_address": (READ + "(auth.email() is not null)", "select"),
    "address": (READ + "(email = auth.jwt() ->> 'email')", "select"),
    "anonymous": (READ + "((auth.jwt() ->> 'is_anonymous')::boolean)", "select"),
    "header": (
        READ + "(token = current_setting('request.headers', true)::json ->> 'x-token')",
        "select",
    ),
}
ARGUMENTS = {
    "ids uuid[]": "id = any (ids)",
    "wanted jsonb": "id = (wanted ->> 'row')::uuid",
    "q text": "length(q) between 3 and 5 and body ilike q || '%'",
}
OF_MINE = "'select * from public.dynamic where user_id = auth.uid()"
INJECTED = {
    "quoted": OF_MINE + " and body = ''' || q || ''''",
    "sorted": OF_MINE + " order by ' || q",
}


def test_values_that_a_policy_waits_for_are_tried(new_database: NewDatabase, platform: str) -> None:
    cases = {**BY_VALUES, **BY_CLAIMS}
    sql = "".join(TABLE.format(n) + opened.format(n) + ";" for n, (opened, _) in cases.items())
    found = tried(new_database(platform), TABLE.format("good") + sql)
    assert {(f"public.{name}", by) for name, (_, by) in cases.items()} <= broken(found)
    assert "public.good" not in {name for name, _ in broken(found)}


def test_a_finding_can_be_pasted_and_what_closes_it_does(
    new_database: NewDatabase, platform: str
) -> None:
    found = tried(new_database(platform), TABLE.format("p") + READ.format("p") + "(kind = 'any')")
    finding = found["findings"][0]
    assert finding["script"].startswith("begin;\nset local role authenticated;\nselect set_config(")
    assert finding["script"].endswith(f"{finding['statement']};\nrollback;")
    closed = TABLE.format("p") + READ.format("p") + f"(kind = 'any'); {finding['closes']}"
    assert tried(new_database(platform), closed)["proven"]


def test_arguments_that_a_function_waits_for_are_tried(
    new_database: NewDatabase, platform: str
) -> None:
    sql = TABLE.format("asked") + TABLE.format("dynamic")
    for number, (argument, condition) in enumerate(ARGUMENTS.items()):
        sql += (
            f"create function asked_{number}({argument}) returns setof public.asked {DEFINER}"
            f" as $$ select * from public.asked where {condition} $$;"
        )
    for name, text in INJECTED.items():
        sql += (
            f"create function {name}(q text) returns setof public.dynamic {DYNAMIC}"
            f" as $$ begin return query execute {text}; end $$;"
        )
    sql += (
        f"create function telling(wanted uuid) returns void {DYNAMIC} as $$ declare r public.asked;"
        " begin select * into r from public.asked where id = wanted;"
        " if r.user_id <> auth.uid() then raise 'no' using hint = r.body; end if; end $$;"
        "create materialized view held as select body from asked with no data;"
        "revoke all on held from public, anon, authenticated;"
        "create view entry as select user_id, body as said from asked;"
        "revoke all on entry from public, anon, authenticated;"
        "grant insert on entry to authenticated"
    )
    found = tried(new_database(platform), sql)
    assert {name for name, _ in broken(found)} == {
        "public.asked_0(uuid[])", "public.asked_1(jsonb)", "public.asked_2(text)",
        "public.quoted(text)", "public.sorted(text)", "public.telling(uuid)", "public.entry",
    }  # fmt: skip


def test_a_user_who_promotes_themselves_is_found(new_database: NewDatabase, platform: str) -> None:
    profiles = (
        "create table {0} (id uuid primary key references auth.users, role text not null"
        " default 'user', name text); alter table {0} enable row level security;"
        "grant select, update ({1}) on {0} to authenticated;"
        "create policy r on {0} for select to authenticated using (id = auth.uid());"
        "create policy u on {0} for update to authenticated"
        " using (id = auth.uid()) with check (id = auth.uid());"
        "create policy staff_{0} on p for select to authenticated"
        " using (exists (select from {0} a where a.id = auth.uid() and a.role = 'admin'));"
    )
    sql = TABLE.format("p") + profiles.format("open", "role") + profiles.format("closed", "name")
    assert broken(tried(new_database(platform), sql)) == {("public.open", "update")}

    signup = (
        f"create function hello() returns trigger {DYNAMIC} as $$ begin insert into public.closed"
        " (id, role) values (new.id, coalesce(new.raw_user_meta_data ->> 'role', 'user'));"
        " return new; end $$;"
        "create trigger h after insert on auth.users for each row execute function hello();"
    )
    sql = TABLE.format("p") + profiles.format("closed", "name") + signup
    assert broken(tried(new_database(platform), sql)) == {("public.p", "select")}


OF_TWO_USERS = """
create table follows (followee uuid not null references auth.users,
  follower uuid not null references auth.users, primary key (followee, follower));
create table letters (id uuid primary key default gen_random_uuid(), body text not null,
  recipient uuid not null references auth.users, sender uuid not null references auth.users);
create table papers (id uuid primary key default gen_random_uuid(), body text not null,
  written_by uuid not null references auth.users, holder uuid references auth.users);
alter table follows enable row level security; alter table letters enable row level security;
alter table papers enable row level security;
grant select, insert, update, delete on follows, letters, papers to authenticated;
create policy a on follows for all to authenticated using (follower = auth.uid());
create policy a on papers for all to authenticated using (holder = auth.uid());
create policy s on letters for select to authenticated using (auth.uid() in (sender, recipient));
create policy d on letters for delete to authenticated using (sender = auth.uid());
create policy i on letters for insert to authenticated with check (sender = auth.uid());
create policy o on letters as restrictive for insert to authenticated
with check ((auth.jwt() ->> 'is_anonymous')::boolean is false);
"""


def test_a_row_that_names_two_users_is_whose_its_policies_ask_for(
    new_database: NewDatabase, platform: str
) -> None:
    found = tried(new_database(platform), OF_TWO_USERS)
    assert found["proven"]
    assert {table["table"]: table["understood"] for table in found["tables"]} == {
        "public.follows": "follower", "public.letters": "sender", "public.papers": "holder",
    }  # fmt: skip
    forged = (
        "alter policy i on letters with check (auth.uid() in (sender, recipient));"
        "alter policy a on papers with check (true)"
    )
    seen = broken(tried(new_database(platform), f"{OF_TWO_USERS}; {forged}"))
    assert {("public.letters", "insert"), ("public.papers", "insert")} <= seen


ORGANIZATIONS = """
create table orgs (id uuid primary key default gen_random_uuid(), name text not null,
  created_by uuid references auth.users);
create type rank as enum ('owner', 'admin', 'member');
create table members (org_id uuid not null references orgs on delete cascade,
  user_id uuid not null references auth.users, role rank not null default 'member',
  primary key (org_id, user_id));
create table docs (id uuid primary key default gen_random_uuid(),
  org_id uuid not null references orgs on delete cascade, created_by uuid references auth.users,
  title text not null, published boolean not null default false);
create table pages (id uuid primary key default gen_random_uuid(),
  doc_id uuid not null references docs on delete cascade, body text);
create table invitations (id uuid primary key default gen_random_uuid(),
  org_id uuid not null references orgs on delete cascade, email text not null,
  role rank not null default 'member', invited_by uuid references auth.users);
create schema private; grant usage on schema private to authenticated;
create function private.my_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$ select org_id from public.members where user_id = (select auth.uid()) $$;
create function private.has_role(org uuid, wanted text[]) returns boolean
language sql stable security definer set search_path = ''
as $$ select exists (select from public.members m where m.org_id = org
  and m.user_id = (select auth.uid()) and m.role::text = any (wanted)) $$;
alter table orgs enable row level security; alter table members enable row level security;
alter table docs enable row level security; alter table pages enable row level security;
alter table invitations enable row level security;
grant select, insert, update, delete on orgs, members, docs, pages, invitations to authenticated;
create policy s on orgs for select to authenticated using (id in (select private.my_orgs()));
create policy u on orgs for update to authenticated using (private.has_role(id, '{owner}'));
create policy s on members for select to authenticated
using (org_id in (select private.my_orgs()));
create policy w on members for all to authenticated
using (private.has_role(org_id, '{owner,admin}'))
with check (private.has_role(org_id, '{owner,admin}'));
create policy a on docs for all to authenticated using (org_id in (select private.my_orgs()));
create policy a on pages for all to authenticated using (doc_id in (select id from docs));
create policy s on invitations for select to authenticated
using (email = (select auth.jwt() ->> 'email') or private.has_role(org_id, '{owner,admin}'));
create policy w on invitations for insert to authenticated
with check (private.has_role(org_id, '{owner,admin}'));
"""
BREAKS = (
    "create policy me on members for update to authenticated using (user_id = auth.uid());"
    "create policy j on members for insert to authenticated with check (user_id = auth.uid());"
    "drop policy a on docs; create policy a on docs for all to authenticated"
    " using (org_id in (select private.my_orgs())) with check (true);"
    "create policy d on docs for delete to authenticated using"
    " (exists (select from members where user_id = auth.uid() and role = 'owner'));"
    "create policy p on docs for select to authenticated using (published);"
)
FOUND = {
    "public.members": {"insert", "update", "move"},
    "public.docs": {"select", "insert", "move", "delete"},
}


def test_an_organization_holds_and_its_breaks_are_found(
    new_database: NewDatabase, platform: str
) -> None:
    found = tried(new_database(platform), ORGANIZATIONS)
    assert found["proven"] and not found["undecided"]
    assert {table["table"]: table["understood"] for table in found["tables"]} == {
        "public.orgs": "its members in public.members",
        "public.members": "org_id, of public.orgs",
        "public.docs": "org_id, of public.orgs",
        "public.pages": "doc_id, of public.docs",
        "public.invitations": "org_id, of public.orgs",
    }
    seen = broken(tried(new_database(platform), f"{ORGANIZATIONS}; {BREAKS}"))
    for table, operations in FOUND.items():
        assert operations <= {operation for name, operation in seen if name == table}


def test_what_could_not_be_tried_is_no_proof(new_database: NewDatabase, platform: str) -> None:
    found = tried(
        new_database(platform),
        f"{ORGANIZATIONS}; drop policy s on members; create policy s on members for select"
        " to authenticated using (org_id in (select org_id from members"
        " where user_id = auth.uid()))",
    )
    assert not found["proven"]
    assert any("storage.objects" in line for line in found["not_tried"])
    (gap,) = found["gaps"]
    assert gap["object"] == "public.members"
    assert gap["reason"].startswith("select fails: infinite recursion")
