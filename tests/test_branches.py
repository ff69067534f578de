"""A database and a repo on different git branches: what leads from the one to the other."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import psycopg
import pytest
from service import DEV_MARKERS, Service
from steps import GUARDRAILS, SQL, add_sql, mirror, tables, wait_until

from twolane.postgres.transactions import ADVISORY_LOCK
from twolane.repo import record

NOTHING = "nothing to do"
POLICY = (
    "drop policy if exists p on contacts; create policy p on contacts for select using (false);\n"
)
PING = "create or replace function private.ping() returns int language sql as 'select 1';\n"
PEOPLE = (
    "create or replace view people with (security_invoker = true) as select id from contacts;\n"
)
BACK = ("db.downgrade", "--to", "base", "--allow", "drop:dev_markers")
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


def applied(service: Service) -> None:
    """Applies, syncs and commits what the branch has."""
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.commit()


def revision(service: Service) -> str:
    return str(service.sql("select version_num from twolane.alembic_version")[0][0])


def test_a_branch_with_both_lanes_is_left_and_taken_up_again(branched: Service) -> None:
    add_sql(branched, "10_labels.sql", VIEW, after=True)
    applied(branched)
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
    for extra in ([], ["--to", "-1"]):
        said = branched.invoke("db.downgrade", *extra, code=1).err
        assert "The database has no revision to take back." in said
        assert "First:  invoke db.status\n" in said

    branched.git("switch", "--quiet", "marks")
    assert follow(branched) == ["db.deploy"]
    assert branched.sql("select * from labels") == []
    assert (mirror(branched), revision(branched)) == (there, made)
    assert branched.git("status", "--short") == ""


def test_what_a_file_of_another_branch_made_is_taken_away_and_never_mirrored(
    service: Service,
) -> None:
    service.git("switch", "--quiet", "--create", "rules")
    tags = "create table if not exists tags (id uuid primary key);\n"
    add_sql(service, "10_rules.sql", POLICY + PING + tags)
    applied(service)
    service.sql("insert into tags values (gen_random_uuid())")
    there = mirror(service)

    service.git("switch", "--quiet", "main")
    here = mirror(service)
    service.invoke("db.sync")
    assert mirror(service) == here

    (taken,) = follow(service)
    assert taken.startswith("db.deploy --allow drop:tags --allow undo:contacts.p ")
    assert "tags" not in tables(service)
    assert mirror(service) == here

    service.git("switch", "--quiet", "rules")
    assert follow(service) == ["db.apply"]
    assert mirror(service) == there


def test_a_file_in_the_form_of_another_branch_comes_back_to_this_one_s(service: Service) -> None:
    service.git("switch", "--quiet", "--create", "rules")
    service.write(GUARDRAILS, service.read(GUARDRAILS) + POLICY + PING)
    applied(service)
    there = mirror(service)

    service.git("switch", "--quiet", "main")
    here = mirror(service)
    shown = service.invoke("db.status").out.splitlines()[1:]
    assert shown[0].startswith("! The database ran these SQL files in this form before")
    assert shown[2].startswith("Next     git pull; or, ")
    assert len(shown) == 3, "nothing else is said"
    service.invoke("db.sync")
    assert mirror(service) == here

    again = "db.apply --file 05_guardrails.sql"
    taken = "db.deploy --allow undo:contacts.p --allow 'undo:private.ping()'"
    assert follow(service) == [again, taken], "what the newer form made does not stay"
    assert mirror(service) == here

    service.git("switch", "--quiet", "rules")
    assert follow(service) == [again]
    assert mirror(service) == there


def test_files_that_need_what_goes_are_taken_back_with_it(service: Service) -> None:
    """A file of both branches, edited on one; one with a table; one that asks what is there."""
    add_sql(service, "20_shared.sql", PEOPLE + POLICY, after=True)
    applied(service)
    service.git("switch", "--quiet", "--create", "marks")
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    more = PEOPLE.replace("people", "more")
    service.write(f"{SQL}/20_shared.sql", PEOPLE + POLICY + VIEW + more)
    key = "create table if not exists tags (mark uuid primary key references dev_markers (id));\n"
    add_sql(service, "30_tags.sql", key + PING, after=True)
    guarded = VIEW.replace(" labels", " guarded").rstrip(";\n")
    asks = "do $$ begin if to_regclass('dev_markers') is not null then {}; end if; end $$;\n"
    add_sql(service, "40_asks.sql", asks.format(guarded), after=True)
    applied(service)
    there = mirror(service)

    service.git("switch", "--quiet", "main")
    here = mirror(service)
    plan = json.loads(service.invoke("db.downgrade", "--to", "base", "--dry-run", "--json").out)
    assert plan["files"] == ["20_shared.sql", "30_tags.sql", "40_asks.sql"]
    assert not any("policy" in statement for statement in plan["statements"]), "it stays"
    back = "db.downgrade --to base --allow drop:dev_markers --allow drop:tags"
    assert follow(service) == [back, "db.apply"]
    assert mirror(service) == here
    assert service.sql("select to_regclass('more'), to_regproc('private.ping')") == [(None, None)]

    service.git("switch", "--quiet", "marks")
    assert follow(service) == ["db.deploy"]
    assert mirror(service) == there
    assert service.sql("select to_regclass('guarded')::text") == [("guarded",)]


def test_a_downgrade_by_the_file_is_all_or_nothing(
    pushed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("db.downgrade", "--to", "-1", "--allow", "drop:dev_markers")
    made = revision(pushed)

    def cut(connection: psycopg.Connection[Any], *_: object) -> None:
        connection.execute("select pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(record, "note", cut)
        failed = pushed.invoke(*words, code=1).err
    assert "First:  The server cut the connection: run the same command again." in failed
    assert ("dev_markers" in tables(pushed), revision(pushed)) == (True, made)

    pushed.sql("alter table dev_markers add column stray int")
    assert "G10 app-drift" in pushed.invoke(*words, code=2).err
    pushed.sql("alter table dev_markers drop column stray")

    assert (
        "has no revision nonsense" in pushed.invoke("db.downgrade", "--to", "nonsense", code=1).err
    )
    assert "at revision" in pushed.invoke("db.downgrade", "--to", made[:6]).out
    slip = pushed.invoke("db.downgrade", "--to", "-1", "--allow", "drop:x", code=1).err
    assert "invoke db.downgrade --to base --dry-run" in slip

    told = json.loads(pushed.invoke(*words, "--json").out)
    assert (told["applied"], told["to"], told["renamed"]) == (True, None, [])
    assert [each["id"] for each in told["revisions"]] == [made]
    assert "dev_markers" not in tables(pushed)
    assert follow(pushed) == ["db.push"]


def test_without_a_recorded_way_back_the_branch_that_has_it_is_named(branched: Service) -> None:
    branched.sql("update twolane.pushes set undo = null")
    made = revision(branched)
    branched.git("switch", "--quiet", "main")

    hint = branched.invoke("db.status").out
    assert f"    {made}  add dev markers\n" in hint
    assert "git log --all -- migrations/versions" in hint
    refused = branched.invoke("db.downgrade", "--to", "base", code=2).err
    assert f"    {made}  add dev markers   pushed at commit " in refused
    way = "git switch marks && invoke db.downgrade --to base && git switch -"
    assert f"    branch marks has its file\n  First:  {way}\n" in refused

    branched.git("switch", "--quiet", "marks")
    path = branched.revisions()[0]
    good = path.read_text()
    path.write_text(good.replace('op.drop_table("dev_markers")', "pass"))
    assert path.read_text() != good
    assert "These revisions were edited" in branched.invoke(*BACK, code=2).err
    path.write_text(good)
    branched.invoke(*BACK)
    branched.git("switch", "--quiet", "-")
    assert follow(branched) == []


def test_what_stands_on_a_column_is_made_again_as_its_type_goes_back(pushed: Service) -> None:
    add_sql(pushed, "10_labels.sql", VIEW, after=True)
    applied(pushed)
    short = DEV_MARKERS.replace("Mapped[str]", "Mapped[str] = mapped_column(String(80))")
    pushed.write_app(f"from sqlalchemy import String\n{short}")
    pushed.invoke("db.gen", "-m", "short labels")
    consents = "--allow narrow:dev_markers.label --allow rewrite:dev_markers"
    pushed.invoke("db.push", *consents.split())
    pushed.sql("insert into dev_markers (label) values ('x')")

    pushed.invoke("db.downgrade", "--to", "-1")

    kind = "select pg_typeof(label)::text from labels"
    assert pushed.sql(kind) == [("text",)]
    assert follow(pushed) == [f"db.push {consents}", "db.sync"]
    assert pushed.sql(kind) == [("character varying",)]


def test_of_two_downgrades_at_once_one_finds_nothing_to_do(pushed: Service) -> None:
    pushed.invoke(*BACK, "--dry-run")  # so that both find a finished shadow
    waits = (
        "select pid from pg_stat_activity where datname = current_database() "
        "and query ~ 'pg_try_advisory_xact_lock|pg_locks l join pg_stat_activity' "
        "and pid <> pg_backend_pid()"
    )
    with psycopg.connect(pushed.env["DATABASE_URL"]) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
        both = [pushed.start(*BACK) for _ in range(2)]
        wait_until(lambda: len(pushed.sql(waits)) == 2)
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert "dev_markers" not in tables(pushed)
