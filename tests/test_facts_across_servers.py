"""The same SQL gives the same facts on every major, in every encoding, and out of a dump."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
import shared_schemas
from conftest import BOOTSTRAP, PLATFORM, SQL, NewDatabase, database_name
from mutations import GROUND, MUTATIONS
from mutations.batches import batches, expected, mutate, signs
from mutations.ground import facts_of
from prepared import facts_prepared
from psycopg import sql
from servers import PostgresServer, Server, has_vector, programs
from service import Service

from twolane.facts import catalog, views
from twolane.facts.lock import dump_lock

TORTURE = Path(__file__).parent / "schemas/torture.sql"
SCHEMAS = ["ground", "nine_files", "torture", *shared_schemas.NAMES]


def scripts(name: str, major: int) -> list[bytes]:
    """A schema as scripts, a transaction each; skips what is not here or that major can't take."""
    if name == "ground":
        return [PLATFORM.read_bytes(), GROUND.encode()]
    if name == "nine_files":
        needs = "01_extensions_and_vector.sql"
        files = [n for n in BOOTSTRAP if n != needs or has_vector(major)]
        return [PLATFORM.read_bytes(), *((SQL / n).read_bytes() for n in files)]
    if name == "torture":
        if not has_vector(major):
            pytest.skip(f"this Postgres {major} has no pgvector, whose types the columns have")
        return [PLATFORM.read_bytes(), TORTURE.read_bytes()]
    return [PLATFORM.read_bytes(), shared_schemas.script(name, major)]


def load(url: str, parts: list[bytes]) -> str:
    for part in parts:
        with psycopg.connect(url) as connection:
            connection.execute(part)
    return url


def settled(url: str, facts: catalog.Snapshot, like: catalog.Snapshot) -> catalog.Snapshot:
    with psycopg.connect(url, autocommit=True) as connection:
        return views.settle(facts, like, lambda: nullcontext(connection))


@pytest.fixture(params=["fifteen", "sixteen", "seventeen"])
def older(request: pytest.FixtureRequest) -> Server:
    server = request.getfixturevalue(request.param)
    assert isinstance(server, Server)
    return server


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_has_the_same_facts_on_every_major(
    name: str, older: Server, new_database: NewDatabase
) -> None:
    parts = scripts(name, older.major)
    old, new = load(older.new_database(platform=False), parts), load(new_database(), parts)
    one, two = facts_of(old), facts_of(new)
    if older.major > 15:
        assert dump_lock(one) == dump_lock(two)
    assert catalog.diff(settled(new, one, two), two) == []


@pytest.mark.parametrize("older", ["fifteen", "sixteen"], indirect=True)
def test_a_mutation_has_the_same_facts_on_every_major(
    older: Server, new_database: NewDatabase
) -> None:
    """Made in batches, each of which has to show every fact that its mutations change; or alone."""
    parts = scripts("ground", older.major)
    old, new = load(older.new_database(platform=False), parts), load(new_database(), parts)
    differing: dict[str, list[str]] = {}
    seen = []
    with facts_prepared(), psycopg.connect(old) as older_one, psycopg.connect(new) as newer:
        before = catalog.read(newer)
        todo = batches([name for name, m in MUTATIONS.items() if m.since <= older.major])
        while todo:
            batch = todo.pop()
            with (
                older_one.transaction(force_rollback=True),
                newer.transaction(force_rollback=True),
            ):
                made = mutate([older_one, newer], batch)
                two = catalog.read(newer)
                one = views.settle(catalog.read(older_one), two, lambda: nullcontext(newer))
            declared = sorted(c for name in made for c in expected(MUTATIONS[name].facts))
            if len(batch) > 1 and signs(catalog.diff(before, two)) != declared:
                todo += [[name] for name in batch]
                continue
            todo += [[name] for name in batch if name not in made]
            seen += made
            if told := signs(catalog.diff(one, two)):
                differing[", ".join(made)] = told
    assert differing == {}
    assert sorted(seen) == sorted(n for n, m in MUTATIONS.items() if m.since <= older.major)


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("where", ["fifteen", "sixteen", "newest"])
def test_a_dump_restored_elsewhere_has_the_same_facts(
    name: str,
    where: str,
    request: pytest.FixtureRequest,
    new_database: NewDatabase,
    server: PostgresServer,
) -> None:
    """`pg_dump` is an observer that is not ours: what it carries over must be all that we see."""
    if where == "newest":
        tools = Path(server.bin_path)
        with psycopg.connect(new_database()) as connection:
            major = connection.info.server_version // 10_000
        original, copy = new_database(), new_database("template0")
    else:
        older: Server = request.getfixturevalue(where)
        major, tools = older.major, programs(older.major)
        original, copy = older.new_database(platform=False), older.new_database(platform=False)
    load(original, scripts(name, major))
    dump = [str(tools / "pg_dump"), "--schema-only", f"--dbname={original}"]
    restore = [str(tools / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
    text = subprocess.run(dump, check=True, capture_output=True).stdout
    text = text.replace(b"CREATE SCHEMA public;", b"")  # every new database has it
    done = subprocess.run(
        [*restore, f"--dbname={copy}"], input=text, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert catalog.diff(facts_of(original), facts_of(copy)) == []


@pytest.mark.parametrize(
    "options",
    [
        "encoding 'UTF8' locale 'C'",
        "encoding 'UTF8' locale_provider icu icu_locale 'de-AT' locale 'C'",
        "encoding 'SQL_ASCII' locale 'C'",
        "encoding 'LATIN1' locale 'C'",
    ],
)
def test_the_facts_are_the_same_in_every_encoding_and_locale(
    options: str, request: pytest.FixtureRequest, new_database: NewDatabase
) -> None:
    umlauts = "create table public.\"größe\" (é text default 'ß' check (é <> 'Ä'))"
    if "icu" in options:  # the embedded servers are built without ICU; Debian's has it
        fifteen: Server = request.getfixturevalue("fifteen")
        plain, other = fifteen.new_database(platform=False), fifteen.new_database(platform=False)
    else:
        plain, other = new_database(), new_database()
    name = database_name(other)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("create database {} template template0 ").format(sql.Identifier(name))
            + sql.SQL(options)
        )
    for url in (plain, other):
        with psycopg.connect(url, client_encoding="utf8") as connection:
            connection.execute(umlauts)
    with psycopg.connect(other, client_encoding="utf8", autocommit=True) as connection:
        assert catalog.read(connection) == facts_of(plain)


def test_a_clients_encoding_does_not_reach_the_facts(
    service: Service,
) -> None:
    service.sql("alter table public.contacts add \"größe\" text default '→'")
    plain = service.invoke("db.snapshot", "--json").out
    assert "größe" in plain and "→" in plain
    assert service.invoke("db.snapshot", "--json", PGCLIENTENCODING="LATIN1").out == plain
    url = service.env["DATABASE_URL"] + "&client_encoding=LATIN1"
    assert service.invoke("db.snapshot", "--json", "--target", url).out == plain
