"""A command that is interrupted, and locks that others hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from failing import fails
from psycopg.conninfo import conninfo_to_dict
from service import Service
from steps import GUARDRAILS, wait_until

from twolane.errors import Failure
from twolane.postgres import transactions

# Interruptions


def begin(service: Service, *arguments: str) -> subprocess.Popen[str]:
    """`invoke ARGUMENTS…`, running; each stream for itself."""
    return service.start(*arguments, stderr=subprocess.PIPE)


def wait_for(service: Service, query: str) -> None:
    running = (
        "select pid from pg_stat_activity where datname = current_database() and state = 'active' "
        "and pid <> pg_backend_pid() and query like %s"
    )
    wait_until(lambda: bool(service.sql(running, query)))


SLOW = "create table public.half (id int);\nselect pg_sleep(300);\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_an_interrupted_apply_leaves_nothing_half_done(
    service: Service, number: int, code: int
) -> None:
    before = service.sql("select count(*) from twolane.sql_runs")
    service.write(GUARDRAILS, SLOW)
    process = begin(service, "db.apply")
    wait_for(service, "%pg_sleep(300)%")
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert "✗ Interrupted. What was finished is recorded, the rest was rolled back." in err
    service.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and query like %s and pid <> pg_backend_pid()",
        "%pg_sleep(300)%",
    )
    assert service.sql("select to_regclass('public.half')") == [(None,)]
    assert service.sql("select count(*) from twolane.sql_runs") == before
    service.write(GUARDRAILS, SLOW.replace("300", "0"))
    service.invoke("db.apply")
    assert service.sql("select to_regclass('public.half')") != [(None,)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_push_leaves_nothing_half_done(waiting: Service, number: int) -> None:
    """The sleep is run by the target alone: the shadow's database has another name."""
    database = conninfo_to_dict(waiting.env["DATABASE_URL"])["dbname"]
    revision = waiting.revisions()[0]
    good = revision.read_text()
    slow = (
        f"op.execute(\"select pg_sleep(300) where current_database() = '{database}'\")\n"
        'op.create_table("dev_markers", sa.Column("id", sa.Uuid(), primary_key=True))'
    )
    waiting.edit_revision('op.execute("create table public.half (id int primary key)")\n' + slow)
    process = begin(waiting, "db.push")
    wait_for(waiting, "%pg_sleep(300)%")
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == (130 if number == signal.SIGINT else -9)
    assert "Traceback" not in err
    waiting.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and query like %s and pid <> pg_backend_pid()",
        "%pg_sleep(300)%",
    )
    for table in ("public.half", "public.dev_markers", "twolane.alembic_version"):
        assert waiting.sql("select to_regclass(%s)", table) == [(None,)]
    revision.write_text(good)
    assert "Pushed" in waiting.invoke("db.push").out
    assert "agree" in waiting.invoke("db.status").out


# Locks


def test_a_lock_held_by_another_is_waited_for_and_then_reported(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr("twolane.postgres.transactions.time.sleep", lambda seconds: None)
    url = service.env["DATABASE_URL"]
    told: list[str] = []
    attempts = 0
    with (
        psycopg.connect(url, application_name="holder") as holder,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        holder.execute("lock table public.contacts in access exclusive mode")

        def work() -> None:
            nonlocal attempts
            attempts += 1
            with transactions.transaction(connection):
                connection.execute("alter table public.contacts add column later int")

        with pytest.raises(Failure) as failure:
            transactions.retry_locks(work, connection, told.append)
        assert attempts == transactions.LOCK_ATTEMPTS == len(told) + 1
        pid = holder.info.backend_pid
        for text in (*told, failure.value.message):
            assert f"postgres, process {pid}, idle in transaction, since" in text
            assert "lock table public.contacts" in text
        assert "Let it finish (or end it)" in failure.value.first
        holder.rollback()
        transactions.retry_locks(work, connection, told.append)


def test_a_lock_let_go_in_time_is_had(service: Service) -> None:
    service.write(GUARDRAILS, "alter table public.contacts add column later int;")
    holder = psycopg.connect(service.env["DATABASE_URL"])
    holder.execute("lock table public.contacts in access share mode")
    process = begin(service, "db.apply")
    wait_for(service, "alter table%")
    holder.close()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "05_guardrails.sql" in out


def test_two_commands_at_once_go_one_after_the_other(service: Service, tmp_path: Path) -> None:
    """The first of them works, until the other has said that it waits."""
    gate = "select pg_advisory_xact_lock(7);\n"
    waits = "waiting for another twolane command: postgres, process"
    service.write(GUARDRAILS, f"create table public.once (id int);\n{gate}")
    said = [tmp_path / "one", tmp_path / "two"]
    with ExitStack() as stack:
        holder = stack.enter_context(psycopg.connect(service.env["DATABASE_URL"]))
        holder.execute(gate)
        both = [
            service.start("db.apply", stderr=stack.enter_context(path.open("w")).fileno())
            for path in said
        ]
        wait_until(lambda: any(waits in path.read_text() for path in said))
        holder.rollback()
        ended = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert sum(waits in path.read_text() for path in said) == 1
    assert sum("Nothing to apply" in out for out in ended) == 1


def test_who_holds_a_lock_is_named_after_three_tries(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "500ms")
    service.write(GUARDRAILS, "alter table public.contacts add column if not exists fax text;\n")
    with psycopg.connect(service.env["DATABASE_URL"]) as other:
        other.execute("lock table public.contacts in share mode")
        said = fails(service, "db.apply")
    assert "3 times" in said
    assert "lock table public.contacts" in said
