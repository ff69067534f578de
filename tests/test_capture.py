"""`db.capture`: what was changed by hand in the live database becomes an SQL file, end to end."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from conftest import NewDatabase
from servers import Server
from service import Service
from steps import ORDER, SQL, add_sql

from twolane.repo import order

# As somebody makes them in the dashboard, in a hurry.
HOTFIX = """
alter table contacts add column nickname text;
drop policy contacts_select_own on contacts;
create policy contacts_select_own on contacts for select to authenticated using (true);
create index contacts_nickname_idx on contacts (lower(nickname));
create function nickname_of(c contacts) returns text language sql stable as 'select\r\n c.nickname';
create table tags (
  id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id),
  contact_id uuid references contacts (id) on delete cascade, label text not null
);
alter table tags enable row level security;
create policy tags_own on tags to authenticated using ((select auth.uid()) = user_id);
grant select, insert on tags to authenticated;
create type mood as enum ('sad', 'happy');
create view moody as select id, 'happy'::mood as mood from contacts;
grant select on moody to authenticated;
create view chains as with recursive chain (id, next) as (
  select id, id from contacts
  union all select c.id, chain.id from contacts c, chain where c.id = chain.next
) cycle id set again to 'yes' default 'no' using path select id, again from chain;
alter publication supabase_realtime add table tags;
create policy avatars on storage.objects for select to anon using (bucket_id = 'avatars');
comment on table tags is 'it''s new';
"""
NAME = "60_hotfix.sql"


def hotfix(service: Service, statements: str) -> None:
    with psycopg.connect(service.env["DATABASE_URL"]) as connection:
        connection.execute(statements.encode())


def captured(service: Service, name: str = NAME) -> str:
    return service.read(f"{SQL}/{name}")


def expect_whole(service: Service, new_database: NewDatabase, platform: str) -> None:
    """The trail is whole: applying changes nothing, and a colleague gets the same from nothing."""
    url = service.env["DATABASE_URL"]
    before = service.invoke("db.snapshot").out
    service.invoke("db.apply")
    assert service.invoke("db.snapshot").out == before
    service.invoke("db.sync")
    status = json.loads(service.invoke("db.status", "--json").out)
    assert (status["unmade"], status["drift"], status["pending_files"]) == ([], [], [])
    theirs = new_database(platform)
    service.invoke("db.bootstrap", DATABASE_URL=theirs)
    same = service.invoke("db.diff", "--source", url, "--target", theirs)
    assert same.out == "✓ No schema changes.\n"


def test_a_hotfix_is_captured_and_a_colleague_gets_the_same_from_nothing(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    hotfix(service, HOTFIX)
    shown = service.invoke("db.sync").out
    assert "No SQL file makes this; invoke db.capture" in shown
    status = service.invoke("db.status").out
    assert "not what the SQL files make; invoke db.capture" in status
    assert "Next     invoke db.capture\n" in status

    result = service.invoke("db.capture", "--name", "60_hotfix")

    assert result.out.startswith(f"✓ Wrote {NAME}, which makes ")
    assert "✓ Proven on the shadow: the files make just what target default has.\n" in result.out
    assert result.out.endswith(
        "Next:  invoke db.apply   (changes nothing there, records the file)\n"
        "       invoke db.sync\n"
        "Commit:  chore(db): capture changes made by hand as SQL\n"
    )
    assert f"\n{NAME}\n@migrations\n" in service.read(ORDER)
    expect_whole(service, new_database, platform)


def test_an_earlier_file_that_would_undo_the_capture_is_named(service: Service) -> None:
    hotfix(service, HOTFIX)
    result = service.invoke("db.capture", "--name", NAME)
    assert "! 02_rls_core_tables.sql undoes this when it runs again (G08)" in result.out
    undone = result.out.partition("(G08)")[2]
    assert re.search(r"~ policy public\.contacts\.contacts_select_own   using: true → ", undone)
    assert service.invoke("db.check", code=None).code in (1, 2)  # G08 stands until it is changed
    assert "02_rls_core_tables.sql" in service.invoke("db.check", code=None).text

    text = service.read(f"{SQL}/02_rls_core_tables.sql")
    policy = re.search(
        r"drop policy if exists contacts_select_own.*?;\ncreate policy.*?;", text, re.S
    )
    assert policy
    service.write(f"{SQL}/02_rls_core_tables.sql", text.replace(policy[0], ""))
    service.invoke("db.apply")
    service.invoke("db.sync")
    assert "Run again" not in service.invoke("db.check", code=None).text


def test_what_was_changed_or_dropped_by_hand_is_captured_with_what_it_gives_up(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    hotfix(
        service,
        """alter table contacts drop column phone;
        alter table contacts alter email type varchar(320); drop table ai_usage;
        drop policy contacts_update_own on contacts; revoke delete on contacts from authenticated;
        alter table contacts disable trigger contacts_set_updated_at""",
    )
    result = service.invoke("db.capture", "--name", NAME)
    assert "gives up column public.contacts.phone with its values" in result.out
    assert "gives up table public.ai_usage with its rows" in result.out
    assert "taken as changed by hand" in result.out
    assert "what is gone, run what makes it: invoke db.apply --file NAME" in result.out
    text = captured(service)
    assert "-- Gives up column public.contacts.phone with its values.\n" in text
    assert "-- ~ column public.contacts.email type: text → character varying(320)\n" in text
    expect_whole(service, new_database, platform)


def test_a_column_that_views_read_is_captured_with_its_type(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    views = """create or replace view public.mails as select id, email from public.contacts;
        create or replace view public.more as select email from public.mails;
        grant select on public.mails to authenticated; comment on view public.more is 'x';"""
    add_sql(service, "10_views.sql", views)
    service.invoke("db.apply")
    hotfix(
        service,
        f"""drop view more; drop view mails;
        alter table contacts alter email type varchar(320); {views}
        grant select on more to authenticated""",
    )
    service.invoke("db.capture", "--name", NAME)
    assert [path.name for path in (service.folder / SQL).glob("60_*")] == [NAME]
    expect_whole(service, new_database, platform)


def test_what_is_about_an_app_table_comes_after_the_mark_and_the_rest_before(
    pushed: Service, new_database: NewDatabase, platform: str
) -> None:
    hotfix(
        pushed,
        """grant select on dev_markers to authenticated;
        create policy markers_all on dev_markers to authenticated using (true);
        create view marked as select m.id, c.nickname from dev_markers m, (
          select 'x' as nickname from contacts) c;
        alter table contacts add column nickname text""",
    )
    result = pushed.invoke("db.capture", "--name", NAME)
    assert "Wrote 60_hotfix.sql, 60_hotfix_app.sql" in result.out
    order = pushed.read(ORDER)
    assert order.index("60_hotfix.sql") < order.index("\n@migrations") < order.index("_app.sql")
    assert "nickname text" in captured(pushed)
    late = captured(pushed, "60_hotfix_app.sql")
    assert "markers_all" in late and "marked" in late and "revoke all on table" in late
    expect_whole(pushed, new_database, platform)


def test_the_apps_own_structure_is_not_captured(pushed: Service) -> None:
    hotfix(pushed, "alter table dev_markers add column extra text")
    result = pushed.invoke("db.capture")
    assert "Nothing to capture" in result.out
    assert "(G10)" in result.out and "dev_markers.extra" in result.out and "db.gen" in result.out
    assert pushed.git("status", "--porcelain") == ""


def test_a_new_value_of_an_enum_has_a_file_of_its_own(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    """It can't be used in the transaction that adds it; another value was renamed meanwhile."""
    add_sql(
        service,
        "10_moods.sql",
        """do $$ begin create type public.mood as enum ('sad', 'mad');
        exception when duplicate_object then null; end $$;
        create table if not exists public.moods (id uuid primary key, mood public.mood);
        revoke all on table public.moods from public, anon, authenticated, service_role;""",
    )
    service.invoke("db.apply")
    hotfix(service, "alter type mood rename value 'sad' to 'low'")
    hotfix(service, "alter type mood add value 'happy'")
    hotfix(service, "alter table moods alter mood set default 'happy'")
    result = service.invoke("db.capture", "--name", NAME)
    assert "Wrote 60_hotfix_values.sql, 60_hotfix.sql" in result.out
    expect_whole(service, new_database, platform)


def test_what_is_not_captured_is_named_with_its_reason_and_the_rest_is_written(
    service: Service,
) -> None:
    hotfix(
        service,
        """create foreign data wrapper far options (key 'hush');
        alter table contacts add column nickname text""",
    )
    result = service.invoke("db.capture", "--name", NAME, code=3)
    assert "! Not captured, 1 fact:" in result.out
    assert "+ foreign-data wrapper far" in result.out
    assert "its options may be secrets" in result.out
    assert "Proven" not in result.out
    assert "nickname" in captured(service) and "far" not in captured(service)

    service.invoke("db.apply")
    again = service.invoke("db.capture", "--name", "61_more", code=3)
    assert "Wrote" not in again.out and "Not captured, 1 fact:" in again.out

    add_sql(
        service,
        "61_moods.sql",
        """create table if not exists public.moods (id int primary key);
        do $$ begin
          create type public.mood as enum ('sad'); alter table public.moods add mood public.mood;
        exception when duplicate_object then null; end $$;""",
    )
    service.invoke("db.apply")
    hotfix(
        service,
        """alter type mood set schema private;
        revoke all on function extensions.vector_dims(extensions.vector) from public;
        create function tight() returns int leakproof language sql as 'select 1';
        comment on function tight() is 'no leak'""",
    )
    again = service.invoke("db.capture", "--name", "62_more", code=3)
    assert "vector_dims" not in captured(service, "62_more.sql"), "it runs, and does nothing"
    left = again.out.partition("Not captured")[2]
    assert left.count("an extension brought it") == 1
    assert "LEAKPROOF AS $function$select …\n      Postgres: only superuser" in left
    reasons = re.findall(r"^      (\w.*)", left, re.MULTILINE)
    assert reasons.index("no statement alone brings it about") == 6, "what tells most comes first"
    assert "cannot cast type public.mood to private.mood" in left


def test_a_dry_run_shows_the_file_and_writes_nothing(service: Service) -> None:
    hotfix(service, HOTFIX)
    result = service.invoke("db.capture", "--dry-run")
    assert re.match(r"-- supabase/sql/60_captured_\d{4}_\d\d_\d\d\.sql\n", result.out)
    assert "create table if not exists public.tags (" in result.out
    assert "Dry run, nothing was written" in result.out and "Next:" not in result.out
    assert service.git("status", "--porcelain") == ""


def test_json_tells_files_facts_and_reasons(service: Service) -> None:
    hotfix(service, "alter table contacts add column nickname text; create sequence s")
    found = json.loads(service.invoke("db.capture", "--json", "--name", NAME).out)
    assert found.keys() == {"files", "captured", "left", "loses", "undone", "reordered", "written"}
    assert [(f["name"], f["after_migrations"]) for f in found["files"]] == [(NAME, False)]
    assert found["files"][0]["text"] == captured(service)
    assert {fact["fact"] for fact in found["captured"]} == {
        "column public.contacts.nickname", "sequence public.s",
    }  # fmt: skip
    assert (found["left"], found["undone"], found["written"]) == ([], {}, True)


def test_nothing_is_captured_where_nothing_was_changed(service: Service) -> None:
    result = service.invoke("db.capture")
    assert result.out == "✓ Nothing to capture: the SQL files make all that lane A has.\n"
    assert service.git("status", "--porcelain") == ""


def test_a_file_that_is_there_is_never_overwritten(service: Service) -> None:
    hotfix(service, "alter table contacts add column nickname text")
    service.invoke("db.capture", "--commit")
    assert service.git("status", "--porcelain") == ""
    assert service.git("log", "-1", "--format=%s") == (
        "chore(db): capture changes made by hand as SQL"
    )
    service.invoke("db.apply")
    hotfix(service, "alter table contacts add column further text")
    service.invoke("db.capture")
    names = sorted(path.name for path in (service.folder / SQL).glob("60_*"))
    assert len(names) == 2 and names[1] == names[0].replace(".sql", "_2.sql")

    service.invoke("db.apply")
    hotfix(service, "alter table contacts add column third text")
    refused = service.invoke("db.capture", "--name", names[0], code=1)
    assert f"{names[0]} exists already" in refused.err
    assert "third" not in captured(service, names[0])


@pytest.mark.parametrize("name", ["../up", "a b", "", ".hidden", "x/y.sql"])
def test_a_name_that_is_none_is_refused(service: Service, name: str) -> None:
    hotfix(service, "create sequence s")
    result = service.invoke("db.capture", f"--name={name}", code=None)
    assert result.code == 1 and "no name for an SQL file" in result.err


def test_capture_waits_for_files_that_are_not_applied(service: Service) -> None:
    hotfix(service, "create sequence s")
    add_sql(service, "10_more.sql", "create sequence if not exists public.more;")
    refused = service.invoke("db.capture", code=2)
    assert "G02 one-lane" in refused.err and "10_more.sql" in refused.err
    assert "First:  invoke db.apply" in refused.err


def test_capture_goes_before_a_revision_that_waits(
    waiting: Service, new_database: NewDatabase, platform: str
) -> None:
    hotfix(waiting, "alter table contacts add column nickname text")
    waiting.invoke("db.capture", "--name", NAME)
    waiting.invoke("db.apply")
    waiting.invoke("db.sync")
    waiting.invoke("db.push")
    expect_whole(waiting, new_database, platform)


def test_a_drop_that_migrations_need_comes_after_them(
    pushed: Service, new_database: NewDatabase, platform: str
) -> None:
    """A function that a revision uses, dropped by hand once the revision was through."""
    add_sql(
        pushed,
        "10_label.sql",
        """create or replace function public.label() returns text language sql
        set search_path = '' as $$ select 'x' $$;
        revoke all on function public.label() from public, anon, authenticated, service_role;""",
    )
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    pushed.invoke("db.gen", "--empty", "-m", "label")
    pushed.edit_revision('op.execute("update public.dev_markers set label = public.label()")')
    pushed.invoke("db.push", "--allow", "write:dev_markers")
    hotfix(pushed, "drop function label()")
    pushed.invoke("db.capture", "--name", NAME)
    order = pushed.read(ORDER)
    assert order.index("\n@migrations") < order.index(NAME)
    expect_whole(pushed, new_database, platform)


def test_a_database_of_an_older_major_is_captured_on_the_newest(
    service: Service, sixteen: Server, new_database: NewDatabase, platform: str
) -> None:
    """The two print views differently."""
    older = Service(service.folder, service.env | {"DATABASE_URL": sixteen.new_database()})
    older.invoke("db.bootstrap")
    hotfix(
        older, f"{HOTFIX} create table bare (id int); alter table bare disable row level security"
    )
    result = older.invoke("db.capture", "--name", NAME)
    assert "✓ Proven on the shadow" in result.out
    assert "alter table public.bare disable row level security;" in captured(older)
    expect_whole(older, new_database, platform)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a.sql\n@migrations\nb.sql\n", "a.sql\nnew.sql\n@migrations\nb.sql\nlate.sql\n"),
        ("# x\n\na.sql # y\n@migrations", "# x\n\na.sql # y\nnew.sql\n@migrations\nlate.sql\n"),
        ("a.sql\r\n@migrations # z\r\n", "a.sql\r\nnew.sql\r\n@migrations # z\r\nlate.sql\r\n"),
        ("a.sql\n", "a.sql\nnew.sql\n@migrations\nlate.sql\n"),
        ("", "new.sql\n@migrations\nlate.sql\n"),
    ],
)
def test_the_order_keeps_its_lines_and_comments(before: str, after: str) -> None:
    assert order.with_files(before, ["new.sql"], ["late.sql"]) == after
    assert order.with_files("a.sql\n", ["new.sql"]) == "a.sql\nnew.sql\n"


def test_columns_keep_their_order_and_text_search_is_repeatable(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    hotfix(
        service,
        """create table public.places (zip text, id int primary key, city text, area text);
        alter table public.places enable row level security;
        create statistics public.places_of on zip, city from public.places;
        create function public.add_place() returns void language sql
          as $$ insert into public.places values ('1', 2, 'c', 'a') $$;
        create text search dictionary public.plain (template = simple);
        create text search configuration public.words (copy = simple);
        alter text search configuration public.words
          alter mapping for word with public.plain;
        alter table contacts add zone text, add area text;""",
    )
    service.invoke("db.capture", "--name", NAME)
    text = captured(service)
    assert text.index("add column if not exists zone") < text.index("add column if not exists area")
    expect_whole(service, new_database, platform)
    service.invoke("db.apply", "--file", NAME)
    theirs = new_database(platform)
    service.invoke("db.bootstrap", DATABASE_URL=theirs)
    with psycopg.connect(theirs) as connection:
        columns = connection.execute(
            "select array_agg(attname order by attnum)::text from pg_attribute"
            " where attrelid = 'public.places'::regclass and attnum > 0"
        ).fetchone()
    assert columns == ("{zip,id,city,area}",)
