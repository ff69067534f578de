"""`db.doctor` on what is left behind: transactions, locks, indexes, unfinished databases."""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from doctors import SECRET, doctor, found, only, status
from servers import PostgresServer
from service import Service
from steps import wait_until

from twolane.doctor import locks
from twolane.postgres import transactions

# What is left behind


@contextmanager
def transaction(service: Service, *statements: str) -> Iterator[int]:
    """Another session that is idle in a transaction; its process."""
    connection = psycopg.connect(service.env["DATABASE_URL"], application_name="forgotten")
    with closing(connection):
        for statement in statements:
            connection.execute(statement.encode())
        yield connection.info.backend_pid


def left(service: Service, url: str = "") -> locks.Left:
    with psycopg.connect(url or service.env["DATABASE_URL"], autocommit=True) as connection:
        return locks.gather(connection, "default")


def test_a_session_that_is_long_idle_in_a_transaction_is_found(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"select '{SECRET}'"
    with transaction(service, "lock table contacts in share mode", secret) as process:
        seen = left(service)
        assert list(locks.transactions(seen)) == []  # not for long
        monkeypatch.setattr(locks, "IDLE", 0.0)
        (finding,) = locks.transactions(seen)
    assert f"process {process}, forgotten) is idle in a transaction" in finding.message
    assert "with locks on contacts" in finding.message
    assert f"pg_terminate_backend({process})" in finding.first
    assert SECRET not in str(finding)
    wait_until(lambda: not list(locks.transactions(left(service))))


@contextmanager
def waiting_for(service: Service, statement: str) -> Iterator[None]:
    """Meanwhile somebody else waits for a lock to run this statement."""
    waiter = threading.Thread(target=service.sql, args=[statement])
    waiter.start()
    while not service.sql("select 1 from pg_locks where not granted"):
        assert waiter.is_alive()
    yield
    waiter.join()


def test_a_transaction_that_others_wait_for_is_found_and_its_end_helps(service: Service) -> None:
    statement = "update contacts set id = id where false"
    with (
        transaction(service, "lock table contacts in share mode") as process,
        waiting_for(service, statement),
    ):
        finding = only(doctor(service), "transactions", "warning")
        assert f"process {process}" in finding["message"]
        assert "with locks on contacts; 1 wait for it" in finding["message"]
        service.invoke(*shlex.split(finding["first"].partition("end it: ")[2])[1:])


def test_a_lock_that_stops_the_doctor_itself_is_named_and_the_rest_goes_on(
    service: Service, hasty_facts: None
) -> None:
    with transaction(service, "lock table contacts") as process:
        with waiting_for(service, "select count(*) from contacts"):
            report = doctor(service)
            service.sql(f"select pg_terminate_backend({process})")
        (finding,) = found(report, "transactions")
    assert f"process {process}" in finding["message"]
    (stopped,) = found(report, "table-rights")
    assert "lock timeout" in stopped["message"] and "Somebody holds the lock" in stopped["first"]
    assert status(report, "extensions") == "passed"


def test_twolanes_own_lock_is_found(service: Service) -> None:
    lock = f"select pg_advisory_xact_lock({transactions.ADVISORY_LOCK})"
    with transaction(service, lock) as process:
        finding = only(doctor(service), "lock", "warning")
    assert finding["subject"] == str(process) and "forgotten" in finding["message"]
    with transaction(service, "select pg_advisory_xact_lock(1)"):
        assert found(doctor(service), "lock") == []


def test_sessions_that_are_hidden_are_told(service: Service, visitor: str) -> None:
    with transaction(service, "select 1"):
        wait_until(lambda: len(left(service).sessions) == 1)
        (finding,) = locks.hidden(left(service, visitor))
        assert finding.message.startswith("What 1 other sessions do is hidden")
        assert list(locks.hidden(left(service))) == []


def test_an_invalid_index_is_found_and_the_command_drops_it(service: Service) -> None:
    service.sql("create table twins (n int); insert into twins values (1), (1)")
    service.invoke("db.sync")
    with pytest.raises(psycopg.errors.UniqueViolation):
        service.sql('create unique index concurrently "Odd idx" on twins (n)')
    (finding,) = found(doctor(service), "indexes")
    assert finding["level"] == "warning" and '"Odd idx"' in finding["subject"]
    assert "on twins" in finding["message"]
    service.sql('drop index "Odd idx"')
    with pytest.raises(psycopg.errors.UniqueViolation):
        service.sql("create unique index concurrently twins_idx on twins (n)")
    (finding,) = found(doctor(service), "indexes")
    service.invoke(*shlex.split(finding["first"].partition(", then")[0])[1:])
    assert found(doctor(service), "indexes") == []


def test_unfinished_databases_on_the_shadow_are_told(
    service: Service, server: PostgresServer
) -> None:
    names = ["shadow_x_draft_999999999", f"clone_{int(time.time())}_{uuid4().hex}"]
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"create database {name}".encode())
        try:
            finding = only(doctor(service), "drafts", "info")
            assert finding["details"] == sorted(names)
        finally:
            for name in names:
                connection.execute(f"drop database {name}".encode())


# The shadow's server


def test_a_shadow_that_cannot_start_leaves_the_rest_to_look_at(service: Service) -> None:
    toml = service.read("pyproject.toml")
    there = 'postgres = "/no/such/bin"'
    service.write("pyproject.toml", toml.replace("[tool.twolane]\n", f"[tool.twolane]\n{there}\n"))
    report = doctor(service, SHADOW_DATABASE_URL="")
    (finding,) = found(report, "shadow")
    assert finding["level"] == "error" and "no runnable Postgres" in finding["message"]
    assert status(report, "indexes") == "passed" and status(report, "work") == "passed"
    assert status(report, "mirror") == "skipped"


def test_a_shadow_that_can_make_no_databases_is_found(service: Service, visitor: str) -> None:
    report = doctor(service, SHADOW_DATABASE_URL=visitor)
    (finding,) = found(report, "shadow")
    assert finding["level"] == "error" and "no superuser" in finding["message"]


def test_a_copied_folder_of_a_running_server_is_found(
    blank_service: Service, tmp_path: Path
) -> None:
    shutil.copytree(blank_service.folder, tmp_path / "origin")
    origin = Service(tmp_path / "origin")
    origin.invoke("db.up")
    try:
        report = doctor(origin)
        assert found(report, "embedded") == []
        assert "never bootstrapped" in found(report, "work")[0]["message"]
        shutil.copytree(origin.folder, tmp_path / "copy", ignore=shutil.ignore_patterns(".s.*"))
        copied = Service(tmp_path / "copy")
        (finding,) = found(doctor(copied), "embedded")
        copied.invoke("db.down")
    finally:
        origin.invoke("db.down")
    assert finding["level"] == "error" and str(tmp_path / "origin") in finding["message"]
    assert "a database of its own" in finding["message"] and "db.reset" in finding["first"]
