"""`db.adopt` as a newcomer uses it: what it writes, refuses and leaves alone, and cut short."""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path

import psycopg
import pytest
from adopting import adopt, expect_repeatable, facts_of, listed, newcomer, sql_of, untouched
from conftest import NewDatabase
from servers import PostgresServer
from service import DEV_MARKERS, Service
from steps import add_sql

from twolane.repo.starter import STARTER

# A project with what a dump has, and with what is on the platform's own tables.
PROJECT = """
create type public.mood as enum ('sad', 'happy');
create table public.profiles (
  id uuid primary key references auth.users (id), mood public.mood default 'happy', name text);
create index profiles_name_idx on public.profiles (name);
comment on table public.profiles is 'Who they are.';
create table public.entries (
  id bigint generated always as identity primary key, author uuid references public.profiles (id));
create function public.add_profile() returns trigger language plpgsql security definer
  set search_path = '' as 'begin insert into public.profiles (id) values (new.id); return new; end';
create trigger on_user after insert on auth.users
  for each row execute function public.add_profile();
create view public.authors with (security_invoker) as select id, name from public.profiles;
create view public.circles with (security_invoker) as
  with recursive walk (id, depth) as (select 1, 0 union all select id, depth + 1 from walk)
  cycle id set again to 'it''s again' default varchar(3) 'no' using path
  select id, again from walk;
alter table public.profiles enable row level security;
create policy profiles_own on public.profiles to authenticated using (id = (select auth.uid()));
create policy avatars on storage.objects for select to anon using (bucket_id = 'avatars');
alter publication supabase_realtime add table public.entries;
grant select on public.profiles to authenticated;
grant update (name) on public.profiles to authenticated;
"""
# Of the older kind: everything is granted to the data API's roles.
OLDER = """
alter default privileges in schema public
grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated;
alter default privileges in schema public grant all on functions to anon, authenticated;
"""


@pytest.fixture
def fresh(
    minimal_service: Service,
    new_database: NewDatabase,
    platform: str,
    server: PostgresServer,
    tmp_path: Path,
) -> Service:
    """A fresh service, and a database with nothing of a user's."""
    return newcomer(minimal_service, tmp_path / "crm", new_database(platform), server.get_uri())


@pytest.fixture
def service(fresh: Service) -> Service:
    """A fresh service, and a project that was there before it."""
    fresh.sql(PROJECT)
    return fresh


def test_a_project_comes_in_whole_and_unchanged(service: Service) -> None:
    assert service.invoke("db.status").out.endswith("Next     invoke db.adopt\n")
    with untouched(service):
        adopted = service.invoke("db.adopt")
    assert "✓ Identical" in adopted.out
    assert "Next:  invoke db.apply" in adopted.out
    assert "Commit:  chore(db): adopt the existing database" in adopted.out
    for written in ("on_user", "avatars", "profiles_own", "supabase_realtime"):
        assert written in sql_of(service)
    assert "class Profiles(" in service.read("src/crm/db/schema/introspected.py")
    expect_repeatable(service)


def test_files_are_by_concern_and_in_order(service: Service) -> None:
    adopt(service)
    names = [name.partition("_")[2] for name in listed(service)]
    assert names == [
        "types.sql",
        "functions.sql",
        "tables.sql",
        "keys.sql",
        "views.sql",
        "policies.sql",
        "grants.sql",
        "publications.sql",
        "rest.sql",
    ]
    assert listed(service) == sorted(listed(service))
    assert service.read("supabase/bootstrap.txt").splitlines()[-1] == "@migrations"


def test_applying_the_files_changes_nothing_and_opens_lane_b(service: Service) -> None:
    adopt(service)
    assert "G02 one-lane" in service.invoke("db.push", code=2).err
    with untouched(service):
        service.invoke("db.apply")
    service.write_app(DEV_MARKERS.replace("Contacts", "Profiles"))
    service.write(
        "src/crm/db/schema/app.py",
        service.read("src/crm/db/schema/app.py").replace("Contacts", "Profiles"),
    )
    service.invoke("db.gen", "-m", "markers")
    service.invoke("db.push")


def test_record_fills_the_ledger_and_nothing_else(service: Service) -> None:
    with untouched(service):
        assert adopt(service, "--record")["recorded"] is True
    status = service.invoke("db.status").out
    assert "every SQL file is applied" in status and "nothing to do" in status
    assert [(name,) for name in listed(service)] == service.sql(
        "select file from twolane.sql_runs order by id"
    )
    assert "Nothing to apply" in service.invoke("db.apply").out


def test_without_record_the_ledger_is_not_even_made(service: Service) -> None:
    adopt(service)
    assert service.sql("select to_regnamespace('twolane')") == [(None,)]


def test_a_bootstrap_from_the_files_makes_the_same_elsewhere(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    """On an older project as well, where default privileges give too much."""
    adopt(service)
    for privileges in ("", OLDER):
        url = new_database(platform)
        with psycopg.connect(url) as connection:
            connection.execute(privileges.encode())
        service.invoke("db.bootstrap", DATABASE_URL=url)
        wanted, made = facts_of(service.env["DATABASE_URL"]), facts_of(url)
        differing = {i for i in wanted.keys() | made.keys() if wanted.get(i) != made.get(i)}
        assert all("default privileges" in identity for identity in differing)
        assert bool(differing) == bool(privileges)


def test_what_an_older_project_granted_by_itself_is_adopted(fresh: Service) -> None:
    fresh.sql(OLDER)
    fresh.sql(PROJECT)
    fresh.sql("revoke all on public.entries from anon")
    assert adopt(fresh)["identical"]


# What each of these is open to, a file says; or nothing does.
MORE = """\
create table if not exists public.left_open (id int);
create table if not exists public.meant (id int);
grant select on public.meant to anon;
create table if not exists public.limited (id int);
alter table public.limited enable row level security;
create or replace view public.past_rls as select * from public.profiles;
create schema if not exists inside;
create table if not exists inside.held (id int);
grant select on inside.held to anon;
create table if not exists public.partly (id int, secret int);
grant select (id) on public.partly to authenticated;
do $$ begin -- left_open and past_rls: no grant to anon here, as to no other in pg_class
  grant select on public.profiles to service_role; end $$;
"""
BY_CODE = (
    "do $$ declare r text; begin create table if not exists public.by_code (id int);"
    " foreach r in array array['anon', 'authenticated'] loop"
    " execute format('grant select on public.by_code to %I', r); end loop; end $$;"
    " create table if not exists public.beside_code (id int);"
)


def test_after_an_adoption_whatever_is_new_is_closed_or_a_file_opens_it(fresh: Service) -> None:
    """The project grants by default, and the starter's event trigger is put aside."""
    fresh.sql(OLDER)
    fresh.sql(PROJECT)
    adopt(fresh, "--record")
    a_push_closes_its_table(fresh)
    an_sql_file_closes_what_it_does_not_open(fresh)
    the_rest_is_open_as_far_as_a_file_says(fresh)
    a_later_file_opens_the_schema(fresh)
    fresh.invoke("db.sync")
    assert "nothing to do" in fresh.invoke("db.status").out


def a_push_closes_its_table(fresh: Service) -> None:
    fresh.write_app(DEV_MARKERS)
    app = fresh.read("src/crm/db/schema/app.py")
    fresh.write("src/crm/db/schema/app.py", app.replace("Contacts", "Profiles"))
    fresh.invoke("db.gen", "-m", "markers")
    assert "enabled RLS on public.dev_markers" in fresh.invoke("db.push").err
    fresh.invoke("db.sync")
    assert fresh.invoke("db.gen").out == "✓ No schema changes.\n"


def an_sql_file_closes_what_it_does_not_open(fresh: Service) -> None:
    add_sql(fresh, "200_more.sql", MORE, after=True)
    add_sql(fresh, "205_by_code.sql", BY_CODE, after=True)
    said = fresh.invoke("db.apply").text
    assert "public.left_open: took back" in said and "public.past_rls: took back" in said
    assert not [name for name in ("meant", "limited", "partly") if f"public.{name}:" in said]


def the_rest_is_open_as_far_as_a_file_says(fresh: Service) -> None:
    held = dict(
        fresh.sql(
            "select relname, has_table_privilege('anon', oid, 'select') and not relrowsecurity"
            " from pg_class where relname = any (%s)",
            ["dev_markers", "left_open", "meant", "limited", "past_rls", "by_code", "beside_code"],
        )
    )
    assert sorted(name for name, is_open in held.items() if is_open) == ["by_code", "meant"]
    assert fresh.sql("select has_table_privilege('authenticated', 'limited', 'select')") == [
        (True,)
    ], "a policy may rely on what the database grants"
    assert fresh.sql(
        "select has_any_column_privilege('anon', 'partly', 'select, insert'),"
        " has_table_privilege('authenticated', 'partly', 'select, insert, update, delete'),"
        " has_column_privilege('authenticated', 'partly', 'id', 'select'),"
        " has_table_privilege('anon', 'meant', 'insert, update, delete')"
    ) == [(False, False, True, False)]


def a_later_file_opens_the_schema(fresh: Service) -> None:
    add_sql(fresh, "210_usage.sql", "grant usage on schema inside to anon;", after=True)
    fresh.invoke("db.apply")
    assert fresh.sql("select has_table_privilege('anon', 'inside.held', 'select')") == [(True,)]


def test_starter_files_that_the_database_lacks_are_put_aside(service: Service) -> None:
    found = adopt(service)
    assert found["later"] == list(STARTER)
    assert sorted(path.name for path in (service.folder / "supabase/later").iterdir()) == sorted(
        STARTER
    )
    assert not set(STARTER) & set(listed(service))
    (service.folder / "supabase/later/05_guardrails.sql").rename(
        service.folder / "supabase/sql/05_guardrails.sql"
    )
    order = service.read("supabase/bootstrap.txt")
    service.write("supabase/bootstrap.txt", order.replace("\n@mig", "\n05_guardrails.sql\n@mig"))
    service.invoke("db.apply")
    service.invoke("db.sync")
    assert service.sql("select to_regclass('public.ai_quotas') is not null") == [(True,)]


def test_starter_files_that_the_database_has_are_kept(service: Service) -> None:
    service.sql("create extension vector with schema extensions")
    found = adopt(service)
    assert found["files"][0] == "01_extensions_and_vector.sql"
    assert found["later"] == ["05_guardrails.sql"]
    assert found["identical"]


@pytest.mark.parametrize("life", ["revision", "own file", "ledger"])
def test_g11_a_service_with_a_history_is_not_begun_again(service: Service, life: str) -> None:
    if life == "revision":
        path = "migrations/versions/1_old.py"
        service.write(path, 'revision = "1"\ndown_revision = None\n')
    elif life == "own file":
        path = "supabase/sql/50_mine.sql"
        service.write(path, "select 1;\n")
    else:
        path = "run by the database"
        adopt(service, "--record")
    service.commit()
    refused = service.invoke("db.adopt", code=2)
    assert "G11 history" in refused.err and path in refused.err
    assert service.git("status", "--short") == ""


def test_g01_only_recording_asks_for_a_protected_targets_name(service: Service) -> None:
    service.write(
        "pyproject.toml",
        service.read("pyproject.toml")
        + '\n[tool.twolane.targets.production]\nenv = "LIVE"\nprotected = true\n',
    )
    service.env["LIVE"] = service.env["DATABASE_URL"]
    refused = service.invoke("db.adopt", "--target", "production", "--record", code=2)
    assert "G01 target" in refused.err
    assert service.git("status", "--short") == "M pyproject.toml"
    assert adopt(service, "--target", "production")["identical"]
    options = ("--target", "production", "--record", "--confirm", "production")
    assert adopt(service, *options)["recorded"]
    assert service.sql("select target from twolane.label where protected") == [("production",)]


def test_an_empty_database_has_nothing_to_adopt(fresh: Service) -> None:
    failed = fresh.invoke("db.adopt", code=1)
    assert "nothing to adopt" in failed.err and "invoke db.bootstrap" in failed.err
    assert fresh.git("status", "--short") == ""


def test_a_second_run_is_the_first_again(service: Service) -> None:
    adopt(service)
    service.commit()
    assert adopt(service)["later"] == []
    assert service.git("status", "--short") == ""


def test_a_run_after_a_change_rewrites_its_own_files(service: Service) -> None:
    adopt(service)
    views = "drop view public.authors, public.circles; "
    service.sql(f"{views}create table public.more (id int primary key)")
    adopt(service)
    assert not any("views" in name for name in listed(service))
    assert "public.more" in sql_of(service) and "public.authors" not in sql_of(service)
    present = {path.name for path in (service.folder / "supabase/sql").glob("*.sql")}
    assert present == set(listed(service))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_killed_at_any_moment_the_same_command_ends_it(service: Service) -> None:
    """Files may be half of the old and half of the new, never a file in halves."""
    chance = random.Random(5)
    begun = time.monotonic()
    service.run("db.adopt", "--record")
    seconds = time.monotonic() - begun
    wanted = {name: service.read(f"supabase/sql/{name}") for name in listed(service)}
    service.sql("drop schema twolane cascade")
    for _ in range(8):
        service.git("stash", "--quiet", "--include-untracked")
        service.git("stash", "drop", "--quiet")
        process = service.start("db.adopt", "--record")
        time.sleep(chance.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        recorded = service.sql("select to_regclass('twolane.sql_runs') is not null") == [(True,)]
        if not recorded or service.sql("select count(*) from twolane.sql_runs") == [(0,)]:
            adopt(service, "--record")
        assert {name: service.read(f"supabase/sql/{name}") for name in listed(service)} == wanted
        assert "nothing to do" in service.invoke("db.status").out
        service.sql("drop schema twolane cascade")


def test_files_cut_short_between_two_renames_are_finished(service: Service) -> None:
    """The worst of moments: files are there, unlisted, beside those that were to go."""
    adopt(service)
    wanted = service.read("supabase/bootstrap.txt")
    for name in STARTER:
        text = service.read(f"supabase/later/{name}")
        service.write(f"supabase/sql/{name}", text)
    service.write("supabase/bootstrap.txt", "".join(f"{name}\n" for name in STARTER))
    service.write("supabase/sql/99_policies.sql", service.read("supabase/sql/60_policies.sql"))
    adopt(service)
    assert service.read("supabase/bootstrap.txt").splitlines()[-10:] == wanted.splitlines()[-10:]
    assert not (service.folder / "supabase/sql/99_policies.sql").exists()


def test_a_lock_that_somebody_holds_is_told(service: Service, hasty_facts: None) -> None:
    with psycopg.connect(service.env["DATABASE_URL"]) as connection:
        connection.execute("lock table public.entries in access exclusive mode")
        failed = service.invoke("db.adopt", code=1)
        connection.rollback()
    assert "Somebody holds a lock" in failed.err
    assert service.git("status", "--short") == ""


def test_a_package_that_is_not_there_is_told_before_anything_is_written(service: Service) -> None:
    text = service.read("pyproject.toml")
    service.write("pyproject.toml", text.replace('package = "crm"', 'package = "other"'))
    failed = service.invoke("db.adopt", code=1)
    assert "no folder" in failed.err
    assert service.git("status", "--short") == "M pyproject.toml"


def test_what_check_will_find_is_counted_and_can_be_quieted(service: Service) -> None:
    service.sql("create table public.open (id int primary key)")
    told = service.invoke("db.adopt").out
    assert "G13 errors 2" in told, "entries and open are without RLS"
    (line,) = [line.strip() for line in told.splitlines() if "ignore = [" in line]
    setting = line.removeprefix("[tool.twolane.check] ")
    service.write(
        "pyproject.toml", f"{service.read('pyproject.toml')}\n[tool.twolane.check]\n{setting}\n"
    )
    service.invoke("db.check")
    assert "G13" not in service.invoke("db.adopt").out
