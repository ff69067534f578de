"""What `--json` promises: one JSON document on standard output, whatever happens."""

from __future__ import annotations

import json

import psycopg
import pytest
from conftest import NewDatabase
from service import Service
from steps import add_sql

from twolane.facts import catalog, differences


def test_lane_a_tells_scripts_what_ran_and_what_the_server_said(service: Service) -> None:
    add_sql(service, "10_fax.sql", "do $$ begin raise warning 'mind' using hint = 'this'; end $$;")
    add_sql(service, "11_tel.sql", "select 1;")

    done = service.invoke("db.apply", "--json")

    (fax, tel) = json.loads(done.out)["ran"]
    assert isinstance(fax.pop("milliseconds"), int)
    assert fax == {"file": "10_fax.sql", "messages": ["mind\n    this"]}
    assert (tel["file"], tel["messages"]) == ("11_tel.sql", [])
    assert "! 10_fax.sql: mind" in done.err, "progress is for people"
    assert json.loads(service.invoke("db.apply", "--json").out) == {"ran": []}


@pytest.mark.parametrize("command", ["db.apply", "db.push", "db.status", "db.sync"])
def test_an_error_is_told_to_people_and_to_scripts(service: Service, command: str) -> None:
    said = service.invoke(command, "--json", "--target", "nowhere", code=1)

    (told,) = json.loads(said.out).items()
    assert told == (
        "error",
        {
            "command": command,
            "exit": 1,
            "code": None,
            "name": None,
            "message": told[1]["message"],
            "changes": [],
            "details": [],
            "first": told[1]["first"],
        },
    )
    message, first = told[1]["message"], told[1]["first"]
    assert message.startswith("There is no target 'nowhere'; there are: ")
    assert said.err == f"✗ {message}\n  First:  {first}\n"


def test_a_refusal_tells_scripts_its_guard_and_the_facts(waiting: Service) -> None:
    waiting.sql("alter table contacts add column fax text")

    error = json.loads(waiting.invoke("db.push", "--json", code=2).out)["error"]

    assert (error["exit"], error["code"], error["name"]) == (2, "G03", "stale-mirror")
    assert [change["fact"] for change in error["changes"]] == ["column public.contacts.fax"]
    assert error["first"] == "invoke db.sync"


def test_what_a_migration_prints_is_no_part_of_the_result(waiting: Service) -> None:
    (path,) = waiting.revisions()
    loud = "def upgrade() -> None:\n    print('{ by the migration')\n"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("def upgrade() -> None:\n", loud), encoding="utf-8")

    done = waiting.invoke("db.push", "--json")

    assert json.loads(done.out)["applied"] is True
    assert "{ by the migration" in done.err


def test_changes_come_back_from_json(new_database: NewDatabase) -> None:
    """All kinds of changes: added, removed, changed."""
    with psycopg.connect(new_database("template1"), autocommit=True) as connection:
        connection.execute("create table a (x int, y text default 'ä\"')")
        before = catalog.read(connection)
        connection.execute("alter table a drop x, alter y set not null, add z float8 default 1.50")
        changes = catalog.diff(before, catalog.read(connection))
    assert {change.sign for change in changes} == {"+", "-", "~"}
    told = json.loads(json.dumps(differences.as_json(changes)))
    assert differences.from_json(told) == changes
