"""Views: two servers may print one otherwise, so one of them prints both."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase
from psycopg import sql
from psycopg.conninfo import make_conninfo
from servers import Server
from service import DEV_MARKERS, Service
from steps import add_sql

from twolane.facts import catalog, views

TABLES = """
create table public.a (id int primary key, x text, at timestamptz, n numeric);
create table public.b (id int primary key, a_id int references public.a, y text);
"""
VIEWS = {
    "plain": "select id, x from public.a",
    "joined": "select a.id, b.y from public.a join public.b on b.a_id = a.id",
    "quoted": 'select id as "Odd ""Name", x collate "C" as c from public.a',
    "windows": "select id, row_number() over (partition by x order by at) as n from public.a",
    "grouped": "select x, count(*) filter (where n > 1.5) as c from public.a group by rollup (x)",
    "nested": "select id, array(select y from public.b where a_id = a.id) as ys from public.a",
    "recursive": "with recursive r as (select id from public.a union select id + 1 from r "
    "where id < 9) select id from r",
    "values": "select * from (values (1, 'it''s; --'), (2, E'\\n%s {}')) v (i, s)",
    "locked": "select x, interval '1 day' as d from public.a for update",
}


def prepare(url: str) -> str:
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
        for name, body in VIEWS.items():
            connection.execute(f'create view public."{name}" as {body}'.encode())
        connection.execute(f"create materialized view public.kept as {VIEWS['plain']}".encode())
    return url


def facts_of(url: str) -> catalog.Snapshot:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalog.read(connection)


def settle(url: str, facts: catalog.Snapshot, like: catalog.Snapshot) -> catalog.Snapshot:
    with psycopg.connect(url, autocommit=True) as connection:
        return views.settle(facts, like, lambda: nullcontext(connection))


def test_a_view_is_the_same_whichever_major_printed_it(
    fifteen: Server, new_database: NewDatabase
) -> None:
    old, new = prepare(fifteen.new_database(platform=False)), prepare(new_database())
    one, two = facts_of(old), facts_of(new)
    reprinted = {change.identity for change in catalog.diff(one, two)}
    assert {"materialized view public.kept", "view public.plain"} <= reprinted, "else prove nothing"
    assert "view public.joined" not in reprinted
    for url in (old, new):
        assert settle(url, one, two) == two
        assert settle(url, two, one) == one


def test_a_view_that_differs_is_not_settled(fifteen: Server, new_database: NewDatabase) -> None:
    old, new = prepare(fifteen.new_database(platform=False)), prepare(new_database())
    with psycopg.connect(new) as connection:
        connection.execute("create or replace view public.plain as select id, x, n from public.a")
        connection.execute("alter view public.quoted set (security_invoker)")
    one, two = facts_of(old), facts_of(new)
    changes = catalog.diff(one, settle(new, two, one))
    assert [f"{c.sign} {c.identity}" for c in changes] == [
        "+ column public.plain.n",
        "~ view public.plain",
        "~ view public.quoted",
    ]
    assert json.loads(changes[2].after or "") == json.loads(changes[2].before or "") | {
        "options": ["security_invoker=true"]
    }


def test_a_definition_carries_no_second_statement(new_database: NewDatabase) -> None:
    url = prepare(new_database())
    facts = facts_of(url)
    identity = "view public.plain"
    hostile = catalog.as_text({"definition": " SELECT 1; drop table public.b cascade; commit;"})
    assert settle(url, {**facts, identity: hostile}, facts)[identity] == hostile
    assert settle(url, facts, {**facts, identity: hostile}) == facts
    assert facts_of(url) == facts


def test_what_can_not_make_the_view_leaves_its_words_alone(
    fifteen: Server, new_database: NewDatabase
) -> None:
    one = facts_of(prepare(fifteen.new_database(platform=False)))
    new = prepare(new_database())
    two = facts_of(new)
    lacks_the_tables = new_database()
    read_only = make_conninfo(new, options="-c default_transaction_read_only=on")
    for url in (lacks_the_tables, read_only):
        assert settle(url, one, two)["view public.plain"] == one["view public.plain"]


def test_nothing_is_asked_of_a_database_whose_views_agree(new_database: NewDatabase) -> None:
    facts = facts_of(prepare(new_database()))

    def connect() -> nullcontext[psycopg.Connection]:
        pytest.fail("there is nothing to settle")

    assert views.settle(facts, facts, connect) == facts
    assert views.settle(facts, {}, connect) == facts


@pytest.mark.parametrize("way", ["there", "back"])
def test_diff_sees_no_difference_between_majors(
    way: str, fifteen: Server, new_database: NewDatabase, blank_service: Service
) -> None:
    ends = [prepare(fifteen.new_database(platform=False)), prepare(new_database())]
    one, two = ends if way == "there" else reversed(ends)
    result = blank_service.invoke("db.diff", "--source", one, "--target", two)
    assert result.out == "✓ No schema changes.\n"


def test_diff_lets_the_one_print_that_may(
    fifteen: Server, new_database: NewDatabase, blank_service: Service
) -> None:
    """A read-only replica can't have even a temporary view; the other side prints both then."""
    old, new = prepare(fifteen.new_database(platform=False)), prepare(new_database())
    with psycopg.connect(old, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("alter database {} set default_transaction_read_only = on").format(name)
        )
    for one, two in ((old, new), (new, old)):
        result = blank_service.invoke("db.diff", "--source", one, "--target", two)
        assert result.out == "✓ No schema changes.\n"


@pytest.fixture
def on_fifteen(
    fifteen: Server, blank_service: Service, new_database: NewDatabase, tmp_path: Path
) -> Service:
    """A service whose database is a 15 and whose shadow is the newest, with a view in a file."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    urls = {"DATABASE_URL": fifteen.new_database(), "SHADOW_DATABASE_URL": new_database()}
    service = Service(tmp_path / "crm", urls)
    service.write("supabase/bootstrap.txt", "00_core_tables.sql\n@migrations\n")
    for path in (service.folder / "supabase/sql").glob("*.sql"):
        if path.name != "00_core_tables.sql":
            path.unlink()
    body = "create or replace view public.people with (security_invoker) as select id, email from"
    with (service.folder / "supabase/sql/00_core_tables.sql").open("a") as file:
        file.write(f"\n{body} public.contacts;\n")
    service.commit()
    service.invoke("db.bootstrap")
    return service


def test_the_mirror_of_a_fifteen_has_the_words_of_newer_ones(on_fifteen: Service) -> None:
    lock = json.loads(on_fifteen.read("supabase/schema.lock.json"))
    assert lock["facts"]["view public.people"]["definition"] == (
        " SELECT id,\n    email\n   FROM public.contacts;"
    )
    assert on_fifteen.invoke("db.sync").out == "✓ No schema changes.\n"
    status = on_fifteen.invoke("db.status").out
    assert "fresh" in status and "Unmade" not in status
    on_fifteen.sql("create or replace view people as select id, email, company from contacts")
    changed = on_fifteen.invoke("db.sync").out
    assert "~ view public.people" in changed and "+ column company   text" in changed
    assert "This differs from what the SQL files make" in changed
    assert "what is gone" not in changed


def test_a_push_to_fifteen_takes_a_view_for_what_the_shadow_made(on_fifteen: Service) -> None:
    on_fifteen.write_app(DEV_MARKERS)
    on_fifteen.invoke("db.gen", "-m", "add dev markers")
    on_fifteen.invoke("db.push")
    on_fifteen.invoke("db.gen", "--empty", "-m", "add a view")
    body = "create view marked as select id, label from dev_markers"
    on_fifteen.edit_revision(f'op.execute("{body}")')
    assert "✓ Pushed" in on_fifteen.invoke("db.push").out
    assert "Nothing to push" in on_fifteen.invoke("db.push").out
    assert on_fifteen.invoke("db.sync").out == "✓ No schema changes.\n"


def test_a_broken_file_does_not_make_views_on_fifteen_differ(on_fifteen: Service) -> None:
    add_sql(on_fifteen, "10_broken.sql", "select no_such_column from contacts", after=True)
    assert "fresh" in on_fifteen.invoke("db.status").out
