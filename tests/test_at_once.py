"""Many commands at once on one database, and a push that somebody's long transaction keeps out."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing

import psycopg
import pytest
import warm
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from service import DEV_MARKERS, Service, clean_environment
from steps import MIRROR, add_sql, columns, pushes

from twolane.postgres import transactions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes start by fork")

EIGHT = 8
DEEDS = "create table if not exists public.deeds (id int);\n"
DEED = "select pg_sleep(0.2);\ninsert into public.deeds values (1);\n"
# The command, with its patience cut: what it does when the time is over is the same.
HASTY = (
    "from twolane.postgres import transactions; transactions.LOCK_TIMEOUT = '300ms'\n"
    "import sys; from invoke.main import program; program.run(['invoke', *sys.argv[1:]])\n"
)
WAITS = "waiting for another twolane command"
WAITING_TO_ALTER = "select from pg_locks where not granted and mode = 'AccessExclusiveLock'"


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """The exit codes and what was said, once all have ended; a traceback is never among it."""
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert not any("Traceback" in text for text in said), said
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Reads what the command says as it comes, up to the line with these words."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}: {said}")


def test_of_eight_pushes_at_once_one_pushes(waiting: Service) -> None:
    waiting.edit_revision('op.execute("create table dev_markers (); select pg_sleep(0.3)")')
    waiting.invoke("db.push", "--dry-run")

    results = ended([waiting.start("db.push") for _ in range(EIGHT)])

    assert [code for code, _ in results] == [0] * EIGHT, results
    assert sum("✓ Pushed" in text for _, text in results) == 1
    others = [text for _, text in results if "✓ Pushed" not in text]
    assert all("Another push was faster" in text or "Nothing to push" in text for text in others)
    assert len(pushes(waiting)) == 1
    assert waiting.invoke("db.push").out.startswith("✓ Nothing to push")


def test_of_pushes_at_once_through_a_pooler_one_pushes(waiting: Service) -> None:
    """With one server connection for all, who waits for the lock must not keep its owner out."""
    waiting.edit_revision('op.execute("create table dev_markers (); select pg_sleep(0.3)")')
    waiting.invoke("db.push", "--dry-run")
    where = conninfo_to_dict(waiting.env["DATABASE_URL"])
    with transaction_pooler(str(where["host"]), 5432, str(where["dbname"])) as url:
        pooled = Service(waiting.folder, waiting.env | {"DATABASE_URL": url})
        results = ended([pooled.start("db.push") for _ in range(4)])

    assert [code for code, _ in results] == [0] * 4, results
    assert sum("✓ Pushed" in text for _, text in results) == 1
    assert len(pushes(waiting)) == 1


def test_of_eight_applies_at_once_each_file_is_run_by_one(service: Service) -> None:
    add_sql(service, "10_deeds.sql", DEEDS)
    add_sql(service, "11_deed.sql", DEED)

    with psycopg.connect(service.env["DATABASE_URL"]) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", [transactions.ADVISORY_LOCK])
        applies = [service.start("db.apply") for _ in range(EIGHT)]
        for apply in applies:
            read_until(apply, f"{WAITS}: postgres, process {holder.info.backend_pid}, since")
    results = ended(applies)

    assert [code for code, _ in results] == [0] * EIGHT, results
    assert service.sql("select id from public.deeds") == [(1,)]
    runs = (
        "select file, count(*) from twolane.sql_runs where file ~ '^1[01]_' group by 1 order by 1"
    )
    assert service.sql(runs) == [("10_deeds.sql", 1), ("11_deed.sql", 1)]


def test_an_apply_and_pushes_at_once_each_do_their_own(waiting: Service) -> None:
    """The file changes no fact, so a push may come right after it; before it, it is refused."""
    add_sql(waiting, "10_deed.sql", "select pg_sleep(0.3);\ncomment on schema public is null;\n")

    words = ["db.apply", "db.push"] * (EIGHT // 2)
    results = ended([waiting.start(word) for word in words])

    refused = ("G02 one-lane", "Another command changed the database meanwhile")
    for code, text in results:
        assert code == 0 or any(reason in text for reason in refused), text
    waiting.invoke("db.push")
    assert len(pushes(waiting)) == 1
    assert waiting.sql("select count(*) from twolane.sql_runs where file = '10_deed.sql'") == [(1,)]
    assert waiting.invoke("db.status").out.endswith("nothing to do\n")


def test_of_eight_syncs_at_once_the_last_leaves_the_mirror_whole(service: Service) -> None:
    service.sql("alter table public.contacts add column nickname text")

    results = ended([service.start("db.sync") for _ in range(EIGHT)])

    assert [code for code, _ in results] == [0] * EIGHT, results
    service.invoke("db.sync", "--check")
    changed = service.git("status", "--short", "--untracked-files=all").splitlines()
    assert sorted(line.split()[-1] for line in changed) == sorted(MIRROR)


def test_of_four_gens_at_once_one_writes_the_revision(service: Service) -> None:
    service.write_app(DEV_MARKERS)

    results = ended([service.start("db.gen", "-m", "add dev markers") for _ in range(4)])

    assert len(service.revisions()) == 1
    for code, text in results:
        assert code == 0 or "The revisions changed meanwhile" in text, text
    service.invoke("db.push")


def test_a_revision_lies_in_its_folder_only_once_it_was_tried_out(service: Service) -> None:
    """Here the trial fails, and takes its time."""
    slow = (
        "create or replace function public.slow() returns event_trigger language plpgsql as $$\n"
        "begin\n"
        "  if current_query() ~* 'create table dev_markers' then\n"
        "    perform pg_sleep(0.2); raise exception 'not here';\n"
        "  end if;\n"
        "end $$;\n"
        "create event trigger slow on ddl_command_end execute function public.slow();\n"
    )
    add_sql(service, "10_slow.sql", slow)
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.write_app(DEV_MARKERS)
    folder = service.folder / "migrations/versions"

    process, seen = service.start("db.gen", "-m", "add dev markers"), set[str]()
    while process.poll() is None:
        seen |= {path.name for path in folder.iterdir()}

    assert "not here" in process.communicate()[0]
    assert seen <= {".gitkeep", "__pycache__"}


def test_a_push_kept_out_lets_others_pass_and_names_who_keeps_it_out(pushed: Service) -> None:
    pushed.write_app(f"{DEV_MARKERS}    note: Mapped[str | None]\n")
    pushed.invoke("db.gen", "-m", "add a note")
    pushed.invoke("db.push", "--dry-run")
    url = pushed.env["DATABASE_URL"]
    with (
        closing(psycopg.connect(url)) as idler,
        closing(psycopg.connect(url)) as holder,
        closing(psycopg.connect(url, autocommit=True)) as reader,
    ):
        idler.execute("select 'older, and in nobody''s way'")
        holder.execute("select 'a long report' from dev_markers")  # keeps its lock till the end
        reader.execute("set statement_timeout = '5s'")
        push = warm.popen(
            ["-c", HASTY, "db.push"],
            cwd=pushed.folder,
            env=clean_environment() | pushed.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        passed = 0
        while push.poll() is None:
            is_behind = bool(reader.execute(WAITING_TO_ALTER).fetchall())
            reader.execute("select count(*) from dev_markers")
            passed += is_behind
            time.sleep(0.01)
        said = push.communicate()[0]
        pid = holder.info.backend_pid
    assert push.returncode == 1 and "Traceback" not in said
    assert passed, "a reader met the waiting push, and got through"
    assert "no lock within 300ms, once more" in said
    assert "canceling statement due to lock timeout, 3 times" in said
    assert said.count(f"process {pid}, idle in transaction") == 3
    assert said.count("a long report") == 3 and "in nobody" not in said
    assert "First:  Let it finish (or end it)" in said
    assert "note" not in columns(pushed, "dev_markers")

    pushed.invoke("db.push")
    assert "note" in columns(pushed, "dev_markers")
