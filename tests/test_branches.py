"""A database and a repo on different git branches: what leads from the one to the other."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from service import Service
from steps import add_sql, mirror, tables

NOTHING = "nothing to do"
VIEW = (
    "create or replace view labels with (security_invoker = true) as"
    " select label from dev_markers;\n"
)


def follow(service: Service, *, most: int = 8) -> list[str]:
    """Runs what `db.status` hints at, as printed, with the consents asked for, until all is done;
    the commands."""
    ran: list[str] = []
    while (hint := json.loads(service.invoke("db.status", "--json").out)["next"]) != NOTHING:
        assert len(ran) < most, ran
        command = re.search(r"invoke [^()]*", hint)
        assert command, hint
        words = shlex.split(command[0])[1:]
        done = service.invoke(*words, code=None)
        if asked := re.search(r"if it is meant, repeat with (.*)", done.err):
            words += shlex.split(asked[1])
            done = service.invoke(*words, code=None)
        assert done.code == 0, f"{words}: {done.text}"
        ran.append(shlex.join(words))
    return ran


@pytest.fixture
def branched(pushed: Service) -> Service:
    """The branch `marks`, where a revision made `dev_markers`, is checked out; `main` is without
    it."""
    pushed.git("branch", "marks")
    pushed.git("reset", "--quiet", "--hard", "HEAD~1")
    pushed.git("switch", "--quiet", "marks")
    return pushed


def revision(service: Service) -> str:
    return str(service.sql("select version_num from twolane.alembic_version")[0][0])


def test_a_branch_with_both_lanes_is_left_and_taken_up_again(branched: Service) -> None:
    add_sql(branched, "10_labels.sql", VIEW, after=True)
    branched.invoke("db.apply")
    branched.invoke("db.sync")
    branched.commit()
    branched.sql("insert into dev_markers (id, label) values (gen_random_uuid(), 'x')")
    there, made = mirror(branched), revision(branched)

    branched.git("switch", "--quiet", "main")
    here = mirror(branched)
    shown = branched.invoke("db.status").out
    assert re.fullmatch(
        r"Target .*\n! The database is at a revision that the repo does not have:\n"
        rf"    {made}  add dev markers\n    or git pull, .*\n"
        r"Next     invoke db.downgrade --to base\n",
        shown,
    ), shown
    for command in ("db.sync", "db.apply", "db.push", "db.deploy"):
        assert "First:  invoke db.downgrade --to base\n" in branched.invoke(command, code=2).err
    plan = branched.invoke("db.downgrade", "--to", "-1", "--dry-run", "--json").out
    assert json.loads(plan)["files"] == ["10_labels.sql"]
    refused = branched.invoke("db.downgrade", "--to", "base", code=2)
    assert "repeat with --allow drop:dev_markers\n" in refused.err
    assert branched.sql("select label from labels") == [("x",)]

    assert follow(branched) == ["db.downgrade --to base --allow drop:dev_markers"]
    assert "dev_markers" not in tables(branched)
    assert branched.sql("select revision from twolane.pushes") == []
    assert mirror(branched) == here
    assert "Nothing to take back" in branched.invoke("db.downgrade", "--to", "base").out

    branched.git("switch", "--quiet", "marks")
    assert follow(branched) == ["db.deploy"]
    assert branched.sql("select * from labels") == []
    assert (mirror(branched), revision(branched)) == (there, made)
    assert branched.git("status", "--short") == ""
