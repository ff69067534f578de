"""`db.diff` and `db.snapshot`: two databases compared, the facts of one."""

from __future__ import annotations

import json

import psycopg
import pytest
from conftest import BOOTSTRAP, NewDatabase, database_name, run_files
from psycopg.conninfo import conninfo_to_dict
from servers import Server
from service import Service

from twolane.facts import catalog
from twolane.facts.lock import dump_lock, load_lock

# Debian's 15 has no pgvector.
WITHOUT_VECTOR = [name for name in BOOTSTRAP if name != "01_extensions_and_vector.sql"]


@pytest.fixture
def older(request: pytest.FixtureRequest) -> Server:
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Server)
    return server


def facts_of(url: str) -> catalog.Snapshot:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalog.read(connection)


def test_a_database_does_not_differ_from_itself(service: Service) -> None:
    url = service.env["DATABASE_URL"]
    result = service.invoke("db.diff", "--source", url, "--target", "default")
    assert result.out == "✓ No schema changes.\n" and result.err == ""
    assert json.loads(service.invoke("db.diff", "-s", url, "-t", url, "--json").out) == []


def test_differences_are_shown_with_exit_code_three(
    service: Service, new_database: NewDatabase
) -> None:
    url = service.env["DATABASE_URL"]
    copy = new_database(database_name(url))
    service.sql(
        "alter table public.contacts add nickname text; "
        "alter table public.contacts alter source set default $$mail$$; "
        "drop policy threads_select_own on public.threads"
    )
    result = service.invoke("db.diff", "--source", copy, "--target", url, code=3)
    assert result.out.splitlines() == [
        "  public.contacts",
        "    + column nickname   text",
        "    ~ column source   default: 'manual'::text → 'mail'::text",
        "  public.threads",
        "    - policy threads_select_own   for: select, to: authenticated, using: "
        "(( SELECT auth.uid() AS uid) = user_id)",
        "From source to target: 3 facts: 1 added, 1 removed, 1 changed.",
    ]
    assert result.err == ""
    back = service.invoke("db.diff", "--source", url, "--target", copy, code=3).out
    assert "    - column nickname   text\n" in back
    assert "    + policy threads_select_own   for: select" in back

    found = json.loads(service.invoke("db.diff", "-s", copy, "-t", url, "--json", code=3).out)
    assert [(c["change"], c["fact"]) for c in found] == [
        ("added", "column public.contacts.nickname"),
        ("changed", "column public.contacts.source"),
        ("removed", "policy public.threads.threads_select_own"),
    ]
    assert [c["object"] for c in found] == ["public.contacts", "public.contacts", "public.threads"]
    assert found[0]["before"] is None and found[0]["after"] == {"type": "text"}
    assert found[1]["before"]["default"] == "'manual'::text"
    assert found[2]["after"] is None and found[2]["before"]["for"] == "select"


def test_targets_go_by_name_or_url(service: Service, new_database: NewDatabase) -> None:
    toml = service.read("pyproject.toml")
    service.write(
        "pyproject.toml", toml + '\n[tool.twolane.targets.staging]\nenv = "STAGING_URL"\n'
    )
    staging = new_database(database_name(service.env["DATABASE_URL"]))
    command = ("db.diff", "--source", "staging", "--target", "default")
    assert "No schema changes." in service.invoke(*command, STAGING_URL=staging).out
    said = service.invoke("db.diff", "--source", "nowhere", "--target", "default", code=1).err
    assert "There is no target 'nowhere'" in said
    said = service.invoke(*command, code=1).err
    assert "takes its URL from STAGING_URL, which is not set" in said
    url = "postgresql://u:hunter2@127.0.0.1:1/x"
    said = service.invoke("db.diff", "--source", url, "--target", "default", code=1).err
    assert "Connecting to the URL" in said and "hunter2" not in said
    alchemy = service.env["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    service.invoke("db.diff", "--source", alchemy, "--target", "default")


def test_both_sides_must_be_named(service: Service) -> None:
    result = service.invoke("db.diff", code=None)
    assert result.code != 0
    assert "'db.diff' did not receive required positional arguments: 'source', 'target'" in (
        result.text
    )


@pytest.mark.parametrize("older", ["fifteen", "sixteen", "seventeen"], indirect=True)
def test_the_nine_files_give_the_same_facts_on_every_major(
    service: Service, older: Server, new_database: NewDatabase, platform: str
) -> None:
    names = BOOTSTRAP if older.major == 16 else WITHOUT_VECTOR
    one, two = older.new_database(), new_database(platform)
    run_files(one, *names)
    run_files(two, *names)
    result = service.invoke("db.diff", "--source", one, "--target", two)
    assert result.out == "✓ No schema changes.\n"
    assert dump_lock(facts_of(one)) == dump_lock(facts_of(two))


def test_a_snapshot_is_a_fact_a_line(service: Service) -> None:
    facts = facts_of(service.env["DATABASE_URL"])
    lines = service.invoke("db.snapshot").out.splitlines()
    assert len(lines) == len(facts)
    assert 'column public.contacts.email  {"type":"text"}' in lines
    assert [line.partition("  ")[0] for line in lines] == list(facts)


def test_a_snapshot_in_json_has_the_form_of_the_lock(service: Service) -> None:
    text = service.invoke("db.snapshot", "--json").out
    assert text == service.read("supabase/schema.lock.json"), "no table of lane B yet"
    assert load_lock(text) == facts_of(service.env["DATABASE_URL"])


def test_a_snapshot_has_the_same_bytes_whoever_asks_and_however(service: Service) -> None:
    url = service.env["DATABASE_URL"]
    plain = service.invoke("db.snapshot", "--json").out
    assert service.invoke("db.snapshot", "--json").out == plain
    for options in (
        "-c search_path=auth",
        "-c datestyle=German -c intervalstyle=iso_8601 -c timezone=Asia/Tokyo",
        "-c quote_all_identifiers=on -c standard_conforming_strings=off",
        "-c role=anon",
        "-c default_transaction_read_only=on",
    ):
        other = psycopg.conninfo.make_conninfo(url, options=options)
        parameters = conninfo_to_dict(other)
        query = f"&options={parameters['options']}".replace(" ", "%20").replace("=", "%3D")
        query = query.replace("options%3D", "options=", 1)
        assert service.invoke("db.snapshot", "--json", "--target", url + query).out == plain


def test_a_snapshot_does_not_change_when_its_reader_leaves_early(service: Service) -> None:
    """`invoke db.snapshot | head -1` is no error."""
    import subprocess
    import sys

    from service import Result, clean_environment

    script = f"{sys.executable} -m invoke db.snapshot | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=service.folder,
        env=clean_environment() | service.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(done.stdout.splitlines()) == 1
    assert Result(done.returncode, done.stdout, done.stderr).said == ""


def test_the_sql_between_two_databases_turns_one_into_the_other(
    service: Service, new_database: NewDatabase
) -> None:
    url = service.env["DATABASE_URL"]
    copy = new_database(database_name(url))
    service.sql(
        """
        create type public.mood as enum ('calm');
        alter table public.contacts add nickname text, drop notes, alter phone type varchar(20);
        alter policy threads_select_own on public.threads using (false);
        create view public.nicknames with (security_invoker = true) as
            select nickname from public.contacts;
        grant select on public.nicknames to authenticated;
        drop table public.ai_usage
        """
    )
    ends = ("--source", copy, "--target", url)
    found = service.invoke("db.diff", *ends, "--sql", code=3)
    assert "drop:contacts.notes: its data are lost for good" in found.out
    assert "narrow:contacts.phone" in found.out and "drop:ai_usage" in found.out
    assert "From source to target:" in found.out and "Not " not in found.out
    listed = json.loads(service.invoke("db.diff", *ends, "--sql", "--json", code=3).out)
    assert set(listed) == {"changes", "statements", "hazards", "left"} and not listed["left"]
    assert facts_of(copy) != facts_of(url)
    with psycopg.connect(copy, autocommit=True) as connection:
        for _ in range(2):  # it is safe to run again
            connection.execute(found.out.encode())
    assert facts_of(copy) == facts_of(url)
    assert "No schema changes." in service.invoke("db.diff", *ends, "--sql").out


def test_the_sql_between_two_databases_knows_new_values_of_an_enum_and_names_what_it_leaves(
    service: Service, new_database: NewDatabase
) -> None:
    service.sql("create type public.mood as enum ('calm')")
    url = service.env["DATABASE_URL"]
    copy = new_database(database_name(url))
    service.sql("alter type public.mood add value 'merry'; create role passing nologin")
    service.sql("create table public.days (mood public.mood default 'merry')")
    service.sql("alter table public.days owner to passing")
    found = service.invoke("db.diff", "-s", copy, "-t", url, "--sql", code=3)
    service.sql("drop owned by passing; drop role passing")
    assert (
        "-- Not written: + owner table public.days role: passing: an object belongs to" in found.out
    )
    with psycopg.connect(copy, autocommit=True) as connection:
        connection.execute("create extension if not exists vector")
        for part in found.out.split("commit;"):
            connection.execute(f"{part}commit;".encode() if "begin;" in part else b"select 1")
        assert connection.execute("insert into days default values returning mood").fetchone()
