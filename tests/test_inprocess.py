"""A command says and does the same inside the tests' process as in one of its own."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import shlex
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import own_sql
from conftest import NewDatabase, copy, database_name
from service import DEV_MARKERS, Result, Service
from sqlalchemy.orm import configure_mappers
from steps import add_sql

# In an order in which each has something to do; after a `-`, what the service's owner does before.
COMMANDS = """
    --list
    --help db.push
    nonsense
    db.targets
    db.status
    db.status --json
    db.sync
    db.push --dry-run --json
    db.push
    db.push
    db.snapshot --json
    - app.py
    db.gen
    db.gen -m more
    db.check
    app another
    - SQL
    db.push
    db.apply
    db.apply
    db.sync --check
    db.sync
    db.introspect
    sql
    - by hand
    db.diff --source default --target default
    db.status
    db.capture notes
    db.rls public.notes
    db.why contacts.email
    db.diagram --around contacts
    db.page
    db.apply --file no_such.sql
    db.doctor --json
    db.prove
    db.psql -c 'table public.notes'
    db.psql -c 'no sql'
    db.adopt
    db.deploy --dry-run
    db.export
    db.bootstrap
    db.reset --yes
    db.downgrade no_such
    db.own no_such
    db.disown no_such
    template.check
    template.update
    db.up
    db.down
"""
OTHER = {"-", "--list", "--help", "nonsense"}
CHANGING = (
    (r"\b20\d{12}_", "(then)_"),
    (r"\d{4}(-\d\d-\d\d \d\d:\d\d|_\d\d_\d\d_\d{4})", "(then)"),
    (r"(?<![0-9a-f])([0-9a-f]{32}|[0-9a-f]{12})(?![0-9a-f])", "(an id)"),
    (r"\b\d+(\.\d+)? (ms|seconds|s)\b", "(a while)"),
    (r"host=\S+", "host=(a socket)"),
    (r"postgres:\S+@127\.0\.0\.1:\d+", "(a server)"),
    (r"/twolane/crm-\w+/", "(data elsewhere)"),
)


def words() -> list[str]:
    return [line.strip() for line in COMMANDS.strip().splitlines()]


def change(service: Service, what: str) -> None:
    """What an owner does between two commands."""
    if what == "app.py":
        service.write_app(f"{DEV_MARKERS}    note: Mapped[str | None]\n")
    elif what == "SQL":
        add_sql(service, "10_notes.sql", "create table if not exists public.notes (id int);\n")
    else:
        service.sql("alter table public.notes add column body text")
        service.commit()


def plain(service: Service, text: str) -> str:
    """A text without what differs from one run and one copy to the next."""
    name = database_name(service.env["DATABASE_URL"])
    text = text.replace(str(service.folder), "FOLDER").replace(name, "DATABASE")
    for pattern, instead in CHANGING:
        text = re.sub(pattern, instead, text)
    return text


def outcome(service: Service, result: Result) -> tuple[object, ...]:
    """What a user sees of a command, and its traces in the folder."""
    texts = (result.out, result.said, service.git("status", "--short"))
    return result.code, *(plain(service, text) for text in texts)


def standing() -> dict[str, object]:
    """What a command in this process must leave as it was."""
    files = [(number, os.fstat(number)[:2]) for number in range(3)]
    return {
        "variables": dict(os.environ),
        "folder": Path.cwd(),
        "path": sys.path[:],
        "streams": (sys.stdin, sys.stdout, sys.stderr, files),
        "modules": sys.modules.keys() & {"tasks", "crm", "migrations"},
        "logging": (logging.getLogger().handlers[:], logging.getLogger().level),
        "filters": warnings.filters[:],
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)],
        "collector": gc.isenabled(),
    }


def test_every_command_is_the_same_in_a_process_of_its_own(
    waiting_service: Service, new_database: NewDatabase, tmp_path: Path
) -> None:
    here, apart = (
        copy(waiting_service, tmp_path / name / "crm", new_database) for name in ("here", "apart")
    )
    before, sent = standing(), list[own_sql.Sent]()
    known = set[str]()
    for line in words():
        if line.startswith("- "):
            for service in (here, apart):
                change(service, line.removeprefix("- "))
            continue
        arguments = shlex.split(line)
        is_first = arguments[0] not in known  # later it has the imports of a process before it
        known.add(arguments[0])
        with own_sql.recorded() as found:
            inside = here.invoke(*arguments, code=None)
        sent += found
        outside = apart.run(*arguments, code=None, cold=is_first)
        assert outcome(here, inside) == outcome(apart, outside), line
        assert standing() == before, line
        configure_mappers()  # of classes that a command imported without those they refer to
    assert own_sql.faults(sent) == [], "a function or operator that somebody made may answer"
    assert gc.isenabled(), "neither did the commands of the fixtures leave it off"


def test_every_command_is_in_the_list(ready_service: Service) -> None:
    listed = ready_service.invoke("--list", "--list-format=json").out
    assert names(json.loads(listed)) == {line.split()[0] for line in words()} - OTHER


def names(collection: dict[str, Any], prefix: str = "") -> set[str]:
    """The full names of a collection's tasks, and of those of the collections in it."""
    found = {f"{prefix}{task['name']}" for task in collection["tasks"]}
    for inner in collection["collections"]:
        found |= names(inner, f"{prefix}{inner['name']}.")
    return found
