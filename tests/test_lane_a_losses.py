"""Lane A's files need consent, too, for what they do to data that were there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import NewDatabase, copy
from service import Service
from steps import add_sql

NAME = "60_rows.sql"


@pytest.fixture
def service(pushed_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A service whose app owns the table dev_markers."""
    return copy(pushed_service, tmp_path / "crm", new_database)


def write(service: Service, text: str) -> None:
    if not (service.folder / "supabase/sql" / NAME).exists():
        add_sql(service, NAME, text, after=True)
    service.write(f"supabase/sql/{NAME}", text)


def add_contact(service: Service) -> None:
    user = "insert into auth.users (id) values (gen_random_uuid()) returning id"
    contact = "insert into contacts (user_id, display_name) select id, 'A' from u"
    service.sql(f"with u as ({user}) {contact}")


LOST = {
    "delete from public.contacts": "write:contacts",
    "with gone as (delete from public.contacts returning id) select from gone": "write:contacts",
    "do $$ begin delete from public.dev_markers; end $$": "write:dev_markers",
    "update public.contacts set company = 'x' where false": "write:contacts",
    "insert into public.dev_markers (label) values ('a'); "
    "insert into public.dev_markers (id, label) select id, 'b' from public.dev_markers "
    "on conflict (id) do update set label = excluded.label": "write:dev_markers",
    "create or replace function public.empty() returns void language sql as "
    "'delete from public.contacts'; select public.empty()": "write:contacts",
    "create or replace function public.empty() returns void language sql as "
    "'delete from public.contacts'; do 'begin delete from public.messages; end'": "write:messages",
    "truncate public.messages cascade": "rewrite:messages",
    "drop table if exists public.dev_markers": "drop:dev_markers",
    "alter table public.contacts drop column if exists company": "drop:contacts.company",
}


# A file that adds a column may fill it; other columns keep their values all the same.
_ADDS = "alter table public.contacts add column if not exists nick text; "
LOST |= {
    f"{_ADDS}{statement}": "write:contacts"
    for statement in (
        "do $$ begin update public.contacts set company = null; end $$",
        "do $$ begin execute 'update public.con' || 'tacts set company = null'; end $$",
        "do $$ begin update public.contacts set nick = company; "
        "execute format('update %I set company = null', 'contacts'); end $$",
        "do $$ begin execute format('update %I set nick = $1, company = null', 'contacts') "
        "using 'x'; end $$",
        "create or replace function private.wipe() returns void language sql set search_path = '' "
        "as 'update public.contacts set company = null'; select private.wipe()",
        "create temporary view v as select * from public.contacts; update v set company = null",
    )
}


def test_what_a_file_takes_from_data_needs_consent_by_name(service: Service) -> None:
    add_contact(service)
    for statement, key in LOST.items():
        write(service, f"{statement};\n")
        refused = service.invoke("db.apply", code=2).text
        assert "G06 destructive" in refused, statement
        assert f"--allow {key}" in refused, statement
    write(service, "delete from public.contacts;\n")
    service.invoke("db.apply", "--allow", "write:contacts")


KEPT = """
insert into auth.users (id) values ('00000000-0000-0000-0000-000000000001') on conflict do nothing;
insert into public.dev_markers (id, label)
values ('00000000-0000-0000-0000-000000000001', 'a') on conflict do nothing;
alter table public.contacts add column if not exists nick text;
update public.contacts set nick = company;
create table if not exists public.made (id int);
alter table public.made enable row level security;
insert into public.made values (1); update public.made set id = 2; delete from public.made;
"""


def test_rows_that_are_added_need_none_and_nor_do_those_of_a_new_table(service: Service) -> None:
    write(service, KEPT)
    assert "adds rows or new values to dev_markers" in service.invoke("db.apply").text
    again = KEPT.partition("alter table public.contacts")[0]
    write(service, again)
    assert "adds rows" not in service.invoke("db.apply").text  # they are there

    add_contact(service)
    block = "execute 'alter table public.contacts add column if not exists nicks text[]'; "
    block += "-- delete from the dashboard, or execute it\n update public.contacts set nicks = "
    write(service, f"{FORGET}do $$ begin {block}array[nick]; end $$; -- or delete from psql\n")
    assert "adds rows or new values to contacts" in service.invoke("db.apply").text


FORGET = """
create or replace function public.forget(who uuid) returns void language sql
  as 'delete from public.contacts where id = who; update public.messages set role = role';
"""
BODIES = f"""{FORGET}
create or replace procedure public.noted(words text) language sql
  begin atomic insert into public.dev_markers (label) values (words); end;
"""
RULE = """
do $$ begin if false then alter table public.contacts add column x text; end if; end $$;
do $$ begin
  create or replace rule kept as on delete to public.contacts
    do also insert into public.dev_markers (label) values ('gone');
end $$;
comment on table public.contacts is 'People';
"""


def test_a_function_or_a_rule_that_would_write_rows_writes_none_by_being_made(
    service: Service,
) -> None:
    """Postgres locks the tables that its body names as if it wrote them."""
    for text in (BODIES, RULE + BODIES):
        write(service, text)
        assert "adds rows" not in service.invoke("db.apply").text
    checked = service.invoke("db.check", code=None).text
    assert "✓ G08" in checked, checked


def test_twolanes_record_is_not_lane_as(service: Service) -> None:
    write(service, "delete from twolane.sql_runs;\n")
    assert "G05 baseline" in service.invoke("db.apply", code=2).text


SMUGGLED = [
    "set standard_conforming_strings = off",
    "select set_config('standard_conforming_strings', 'off', true)",
    "do $$ begin set local standard_conforming_strings = off; end $$",
]


@pytest.mark.parametrize("setting", SMUGGLED)
def test_no_string_hides_a_commit(service: Service, setting: str) -> None:
    hidden = r"select '\'' ; alter table public.contacts disable row level security; commit; --'"
    write(service, f"{setting};\n{hidden};\nselect 1 / 0;\n")
    said = service.invoke("db.apply", code=1).text
    assert f"{NAME}:2:1: standard_conforming_strings is off" in said
    closed = "select relrowsecurity from pg_class where oid = 'public.contacts'::regclass"
    assert service.sql(closed) == [(True,)]


def test_a_deploy_and_a_check_name_what_a_file_takes(service: Service) -> None:
    write(service, "delete from public.contacts;\nupdate public.messages set role = role;\n")
    planned = json.loads(service.invoke("db.deploy", "--dry-run", "--json").out)
    assert {"write:contacts", "write:messages"} <= {h["key"] for h in planned["hazards"]}
    service.invoke("db.deploy", code=2)
    service.invoke("db.deploy", "--allow", "write:contacts", "--allow", "write:messages")
    checked = service.invoke("db.check", code=None).text
    assert "it loses rows" in checked
    assert "rows of public.contacts" in checked
