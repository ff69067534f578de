"""What a statement outside transactions leaves when it is cut short, and the way on from there.

Postgres manual: CREATE INDEX, "Building Indexes Concurrently"; REINDEX, "Rebuilding Indexes
Concurrently"; ALTER TABLE, DETACH PARTITION.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twolane.postgres.transactions import ask
from twolane.sql import ident, quoted, readable_statements

if TYPE_CHECKING:
    from psycopg import Connection

_INDEX = """
select x.indisvalid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(i.relname)
from pg_catalog.pg_class i
join pg_catalog.pg_index x on x.indexrelid = i.oid
join pg_catalog.pg_namespace n on n.oid = i.relnamespace
join pg_catalog.pg_class t on t.oid = x.indrelid
where i.relname = %s and i.relnamespace = t.relnamespace and t.oid = %s
"""
_REBUILT = """
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(i.relname)
from pg_catalog.pg_index x
join pg_catalog.pg_class i on i.oid = x.indexrelid
join pg_catalog.pg_namespace n on n.oid = i.relnamespace
where not x.indisvalid and i.relname ~ '_cc(new|old)[0-9]*$'
    and (x.indrelid = %(oid)s
        or x.indrelid = (select indrelid from pg_catalog.pg_index where indexrelid = %(oid)s))
order by 1
"""
_DETACHING = """
select inhdetachpending from pg_catalog.pg_inherits where inhparent = %s and inhrelid = %s
"""


def way_to(connection: Connection[Any], sql: str) -> list[str]:
    """The statements that bring about what `sql` does, whatever of it is there already."""
    node = _only(sql)
    match type(node).__name__:
        case "IndexStmt" if node.concurrent and node.idxname:
            return _index(connection, node, sql)
        case "DropStmt" if node.concurrent:
            names = [_name([part.sval for part in each]) for each in node.objects]
            return [sql] if any(_oid(connection, name) for name in names) else []
        case "ReindexStmt" if node.relation is not None:
            return [*left_by(connection, sql), sql]
        case "AlterTableStmt" if (child := _detached(node)) is not None:
            return _detach(connection, _relation(node.relation), child, sql)
    return [sql]


def is_known(sql: str) -> bool:
    """Whether it is a statement outside transactions that changes what facts show, or nothing."""
    node = _only(sql)
    match type(node).__name__:
        case "IndexStmt" | "DropStmt":
            return bool(node.concurrent)
        case "ReindexStmt" | "VacuumStmt":
            return True
        case "AlterTableStmt":
            return _detached(node) is not None
    return False


def left_by(connection: Connection[Any], sql: str) -> list[str]:
    """The statements that take away what a try of `sql` left invalid."""
    node = _only(sql)
    match type(node).__name__:
        case "IndexStmt" if node.concurrent and node.idxname:
            rows = _indexes(connection, node)
            return [f"drop index concurrently {name}" for valid, name in rows if not valid]
        case "ReindexStmt" if node.relation is not None:
            oid = _oid(connection, _relation(node.relation))
            rows = ask(connection, _REBUILT, {"oid": oid}).fetchall()
            return [f"drop index concurrently if exists {name}" for (name,) in rows]
    return []


def _only(sql: str) -> Any:
    """The statement, parsed; None where it is not one that can be read."""
    found = readable_statements(sql)
    return found[0].node if len(found) == 1 else None


def _index(connection: Connection[Any], node: Any, sql: str) -> list[str]:
    """An index that is there and valid is the one: the facts are compared at the end."""
    rows = _indexes(connection, node)
    if any(valid for valid, _ in rows):
        return []
    return [*(f"drop index concurrently {name}" for _, name in rows), sql]


def _indexes(connection: Connection[Any], node: Any) -> Sequence[tuple[bool, str]]:
    table = _oid(connection, _relation(node.relation))
    return ask(connection, _INDEX, (node.idxname, table)).fetchall()


def _detached(node: Any) -> str | None:
    for command in node.cmds:
        if command.subtype.name == "AT_DetachPartition" and command.def_.concurrent:
            return _relation(command.def_.name)
    return None


def _detach(connection: Connection[Any], parent: str, child: str, sql: str) -> list[str]:
    oids = _oid(connection, parent), _oid(connection, child)
    row = ask(connection, _DETACHING, oids).fetchone()
    if row is None:
        return []
    return [f"alter table {parent} detach partition {child} finalize"] if row[0] else [sql]


def _oid(connection: Connection[Any], name: str) -> int | None:
    """The relation of that name; one without a schema is looked for as Postgres does it for the
    statement itself."""
    row = connection.execute(
        "select pg_catalog.to_regclass(%s)::pg_catalog.oid", (name,)
    ).fetchone()
    return row[0] if row else None


def _relation(node: Any) -> str:
    return _name([part for part in (node.schemaname, node.relname) if part])


def _name(parts: Sequence[str]) -> str:
    return quoted(parts) if len(parts) > 1 else ident(parts[0])
