"""`db.push` and `db.apply` on several targets: each is reported, the protected are left alone."""

from __future__ import annotations

import json
import re

import pytest
from checks import add_revision
from fleets import (
    FIVE,
    NOTHING,
    PUSH,
    THREE,
    Fleet,
    name_targets,
    rows,
    variable,
)
from service import Service
from steps import add_sql


def test_a_push_goes_to_each_target_and_each_has_a_row(fleet: Fleet) -> None:
    revision = fleet.service.revisions()[0].name.split("_")[4]

    done = fleet.service.run(*PUSH, cold=True)  # its children, too

    assert rows(done.out) == {target: ["done", f"pushed {revision}"] for target in THREE}
    assert "✓ 3 targets: 3 done." in done.out
    assert done.out.count("Commit:") == 1
    assert done.out.endswith("Commit:  feat(db): add dev markers via Alembic migration\n")
    assert fleet.pushed() == set(THREE)

    again = fleet.service.invoke(*PUSH)
    assert rows(again.out) == dict.fromkeys(THREE, NOTHING)
    assert "Commit:" not in again.out
    assert len(fleet.query("eu-1", "select 1 from twolane.pushes")) == 1


def test_at_a_failure_a_push_stops_or_carries_on_as_told(five: Fleet) -> None:
    five.query("eu-2", "alter table contacts add column nickname text")

    done = five.service.invoke(*PUSH, "--jobs", "1", code=2)
    assert [row[0] for row in rows(done.out).values()] == ["done", "refused", *["not started"] * 3]
    assert rows(done.out)["eu-2"] == ["refused", "G03 stale-mirror"]
    assert "eu-2:\n✗ db.push refused · G03 stale-mirror\n" in done.err
    hint = "  First:  invoke db.sync --target eu-2\n"
    assert f"    + column public.contacts.nickname   text\n{hint}" in done.err
    assert "✗ 5 targets: 1 done, 1 refused, 3 not started." in done.err
    assert five.pushed() == {"eu-1"}

    done = five.service.invoke(*PUSH, "--carry-on", code=2)
    assert "✗ 5 targets: 1 nothing to do, 1 refused, 3 done." in done.err
    assert five.pushed() == {"eu-1", "eu-3", "eu-4", "eu-5"}

    five.query("eu-2", "alter table contacts drop column nickname")
    five.service.invoke(*PUSH)
    assert five.pushed() == set(FIVE)


def test_a_dry_run_shows_each_plan_once_and_changes_nothing(fleet: Fleet) -> None:
    fleet.service.invoke("db.push", "--target", "eu-1")

    done = fleet.service.invoke(*PUSH, "--dry-run")

    assert done.out.count("CREATE TABLE dev_markers") == 1
    assert "eu-2, eu-3:\nRevision " in done.out
    assert "eu-1:\n✓ Nothing to push: the database has every revision.\n" in done.out
    assert rows(done.out) == {"eu-1": NOTHING, "eu-2": ["planned"], "eu-3": ["planned"]}
    assert "Commit:" not in done.out
    assert fleet.pushed() == {"eu-1"}


def test_a_deploy_shows_each_plan_once_and_runs_those_that_were_approved(fleet: Fleet) -> None:
    deploy = ("db.deploy", "--target", "eu-*,prod*")
    fleet.service.invoke("db.deploy", "--target", "eu-1")

    dry = fleet.service.invoke(*deploy, "--dry-run").out
    assert dry.count("CREATE TABLE dev_markers") == 1 and "eu-2, eu-3:\nRevision " in dry
    assert "eu-1:\n✓ Nothing to deploy: " in dry and dry.count("Plan ") == 1
    found = rows(dry)
    assert (found["eu-1"], found["eu-2"][0], found["eu-3"][0]) == (NOTHING, "planned", "planned")
    assert fleet.pushed() == {"eu-1"}

    (digest,) = re.findall(r"Plan (\w+)", dry)
    refused = fleet.service.invoke(*deploy, "--plan", "0" * 12, code=2)
    assert "G01" in refused.err and rows(refused.out)["eu-1"] == NOTHING
    told = fleet.service.invoke(*deploy, "--plan", f"{'0' * 12},{digest}", "--json").out
    entries = {entry["target"]: entry for entry in json.loads(told)}
    assert [entries[target]["outcome"] for target in THREE] == ["nothing to do", "done", "done"]
    assert entries["production"]["outcome"] == "left out"
    assert entries["eu-2"]["result"].keys() == {
        *("digest", "files", "late", "revisions", "statements", "left_over", "changes"),
        *("hazards", "renamed", "applied"),
    }
    assert fleet.pushed() == set(THREE)


def test_a_push_prints_json_for_scripts(fleet: Fleet) -> None:
    found = json.loads(fleet.service.invoke("db.push", "--target", "eu-1,eu-2", "--json").out)
    assert [entry.keys() for entry in found] == [
        {"target", "outcome", "message", "output", "result"}
    ] * 2
    assert [(entry["target"], entry["outcome"]) for entry in found] == [
        ("eu-1", "done"),
        ("eu-2", "done"),
    ]
    assert found[0]["result"]["applied"] is True
    assert found[0]["result"]["statements"][0].startswith("CREATE TABLE dev_markers")


def test_the_commit_is_made_once(fleet: Fleet) -> None:
    fleet.service.write(
        "src/crm/db/schema/app.py", fleet.service.read("src/crm/db/schema/app.py") + "\n# x\n"
    )
    before = fleet.service.git("rev-list", "--count", "HEAD")
    fleet.service.invoke(*PUSH, "--commit")
    assert int(fleet.service.git("rev-list", "--count", "HEAD")) == int(before) + 1
    assert fleet.service.git("log", "-1", "--format=%s") == (
        "feat(db): add dev markers via Alembic migration"
    )


def test_what_some_have_done_before_is_no_failure_of_the_rest(fleet: Fleet) -> None:
    """`--to` and `--allow` are for all: where the revision is already, there is nothing to do."""
    fleet.service.invoke(*PUSH)
    drop = add_revision_on_top(fleet.service, 'op.drop_column("dev_markers", "label")')
    options = ("--to", drop, "--allow", "drop:dev_markers.label")
    fleet.service.invoke("db.push", "--target", "eu-3", *options)

    found = rows(fleet.service.invoke(*PUSH, *options).out)
    assert (found["eu-1"][0], found["eu-3"]) == ("done", NOTHING)
    assert "revision" in fleet.service.invoke(*PUSH, "--to", "r0", code=1).err


def add_revision_on_top(service: Service, up: str) -> str:
    head = service.revisions()[0].name.split("_")[4]
    name = add_revision(service, 1, up)
    path = f"migrations/versions/{name}"
    service.write(
        path, service.read(path).replace("down_revision = None", f'down_revision = "{head}"')
    )
    return "r1"


def test_lane_a_is_applied_to_each_and_the_mirror_checked_against_each(fleet: Fleet) -> None:
    fleet.service.invoke(*PUSH)
    notice = "do $$ begin raise warning 'mind this'; end $$;\n"
    fax = "alter table contacts add column if not exists fax text;\n"
    add_sql(fleet.service, "10_fax.sql", notice + fax)

    done = fleet.service.invoke("db.apply", "--target", "eu-*")
    assert rows(done.out)["eu-3"] == ["done", "Applied to target eu-3: 10_fax.sql."]
    assert "! eu-1, eu-2, eu-3: 10_fax.sql: " in done.out and "mind this" in done.out
    assert "Next:  invoke db.sync --target eu-1\n" in done.out
    assert "Then:  invoke db.sync --check --target 'eu-*'\n" in done.out
    found = rows(fleet.service.invoke("db.apply", "--target", "eu-*").out)
    assert found == dict.fromkeys(THREE, NOTHING)

    stale = fleet.service.invoke("db.sync", "--check", "--target", "eu-*", code=3)
    assert "eu-1, eu-2, eu-3:\nThe live database against the mirror" in stale.out
    assert rows(stale.out)["eu-1"][0] == "differs"
    fleet.service.invoke("db.sync", "--target", "eu-1")
    fleet.query("eu-3", "comment on table contacts is 'otherwise'")
    checked = fleet.service.invoke("db.sync", "--check", "--target", "eu-*", "--json", code=3)
    outcomes = {entry["target"]: entry["outcome"] for entry in json.loads(checked.out)}
    assert outcomes == {"eu-1": "nothing to do", "eu-2": "nothing to do", "eu-3": "differs"}


# ── What is never touched ─────────────────────────────────────────────────────────────────────────


def test_no_pattern_touches_a_protected_database(fleet: Fleet) -> None:
    name_targets(fleet.service, eu_9=fleet.urls["production"])  # the same under another name
    add_sql(fleet.service, "10_fax.sql", "alter table contacts add column if not exists fax text;")
    left_out = ["left out", "protected; name it in full"]

    for command in ("db.apply", "db.push"):
        found = rows(fleet.service.invoke(command, "--target", "*", code=None).out)
        assert found["production"] == found["eu-9"] == left_out, command
    assert fleet.query("eu-1", "select 1 from twolane.sql_runs where file = '10_fax.sql'")
    assert not fleet.query("production", "select 1 from twolane.sql_runs where file = '10_fax.sql'")
    assert (
        "fits protected targets alone"
        in fleet.service.invoke("db.push", "--target", "prod*", code=1).err
    )


def test_a_protected_target_is_named_and_confirmed(fleet: Fleet) -> None:
    named = ("db.push", "--target", "eu-1,production")
    assert rows(fleet.service.invoke(*named, "--jobs", "1", code=2).out)["production"] == [
        "refused",
        "G01 target",
    ]
    assert fleet.pushed() == {"eu-1"}
    assert (
        "runs in CI" in fleet.service.invoke(*named, "--confirm", "production", code=2, CI="1").err
    )
    fleet.service.invoke(*named, "--confirm", "eu-1,production")
    assert fleet.pushed() == {"eu-1", "production"}


def test_a_database_that_labels_itself_protected_is_refused_to_a_pattern(fleet: Fleet) -> None:
    """Its URL under another name, and `production` named nowhere: the label in it is left."""
    fleet.service.invoke("db.push", "--target", "production", "--confirm", "production")
    add_revision_on_top(fleet.service, 'op.add_column("dev_markers", sa.Column("x", sa.Text))')
    path = "migrations/versions/01_revision.py"
    fleet.service.write(
        path,
        fleet.service.read(path).replace("from alembic", "import sqlalchemy as sa\nfrom alembic"),
    )
    name_targets(fleet.service, eu_9=fleet.urls["production"])
    hidden = {variable("production"): ""}

    for words in (("eu-9*",), ("eu-9*", "--confirm", "production"), ("eu-9*", "--confirm", "eu-9")):
        done = fleet.service.invoke("db.push", "--target", *words, code=2, **hidden)
        assert rows(done.out) == {"eu-9": ["refused", "G01 target"]}
        assert "protected as production (reached as target eu-9)" in done.err
    assert len(fleet.query("production", "select 1 from twolane.pushes")) == 1


def test_a_database_of_two_names_is_worked_on_once(fleet: Fleet) -> None:
    name_targets(fleet.service, eu_9=fleet.urls["eu-1"])
    done = fleet.service.invoke("db.push", "--target", "eu-1,eu-9")
    assert rows(done.out)["eu-9"] == ["left out", "the same database as eu-1"]
    assert len(fleet.query("eu-1", "select 1 from twolane.pushes")) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("db.sync",),
        ("db.bootstrap",),
        ("db.gen", "-m", "x"),
        ("db.snapshot",),
        ("db.introspect",),
        ("db.psql", "-c", "select 1"),
        ("db.diff", "--source", "eu-1,eu-2"),
        ("db.reset", "--yes"),
    ],
)
def test_a_command_for_one_database_takes_one(
    ready_service: Service, command: tuple[str, ...]
) -> None:
    said = ready_service.invoke(*command, "--target", "eu-1,eu-2", code=1).err
    assert "✗ This works on one database, and 'eu-1,eu-2' may mean several." in said


def test_what_several_targets_refuse_alike_is_said_once(fleet: Fleet) -> None:
    """Each hint names its target, and yet one screen stands for all."""
    for target in ("eu-1", "eu-2"):
        fleet.query(target, "alter table contacts add column nickname text")
    said = fleet.service.invoke(*PUSH, "--carry-on", code=2).err
    assert said.count("✗ db.push refused") == 1
    assert "eu-1, eu-2:\n✗ db.push refused · G03 stale-mirror\n" in said
    assert "  First:  invoke db.sync --target eu-1\n" in said
