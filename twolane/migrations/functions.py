"""Functions whose bodies a revision breaks: Postgres looks at a body of text when it is called.

A body in SQL is checked by defining the function once more; one in PL/pgSQL by `plpgsql_check`,
where the server has that extension.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from twolane import blocks
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

_FUNCTIONS = """
select p.oid, l.lanname, pg_catalog.pg_get_functiondef(p.oid), i.type || ' ' || i.identity,
    p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
from pg_catalog.pg_proc p
join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname in ('sql', 'plpgsql')
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'twolane')
cross join lateral pg_catalog.pg_identify_object(
    'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0) i
where p.prokind in ('f', 'p') and not exists (
    select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid
        and d.deptype = 'e')
order by 4
"""


def faults(connection: Connection[Any]) -> Mapping[str, str]:
    """Function, as its fact's identity → why its body does not fit; changes nothing."""
    check = ask(
        connection,
        "select pg_catalog.quote_ident(n.nspname) from pg_catalog.pg_extension e "
        "join pg_catalog.pg_namespace n on n.oid = e.extnamespace "
        "where e.extname = 'plpgsql_check'",
    ).fetchone()
    found = {}
    for oid, language, definition, name, is_trigger in ask(connection, _FUNCTIONS).fetchall():
        if language == "sql":
            fault = _redefined(connection, definition)
        elif check and not is_trigger:
            fault = _checked(connection, oid, check[0])
        else:
            continue
        if fault:
            found[name] = fault
    return found


_BODIES = """
select i.type || ' ' || i.identity, p.prosrc
from pg_catalog.pg_proc p
join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'twolane')
cross join lateral pg_catalog.pg_identify_object(
    'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0) i
order by 1
"""


def mentions(
    connection: Connection[Any], names: Collection[tuple[str, str | None]]
) -> Mapping[str, str]:
    """PL/pgSQL function → a table or column that its body names, as `table` or `table.column`.

    names: (table, column or None) without schema. A body is text: whether it means just that table
    is for a person to say.
    """
    found: dict[str, str] = {}
    if not names:
        return found
    for function, body in ask(connection, _BODIES):
        words = set(re.findall(r"\w+", blocks.uncommented(body)))
        for table, column in sorted(names, key=str):
            if table in words and (column is None or column in words):
                found.setdefault(function, f"{table}.{column}" if column else table)
    return found


def _redefined(connection: Connection[Any], definition: str) -> str | None:
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            connection.execute("set local check_function_bodies = on")
            connection.execute(definition.encode())
    except psycopg.Error as error:
        return error.diag.message_primary or str(error)
    return None


def _checked(connection: Connection[Any], oid: int, schema: str) -> str | None:
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            rows = connection.execute(
                f"select {schema}.plpgsql_check_function("
                "%s::pg_catalog.oid::pg_catalog.regprocedure)".encode(),
                (oid,),
            ).fetchall()
    except psycopg.Error as error:
        return error.diag.message_primary or str(error)
    return next((text for (text,) in rows if text.startswith("error:")), None)
