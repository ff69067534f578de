"""The guide's page on JSON says what the commands print."""

from __future__ import annotations

import json

from conftest import NewDatabase
from json_shapes import assert_documented, commands
from service import Service
from test_guide import COMMANDS, options


def test_the_page_has_every_command_that_prints_json() -> None:
    assert commands() == {name for name, task in COMMANDS.items() if "--json" in options(task)}


def test_the_page_has_the_keys_that_the_commands_print(
    waiting: Service, new_database: NewDatabase, platform: str
) -> None:
    """Those of `db.adopt`, `db.prove` and `template.…` are compared where these are tested."""

    def check(command: str, *arguments: str, code: int = 0) -> None:
        done = waiting.invoke(command, *arguments, "--json", code=code)
        assert_documented(command, json.loads(done.out))

    check("db.deploy", "--dry-run")
    check("db.push")
    check("db.downgrade", "--to", "base", "--dry-run")
    check("db.disown", "dev_markers", "--dry-run")
    check("db.own", "contacts", "--dry-run")
    check("db.why", "public.dev_markers.label")
    check("db.apply", "--file", "05_guardrails.sql")
    waiting.sql("alter table contacts add column fax text")
    check("db.capture", "--dry-run")
    check("db.status")
    check("db.sync")
    waiting.sql("alter table contacts drop column fax")
    check("db.check", "--fast", code=3)
    check("db.doctor")
    check("db.targets")
    check("db.snapshot")
    other = ("--source", new_database(platform), "--target", "default")
    assert set(json.loads(waiting.invoke("db.diff", *other, "--json", code=3).out)[0]) == {
        *("fact", "object", "change", "before", "after")
    }
    check("db.diff", *other, "--sql", code=3)
