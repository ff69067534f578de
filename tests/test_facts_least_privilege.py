"""A role with few rights reads all the facts, or is told what it may not read."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from conftest import NewDatabase, database_name
from mutations.ground import facts_of
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from service import Service

from twolane.facts import catalog
from twolane.facts.lock import dump_lock

PRIVATE = """
create schema {role}; create schema closed;
create table {role}.mine (id int primary key, secret text default 'mine');
create table closed.other (id int primary key, secret text default 'other' check (secret <> ''));
create view closed.seen as select secret from closed.other;
create function closed.f() returns text language sql security definer
    as 'select secret from closed.other';
create sequence closed.counter;
create type closed.mood as enum ('well', 'unwell');
alter table closed.other enable row level security;
create policy nobody on closed.other to authenticated using (false);
create server closed_server foreign data wrapper nowhere options (host 'db.internal');
create user mapping for {role} server closed_server options (password 'hush');
create user mapping for anon server closed_server options (password 'hush too');
alter table {role}.mine owner to {role};
alter schema {role} owner to {role};
revoke all on schema closed, public from public;
revoke all on all tables in schema closed from public;
alter default privileges in schema closed grant select on tables to anon;
"""


@pytest.fixture(scope="module")
def role(lasting_database: NewDatabase) -> Iterator[str]:
    """A login that is no superuser."""
    name = f"reader_{uuid4().hex[:8]}"
    with psycopg.connect(lasting_database(), autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
    yield name


@pytest.fixture(scope="module")
def database(lasting_database: NewDatabase, ground: str, role: str) -> str:
    """One where the role owns one schema and is shut out of all others."""
    url = lasting_database(ground)
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL(PRIVATE).format(role=sql.Identifier(role)))
    return url


def as_role(url: str, role: str) -> str:
    return url.replace("//postgres:@", f"//{role}:@")


def test_a_role_that_owns_little_reads_every_fact(database: str, role: str) -> None:
    plain, seen = facts_of(database), facts_of(as_role(database, role))
    assert catalog.diff(plain, seen) == []
    assert f"table {role}.mine" in seen and "policy closed.other.nobody" in seen
    assert "user mapping anon on server closed_server" in seen
    with psycopg.connect(as_role(database, role)) as connection, pytest.raises(psycopg.Error):
        connection.execute("select * from closed.other")


def test_no_secret_is_read_by_anybody(database: str, role: str) -> None:
    for url in (database, as_role(database, role)):
        assert "hush" not in dump_lock(facts_of(url))


@pytest.mark.parametrize("table", ["pg_proc", "pg_policy", "pg_trigger", "pg_attribute"])
def test_a_catalog_that_is_closed_to_a_role_is_named(
    table: str, database: str, role: str, new_database: NewDatabase, blank_service: Service
) -> None:
    """Instead of facts without what it holds, which would pass for dropped."""
    url = new_database(database_name(database))
    with psycopg.connect(url) as connection:
        connection.execute(f"revoke select on pg_catalog.{table} from public".encode())
    result = blank_service.invoke("db.snapshot", "--target", as_role(url, role), code=1)
    assert result.out == ""
    assert f"permission denied for table {table}" in result.err
    assert "First:  " in result.err and role not in str(conninfo_to_dict(url))
    assert "table closed.other" in blank_service.invoke("db.snapshot", "--target", url).out


def test_a_role_that_may_not_read_the_ledger_is_told_so(ready_service: Service, role: str) -> None:
    """Without it, every SQL file would look as if it was never applied."""
    service = Service(
        ready_service.folder,
        ready_service.env | {"DATABASE_URL": as_role(ready_service.env["DATABASE_URL"], role)},
    )
    for command in ("db.status", "db.sync", "db.push", "db.apply"):
        result = service.invoke(command, code=1)
        assert "permission denied for schema twolane" in result.err
        assert "Connect as the role that owns the objects" in result.err
    facts = service.invoke("db.snapshot", "--json").out
    assert facts == ready_service.invoke("db.snapshot", "--json").out
    assert service.git("status", "--short") == ""
