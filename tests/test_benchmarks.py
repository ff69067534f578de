"""The benchmark's own promises: the databases it makes, and how it measures."""

import sys
from math import inf
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase

from benchmarks import measure, report, schema
from benchmarks.measure import Result, Run, Subject
from benchmarks.report import Row
from benchmarks.workloads import Aim

SHAPE = """
    select
        (select count(*) from pg_attribute
            where attrelid = c.oid and attnum > 0 and not attisdropped),
        (select count(distinct atttypid) from pg_attribute
            where attrelid = c.oid and attnum > 0 and not attisdropped),
        (select count(*) from pg_index where indrelid = c.oid and not indisprimary),
        (select count(*) from pg_constraint where conrelid = c.oid and contype = 'f'),
        (select count(*) from pg_constraint where conrelid = c.oid and contype = 'c'),
        c.relrowsecurity,
        (select count(*) from pg_policy where polrelid = c.oid)
    from pg_class c where c.relname ~ '^bench_' and c.relkind = 'r'
"""


def fine(run: Run) -> str:
    return "" if run.code == 0 else "failed"


def python(code: str, folder: Path, limit: float = 60) -> Subject:
    return Subject("python", [sys.executable, "-c", code], folder, fine, limit=limit)


def row(size: int, ours: float, peer: Result) -> Row:
    mine = Result("invoke", [Run(ours, 1, 0, "", "")])
    return Row("workload", size, mine, peer, Aim(1 / 4, 1_000))


def test_every_generated_table_has_the_promised_shape(
    new_database: NewDatabase, platform: str
) -> None:
    with psycopg.connect(new_database(platform)) as connection:
        for _ in range(2):  # the files of lane A may be run again
            for text in schema.sql_files(12).values():
                connection.execute(text.encode())
        shapes = connection.execute(SHAPE).fetchall()
    assert shapes == [(12, 9, 2, 2, 1, True, 1)] * 12


def test_a_file_holds_no_more_tables_than_one_transaction_can_lock() -> None:
    texts = list(schema.sql_files(1_050).values())
    assert len(texts) == 11
    counts = [text.count("create table") for text in texts]
    assert sum(counts) == 1_050
    assert max(counts) == 100


def test_a_change_is_undone_by_its_undoing(new_database: NewDatabase, platform: str) -> None:
    with psycopg.connect(new_database(platform)) as connection:
        for text in schema.sql_files(10).values():
            connection.execute(text.encode())
        before = connection.execute(SHAPE).fetchall()
        connection.execute(schema.change().encode())
        assert connection.execute(SHAPE).fetchall() != before
        connection.execute(schema.change(undo=True).encode())
        assert connection.execute(SHAPE).fetchall() == before


def test_peak_memory_counts_a_process_and_its_child_at_once(tmp_path: Path) -> None:
    """Each holds 100 MiB while the other does."""
    child = "import time; held = bytearray(100 << 20); time.sleep(1)"
    code = (
        "import subprocess, sys; held = bytearray(100 << 20);"
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert measure.run(python(code, tmp_path)).peak > 200 << 20


def test_peak_memory_does_not_count_the_one_who_measures(tmp_path: Path) -> None:
    held = bytearray(200 << 20)
    assert measure.run(python("pass", tmp_path)).peak < len(held)


def test_a_peer_over_the_limit_is_stopped_with_its_children(tmp_path: Path) -> None:
    code = "import subprocess; subprocess.run(['sleep', '600'])"
    found = measure.run(python(code, tmp_path, limit=0.3))
    assert found.over_limit


def test_a_command_of_ours_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(measure.Broken, match="failed"):
        measure.in_turns([python("raise SystemExit(1)", tmp_path)], 3)


def test_a_peer_that_fails_is_a_row_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "SLOW", inf)
    monkeypatch.setattr(measure, "VERY_SLOW", inf)
    peer = Subject("peer", [sys.executable, "-c", "raise SystemExit(1)"], tmp_path, fine)
    ours, theirs = measure.in_turns([python("pass", tmp_path), peer], 3)
    assert len(ours.runs) == 3
    assert theirs.broken and "failed" in theirs.reason and not theirs.runs


def test_a_peer_stopped_at_the_limit_can_show_an_aim_as_met_but_not_as_missed() -> None:
    stopped = Result("peer", [Run(60, 1, -9, "", "", over_limit=True)])
    assert row(1_000, 6.0, stopped).met is True
    assert row(1_000, 30.0, stopped).met is None
    assert row(1_000, 30.0, Result("peer", [Run(60, 1, 0, "", "")])).met is False


def test_an_aim_holds_at_its_own_size_alone() -> None:
    peer = Result("peer", [Run(60, 1, 0, "", "")])
    assert row(100, 30.0, peer).met is None


def test_the_growth_of_a_linear_command_has_the_exponent_1() -> None:
    peer = Result("peer", [Run(1, 1, 0, "", "")])
    rows = [row(size, size / 100, peer) for size in (10, 100, 1_000, 10_000)]
    (found,) = report.growth(rows)
    assert found.exponent == pytest.approx(1)
    assert found.sizes == [100, 1_000, 10_000]
