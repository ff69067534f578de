"""`db.check` on files, migrations and mirror: what it finds, where, and what it lets pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checks import add_revision, alone, found, of, report
from servers import PostgresServer
from service import DEV_MARKERS, Service
from steps import MIRROR, ORDER, SQL, add_sql


@pytest.fixture
def repo(ready_service: Service, server: PostgresServer, tmp_path: Path) -> Service:
    """A bootstrapped service's folder; its database can't be reached."""
    return alone(ready_service, server.get_uri(), tmp_path / "crm")


def test_g08_a_file_runs_again_and_changes_nothing(repo: Service) -> None:
    fine = (
        "create table if not exists public.fine (id uuid primary key default gen_random_uuid());"
        "alter table public.fine enable row level security;"
        "drop policy if exists p on public.fine; create policy p on public.fine using (false);"
        "create or replace view public.of_fine with (security_invoker) as select id from fine;"
        "drop view public.of_fine; create view public.of_fine as select id from public.fine;"
        "alter view public.of_fine set (security_invoker = true); insert into fine default values;"
    )
    add_sql(repo, "10_fine.sql", fine)
    add_sql(repo, "11_fails.sql", "select 1;\n\ncreate table public.once ();")
    add_sql(repo, "12_toggles.sql", "alter table public.fine add column if not exists a int;")
    add_sql(repo, "13_undoes.sql", "alter table public.fine drop column a;")
    empties = "create table if not exists public.kept (id int);\n-- from scratch\n{}"
    add_sql(repo, "14_truncates.sql", empties.format("truncate public.kept;"))
    drops = "drop table if exists public.goner;\ncreate table public.goner (id int);"
    add_sql(repo, "15_drops.sql", drops)

    result = of(found(repo, 2), "idempotent")

    assert list(result) == [
        "11_fails.sql",
        "12_toggles.sql",
        "13_undoes.sql",
        "14_truncates.sql",
        "15_drops.sql",
    ]
    assert {finding["code"] for finding in result.values()} == {"G08"}
    fails, toggles, undoes, empties_, drops_ = result.values()
    assert fails["message"] == 'Run again, it fails: relation "once" already exists'
    assert (fails["file"], fails["line"]) == (f"{SQL}/11_fails.sql", 3)
    assert toggles["details"] == ["+ column public.fine.a   integer"]
    assert undoes["message"] == 'Run again, it fails: column "a" of relation "fine" does not exist'
    assert "loses rows" in empties_["message"]
    assert (empties_["details"], empties_["line"]) == (["table public.kept"], 1)
    assert (drops_["details"], drops_["line"]) == (["table public.goner"], 2)


def test_a_file_that_does_not_run_ends_with_an_error_at_its_line(repo: Service) -> None:
    add_sql(repo, "10_wrong.sql", "select 1;\n\nselect nothing_of_that_name();")
    add_sql(repo, "11_late.sql", "reindex table public.contacts;", after=True)
    result = report(repo, 1)
    (finding,) = result["findings"]
    assert (finding["check"], finding["subject"]) == ("replay", "10_wrong.sql")
    assert (finding["file"], finding["line"]) == (f"{SQL}/10_wrong.sql", 3)
    assert "function nothing_of_that_name() does not exist" in finding["message"]
    statuses = {check["check"]: check for check in result["checks"]}
    assert statuses["order"]["status"] == statuses["scope"]["status"] == "passed"
    assert statuses["mirror"] == {
        "check": "mirror",
        "code": None,
        "status": "skipped",
        "reason": "after replay",
    }

    add_sql(repo, "12_syntax.sql", "selec 1;")
    add_sql(repo, "13_commits.sql", "begin; commit;")
    result = report(repo, 1)
    assert list(of(result["findings"], "replay")) == ["12_syntax.sql", "13_commits.sql"]


def test_a_migration_that_does_not_run_ends_with_an_error_at_its_line(repo: Service) -> None:
    name = add_revision(repo, 1, 'op.execute("select nothing_of_that_name()")')
    (finding,) = found(repo, 1)
    assert finding["check"] == "replay"
    assert (finding["file"], finding["line"]) == (f"migrations/versions/{name}", 10)


def test_migrations_go_both_ways_or_say_why_not(repo: Service) -> None:
    make = 'op.execute("create table made_{0} (id uuid primary key default gen_random_uuid())")'
    drop = 'op.execute("drop table made_{0}")'
    downs = [
        drop.format(1),
        "pass",
        'raise NotImplementedError("the rows are gone")',
        "raise NotImplementedError",
        'op.execute("drop table never_there")',
        drop.format(6),
        'op.execute("drop table made_7; create table left_over ()")',
        drop.format(8),
    ]
    for number, down in enumerate(downs, 1):
        add_revision(repo, number, make.format(number), down)
    more_up = "op.execute(\"alter type mood add value 'bad'\")"
    add_revision(
        repo, 9, "op.execute(\"create type mood as enum ('good')\")", 'op.execute("drop type mood")'
    )
    add_revision(repo, 10, more_up)

    result = of(found(repo, 2), "reversible")

    assert list(result) == [f"{n:02}_revision.py" for n in (2, 4, 5, 7, 10)]
    passed, mute, failed, left, grown = result.values()
    assert (passed["file"], passed["line"]) == ("migrations/versions/02_revision.py", 13)
    assert "+ table public.made_2" in passed["details"]
    assert "NotImplementedError" in passed["first"]
    assert mute["message"] == "Its downgrade() says that it can't be undone, and not why."
    assert 'table "never_there" does not exist' in failed["details"][0]
    assert left["details"][0] == "+ table public.left_over"
    assert "labels: good → good, bad" in grown["details"][0]


def test_what_db_gen_writes_for_an_enum_goes_both_ways(repo: Service) -> None:
    body = """
class Mood(enum.Enum):
    good = "good"


class Notes(UUIDKey, Timestamps, AppBase):
    __tablename__ = "notes"

    mood: Mapped[Mood] = mapped_column(Enum(Mood, name="mood"), server_default="good")
"""
    repo.write_app(body)
    repo.invoke("db.gen", "-m", "add notes")
    repo.write_app(body.replace('    good = "good"\n', '    good = "good"\n    bad = "bad"\n'))
    repo.invoke("db.gen", "-m", "add a mood")
    assert len(repo.revisions()) == 2
    assert report(repo, 0)["findings"] == []


def test_g05_a_migration_that_drops_a_core_table_fails(repo: Service) -> None:
    name = add_revision(repo, 1, 'op.execute("drop table contacts cascade")')
    result = repo.invoke("db.check", code=2, GITHUB_ACTIONS="true")
    assert "✗ G05 baseline" in result.out
    assert "- table public.contacts" in result.out
    assert f"::error file=migrations/versions/{name},line=9,title=G05 baseline::" in result.out
    assert "- mirror" in result.out and "skipped: after baseline" in result.out


def test_g07_a_migration_that_writes_a_policy_fails(repo: Service) -> None:
    make = "create table made (id uuid primary key default gen_random_uuid())"
    policy = "create policy p on made to authenticated using (true)"
    up = f'op.execute("{make}"); op.execute("{policy}")'
    add_revision(repo, 1, up, 'op.execute("drop table made")')
    (finding,) = of(found(repo, 2), "sql-only").values()
    assert finding["code"] == "G07"
    assert "policy public.made.p" in finding["details"][0]


def test_mirror_models_and_app_disagreeing_with_the_files_end_with_three(repo: Service) -> None:
    models, lock = MIRROR
    text = repo.read(lock)
    edited = text.replace('"column public.contacts.fax"', "").replace(
        '"column public.contacts.phone": {"type":"text"}',
        '"column public.contacts.phone": {"type":"integer"}',
    )
    assert edited != text
    repo.write(lock, edited)
    repo.write_app(DEV_MARKERS)
    result = found(repo, 3)
    assert [finding["check"] for finding in result] == ["app", "mirror", "mirror"]
    app, of_lock, of_models = result
    assert (app["file"], app["first"]) == ("src/crm/db/schema/app.py", 'invoke db.gen -m "…"')
    assert of_lock["details"] == ["~ column public.contacts.phone   type: integer → text"]
    assert "column public.contacts.phone" in edited.splitlines()[of_lock["line"] - 1]
    assert "invoke db.bootstrap" in of_lock["first"]
    assert of_models["file"] == models
    assert "phone" in repo.read(models).splitlines()[of_models["line"] - 1]


def test_a_mirror_may_name_other_owners(repo: Service) -> None:
    lock = MIRROR[1]
    owned = repo.read(lock).replace(
        '    "owner schema public"', '    "owner schema private": {"role":"me"},\n'
        '    "owner schema public"',
    )  # fmt: skip
    assert owned != repo.read(lock)
    repo.write(lock, owned)
    assert report(repo, 0)["findings"] == []


def test_a_fast_check_looks_at_what_differs_from_the_last_commit(repo: Service) -> None:
    add_sql(repo, "11_once.sql", "create table public.once (id int primary key);")
    add_revision(repo, 1, 'op.execute("create table public.first (id int primary key)")')
    repo.commit()
    assert not named(repo, "--fast")
    add_sql(repo, "12_twice.sql", "create table public.twice (id int primary key);")
    add_revision(repo, 2, 'op.execute("create table public.second (id int primary key)")')
    assert named(repo, "--fast") == ["12_twice.sql", "02_revision.py"]
    assert named(repo) == ["11_once.sql", "12_twice.sql", "01_revision.py", "02_revision.py"]


def named(repo: Service, *options: str) -> list[str]:
    """What is not idempotent, or not reversible."""
    told = json.loads(repo.invoke("db.check", "--json", *options, code=None).out)
    checks = ("idempotent", "reversible")
    return [each["subject"] for each in told["findings"] if each["check"] in checks]


def test_order_heads_and_scope_are_all_reported(repo: Service) -> None:
    repo.write(ORDER, repo.read(ORDER) + "77_gone.sql\n")
    add_revision(repo, 1, "pass")
    text = repo.read("migrations/versions/01_revision.py")
    repo.write("migrations/versions/02_revision.py", text.replace('"r1"', '"r2"'))
    repo.write_app(DEV_MARKERS.replace("dev_markers", "contacts"))
    result = found(repo, 2)
    assert [finding["code"] for finding in result] == ["G09", "G11", "G04"]
    assert result[0]["file"] == ORDER
    assert result[0]["details"] == ["77_gone.sql: in bootstrap.txt, not in supabase/sql"]
    assert result[1]["details"] == ["r1", "r2"]
    assert result[2]["file"] == "src/crm/db/schema/app.py"


def test_models_that_cannot_be_imported_are_one_error(repo: Service) -> None:
    repo.write_app("\nnothing_of_that_name\n")
    (finding,) = found(repo, 1)
    assert (finding["check"], finding["file"]) == ("scope", "src/crm/db/schema/app.py")
    assert finding["line"]
