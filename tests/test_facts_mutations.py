"""Every change is seen, and nothing but what changed is said to have changed.

Each mutation is applied to a database and taken back: the difference must name exactly the facts
concerned, and then none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase
from mutations import ON_GROUND
from mutations.batches import batches, expected, mutate, signs
from mutations.ground import BY_HAND, facts_of, run
from servers import running

from twolane.facts import catalog, identities
from twolane.facts.lock import dump_lock, load_lock

pytestmark = pytest.mark.usefixtures("prepared_facts")

NO_CHANGE = {
    "rows": "insert into public.t (a) values (1)",
    "a sequence's position": "select nextval('public.s')",
    "statistics of rows": "analyze public.t",
    "a policy's dropping and making": """drop policy t_all on public.t;
        create policy t_all on public.t to authenticated using (a = 1)""",
    "the order of columns": """alter table public.typed_later drop a;
        alter table public.typed_later add a int""",
    "a platform table": "create table auth.extra (id int); create index on auth.users (email)",
    "twolane's own schema": "create schema twolane; create table twolane.x (id int)",
    "a temporary table": "create temporary table later (id int)",
    "a setting of the database": "alter role anon set statement_timeout = '3s'",
    "an extension's own objects": """drop extension vector;
        create extension vector with schema extensions""",
}

SUBSCRIPTION = {
    "subowner": "'anon'::regrole",
    "subenabled": "true",
    "subbinary": "true",
    "substream": "'t'",
    "subtwophasestate": "'e'",
    "subdisableonerr": "true",
    "subpasswordrequired": "false",
    "subrunasowner": "true",
    "subfailover": "true",
    "subslotname": "'slot'",
    "subsynccommit": "'on'",
    "subpublications": "'{two}'",
    "suborigin": "'none'",
}
OF_NO_INTEREST = {"oid", "subdbid", "subname", "subconninfo", "subskiplsn"}


@pytest.fixture(scope="module")
def shared(lasting_database: NewDatabase, ground: str) -> str:
    """For tests that leave it as it was."""
    return lasting_database(ground)


@pytest.fixture
def database(new_database: NewDatabase, ground: str) -> str:
    return new_database(ground)


def major(connection: psycopg.Connection[Any]) -> int:
    return connection.info.server_version // 10_000


@pytest.fixture(scope="module")
def connection(lasting_database: NewDatabase, ground: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(lasting_database(ground), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def before(connection: psycopg.Connection[Any]) -> catalog.Snapshot:
    return catalog.read(connection)


@pytest.fixture(scope="module")
def passed(connection: psycopg.Connection[Any], before: catalog.Snapshot) -> set[str]:
    """Mutations that change exactly their facts, and that are undone: seen in batches.

    What is in no batch that shows just the facts of all its mutations is to be looked at alone.
    """
    found: set[str] = set()
    for batch in batches([n for n, m in ON_GROUND.items() if m.since <= major(connection)]):
        with connection.transaction(force_rollback=True), suppress(psycopg.Error):
            made = mutate([connection], batch)
            declared = sorted(c for name in made for c in expected(ON_GROUND[name].facts))
            if signs(catalog.diff(before, catalog.read(connection))) != declared:
                continue
            for name in reversed(made):
                connection.execute(ON_GROUND[name].undo.encode())
            if not catalog.diff(before, catalog.read(connection)):
                found.update(made)
    return found


@pytest.mark.parametrize("name", ON_GROUND)
def test_a_mutation_changes_exactly_its_facts(
    connection: psycopg.Connection[Any], before: catalog.Snapshot, passed: set[str], name: str
) -> None:
    mutation = ON_GROUND[name]
    if major(connection) < mutation.since:
        pytest.skip(f"Postgres {mutation.since} brought it")
    if name in passed:
        return
    with connection.transaction(force_rollback=True):
        connection.execute(mutation.apply.encode())
        assert signs(catalog.diff(before, catalog.read(connection))) == expected(mutation.facts)
        connection.execute(mutation.undo.encode())
        assert catalog.diff(before, catalog.read(connection)) == []


def test_where_the_facts_are_the_same_so_is_the_dump(
    database: str, dump_schema: Callable[[str], str]
) -> None:
    """`pg_dump` is an observer that is not ours: what the facts overlook stays behind in it."""
    dump, facts = dump_schema(database), facts_of(database)
    with psycopg.connect(database, autocommit=True) as connection:
        for mutation in ON_GROUND.values():
            if mutation.since <= major(connection):
                for statements in (mutation.apply, mutation.undo):
                    with connection.transaction():
                        connection.execute(statements.encode())
    assert catalog.diff(facts, facts_of(database)) == []
    assert dump_schema(database).splitlines() == dump.splitlines()


@pytest.mark.parametrize("name", NO_CHANGE)
def test_what_is_no_fact_changes_none(shared: str, name: str) -> None:
    before = facts_of(shared)
    run(shared, NO_CHANGE[name])
    assert catalog.diff(before, facts_of(shared)) == []
    run(shared, "alter role anon reset statement_timeout")


def test_enum_values_are_seen_in_their_order(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter type public.mood add value 'glad' before 'happy'")
    labels = json.loads(facts_of(database)["enum public.mood"])["labels"]
    assert labels == ["sad", "glad", "happy"]


def test_an_invalid_index_is_seen(database: str) -> None:
    run(database, "insert into public.t (b) values ('x'), ('x')")
    with (
        psycopg.connect(database, autocommit=True) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute("create unique index concurrently t_b_key on public.t (b)")
    assert json.loads(facts_of(database)["index public.t.t_b_key"])["invalid"] is True


def test_a_user_mappings_password_is_in_no_fact(database: str) -> None:
    run(database, "create user mapping for anon server elsewhere options (password 'hush')")
    assert "hush" not in dump_lock(facts_of(database))


def test_every_option_of_a_subscription_is_seen(
    connection: psycopg.Connection[Any], before: catalog.Snapshot
) -> None:
    """Set by hand: most of them ask for a slot, or for a worker that connects."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local allow_system_table_mods = on")
        connection.execute(
            """create subscription nothing connection 'password=hush' publication one
            with (connect = false, slot_name = none)"""
        )
        columns = connection.execute("select * from pg_subscription").description
        assert columns
        plain = catalog.read(connection)
        assert signs(catalog.diff(before, plain)) == ["+ subscription nothing"]
        assert "hush" not in plain["subscription nothing"]
        for column in [column.name for column in columns if column.name not in OF_NO_INTEREST]:
            with connection.transaction(force_rollback=True):
                connection.execute(
                    f"update pg_subscription set {column} = {SUBSCRIPTION[column]}".encode()
                )
                changes = catalog.diff(plain, catalog.read(connection))
            fact = "+ owner subscription" if column == "subowner" else "~ subscription"
            assert signs(changes) == [f"{fact} nothing"], column


def test_a_security_label_is_seen(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(BY_HAND)
        assert catalog.read(connection)["security label table public.t for x"] == '{"label":"y"}'


def test_collations_of_icu_are_seen() -> None:
    """The embedded servers are built without ICU; Debian's has it."""
    create = "create collation public.c (provider = icu, locale = '%s', deterministic = %s)"
    with (
        running(15) as server,
        psycopg.connect(server.new_database(), autocommit=True) as connection,
    ):
        seen = set()
        for values in (("de", "true"), ("fr", "true"), ("de", "false")):
            connection.execute((create % values).encode())
            seen.add(catalog.read(connection)["collation public.c"])
            connection.execute("drop collation public.c")
    assert len(seen) == 3


def test_every_relation_in_a_database_is_recognised(shared: str) -> None:
    """No kind of fact, however named, throws the functions over identities off."""
    for identity in facts_of(shared):
        relation = identities.relation(identity)
        assert relation is None or len(identities.split_name(relation)) == 2, identity
        assert identity.startswith(identities.kind(identity)), identity


def test_the_lock_file_of_a_real_database_round_trips(shared: str) -> None:
    facts = facts_of(shared)
    text = dump_lock(facts)
    assert load_lock(text) == facts
    assert dump_lock(load_lock(text)) == text
    assert len(text.splitlines()) == len(facts) + 5, "one fact a line"
