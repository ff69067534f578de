"""Complete by construction: no row and no column of any catalog is overlooked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase
from mutations import GROUND, ON_GROUND
from mutations.catalogs import Catalogs, Row
from mutations.exclusions import CATALOGS, COLUMNS, ROWS
from mutations.ground import BY_HAND, lay

from twolane.facts import catalog

pytestmark = pytest.mark.usefixtures("prepared_facts")

RESULT = (Path(catalog.__file__).with_name("sql") / "result.sql").read_bytes()
ADDRESSES = (
    catalog.query().removesuffix(RESULT)
    + b"done as (select 1) select classid::regclass::text, objid, objsubid from fact"
)

WHOLE = {"pg_aggregate": "pg_proc"}  # of which a row without an address is a part


@contextmanager
def undone(connection: psycopg.Connection[Any]) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        yield


def number(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    assert row
    return int(row[0])


def open_database(conninfo: str) -> psycopg.Connection[Any]:
    """Where catalogs may be written to by hand."""
    return psycopg.connect(conninfo, autocommit=True, options="-c allow_system_table_mods=on")


def facts(connection: psycopg.Connection[Any]) -> catalog.Snapshot | None:
    """None where the catalogs contradict each other so much that Postgres gives up."""
    try:
        return catalog.read(connection)
    except psycopg.Error:
        return None


def addresses(connection: psycopg.Connection[Any]) -> set[str]:
    """Of the objects that have a fact; `pg_attribute` is named as its rows are."""
    with undone(connection), connection.cursor() as cursor:
        cursor.execute(ADDRESSES)
        cursor.nextset()
        return {
            f"pg_attribute {objid} {part}" if part else f"{name} {objid}"
            for name, objid, part in cursor.fetchall()
        }


def test_every_row_that_a_user_made_bears_on_the_facts(
    server: Any, new_database: NewDatabase, platform: str
) -> None:
    """A row is taken away; where the facts cannot be read then, it must be one that has a fact."""
    with psycopg.connect(server.get_uri()) as connection:
        start = number(connection, "select pg_current_xact_id()::text")
    overlooked, kinds = [], set()
    with open_database(new_database(lay(new_database, platform, GROUND + BY_HAND))) as connection:
        catalogs = Catalogs(connection, set(CATALOGS))
        before, known = catalog.read(connection), addresses(connection)
        rows = catalogs.rows(start)
        follows = {
            (name, number)
            for name, conditions in ROWS.items()
            for condition in conditions
            for number in catalogs.numbers(name, condition)
        }
        for row in rows:
            kinds.add(row.catalog)
            if (row.catalog, row.number) in follows:
                continue
            with undone(connection):
                connection.execute(
                    f"delete from pg_catalog.{row.catalog} t "
                    f"where {catalogs.number(row.catalog)} = '{row.number}'".encode()
                )
                after = facts(connection)
            if after == before or (
                after is None and f"{WHOLE.get(row.catalog, row.catalog)} {row.number}" not in known
            ):
                overlooked.append((row.catalog, row.name, after is None))
    assert overlooked == []
    assert {column.partition(".")[0] for column in catalogs.columns} - kinds == set()


def test_every_column_that_a_user_can_change_bears_on_the_facts(
    new_database: NewDatabase, platform: str
) -> None:
    """Each mutation's new rows get back what they were before, one column at a time.

    A list that got longer comes after one of the same length, in the order of the mutations: where
    a count and a list contradict each other, Postgres may read beyond the list's end.
    """
    with open_database(new_database(lay(new_database, platform))) as connection:
        catalogs = Catalogs(connection, set(CATALOGS))
        unseen = catalogs.columns - {c for columns in COLUMNS.values() for c in columns.split()}
        before = by_number_and_name(catalogs.rows(0))
        copy_catalogs(connection, catalogs)
        for mutation in ON_GROUND.values():
            if mutation.since * 10_000 > connection.info.server_version:
                continue
            with undone(connection):
                connection.execute(mutation.apply.encode())
                now = number(connection, "select pg_current_xact_id()::text")
                changes = [
                    (old, new, column)
                    for new in catalogs.rows(now)
                    if (
                        old := before.get((new.catalog, new.number))
                        or before.get((new.catalog, new.name))
                    )
                    for column in new.values
                    if f"{new.catalog}.{column}" in unseen
                    and old.values[column] != new.values[column]
                ]
                after = catalog.read(connection) if changes else None
                for old, new, column in changes:
                    with undone(connection):
                        reverted = with_old_value(connection, catalogs, old, new, column)
                    if reverted is not None and reverted != after:
                        unseen.discard(f"{new.catalog}.{column}")
    assert sorted(unseen) == []


def by_number_and_name(rows: list[Row]) -> dict[tuple[str, str], Row]:
    return {(row.catalog, key): row for row in rows for key in (row.name, row.number)}


def copy_catalogs(connection: psycopg.Connection[Any], catalogs: Catalogs) -> None:
    """What a `pg_node_tree` was can be written by no statement, only be copied back."""
    names = {column.partition(".")[0] for column in catalogs.columns}
    for name in names - {"pg_attribute"}:
        connection.execute(
            f"create temp table old_{name} as select * from pg_catalog.{name}".encode()
        )
    columns = [c.partition(".")[2] for c in catalogs.columns if c.startswith("pg_attribute.")]
    kept = ", ".join(column for column in columns if column != "attmissingval")  # pseudo-type
    connection.execute(
        f"create temp table old_pg_attribute as select {kept} from pg_catalog.pg_attribute".encode()
    )


def with_old_value(
    connection: psycopg.Connection[Any], catalogs: Catalogs, old: Row, new: Row, column: str
) -> catalog.Snapshot | None:
    name = new.catalog
    number = catalogs.number(name)
    try:
        with connection.transaction():
            connection.execute(
                f"update pg_catalog.{name} n set {column} = t.{column} from pg_temp.old_{name} t "
                f"where {number} = '{old.number}' "
                f"and {number.replace('t.', 'n.')} = '{new.number}'".encode()
            )
    except psycopg.Error:
        return None
    return facts(connection)
