"""Several targets at work: how many at a time, on a cold shadow, and when they are cut short."""

from __future__ import annotations

import re
import signal
import sys
from uuid import uuid4

import pytest
from checks import add_revision
from fleets import FIVE, PUSH, THREE, Fleet, rows, until
from steps import add_sql, wait_until


def test_those_at_work_finish_when_another_fails(fleet: Fleet) -> None:
    fleet.query("eu-2", "alter table contacts add column nickname text")
    with fleet.held("eu-1"):
        process = fleet.start(*PUSH, "--jobs", "2")
        assert process.stderr
        line = ""
        while "eu-2: refused" not in line:
            line = process.stderr.readline()
            assert line
    out, _ = process.communicate()

    found = rows(out)
    assert (process.returncode, found["eu-1"][0]) == (2, "done")
    assert found["eu-3"] == ["not started"]
    assert fleet.pushed() == {"eu-1"}


def test_no_more_are_at_work_than_told(five: Fleet) -> None:
    with five.held(*FIVE):
        process = five.start(*PUSH, "--jobs", "2")
        until(lambda: five.waiting() == {"eu-1", "eu-2"}, process)
        assert five.at_work() == {"eu-1", "eu-2"}, "at the same time, and no third"
    _, err = process.communicate()

    assert process.returncode == 0, err
    running, most = 0, 0
    for line in err.splitlines():
        if re.match(r"· eu-\d: ", line):
            running += 1 if line.endswith(": started") else -1
            most = max(most, running)
    assert (running, most) == (0, 2)
    assert five.pushed() == set(FIVE)


def test_on_a_cold_shadow_targets_that_stand_apart_are_pushed_at_once(fleet: Fleet) -> None:
    service = fleet.service
    for path in service.revisions():
        path.unlink()
    for number in (1, 2, 3):
        add_revision(service, number, f'op.execute("create table t{number} (id int)")')
    for number in (2, 3):
        service.invoke("db.push", "--target", f"eu-{number}", "--to", f"r{number - 1}")
    add_sql(service, "10_cold.sql", f"-- {uuid4()}: none has been replayed\nselect 1;\n")
    service.invoke("db.apply", "--target", "eu-*")

    done = service.invoke(*PUSH)

    assert "✓ 3 targets: 3 done." in done.out
    for target in THREE:
        assert fleet.query(target, "select version_num from twolane.alembic_version") == [("r3",)]
        assert fleet.query(
            target, "select count(*) from pg_tables where tablename ~ '^t[123]$'"
        ) == [(3,)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_the_children_roll_back_and_the_table_says_so(
    fleet: Fleet, number: signal.Signals
) -> None:
    push = ("db.push", "--target", "eu-*,production", "--confirm", "production")
    with fleet.held("eu-2", "eu-3"):
        process = fleet.start(*push, "--jobs", "2")
        until(lambda: fleet.waiting() == {"eu-2", "eu-3"}, process)
        process.send_signal(number)  # to this one alone: it passes it on
        out, err = process.communicate()

    assert (process.returncode, "Traceback" in out + err) == (130, False)
    outcomes = [row[0] for row in rows(out).values()]
    assert outcomes == ["done", "interrupted", "interrupted", "not started"]
    wait_until(lambda: not fleet.at_work())
    assert fleet.pushed() == {"eu-1"}

    fleet.service.invoke(*push)
    assert fleet.pushed() == set(fleet.urls)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_after_the_parent_was_killed_the_same_command_finishes_the_work(five: Fleet) -> None:
    with five.held("eu-2", "eu-3"):
        process = five.start(*PUSH, "--jobs", "2")
        until(lambda: five.waiting() == {"eu-2", "eu-3"}, process)
        process.kill()
        process.communicate()
    wait_until(lambda: not five.at_work())

    assert five.pushed() <= {"eu-1", "eu-2", "eu-3"}, "no other was started"
    five.service.invoke(*PUSH)
    assert five.pushed() == set(FIVE)
