"""G15 on the platform's tables: files of the Storage service, channels of Realtime."""

from conftest import NewDatabase
from proofs import broken, tried, verdicts

MINE = "(storage.foldername(name))[1] = (select auth.uid())::text"
GOOD = f"""
insert into storage.buckets (id, name, public) values ('open', 'open', true);
create policy r on storage.objects for select to authenticated
using (bucket_id in ('papers', 'open') and {MINE});
create policy shown on storage.objects for select to anon, authenticated
using (bucket_id = 'open');
create policy i on storage.objects for insert to authenticated
with check (bucket_id in ('papers', 'open') and {MINE});
create policy u on storage.objects for update to authenticated using ({MINE}) with check ({MINE});
create policy d on storage.objects for delete to authenticated using ({MINE});
create table rooms (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users);
alter table rooms enable row level security;
grant select on rooms to authenticated;
create policy r on rooms for select to authenticated using (user_id = (select auth.uid()));
create policy j on realtime.messages for select to authenticated using (
  extension in ('broadcast', 'presence')
  and exists (select from rooms where 'room:' || rooms.id = (select realtime.topic())));
create policy w on realtime.messages for insert to authenticated with check (
  (select realtime.topic()) = 'user:' || (select auth.uid()) || ':inbox');
"""
BREAKS = f"""
create policy x1 on storage.objects for select to authenticated using (bucket_id = 'papers');
create policy x2 on storage.objects for insert to authenticated with check (bucket_id = 'papers');
drop policy u on storage.objects;
create policy u on storage.objects for update to authenticated using ({MINE}) with check (true);
create policy x3 on storage.objects for delete to authenticated using (true);
create policy x4 on realtime.messages for select to authenticated
using ((select realtime.topic()) like 'room:%');
create policy x5 on realtime.messages for insert to authenticated
with check ((select auth.uid()) is not null);
"""
FOUND = {
    *(("storage.objects", operation) for operation in ("select", "insert", "move", "delete")),
    *(("realtime.messages", operation) for operation in ("select", "insert")),
}
BY_OWNER = """
create policy r on storage.objects for all to authenticated
using (bucket_id = 'mine' and owner_id = (select auth.uid())::text)
with check (bucket_id = 'mine' and owner_id = (select auth.uid())::text);
"""


def test_files_and_channels_of_others_are_tried(new_database: NewDatabase, platform: str) -> None:
    found = tried(new_database(platform), GOOD)
    assert [found[name] for name in ("findings", "gaps", "undecided")] == [[]] * 3
    understood = {table["table"]: table["understood"] for table in found["tables"]}
    assert understood["storage.objects"] == "the first folder of name"
    own = verdicts(found, "storage.objects", "own")
    assert own == dict.fromkeys(["select", "insert", "update", "delete"], "allowed")
    own = verdicts(found, "realtime.messages", "own")
    assert own == dict.fromkeys(["select", "insert"], "allowed")
    assert not any("no policy opens it" in line for line in found["not_tried"])

    found = tried(new_database(platform), GOOD + BREAKS)
    assert broken(found) == FOUND
    assert {f["who"].partition(" (")[0] for f in found["findings"]} == {
        "user A", "user B", "no claims", "forged claims"
    }  # fmt: skip


def test_files_may_be_their_owners(new_database: NewDatabase, platform: str) -> None:
    found = tried(new_database(platform), BY_OWNER)
    assert [found[name] for name in ("findings", "gaps", "undecided")] == [[]] * 3
    assert found["tables"][0]["understood"] == "owner_id"
    assert verdicts(found, "storage.objects", "own")["delete"] == "allowed"
    assert "realtime.messages: no policy opens it" in found["not_tried"]


def test_a_row_is_a_users_through_their_profile_and_not_its_channels(
    new_database: NewDatabase, platform: str
) -> None:
    own = "for all to authenticated using ({0}) with check ({0});"
    id_ = "id uuid primary key default gen_random_uuid()"
    found = tried(
        new_database(platform),
        "create table users (id uuid primary key references auth.users);"
        "create table profiles (id uuid primary key references users);"
        f"create table people ({id_}, user_id uuid not null unique references auth.users);"
        f"create table channels ({id_}, created_by uuid references auth.users);"
        f"create table messages ({id_}, author uuid references profiles, channel_id uuid not null"
        " references channels on delete cascade);"
        f"create table notes ({id_}, person_id uuid references people, channel_id uuid not null"
        " references channels on delete cascade);"
        f"create table files ({id_}, object uuid not null references storage.objects);"
        "alter table messages enable row level security; alter table people enable row level"
        " security; alter table notes enable row level security;"
        "alter table files enable row level security;"
        "grant select, insert, update, delete on messages, people, notes, files to authenticated;"
        f"create policy p on messages {own.format('author = auth.uid()')}"
        f"create policy p on people {own.format('user_id = auth.uid()')}"
        f"create policy p on notes {own.format('person_id in (select id from people)')}"
        "create policy p on files for select to authenticated using (exists ("
        "select from storage.objects o where o.id = object and o.owner = auth.uid()));"
        "create policy p on storage.objects for select to authenticated using (owner = auth.uid());"
        # Nobody is signed in at sign-up.
        "create function at_signup() returns trigger language plpgsql security definer as $$ begin"
        " if auth.uid() is not null then raise 'signed in'; end if; return new; end $$;"
        "create trigger t before insert on auth.users for each row execute function at_signup();",
    )
    assert [found[name] for name in ("findings", "gaps", "undecided")] == [[]] * 3
    understood = {table["table"]: table["understood"] for table in found["tables"]}
    assert understood["public.messages"] == "author"
    assert understood["public.notes"] == "person_id, of public.people"
    assert verdicts(found, "public.files", "own")["select"] == "allowed", "its file has an owner"


def test_the_data_api_logs_in_as_authenticator(new_database: NewDatabase, platform: str) -> None:
    """What is open by it is found: by a function, a policy; views, guises and triggers go along."""
    one = (
        "create table {0} (id uuid primary key default gen_random_uuid(), user_id uuid not null"
        " references auth.users, rank text default 'none'); alter table {0} enable row level"
        " security; grant select, insert, update, delete on {0} to authenticated;"
        "create policy p on {0} for all to authenticated using (user_id = auth.uid())"
        " with check (user_id = auth.uid());"
    )
    found = tried(
        new_database(platform),
        one.format("safe")
        + one.format("open")
        + "create policy x on open for select to authenticated"
        " using (session_user = 'authenticator');"
        "create policy m on safe for select to authenticated using (user_id = auth.uid() and"
        " coalesce(auth.jwt() -> 'user_metadata' ->> 'rank', 'chief') = 'chief');"
        "create materialized view counted as select count(*) from safe;"
        "create function by_api() returns setof uuid language sql security definer"
        " set search_path = '' as"
        " 'select id from public.safe where session_user = $$authenticator$$';"
        "create function by_hand() returns setof uuid language sql security definer"
        " set search_path = '' as"
        " 'select id from public.safe where session_user <> $$authenticator$$'",
    )
    assert broken(found) == {("public.open", "select"), ("public.by_api()", "call")}
    assert found["gaps"] == found["undecided"] == []
    assert not any("session_user" in line for line in found["not_tried"])
