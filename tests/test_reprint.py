"""What Postgres prints is not always a fixed point: two printed forms of a thing are no change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psycopg
from adopting import adopt, facts_of, newcomer, sql_of
from conftest import NewDatabase
from servers import PostgresServer
from service import Service

from twolane.facts import catalog, identities, reprint, views
from twolane.migrations import effects

# `varchar in (…)`, in each place that has an expression; a domain whose default names things by the
# search path of its day; a recursive view.
TWO_FORMS = """
create schema shop;
create type shop.mood as enum ('good', 'bad');
create function shop.pick(int) returns shop.mood language sql immutable
  as $$ select 'good'::shop.mood $$;
set search_path = shop, public;
create domain shop.feeling as shop.mood default pick(4);
reset search_path;
create domain shop.size as varchar(10) check (value in ('s', 'm', 'l'));
create domain shop.usual as boolean default ('a'::varchar in ('a', 'b'));
create table shop.shirts (
  id bigint primary key,
  size varchar(10) not null check (size in ('s', 'm', 'l')),
  "is Small" boolean generated always as (size in ('s', 'xs')) stored,
  usual boolean default ('a'::varchar in ('a', 'b')),
  n int,
  feeling shop.feeling
);
create index shirts_large_idx on shop.shirts (id) where size in ('m', 'l');
create unique index shirts_size_idx on shop.shirts ((size in ('m', 'l')), id);
create statistics shop.sizes on (size in ('m', 'l')), id from shop.shirts;
create rule shirts_n as on delete to shop.shirts
  do also update shop.shirts set n = 1 where size in ('s', 'm') and id = old.id;
create function shop.is_size(a varchar, b boolean default ('x'::varchar in ('x', 'y')))
  returns boolean language sql begin atomic select a in ('x', 'y'); end;
create function shop.is_large(a varchar) returns boolean language sql return a in ('l', 'xl');
create function shop.look() returns trigger language plpgsql as 'begin return new; end';
create trigger look before update of size on shop.shirts for each row
  when (new.size in ('s', 'm')) execute function shop.look('q');
create recursive view shop.numbers (n) as
  values (1) union all select n + 1 from numbers where n < 5;
create view shop.small as select * from shop.shirts where size in ('s', 'm');
create rule small_new as on insert to shop.small where new.size in ('s', 'm') do instead nothing;
create table shop.worn (id int, size varchar(5)) partition by list ((size in ('s', 'm')));
create materialized view shop.kept as select * from shop.shirts where size in ('s', 'm');
alter table shop.shirts enable row level security;
create policy shirts_own on shop.shirts
  using (size in ('s', 'm') and exists (
    select from shop.shirts s where s.size in ('a', 'b') and s.id = shirts.id))
  with check (size in ('q', 'r'));
"""
KINDS = {"domain", "column", "constraint", "index", "statistics object", "rule", "function"} | {
    "trigger",
    "view",
    "materialized view",
    "policy",
    "table",
}


def test_each_kind_of_expression_is_settled_by_what_it_means(new_database: NewDatabase) -> None:
    with psycopg.connect(new_database("template1"), autocommit=True) as connection:
        connection.execute(TWO_FORMS)
        facts = catalog.read(connection)
        second = {
            identity: catalog.as_text({**catalog.definition(text), **again})
            for identity, text in facts.items()
            if (again := reprint.again(identity, catalog.definition(text), connection))
        }
        assert catalog.read(connection) == facts
        moved = {identities.kind(i) for i, text in second.items() if facts[i] != text}
        assert moved == KINDS
        for one, two in ((facts, {**facts, **second}), ({**facts, **second}, facts)):
            assert views.settle(one, two, lambda: nullcontext(connection)) == two
        other = {i: text.replace("'s'", "'t'") for i, text in facts.items()}
        settled = views.settle(other, facts, lambda: nullcontext(connection))
        assert settled == other, "what means something else is a change"


@contextmanager
def means_the_same(url: str) -> Iterator[None]:
    """Expects that the database is the same after the block: what facts mean, tables as stored."""
    with psycopg.connect(url, autocommit=True) as connection:
        before, stored = catalog.read(connection), effects.layout(connection)
        yield
        after = views.settle(catalog.read(connection), before, lambda: nullcontext(connection))
        assert catalog.diff(before, after) == []
        assert effects.layout(connection) == stored


def test_an_adoption_is_identical_and_repeatable(
    minimal_service: Service,
    new_database: NewDatabase,
    platform: str,
    server: PostgresServer,
    tmp_path: Path,
) -> None:
    service = newcomer(minimal_service, tmp_path / "crm", new_database(platform), server.get_uri())
    service.sql(TWO_FORMS)
    found = adopt(service)
    assert found["identical"], found["left"]
    assert "drop" not in sql_of(service).lower()
    before = facts_of(service.env["DATABASE_URL"])
    service.invoke("db.apply")
    changes = catalog.diff(before, facts_of(service.env["DATABASE_URL"]))
    # A function is replaced by what it is: its body is read again from the words it had.
    assert [change.identity.partition("(")[0] for change in changes] == [
        "function shop.is_large",
        "function shop.is_size",
    ]
    service.invoke("db.sync")
    assert "nothing to do" in service.invoke("db.status").out
    theirs = new_database(platform)
    service.invoke("db.bootstrap", DATABASE_URL=theirs)
    same = service.invoke("db.diff", "--source", service.env["DATABASE_URL"], "--target", theirs)
    assert same.out == "✓ No schema changes.\n"


# What is made again: an index with what it is on, and an object in a schema of an odd name.
KEPT = """
create materialized view kept as select id, size from shop_sizes where size in ('{size}', 'l');
create index kept_idx on kept (id) where size in ('{size}', 'l');
create schema if not exists "Odd shop";
create table if not exists "Odd shop".t (id int, size varchar(2));
create statistics "Odd shop".s on id, (size in ('{size}', 'l')) from "Odd shop".t;
"""


def test_a_capture_writes_each_block_once_and_settles(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    service.sql(
        "create table shop_sizes (id int primary key, size varchar(10) check (size <> 'a'))"
    )
    service.sql(
        "alter table shop_sizes add is_small boolean generated always as (size = 's') stored"
    )
    service.sql("create index shop_sizes_idx on shop_sizes (id) where size = 's'")
    service.sql(KEPT.format(size="s"))
    service.sql("alter table shop_sizes enable row level security")
    service.invoke("db.capture", "--name", "60_first")
    service.invoke("db.apply")
    service.invoke("db.sync")

    service.sql(TWO_FORMS)
    service.sql('drop materialized view kept; drop statistics "Odd shop".s')
    service.sql(KEPT.format(size="m"))
    service.sql(
        "alter table shop_sizes drop constraint shop_sizes_size_check,"
        " add constraint shop_sizes_size_check check (size in ('s', 'm')), drop is_small,"
        " add is_small boolean generated always as (size in ('s', 'm')) stored"
    )
    service.sql("drop index shop_sizes_idx")
    service.sql("create index shop_sizes_idx on shop_sizes (id) where size in ('s', 'm')")
    result = service.invoke("db.capture", "--name", "61_second")
    assert "Proven" in result.out and "Not captured" not in result.out
    text = service.read("supabase/sql/61_second.sql")
    assert text.count("add constraint shop_sizes_size_check") == 1
    assert text.count("add column is_small") == 1
    assert text.lower().count("create index if not exists shop_sizes_idx") == 1
    assert text.lower().count("create index if not exists kept_idx") == 1

    with means_the_same(service.env["DATABASE_URL"]):
        service.invoke("db.apply")
    service.invoke("db.sync")
    assert "nothing to do" in service.invoke("db.status").out
    theirs = new_database(platform)
    service.invoke("db.bootstrap", DATABASE_URL=theirs)
    same = service.invoke("db.diff", "--source", service.env["DATABASE_URL"], "--target", theirs)
    assert same.out == "✓ No schema changes.\n"
    with means_the_same(theirs):
        service.invoke("db.apply", "--file", "61_second.sql", DATABASE_URL=theirs)
