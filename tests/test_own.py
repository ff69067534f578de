"""A table changes its lane: files and databases agree afterwards, and data stay as they are."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase, copy, database_name
from fleets import name_targets
from service import APP, Service
from steps import columns, mirror

from twolane.facts import catalog
from twolane.migrations import effects

NO_CHANGES = "✓ No schema changes.\n"
FINE = "✓ 0 errors, 1 warning.\n"  # that `notes` is closed to users

NOTES = """

class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "notes"

    body: Mapped[str]
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Contacts.id), index=True)
"""


@pytest.fixture(scope="module")
def two_origin(
    ready_service: Service,
    lasting_database: NewDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """A service whose app has `notes`, which refers to a table of the SQL lane."""
    service = copy(ready_service, tmp_path_factory.mktemp("two") / "crm", lasting_database)
    service.write_app(NOTES)
    ruff(service, "check", "--fix", "--quiet")
    service.invoke("db.gen", "-m", "add notes")
    service.invoke("db.push")
    service.commit()
    return service


@pytest.fixture
def two(two_origin: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """The same with two databases of the test's own, the second as target `staging`."""
    service = copy(two_origin, tmp_path / "crm", new_database)
    name = database_name(service.env["DATABASE_URL"])
    name_targets(service, staging=new_database(name))
    service.commit()
    return service


def ruff(service: Service, *arguments: str) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "src", "migrations"]
    done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def looks(url: str) -> tuple[object, ...]:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalog.read(connection), effects.layout(connection)


def test_an_owned_table_is_the_apps_on_every_database(two: Service) -> None:
    before = looks(two.env["DATABASE_URL"])
    dry = two.invoke("db.own", "contacts", "--dry-run").out
    assert "Dry run, nothing was written" in dry
    assert two.git("status", "--porcelain") == ""

    own = two.invoke("db.own", "contacts")
    assert "✓ contacts is the app's now." in own.out and "Next:  invoke db.push" in own.out
    assert own.out.endswith("Commit:  feat(db): own contacts via Alembic migration\n")
    assert two.invoke("db.gen").out == NO_CHANGES
    ruff(two, "check")
    ruff(two, "format", "--check")
    assert "class Contacts(AppBase)" in two.read(APP)
    assert not any(
        "class Contacts(" in text or "column public.contacts." in text for text in mirror(two)
    )
    assert "policy public.contacts.contacts_select_own" in mirror(two)[1]

    push = two.invoke("db.push", "--json").out
    assert json.loads(push)["statements"] == []
    assert two.invoke("db.sync").out == NO_CHANGES
    assert two.invoke("db.check").out.endswith(FINE)
    assert looks(two.env["DATABASE_URL"]) == before
    assert "Next     nothing to do" in two.invoke("db.status").out
    assert two.invoke("db.own", "contacts").out == "✓ Nothing to do: it is the app's already.\n"

    two.write(APP, text.replace("    company:", "    nickname: Mapped[str | None]\n    company:"))
    two.invoke("db.gen", "-m", "add nickname")
    two.invoke("db.push")
    assert "nickname" in columns(two, "contacts")
    two.invoke("db.deploy", "--target", "staging")
    assert looks(two.env["STAGING_DATABASE_URL"])[0] == looks(two.env["DATABASE_URL"])[0]
    assert two.invoke("db.sync", "--target", "staging").out == NO_CHANGES
    assert "nothing to do" in two.invoke("db.status", "--target", "staging").out
    assert two.invoke("db.check").out.endswith(FINE)


def test_a_disowned_table_is_the_sql_lanes_on_every_database(two: Service) -> None:
    before = looks(two.env["DATABASE_URL"])

    told = two.invoke("db.disown", "notes").out
    print(told, two.read("supabase/sql/60_notes.sql"), two.read(APP), two.invoke("db.status").out)
    two.invoke("db.deploy")
    assert looks(two.env["DATABASE_URL"]) == before
    assert two.invoke("db.sync").out == NO_CHANGES
    assert two.invoke("db.gen").out == NO_CHANGES
    print(two.invoke("db.check").out)
    two.invoke("db.push", "--target", "staging")
    two.invoke("db.apply", "--target", "staging")
    print(two.invoke("db.status", "--target", "staging").out)
    ruff(two, "check")
    assert 0
