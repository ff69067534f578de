"""The plan names what could go wrong, by what the migrations do on the shadow."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase
from service import Service

from twolane.migrations import effects, functions
from twolane.state import hazards

TABLES = """
create table public.notes (
  id int generated always as identity primary key, body text, size varchar(20), n integer
);
create table public.parents (id int primary key);
create schema side;
create table side."Odd Name" (id int primary key, "a.b" text);
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("character varying(10)", "character varying(20)"),
        ("character varying(10)", "character varying"),
        ("character varying(10)", "text"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("numeric(10,2)", "numeric(12,4)"),
        ("numeric(10,2)", "numeric"),
        ("integer", "bigint"),
        ("integer", "numeric(12,2)"),
        ("real", "double precision"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("timestamp(3) with time zone", "timestamp(6) with time zone"),
        ("bit varying(4)", "bit varying(8)"),
    ],
)
def test_a_type_that_holds_every_value_is_wider(before: str, after: str) -> None:
    assert hazards.widens(before, after)
    assert not hazards.widens(after, before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("text", "integer"),
        ("bigint", "numeric(12,2)"),
        ("numeric(10,2)", "numeric(10,4)"),
        ("numeric(10,2)", "numeric(11,4)"),
        ("timestamp with time zone", "timestamp without time zone"),
        ("timestamp with time zone", "date"),
        ("integer", "character varying(5)"),
        ("text", "character varying(500)"),
        ("integer[]", "integer"),
        ("public.mood", "public.temper"),
        ("extensions.vector(3)", "extensions.vector(5)"),
        ("bit(3)", "bit(5)"),
    ],
)
def test_any_other_change_of_type_may_lose_something(before: str, after: str) -> None:
    assert not hazards.widens(before, after)


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    url = new_database()
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
    return url


def effects_of(url: str, statements: str) -> effects.Effects:
    with psycopg.connect(url) as connection:
        before = effects.layout(connection)
        connection.execute(statements.encode())
        return effects.compare(before, effects.layout(connection), effects.locks(connection))


def test_a_function_names_a_table_in_its_code_and_not_in_a_comment(database: str) -> None:
    body = "language plpgsql as $$ begin -- as parents\n delete from zone; end $$;"
    with psycopg.connect(database) as connection:
        connection.execute(f"create function public.f() returns void {body}".encode())
        found = functions.mentions(connection, [("parents", None), ("zone", None)])
    assert found == {"function public.f()": "zone"}


@pytest.mark.parametrize(
    ("statement", "is_quiet"),
    [
        ("-- no lock\ncreate index concurrently i on notes (n)", True),
        ("alter table notes add constraint c check (n > 0) not valid /* yet */", True),
        ("alter table notes add constraint c check (n > 0) -- not valid", False),
        ("alter table notes add constraint c unique (n) -- or by using index i", False),
    ],
)
def test_a_comment_makes_no_step_quiet_and_none_loud(statement: str, is_quiet: bool) -> None:
    step = SimpleNamespace(sql=statement, touches={"index public.i"})
    plan: Any = SimpleNamespace(is_online=True, steps=[step])
    assert hazards._is_brought_online(plan, "index public.i") == is_quiet


def test_a_rename_is_no_loss(database: str) -> None:
    found = effects_of(
        database,
        'alter table notes rename body to content; alter table side."Odd Name" rename to even;'
        'alter table side.even rename "a.b" to c; alter table notes set schema side',
    )
    assert found.renamed == {
        "table public.notes": "table side.notes",
        "column public.notes.id": "column side.notes.id",
        "column public.notes.body": "column side.notes.content",
        "column public.notes.size": "column side.notes.size",
        "column public.notes.n": "column side.notes.n",
        'table side."Odd Name"': "table side.even",
        'column side."Odd Name".id': "column side.even.id",
        'column side."Odd Name"."a.b"': "column side.even.c",
    }
    assert found.gone == frozenset() and found.rewritten == frozenset()


def test_what_is_made_anew_under_the_same_name_is_gone(database: str) -> None:
    found = effects_of(
        database,
        "alter table notes drop body; alter table notes add body text;"
        "drop table parents; create table parents (id int primary key)",
    )
    assert found.gone == {"column public.notes.body", "table public.parents"}


@pytest.mark.parametrize(
    ("statements", "rewritten", "locked"),
    [
        ("alter table notes alter n type bigint", True, "reads and writes"),
        (
            "alter table notes add at timestamptz default clock_timestamp()",
            True,
            "reads and writes",
        ),
        ("truncate notes", True, "reads and writes"),
        ("alter table notes add at timestamptz default now()", False, "reads and writes"),
        ("alter table notes alter size type varchar(40)", False, "reads and writes"),
        ("create index on notes (n)", False, "writes"),
        ("create table c (id int references notes)", False, "writes"),
        ("comment on table notes is 'x'", False, None),
        ("update notes set n = 1", False, None),
    ],
)
def test_rewrites_and_locks_are_seen_as_they_happen(
    database: str, statements: str, rewritten: bool, locked: str | None
) -> None:
    found = effects_of(database, statements)
    assert ("public.notes" in found.rewritten) == rewritten
    assert found.locked.get("public.notes") == locked
    assert "public.parents" not in found.locked


def plan_of(service: Service, statements: str) -> dict[str, bool]:
    """The hazards of one revision, and whether each needs consent."""
    service.invoke("db.gen", "--empty", "-m", "change")
    service.edit_revision("\n".join(f"op.execute({part!r})" for part in statements.split(";")))
    plan = json.loads(service.invoke("db.push", "--dry-run", "--json").out)
    return {
        hazard["key"]: hazard["needs_consent"]
        for hazard in plan["hazards"]
        if not hazard["key"].startswith("squawk:")
    }


def test_a_plan_names_every_hazard(pushed: Service) -> None:
    assert plan_of(
        pushed,
        "alter table dev_markers drop created_at, alter label type varchar(10),"
        " add rank int not null, add note text; "
        "create index by_label on dev_markers (label);"
        "alter table dev_markers add constraint few check (rank < 9);"
        "alter table dev_markers add constraint fewer check (rank < 8) not valid;"
        "create table others (id int primary key, contact_id uuid references contacts)",
    ) == {
        "drop:dev_markers.created_at": True,
        "narrow:dev_markers.label": True,
        "rewrite:dev_markers": True,
        "constraint:dev_markers.few": False,
        "index:dev_markers.by_label": False,
        "lock:contacts": False,
        "lock:dev_markers": False,
        "not-null:dev_markers.rank": False,
    }


def test_a_plan_has_squawks_findings(pushed: Service) -> None:
    pushed.invoke("db.gen", "--empty", "-m", "change")
    pushed.edit_revision('op.execute("alter table dev_markers add rank int not null")')
    plan = pushed.invoke("db.push", "--dry-run").out
    assert "! squawk:adding-required-field   statement 1: Adding a new column" in plan
    assert "give it a default; or add it nullable, fill it, then this" in plan


def test_what_is_new_has_no_hazards(waiting: Service) -> None:
    assert json.loads(waiting.invoke("db.push", "--dry-run", "--json").out)["hazards"] == []


def test_what_widens_or_may_be_null_needs_no_consent(pushed: Service) -> None:
    found = plan_of(
        pushed,
        "alter table dev_markers add rank int; alter table dev_markers alter rank type bigint;"
        "alter table dev_markers add weight numeric not null default 1;"
        "alter table dev_markers alter label drop not null;"
        "alter table dev_markers rename label to title",
    )
    assert set(found) == {"lock:dev_markers", "rewrite:dev_markers"}
