"""What somebody renamed in the dashboard is known, told, and captured as a rename."""

from __future__ import annotations

import json

import pytest
from conftest import NewDatabase
from service import Service
from steps import SQL, add_sql

from twolane.repo import numbering
from twolane.repo.numbering import Renamed, Table

PEOPLE = """
create table if not exists public.people (
  id int primary key, name text, mail text, phone text, note text,
  constraint people_mail_check check (mail <> '')
);
do $$ begin
  if to_regclass('public.people') is not null
    and exists (select from pg_attribute where attrelid = 'public.people'::regclass
      and attname = 'mail' and not attisdropped) then
    create index if not exists people_mail_idx on public.people (mail);
    alter table public.people enable row level security;
    drop policy if exists people_own on public.people;
    create policy people_own on public.people to authenticated using (mail <> 'x');
    create or replace view public.mails with (security_invoker) as select mail from public.people;
  end if;
end $$;
"""
BY_HAND = """
alter table people rename column mail to address;
alter table people rename column note to remark;
alter table people alter remark set not null;
alter table jobs rename to errands;
create schema attic;
alter table ai_insights set schema attic;
"""


@pytest.fixture
def people(service: Service) -> Service:
    add_sql(service, "10_people.sql", PEOPLE)
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.commit()
    service.sql("insert into people values (1, 'ann', 'a@b', '7', 'x')")
    return service


def test_what_was_renamed_by_hand_is_captured_as_a_rename(
    people: Service, new_database: NewDatabase, platform: str
) -> None:
    behind = new_database(platform)
    people.invoke("db.bootstrap", DATABASE_URL=behind)
    people.sql(BY_HAND)
    before = people.invoke("db.snapshot").out
    told = json.loads(people.invoke("db.sync", "--check", "--json", code=3).out)
    assert told["renamed"] == [
        {"before": "column public.people.mail", "after": "column public.people.address"},
        {"before": "column public.people.note", "after": "column public.people.remark"},
        {"before": "table public.ai_insights", "after": "table attic.ai_insights"},
        {"before": "table public.jobs", "after": "table public.errands"},
    ]
    told = people.invoke("db.sync").out
    assert "Renamed by hand: table public.jobs → table public.errands" in told

    told = people.invoke("db.capture", "--name", "60_renamed").out
    assert "rows stay: people.mail → people.address" in told and "gives up" not in told
    text = people.read(f"{SQL}/60_renamed.sql")
    assert "alter table public.people rename column mail to address;" in text
    assert "alter table public.jobs rename to errands;" in text
    assert not any(word in text for word in ("drop column", "drop table", "create table"))
    people.invoke("db.apply")
    people.invoke("db.sync")
    assert people.invoke("db.snapshot").out == before
    told = json.loads(people.invoke("db.sync", "--check", "--json").out)
    assert "renamed" not in told and told["no_sql_file_makes"] == []

    people.invoke("db.deploy", DATABASE_URL=behind)  # needs no consent: rows stay
    assert people.invoke("db.snapshot", DATABASE_URL=behind).out == before

    theirs = new_database(platform)
    people.invoke("db.bootstrap", DATABASE_URL=theirs)
    assert people.invoke("db.snapshot", DATABASE_URL=theirs).out == before
    people.invoke("db.apply", "--file", "60_renamed.sql", DATABASE_URL=theirs)
    assert people.invoke("db.snapshot", DATABASE_URL=theirs).out == before


def test_without_numbers_in_the_record_a_rename_is_asked_for_never_assumed(
    people: Service,
) -> None:
    people.sql("delete from twolane.facts where kind = 'numbers'")
    people.sql("alter table people rename column mail to address")
    told = people.invoke("db.capture", "--dry-run", "--name", "60_renamed").out
    assert "invoke db.capture --rename people.mail:people.address" in told
    assert "add column if not exists address" in told
    told = people.invoke(
        *("db.capture", "--dry-run", "--name", "60_renamed"),
        *("--rename", "people.mail:people.address"),
    ).out
    assert "rename column mail to address" in told and "drop column" not in told
    wrong = people.invoke("db.capture", "--rename", "people.mial:people.address", code=1).err
    assert "the SQL files make no table or column people.mial" in wrong


def test_names_that_went_round_are_told_and_refuse_a_push_until_then(people: Service) -> None:
    """The columns are of one type, so that every fact stays as it was."""
    snapshot = people.invoke("db.snapshot").out
    people.sql(
        "alter table people rename phone to x; alter table people rename name to phone;"
        "alter table people rename x to name"
    )
    assert people.invoke("db.snapshot").out == snapshot
    refused = people.invoke("db.push", code=2).err
    assert "G03 stale-mirror" in refused and "column public.people.name" in refused
    told = people.invoke("db.capture", code=3).out
    assert "Names went round by hand" in told and "column public.people.phone" in told
    told = people.invoke("db.sync").out
    assert "Names went round by hand" in told
    assert "went round" not in people.invoke("db.sync").out
    people.invoke("db.push")


def test_numbers_tell_renames_and_only_in_their_own_database() -> None:
    known = {
        "10": Table("public.a", {"1": "x", "2": "y", "3": "z"}),
        "11": Table("public.b", {"1": "x"}),
        "12": Table("public.c", {}),
    }
    now = {
        "10": Table("public.a", {"1": "y", "2": "x", "4": "w"}),
        "11": Table("public.d", {"1": "v"}),
        "13": Table("public.e", {}),
    }
    found = Renamed(
        {"column public.b.x": "column public.d.v", "table public.b": "table public.d"},
        ("column public.a.x", "column public.a.y"),
    )
    assert numbering.find(known, now) == found
    elsewhere = {f"2{oid}": table for oid, table in now.items()}
    assert numbering.find(known, {**elsewhere, "10": now["11"]}) == numbering.NOTHING
    stood = {"column public.b.x": "", "table public.b": "", "table public.a": ""}
    kept = numbering.advanced(known, now, stood)
    assert kept["11"] == known["11"] and kept["10"] == now["10"] and kept["13"] == now["13"]
    assert numbering.unpacked(numbering.packed(kept)) == kept
