"""Schemas of every kind come in by one command, and lane B builds on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import shared_schemas
from adopting import adopt, expect_repeatable, facts_of, newcomer, sql_of, untouched
from conftest import NewDatabase
from servers import PostgresServer
from service import APP, Service

from benchmarks import schema as bench

OURS = Path(__file__).parent / "schemas"

# Schema → a column of one of its models that a table of the app refers to.
REFERRED = {
    "nine_files": "Contacts.id",
    "torture": "Tenants.id",
    "hundreds": "Bench00299.id",
    "chinook": "Album.album_id",
    "northwind": "Categories.category_id",
    "pagila": "Actor.actor_id",
    "subscription_payments": "Products.id",
    "supabase_slack_clone": "Channels.id",
    "supabase_todo": "Todos.id",
    "trigger_dev": "Organization.id",
}
# Those with the most kinds of objects.
CHECKED = ("torture", "nine_files", "pagila", "trigger_dev")
LINKS = """\
from sqlalchemy import ForeignKey
from sqlalchemy.orm import mapped_column

from .base import AppBase, UUIDKey
from .introspected import {model}


class Links(UUIDKey, AppBase):
    __tablename__ = "links"

    to = mapped_column(ForeignKey({model}.{column}), index=True)
"""


@pytest.fixture
def load(
    new_database: NewDatabase, platform: str, request: pytest.FixtureRequest
) -> Callable[[str], str]:
    """The URL of a fresh database with a schema in it."""

    def load(name: str) -> str:
        if name in ("ground", "nine_files"):
            template = {"ground": "ground", "nine_files": "bootstrapped"}[name]
            return new_database(request.getfixturevalue(template))
        url = new_database(platform)
        for script in scripts(name, url):
            with psycopg.connect(url) as connection:
                connection.execute(script)
        return url

    return load


def scripts(name: str, url: str) -> list[bytes]:
    """The SQL of a schema, a transaction each."""
    if name == "torture":
        return [(OURS / "torture.sql").read_bytes()]
    if name == "hundreds":
        return [text.encode() for text in bench.sql_files(300).values()]
    with psycopg.connect(url) as connection:
        return [shared_schemas.script(name, connection.info.server_version // 10_000)]


def test_what_only_a_superuser_makes_is_left_out_and_told(
    minimal_service: Service, load: Callable[[str], str], server: PostgresServer, tmp_path: Path
) -> None:
    """As on Supabase; with what builds on it. The rest of every kind comes in, and applies."""
    service = newcomer(minimal_service, tmp_path / "crm", load("ground"), server.get_uri())
    with untouched(service):
        found = adopt(service, code=3)
    reasons = {left["reason"] for left in found["left"]}
    assert "only a superuser makes it" in reasons
    assert all(r == "only a superuser makes it" or "does not exist" in r for r in reasons), reasons
    assert not [left for left in found["left"] if left["fact"].startswith(("table ", "policy "))]
    with untouched(service):
        service.invoke("db.apply")


@pytest.mark.parametrize("name", REFERRED)
def test_an_adopted_schema_is_identical_on_the_shadow_and_lane_b_builds_on_it(
    name: str,
    minimal_service: Service,
    load: Callable[[str], str],
    server: PostgresServer,
    dump_schema: Callable[[str], str],
    tmp_path: Path,
) -> None:
    url = load(name)
    before = dump_schema(url)
    service = newcomer(minimal_service, tmp_path / "crm", url, server.get_uri())
    with untouched(service):
        found = adopt(service)
    assert dump_schema(url) == before, "an observer that is not ours sees nothing new"
    assert found["identical"] and found["left"] == [], found["left"]
    assert found["facts"] == len(facts_of(url))

    with untouched(service):
        service.invoke("db.apply")
    if name in CHECKED:
        expect_checked(service)
    service.commit()

    model, column = REFERRED[name].split(".")
    service.write(APP, LINKS.format(model=model, column=column))
    service.invoke("db.gen", "-m", "links")
    service.invoke("db.push")
    facts = facts_of(url)
    (key,) = [i for i in facts if i.startswith("constraint public.links.links_to_fkey")]
    assert "FOREIGN KEY" in facts[key]
    assert "nothing to do" in service.invoke("db.status").out


def expect_checked(service: Service) -> None:
    """The files may run again, and they, models and mirror agree."""
    expect_repeatable(service)
    assert "No schema changes." in service.invoke("db.sync", "--check").out
    checks = service.invoke("db.check", "--json", code=None).out
    assert '"check": "mirror",\n      "code": null,\n      "status": "passed"' in checks
    assert '"check": "idempotent",\n      "code": "G08",\n      "status": "passed"' in checks


def test_what_a_schema_loses_in_its_files_is_noticed(
    minimal_service: Service, load: Callable[[str], str], server: PostgresServer, tmp_path: Path
) -> None:
    """The tests above can fail: a file without one of its statements makes another database."""
    url = load("nine_files")
    service = newcomer(minimal_service, tmp_path / "crm", url, server.get_uri())
    adopt(service)
    assert "contacts_select_own" in sql_of(service)
    (path,) = (service.folder / "supabase/sql").glob("*_policies.sql")
    path.write_text(path.read_text().replace("contacts_select_own", "contacts_select_others"))
    changed = service.invoke("db.check", "--json", code=None).out
    assert '"check": "mirror",\n      "code": null,\n      "status": "failed"' in changed
