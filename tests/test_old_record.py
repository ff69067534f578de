"""Databases whose record is that of the last release come along by themselves: nothing is asked.

That ledger had names and digests: no texts, no facts, no SQL of a revision, no service.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase, database_name
from fleets import name_targets
from service import Service
from steps import SQL, add_sql, mirror
from test_deploy_matrix import LATE, NOTE, ON_VIEW, deploy

from twolane.repo import revisions

AGED = """
drop table twolane.facts;
drop table if exists twolane.service;
alter table twolane.sql_runs drop column text, drop column after_migrations;
alter table twolane.pushes
    drop column title, drop column down, drop column ran, drop column undo;
"""
LACKS = """
select
    (select count(*) from twolane.sql_runs where text is null or after_migrations is null),
    (select count(*) from twolane.pushes where title is null or down is null),
    (select count(*) from twolane.pushes where ran is null or undo is null),
    not exists (select from twolane.facts where kind = 'stood')
"""
COMPLETE = (0, 0, 0, False)


def run_sql(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def aged(pushed: Service) -> Service:
    """A service with objects of files after the mark, on a database with the old ledger."""
    add_sql(pushed, "30_t.sql", LATE, after=True)
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    pushed.sql("insert into dev_markers (label) values ('kept')")
    pushed.commit()
    pushed.sql(AGED)
    (revision,) = revisions.read(pushed.folder / "migrations")
    pushed.sql("update twolane.pushes set digest = %s", revision.older_digest)
    return pushed


def is_aged(url: str) -> bool:
    return run_sql(url, "select to_regclass('twolane.facts')") == [(None,)]


def test_an_old_record_of_a_level_database_is_completed_by_what_changes_it(
    aged: Service, new_database: NewDatabase
) -> None:
    own = database_name(aged.env["DATABASE_URL"])
    by = {name: new_database(own) for name in ("applied", "pushed", "synced", "deployed")}
    name_targets(aged, **by)
    aged.commit()
    before = mirror(aged)
    assert "Next     nothing to do" in aged.invoke("db.status").out
    aged.invoke("db.sync", "--check")
    assert "Nothing to deploy" in aged.invoke("db.deploy", "--dry-run").out
    assert aged.sql("select to_regclass('twolane.facts')") == [(None,)], "looking writes nothing"

    aged.invoke("db.sync", "--target", "synced")
    aged.invoke("db.deploy", "--target", "deployed")
    assert mirror(aged) == before
    add_sql(aged, "31_t.sql", "comment on view public.marker_totals is 'totals';", after=True)
    aged.invoke("db.apply", "--target", "applied")
    aged.write_app(NOTE)
    aged.invoke("db.gen", "-m", "add note")
    aged.invoke("db.push", "--target", "pushed")
    assert {name: run_sql(url, LACKS) for name, url in by.items()} == {
        "applied": [(0, 0, 1, True)],  # the rest needs the shadow: the sync does it
        **{name: [COMPLETE] for name in ("pushed", "synced", "deployed")},
    }
    ((undo,),) = run_sql(by["synced"], "select undo from twolane.pushes")
    assert "DROP TABLE dev_markers" in str(undo)


def test_a_database_with_an_old_record_that_is_behind_is_deployed(
    aged: Service, new_database: NewDatabase
) -> None:
    own = database_name(aged.env["DATABASE_URL"])
    urls = {name: new_database(own) for name in ("behind", "drifted")}
    name_targets(aged, **urls)
    aged.commit()
    run_sql(urls["drifted"], "alter table contacts add column fax text")
    late = LATE.replace("create or replace view", ON_VIEW)
    late = late.replace("select label,", "select label, max(note) as note,")
    aged.write(f"{SQL}/30_t.sql", late.replace("label <> ''", "note <> ''"))
    aged.write_app(NOTE)
    aged.invoke("db.gen", "-m", "add note")
    assert deploy(aged, "default") == ["db.deploy --target default"]
    aged.invoke("db.sync")
    aged.commit()

    status = aged.invoke("db.status", "--target", "behind").out
    assert "Mirror   fresh" in status and "Next     invoke db.deploy --target behind" in status
    assert deploy(aged, "behind") == ["db.deploy --target behind"]
    assert aged.invoke("db.diff", "--source", "default", "--target", "behind").code == 0
    aged.invoke("db.sync", "--check", "--target", "behind")
    refused = aged.invoke("db.deploy", "--target", "drifted", code=2).err
    assert "G03" in refused and "fax" in refused and "marker_totals" not in refused
    assert "db.sync --target drifted" in deploy(aged, "drifted")
    differs = aged.invoke("db.diff", "--source", "default", "--target", "drifted", code=3).out
    assert "fax" in differs and "1 fact" in differs
    for url in (*urls.values(), aged.env["DATABASE_URL"]):
        assert run_sql(url, LACKS) == [COMPLETE]
        assert run_sql(url, "select label from dev_markers") == [("kept",)]


def test_a_shallow_clone_says_that_it_lacks_the_text_that_an_old_record_names(
    aged: Service, tmp_path: Path
) -> None:
    aged.write(f"{SQL}/30_t.sql", LATE.replace("label <> ''", "label = 'x'"))
    aged.commit()
    clone = Service(tmp_path / "clone", aged.env)
    aged.git("clone", "--quiet", "--depth=1", f"file://{aged.folder}", str(clone.folder))
    refused = clone.invoke("db.deploy", code=1).err
    assert "30_t.sql" in refused and "git fetch --unshallow" in refused
    clone.git("fetch", "--quiet", "--unshallow")
    clone.invoke("db.deploy")
    assert "'x'" in str(aged.sql("select qual from pg_policies where policyname = 'p'"))
