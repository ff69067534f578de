"""The same database gives the same bytes, whatever the session, the role, the order of creation."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase
from mutations import MUTATIONS
from mutations.ground import facts_of, run
from prepared import facts_prepared

from twolane.facts import catalog
from twolane.facts.lock import dump_lock


@pytest.fixture(scope="module")
def shared(lasting_database: NewDatabase, ground: str) -> str:
    """For tests that leave it as it was."""
    return lasting_database(ground)


@pytest.fixture
def database(new_database: NewDatabase, ground: str) -> str:
    return new_database(ground)


@pytest.mark.parametrize(
    "settings",
    [
        "set search_path = public, auth",
        "set search_path = ''",
        "set datestyle = 'German, DMY'",
        "set intervalstyle = iso_8601",
        "set timezone = 'Asia/Tokyo'",
        "set quote_all_identifiers = on",
        "set bytea_output = escape",
        "set extra_float_digits = -15",
        "set standard_conforming_strings = off",
        "set escape_string_warning = off",
    ],
)
def test_a_snapshot_is_the_same_whatever_the_settings(database: str, settings: str) -> None:
    run(
        database,
        """alter table public.t
          add made timestamptz default '2020-01-02 03:04:05+00', add day date default '2020-02-01',
          add late interval default '1 day 2 hours', add raw bytea default '\\x00ff',
          add ratio float8 default 0.1, add slash text default 'a\\b'""",
    )
    plain = facts_of(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(settings)
        assert catalog.read(connection) == plain


def test_a_snapshot_is_the_same_for_a_role_without_rights(shared: str) -> None:
    plain = facts_of(shared)
    with psycopg.connect(shared, autocommit=True) as connection:
        connection.execute("set role anon")
        assert catalog.diff(plain, catalog.read(connection)) == []


def test_a_snapshot_leaves_the_session_as_it_was(shared: str) -> None:
    settings = ["search_path", "datestyle", "timezone", "quote_all_identifiers"]
    with psycopg.connect(shared) as connection:

        def read() -> list[object]:
            return [connection.execute(f"show {name}".encode()).fetchone() for name in settings]

        connection.execute("set datestyle = 'German'")
        before = read()
        inside = catalog.read(connection)
        assert read() == before
        connection.commit()
        connection.autocommit = True
        assert catalog.read(connection) == inside
        assert read() == before


def test_a_snapshot_is_one_round_trip(shared: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(shared, autocommit=True) as connection,
        (tmp_path / "trace").open("w") as trace,
    ):
        connection.pgconn.trace(trace.fileno())
        assert catalog.read(connection)
        connection.pgconn.untrace()
    sent = re.findall(r"^[^\t]*\tF\t\d+\t(\w+)", (tmp_path / "trace").read_text(), re.M)
    assert sent == ["Query"]


def test_a_prepared_query_gives_the_same_bytes(shared: str) -> None:
    """As the suites of mutations read: before a change, within it, after it was taken back."""

    def read(connection: psycopg.Connection[Any]) -> list[list[tuple[str, str]]]:
        found = [list(catalog.read(connection).items())]
        with connection.transaction(force_rollback=True):
            connection.execute(
                """create schema later; create table later.t (id int primary key, made timestamptz);
                drop table public.t cascade; set search_path = later, public"""
            )
            found.append(list(catalog.read(connection).items()))
        return [*found, list(catalog.read(connection).items())]

    with psycopg.connect(shared, autocommit=True) as connection:
        plain = read(connection)
        with facts_prepared():
            assert read(connection) == plain
            assert read(connection) == plain, "prepared before"
            prepared = connection.execute("select name from pg_prepared_statements").fetchall()
    assert prepared == [("the_facts",)]
    assert plain[0] == plain[2] != plain[1]


def test_the_order_of_creation_does_not_show(new_database: NewDatabase, platform: str) -> None:
    statements = [
        "create table public.z (id int primary key, a int)",
        "create table public.a (id int primary key, z int)",
        "create type public.e as enum ('x')",
        "create policy p2 on public.z to authenticated, anon using (true)",
        "create policy p1 on public.z to authenticated using (true)",
        "create index z_idx on public.z (a)",
        "create index a_idx on public.z (a)",
        "grant select on public.z to anon",
        "grant insert on public.z to anon",
    ]
    needed, free = statements[:1], statements[1:]
    one, two = new_database(platform), new_database(platform)
    run(one, ";".join(needed + free))
    run(two, "create table public.gone (); drop table public.gone;" + ";".join(needed + free[::-1]))
    assert dump_lock(facts_of(one)) == dump_lock(facts_of(two))


def test_a_dump_restored_elsewhere_has_the_same_facts(
    database: str,
    new_database: NewDatabase,
    platform: str,
    dump_schema: Callable[[str], str],
) -> None:
    """`pg_dump` is an observer that is not ours; what it carries over must be all that we see."""
    for name in ("policy", "trigger on a platform table", "grant on a column", "partition"):
        run(database, MUTATIONS[name].apply)
    for name in ("rls", "unique", "default privileges", "owner", "aggregate", "operator"):
        run(database, MUTATIONS[name].apply)
    copy = new_database()
    script = "\n".join(
        line for line in dump_schema(database).splitlines() if line != "CREATE SCHEMA public;"
    )
    with psycopg.connect(copy) as connection:
        connection.execute(script.encode())
        # A dump leaves to the extension what the extension brings.
        connection.execute("create table pgmq.q_more (id int)")
        connection.execute("alter extension plpgsql add table pgmq.q_more")
    assert catalog.diff(facts_of(database), facts_of(copy)) == []
