"""Online revisions: step by step, cut short anywhere, and gone on with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from service import Service
from steps import columns, indexes, wait_until

from twolane.postgres import transactions

INDEX = 'op.create_index("by_label", "dev_markers", ["label"], postgresql_concurrently=True)'
CHECK = "op.execute(\"alter table dev_markers add constraint label_check check (label <> '') {}\")"
VALID = 'op.execute("alter table dev_markers validate constraint label_check")'
BACK = """op.drop_index("by_label", "dev_markers", postgresql_concurrently=True)
op.execute("alter table dev_markers drop constraint label_check")"""


def revise(service: Service, title: str, up: str, down: str = "pass", online: bool = True) -> str:
    """A revision of these statements; its id."""
    service.invoke("db.gen", "--empty", "-m", title)
    service.edit_revision(up)
    path = service.revisions()[-1]
    head, _, _ = path.read_text().partition("\n\n\ndef downgrade")
    body = "".join(f"    {line}\n" for line in down.splitlines())
    marker = "\nonline = True\n" if online else ""
    head = head.replace("\n\n\ndef upgrade", f"\n{marker}\n\ndef upgrade")
    path.write_text(f"{head}\n\n\ndef downgrade() -> None:\n{body}")
    return str(re.findall(r'^revision: str = "(\w+)"', head, re.M)[0])


def sleep(service: Service) -> str:
    """A step that takes long in the target alone: the shadow's databases have other names."""
    name = conninfo_to_dict(service.env["DATABASE_URL"])["dbname"]
    return f"op.execute(\"select pg_sleep(300) where current_database() = '{name}'\")"


def valid(service: Service, index: str) -> list[tuple[object, ...]]:
    """Whether the index is valid, and its OID."""
    return service.sql(
        "select indisvalid, indexrelid from pg_index where indexrelid = to_regclass(%s)", index
    )


def running(service: Service, query: str) -> bool:
    return bool(
        service.sql(
            "select pid from pg_stat_activity where datname = current_database() "
            "and state = 'active' and pid <> pg_backend_pid() and query ilike %s",
            query,
        )
    )


@contextmanager
def writing(service: Service) -> Iterator[psycopg.Connection]:
    """A transaction that has written into the table, and is open."""
    with psycopg.connect(service.env["DATABASE_URL"]) as connection:
        connection.execute("insert into dev_markers (label) values ('open')")
        yield connection
        connection.rollback()


def cut(service: Service, query: str, number: int, *words: str) -> None:
    """Begins a command, and ends it while the server runs such a statement."""
    process = service.start(*words)
    wait_until(lambda: running(service, query) or process.poll() is not None)
    os.kill(process.pid, number)
    out, _ = process.communicate(timeout=120)
    assert process.returncode in (-9, 130), out
    # The server ends what it does for a client that is lost.
    if number == signal.SIGINT:
        service.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where query ilike %s "
            "and datname = current_database() and pid <> pg_backend_pid()",
            query,
        )
    wait_until(lambda: not running(service, query))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_a_push_that_is_cut_short_goes_on_with_the_step_where_it_stopped(pushed: Service) -> None:
    steps = [INDEX, CHECK.format("not valid"), sleep(pushed), VALID]
    title = revise(pushed, "guard labels", "\n".join(steps), BACK)
    revision = pushed.revisions()[-1]
    plan = pushed.invoke("db.push", "--dry-run").out
    assert "(online, step by step)" in plan and "CREATE INDEX CONCURRENTLY by_label" in plan
    assert "index:dev_markers.by_label" not in plan and "constraint:dev_markers" not in plan

    # Killed while the index is built: it is there, and invalid.
    with writing(pushed):
        cut(pushed, "create index concurrently%", signal.SIGKILL, "db.push")
    assert valid(pushed, "by_label")[0][0] is False
    status = pushed.invoke("db.status").out
    assert "guard labels (online, cut short: 0 of 4 steps are done): waits to be pushed" in status
    assert "Drift" not in status and "Next     invoke db.push" in status

    # It goes, and is built anew; interrupted between two steps, what is done stays.
    cut(pushed, "select pg_sleep(300)%", signal.SIGINT, "db.push")
    made = valid(pushed, "by_label")
    assert made[0][0] is True
    assert "2 of 4 steps are done" in pushed.invoke("db.status").out
    assert pushed.sql("select revision from twolane.pushes where revision = %s", title) == []

    # What is done can't be edited any more, nor taken back; what is still to come can.
    good = revision.read_text()
    revision.write_text(good.replace("label <> ''", "label <> '-'"))
    refused = pushed.invoke("db.push", code=2).err
    assert "G11 history" in refused and f"restore those steps in {revision.name}" in refused
    assert "step 2, done: alter table dev_markers add constraint label_check" in refused
    revision.write_text(good)
    assert "is half done" in pushed.invoke("db.downgrade", "--to", "base", code=2).err

    # A commit that takes the revision away hides nothing of it; it comes back by the hint.
    pushed.commit()
    revision.unlink()
    pushed.commit()
    refused = pushed.invoke("db.deploy", code=2).err
    assert "is half done, and the repo has no such revision" in refused
    command = refused.partition("First:  ")[2].partition(", then invoke")[0]
    subprocess.run(command, shell=True, cwd=pushed.folder, check=True)
    assert revision.read_text() == good
    revision.write_text(good.replace(sleep(pushed), "pass"))
    pushed.invoke("db.deploy")
    assert valid(pushed, "by_label") == made
    assert pushed.sql("select convalidated from pg_constraint where conname = 'label_check'") == [
        (True,)
    ]
    assert pushed.sql("select step from twolane.steps") == []
    assert "online, cut short" not in pushed.invoke("db.status").out

    # And back, the same way.
    with writing(pushed):
        cut(pushed, "drop index concurrently%", signal.SIGKILL, "db.downgrade", "--to", "-1")
    status = pushed.invoke("db.status").out
    assert "on its way down, online, cut short: 0 of 2 steps are done" in status
    assert "Next     invoke db.downgrade --to -1" in status
    assert "is on its way down" in pushed.invoke("db.push", code=2).err
    pushed.invoke("db.downgrade", "--to", "-1")
    assert "by_label" not in indexes(pushed, "dev_markers")
    assert "guard labels: waits to be pushed" in pushed.invoke("db.status").out


def test_revisions_around_an_online_one_are_transactions_each_recorded(pushed: Service) -> None:
    column = 'op.add_column("dev_markers", sa.Column("{}", sa.Text()))'
    drop = 'op.drop_column("dev_markers", "{}")'
    first = revise(pushed, "one", column.format("one"), drop.format("one"), online=False)
    second = revise(pushed, "two", f"{INDEX}\n{CHECK.format('')}", BACK)
    third = revise(pushed, "three", column.format("three"), drop.format("three"), online=False)
    told = json.loads(pushed.invoke("db.check", "--json", code=None).out)
    assert [f for f in told["findings"] if f["check"] in ("replay", "reversible")] == []
    told = json.loads(pushed.invoke("db.push", "--dry-run", "--json").out)
    assert [r.get("online") for r in told["revisions"]] == [None, True, None]

    pushed.sql("insert into dev_markers (label) values ('')")
    failed = pushed.invoke("db.push", code=1).err
    assert "Step 2 of 2 failed" in failed and "The steps before it are done, and stay" in failed
    newest = "select revision, online from twolane.pushes order by id desc limit 1"
    assert pushed.sql(newest) == [(first, False)]
    assert valid(pushed, "by_label")[0][0] is True
    pushed.sql("delete from dev_markers")
    pushed.invoke("db.push")
    assert pushed.sql(newest) == [(third, False)]
    assert pushed.sql("select online from twolane.pushes where revision = %s", second) == [(True,)]
    assert columns(pushed, "dev_markers") >= {"one", "three"}

    plan = pushed.invoke("db.downgrade", "--to", "base", "--dry-run").out
    assert "DROP INDEX CONCURRENTLY by_label" in plan
    pushed.invoke("db.downgrade", "--to", first, "--allow", "drop:dev_markers.three")
    assert pushed.sql("select version_num from twolane.alembic_version") == [(first,)]
    assert "by_label" not in indexes(pushed, "dev_markers")
    assert columns(pushed, "dev_markers") & {"one", "three"} == {"one"}

    # By the record, where the branch that is checked out does not have it.
    pushed.invoke("db.push", "--to", second)
    for path in pushed.revisions()[-2:]:
        path.unlink()
    refused = pushed.invoke("db.push", code=2).err
    assert f"First:  invoke db.downgrade --to {first}" in refused
    pushed.invoke("db.downgrade", "--to", first)
    assert "by_label" not in indexes(pushed, "dev_markers")


def test_an_online_revision_is_refused_over_a_transaction_pooler(pushed: Service) -> None:
    revise(pushed, "index labels", INDEX, BACK.splitlines()[0])
    where = conninfo_to_dict(pushed.env["DATABASE_URL"])
    host, port = str(where["host"]), int(where.get("port") or 5432)
    with transaction_pooler(host, port, str(where["dbname"])) as url:
        for command in ("db.push", "db.deploy"):
            refused = pushed.invoke(command, code=2, DATABASE_URL=url).err
            assert f"✗ {command} refused · G16 session" in refused
            assert "port 5432 and not the transaction pooler's 6543" in refused
        pushed.invoke("db.push", "--dry-run", code=2, DATABASE_URL=url)
    assert "by_label" not in indexes(pushed, "dev_markers")
    pushed.invoke("db.push")
    assert "by_label" in indexes(pushed, "dev_markers")


def test_twenty_writers_go_on_while_an_index_is_built_and_a_constraint_validated(
    pushed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader holds the table now and then, so that the steps have to try again."""
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "200ms")
    monkeypatch.setattr("twolane.postgres.transactions.LOCK_ATTEMPTS", 50)
    hasty = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None)
    monkeypatch.setattr(transactions, "time", hasty)
    pushed.sql("insert into dev_markers (label) select i::text from generate_series(1, 20000) i")
    revise(pushed, "guard labels", f"{INDEX}\n{CHECK.format('not valid')}\n{VALID}", BACK)
    over, waits, faults = threading.Event(), list[float](), list[Exception]()
    url = pushed.env["DATABASE_URL"]

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.is_set():
                begun = time.monotonic()
                try:
                    connection.execute("insert into dev_markers (label) values ('x')")
                except psycopg.Error as error:
                    faults.append(error)
                waits.append(time.monotonic() - begun)
                time.sleep(0.05)

    def read() -> None:
        with psycopg.connect(url) as connection:
            while not over.is_set():
                connection.execute("select count(*) from dev_markers")
                time.sleep(0.5)
                connection.rollback()
                time.sleep(0.1)

    threads = [threading.Thread(target=write) for _ in range(20)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    try:
        pushed.invoke("db.push")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert faults == [] and len(waits) > 100
    assert max(waits) < 20, sorted(waits)[-5:]  # the limit, and what a busy machine adds
    assert valid(pushed, "by_label")[0][0] is True


def test_a_backfill_goes_by_no_key_that_may_be_null(pushed: Service) -> None:
    """It would pass over the rows without one, and say that it is done."""
    revise(
        pushed,
        "mark labels",
        "from twolane.migrations.operations import backfill\n"
        'op.execute("alter table dev_markers alter label drop not null")\n'
        'backfill("dev_markers", {"label": "id::text"}, where="true", key=["label"])',
    )
    refused = pushed.invoke("db.push", code=1).err
    assert "dev_markers.label may be null" in refused and 'key=["id"]' in refused


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_a_backfill_that_is_killed_goes_on_behind_the_last_batch(pushed: Service) -> None:
    """Each row gets its mark once: a batch and its record are one transaction."""
    pushed.sql("insert into dev_markers (label) select i::text from generate_series(1, 200) i")
    revise(
        pushed,
        "mark labels",
        "from twolane.migrations.operations import backfill\n"
        'backfill("dev_markers", {"label": "label || \'!\'"}, where="id is not null", batch=20, '
        "pause=0.5)",
    )
    assert "write:dev_markers" in pushed.invoke("db.push", code=2).err
    process = pushed.start("db.push", "--allow", "write:dev_markers")
    marked = "select count(*) from dev_markers where label like '%!'"
    wait_until(lambda: pushed.sql(marked)[0][0] >= 40)
    process.kill()
    process.communicate()
    assert 40 <= pushed.sql(marked)[0][0] < 200
    assert "0 of 1 steps are done" in pushed.invoke("db.status").out
    pushed.invoke("db.push", "--allow", "write:dev_markers")
    labels = pushed.sql("select count(*) from dev_markers where label ~ '^[0-9]+!$'")
    assert labels == [(200,)]
