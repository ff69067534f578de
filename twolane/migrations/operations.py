"""What revisions call beside Alembic's operations: for large tables, in online revisions.

from twolane.migrations.operations import backfill, set_not_null
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.migrations import backfills
from twolane.sql import bound, ident, quoted

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The first major that knows `NOT NULL … NOT VALID` (release notes of 18, E.6.3.4.1).
_NOT_VALID = 18


def backfill(
    table: str,
    values: Mapping[str, str],
    *,
    where: str = "",
    schema: str = "public",
    key: Sequence[str] = (),
    batch: int = 1000,
    pause: float = 0.1,
) -> None:
    """Fills columns of the rows that are there, in an online revision batch by batch.

    values: column → SQL expression. where: the rows that are meant, as SQL; that lets it run again.
    key: the columns by which it goes on, by default those of the primary key; none may be null.
    batch: so many rows are looked at in one transaction. pause: seconds between two of them.

    Raises:
        Failure: the table has no primary key, and no `key` is given, or one that may be null.
    """
    from alembic import op

    name = quoted((schema, table))
    if may_be_null := _nullable(op.get_bind(), name, key):
        raise Failure(
            f"{table}.{may_be_null[0]} may be null, and a backfill would pass over such rows.",
            'Go on by columns that are NOT NULL, and unique together: backfill(…, key=["id"]).',
        )
    columns = [ident(column) for column in key] or _primary_key(op.get_bind(), name)
    if not columns:
        raise Failure(
            f"{table} has no primary key by which a backfill could go on.",
            'Give it columns that are unique together: backfill(…, key=["id"]).',
        )
    assigned = ", ".join(f"{ident(column)} = {value}" for column, value in values.items())
    update = f"update {name} set {assigned}" + (f" where {where}" if where else "")
    op.execute(bound(backfills.Backfill(tuple(columns), batch, pause, name, update).text))


def set_not_null(table: str, column: str, *, schema: str = "public") -> None:
    """Sets a column NOT NULL; in an online revision nobody waits while its rows are read.

    A constraint comes NOT VALID and is validated: on 18 the NOT NULL itself, before a check, which
    spares SET NOT NULL the reading (manual, ALTER TABLE) and goes afterwards.
    """
    from alembic import op

    name, place = quoted((schema, table)), ident(column)
    if _major(op) >= _NOT_VALID:
        constraint = ident(f"{table}_{column}_not_null")
        op.execute(f"alter table {name} add constraint {constraint} not null {place} not valid")
        op.execute(f"alter table {name} validate constraint {constraint}")
        return
    constraint = ident(f"{table}_{column}_is_not_null"[:63])
    check = f"check ({place} is not null) not valid"
    op.execute(f"alter table {name} add constraint {constraint} {check}")
    op.execute(f"alter table {name} validate constraint {constraint}")
    op.execute(f"alter table {name} alter column {place} set not null")
    op.execute(f"alter table {name} drop constraint {constraint}")


def _major(op: Any) -> int:
    """The older of the server's major version and the target's: see `online.observe`."""
    server = int(op.get_bind().dialect.server_version_info[0])
    return min(server, int(op.get_context().config.attributes.get("major") or server))


def _nullable(bind: Connection, table: str, key: Sequence[str]) -> list[str]:
    rows = bind.exec_driver_sql(
        "select pg_catalog.quote_ident(a.attname) from pg_catalog.pg_attribute a "
        "join pg_catalog.pg_type t on t.oid = a.atttypid "
        "where a.attrelid = pg_catalog.to_regclass(%(table)s) "
        "and a.attname = any(%(key)s::pg_catalog.text[]) and not (a.attnotnull or t.typnotnull)",
        {"table": table, "key": list(key)},
    )
    return [str(column) for (column,) in rows]


def _primary_key(bind: Connection, table: str) -> list[str]:
    rows = bind.exec_driver_sql(
        "select pg_catalog.quote_ident(a.attname) from pg_catalog.pg_index x "
        "join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = any(x.indkey) "
        "where x.indisprimary and x.indrelid = pg_catalog.to_regclass(%(table)s) "
        "order by pg_catalog.array_position(x.indkey::pg_catalog.int2[], a.attnum)",
        {"table": table},
    )
    return [str(column) for (column,) in rows]
