"""A database that came without twolane's record is led back to where the repo is."""

from __future__ import annotations

import json

from conftest import NewDatabase, database_name
from service import DEV_MARKERS, Service
from steps import mirror
from test_deploy import ON, Two

NEXT = "invoke db.adopt --target staging --record"


def test_a_database_restored_without_its_record_is_found_at_its_commit(
    pushed: Service, new_database: NewDatabase
) -> None:
    pushed.sql("insert into dev_markers (label) values ('kept')")
    two = Two(pushed, new_database(database_name(pushed.env["DATABASE_URL"])))
    two.there("drop schema twolane cascade; create index hotfix on contacts (company)")
    stood = pushed.git("log", "-1", "--format=%h", "--", "migrations", "supabase")
    pushed.write_app(DEV_MARKERS + "    note: Mapped[str | None]\n")
    pushed.invoke("db.gen", "-m", "add a note")
    pushed.commit()
    before = mirror(pushed)
    assert f"Next     {NEXT}" in two.invoke("db.status", *ON).out
    for command in ("db.sync", "db.capture", "db.deploy --confirm staging", "db.push"):
        assert NEXT in two.invoke(*command.split(), *ON, code=2).err
    assert mirror(pushed) == before

    told = json.loads(two.invoke("db.adopt", "--record", "--json", *ON).out)
    assert (told["revision"], told["identical"]) == (_first(pushed), False)
    assert [left["fact"] for left in told["left"]] == ["index public.contacts.hotfix"]
    assert told["commit"] == stood
    assert "G03" in two.invoke("db.deploy", *ON, code=2).err
    two.there("drop index hotfix")
    two.invoke("db.deploy", *ON)
    assert two.there("select label, note from dev_markers") == [("kept", None)]

    two.there("delete from twolane.alembic_version")
    assert NEXT in two.invoke("db.deploy", *ON, code=2).err
    assert "in this checkout" in two.invoke("db.adopt", "--record", *ON).out
    assert "Nothing to deploy" in two.invoke("db.deploy", *ON).out


def test_a_database_like_no_commit_gets_no_record(
    waiting: Service, new_database: NewDatabase, platform: str
) -> None:
    two = Two(waiting, new_database(platform))
    two.there("create table dev_markers (id int); create table b (c int)")
    said = two.invoke("db.deploy", *ON, code=2).err
    assert f"{NEXT}, where it was restored" in said and "--confirm staging" in said
    said = two.invoke("db.adopt", "--record", *ON, code=1).err
    assert "is like no commit of this repo" in said
    assert "rename public.dev_markers (invoke db.psql --target staging)" in said
    assert two.there("select to_regnamespace('twolane')") == [(None,)]
    two.there("alter table dev_markers rename to of_others")
    two.invoke("db.deploy", *ON, "--confirm", "staging")


def _first(service: Service) -> str:
    (name,) = service.sql("select revision from twolane.pushes")[0]
    return str(name)
