"""Several targets looked at: `db.status`, `db.targets`, and what the workflow makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fleets import PUSH, SECRET, THREE, UNREACHABLE, Fleet, name_targets, rows
from service import clean_environment
from steps import SQL


def test_status_shows_several_targets_as_a_table(fleet: Fleet) -> None:
    fleet.service.invoke("db.push", "--target", "eu-1")
    fleet.query("eu-2", "alter table contacts add column nickname text")
    name_targets(fleet.service, eu_8="", eu_9=UNREACHABLE)
    revision = fleet.service.revisions()[0].name.split("_")[4]
    server = str(fleet.query("eu-1", "show server_version")[0][0]).split(" ")[0]

    done = fleet.service.invoke("db.status", "--target", "*", code=1)

    found = rows(done.out)
    assert found["eu-1"] == [server, revision, "-", "-", "-", "nothing to do"]
    assert found["eu-2"] == [server, "-", "-", "1", "1", "invoke db.sync --target eu-2"]
    assert found["eu-3"] == [server, "-", "-", "1", "-", "invoke db.push --target eu-3"]
    assert found["eu-8"] == [
        "failed: Target eu-8 takes its URL from EU_8_DATABASE_URL, which is not set."
    ]
    assert found["eu-9"][0].startswith("failed: Connecting to target eu-9: connection")
    assert found["production (protected)"][-1] == "invoke db.push --target production"
    assert SECRET not in done.text

    listed = json.loads(fleet.service.invoke("db.status", "--target", "*", "--json", code=1).out)
    by_name = {entry["target"]: entry for entry in listed}
    one = json.loads(fleet.service.invoke("db.status", "--target", "eu-2", "--json").out)
    assert by_name["eu-2"] == {**one, "error": None}
    assert by_name["eu-8"].keys() == {"target", "error"}
    assert SECRET not in json.dumps(listed)


def test_a_problem_of_the_repo_is_said_once(fleet: Fleet) -> None:
    fleet.service.write(f"{SQL}/10_stray.sql", "select 1;")
    out = fleet.service.invoke("db.status", "--target", "eu-1,eu-2").out
    assert out.count("10_stray.sql: in supabase/sql, not in bootstrap.txt") == 1
    assert "! eu-1, eu-2: supabase/bootstrap.txt" in out


def test_what_cannot_be_reached_has_a_row_and_the_rest_is_done(fleet: Fleet) -> None:
    name_targets(fleet.service, eu_7=UNREACHABLE, eu_8="", eu_9=f"nonsense://{SECRET}@h/d")

    done = fleet.service.invoke(*PUSH, "--carry-on", code=1)

    found = rows(done.out)
    assert found["eu-7"][1].startswith("Connecting to target eu-7: connection")
    assert "EU_8_DATABASE_URL, which is not set" in found["eu-8"][1]
    assert "EU_9_DATABASE_URL is no usable Postgres URL" in found["eu-9"][1]
    assert "First:  Set EU_8_DATABASE_URL in the environment or in .env.\n" in done.err
    assert "✗ 6 targets: 3 done, 3 failed." in done.err
    assert SECRET not in done.text
    assert fleet.pushed() == set(THREE)


def test_targets_are_listed_without_their_urls(fleet: Fleet) -> None:
    name_targets(fleet.service, eu_8="", eu_9=UNREACHABLE)
    listed = json.loads(fleet.service.invoke("db.targets", "--json").out)
    by_name = {entry.pop("name"): entry for entry in listed}
    assert list(by_name) == ["local", "default", *THREE, "production", "eu-8", "eu-9"]
    assert by_name["local"] == {"variable": None, "set": True, "protected": False}
    assert by_name["production"] == {
        "variable": "PRODUCTION_DATABASE_URL",
        "set": True,
        "protected": True,
    }
    assert by_name["eu-8"]["set"] is False

    some = fleet.service.invoke("db.targets", "--target", "*-1,prod*,default", "--json")
    assert [entry["name"] for entry in json.loads(some.out)] == ["eu-1", "default"]
    assert "production is left out: protected; name it in full" in some.err
    text = fleet.service.invoke("db.targets").text
    assert "eu-8        EU_8_DATABASE_URL        not set\n" in text
    assert "://" not in text and SECRET not in text


def test_a_number_of_jobs_is_a_number(fleet: Fleet) -> None:
    for wrong in ("0", "many"):
        said = fleet.service.invoke(*PUSH, f"--jobs={wrong}", code=1).err
        assert f"✗ --jobs takes a number from 1 on, not '{wrong}'." in said


def test_a_target_has_a_name_that_can_be_written(fleet: Fleet) -> None:
    entry = '\n[tool.twolane.targets."eu,9"]\nenv = "X"\n'
    fleet.service.write("pyproject.toml", fleet.service.read("pyproject.toml") + entry)
    assert "a name has no commas" in fleet.service.invoke("db.targets", code=1).err


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs on Linux")
def test_the_workflows_own_scripts_migrate_each_target(fleet: Fleet) -> None:
    jobs = yaml.safe_load(fleet.service.read(".github/workflows/db.yml"))["jobs"]
    scripts = {
        job: next(step["run"] for step in jobs[job]["steps"] if "invoke db." in step.get("run", ""))
        for job in ("targets", "migrate")
    }
    output = fleet.service.folder / "output"
    env = clean_environment() | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SHADOW_DATABASE_URL": fleet.service.env["SHADOW_DATABASE_URL"],
        "GITHUB_OUTPUT": str(output),
        "CI": "true",
    }

    def run(job: str, code: int, **values: str) -> str:
        command = ["bash", "-e", "-c", scripts[job]]
        folder = fleet.service.folder
        done = subprocess.run(command, cwd=folder, env=env | values, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    said = run("targets", 1, TARGETS="eu-*", FOR_ALL="true")
    assert "::error::Move the secret" in said, "all would get the same database"
    run("targets", 0, TARGETS="default", FOR_ALL="true")
    run("targets", 0, TARGETS="*,production", FOR_ALL="false")
    *_, matrix = (
        json.loads(line.removeprefix("list=")) for line in output.read_text().splitlines()
    )
    assert [target["name"] for target in matrix] == [*THREE, "production"]

    for target in (matrix[0], matrix[-1]):
        name = target["name"]
        values = {"TARGET": name, "VARIABLE": target["variable"], "URL": fleet.urls[name]}
        said = run("migrate", 2 if name == "production" else 0, **values)
        assert ("G01 target" in said) == (name == "production")
    assert fleet.pushed() == {"eu-1"}
    digest = said.rpartition("--plan ")[2].split()[0]
    assert "G01" in run("migrate", 2, **values, PLAN="another")
    run("migrate", 0, **values, PLAN=digest)
    assert fleet.pushed() == {"eu-1", "production"}
    assert "has no secret" in run("migrate", 1, TARGET="eu-2", VARIABLE="X", URL="")
