"""Services that adopt a database, as their owners would; and what must not happen meanwhile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from json_shapes import assert_documented
from psycopg import Rollback
from service import Service

from twolane.adopt.files import is_adopted
from twolane.doctor import repeatable
from twolane.facts import catalog
from twolane.migrations import effects
from twolane.repo import sqlfiles

SQL = "supabase/sql"


def newcomer(blank: Service, folder: Path, url: str, shadow: str) -> Service:
    """A fresh service whose database is there already."""
    shutil.copytree(blank.folder, folder)
    return Service(folder, {"DATABASE_URL": url, "SHADOW_DATABASE_URL": shadow})


def adopt(service: Service, *options: str, code: int = 0) -> dict[str, Any]:
    """`db.adopt --json`, parsed."""
    adopted = service.invoke("db.adopt", "--json", *options, code=code)
    found: dict[str, Any] = json.loads(adopted.out)
    if "error" not in found:
        assert_documented("db.adopt", found)
    return found


def facts_of(url: str) -> catalog.Snapshot:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalog.read(connection)


@contextmanager
def untouched(service: Service) -> Iterator[None]:
    """Expects that the database is the same after the block: facts, and tables as stored."""
    url = service.env["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        before = catalog.read(connection), effects.layout(connection)
        yield
        assert catalog.diff(before[0], catalog.read(connection)) == []
        assert effects.layout(connection) == before[1]


def expect_repeatable(service: Service) -> None:
    """Every adopted file may run again, and holds up nobody on the database it came from."""
    for path in sorted((service.folder / SQL).glob("*.sql")):
        file = sqlfiles.of_text(path.name, path.read_text(encoding="utf-8"))
        if not is_adopted(file):
            continue
        assert [once.made.title for once in repeatable.find(file)] == [], file.name
        with psycopg.connect(service.env["DATABASE_URL"]) as connection:
            there = {oid for (oid,) in connection.execute("select oid from pg_class")}
            with connection.transaction():
                connection.execute(file.text.encode())
                blocked = effects.locks(connection).keys() & there
                raise Rollback
        assert not blocked, file.name


def sql_of(service: Service) -> str:
    """All adopted SQL in its order."""
    return "\n".join(service.read(f"{SQL}/{name}") for name in listed(service))


def listed(service: Service) -> list[str]:
    lines = service.read("supabase/bootstrap.txt").splitlines()
    return [line for line in lines if line.endswith(".sql")]
