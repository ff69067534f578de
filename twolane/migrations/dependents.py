"""Objects of lane A that stand on the app's tables, and are in a revision's way.

Postgres drops no column or table, and changes no type, while a view, policy, trigger or function
depends on it (its error 2BP01, or 0A000 for a type). What an SQL file makes can be dropped and made
again by running the file, in the revision's own transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import RELATION_KINDS
from twolane.postgres import supautils
from twolane.postgres.transactions import ask, theirs
from twolane.sql import quoted, readable_statements

if TYPE_CHECKING:
    from psycopg import Connection


class InTheWay(Failure):
    """Postgres refuses a statement because other objects depend on what it changes."""


def is_in_the_way(sqlstate: str | None, message: str) -> bool:
    """Whether this is Postgres's refusal for the sake of dependent objects.

    The second: ATPrepAlterColumnType and its like in src/backend/commands/tablecmds.c.
    """
    return sqlstate == "2BP01" or (
        sqlstate == "0A000" and message.startswith("cannot alter type of a column used ")
    )


def changed_in(statement: str, facts: Snapshot) -> str | None:
    """The first table or view among the facts that the statement drops or alters."""
    for each in readable_statements(statement):
        node, kind = each.node, type(each.node).__name__
        names: list[list[str]] = []
        if kind == "DropStmt":
            listed = (parts for parts in node.objects if isinstance(parts, tuple))
            names = [[part.sval for part in parts] for parts in listed]
        elif kind == "AlterTableStmt":
            names = [[node.relation.schemaname or "public", node.relation.relname]]
        for parts in names:
            name = quoted(parts if len(parts) > 1 else ["public", *parts])
            if any(f"{known} {name}" in facts for known in RELATION_KINDS):
                return name
    return None


# A view depends on a table by way of its rule; what hangs on the view follows.
_DEPENDENTS = """
with recursive dependent (classid, objid) as (
    select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, o
    from pg_catalog.unnest(%s::pg_catalog.oid[]) o
    union
    select e.classid, e.objid
    from dependent p
    cross join lateral (
        select d.classid, d.objid
        from pg_catalog.pg_depend d
        where d.refclassid = p.classid and d.refobjid = p.objid and d.deptype in ('n', 'a', 'i')
            and d.classid in (
                'pg_catalog.pg_rewrite'::pg_catalog.regclass,
                'pg_catalog.pg_policy'::pg_catalog.regclass,
                'pg_catalog.pg_trigger'::pg_catalog.regclass,
                'pg_catalog.pg_proc'::pg_catalog.regclass)
        union all
        select 'pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class
        from pg_catalog.pg_rewrite w
        where p.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and w.oid = p.objid
    ) e
)
select case
    when c.relkind = 'v' then 'view' when c.relkind = 'm' then 'materialized view'
    when p.oid is not null then 'policy' when t.oid is not null then 'trigger'
    when f.prokind = 'p' then 'procedure' else 'function' end,
    pg_catalog.quote_ident(coalesce(p.polname, t.tgname)),
    case when f.oid is not null
        then (select identity from pg_catalog.pg_identify_object(l.classid, l.objid, 0))
        else pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(r.relname) end
from dependent l
left join pg_catalog.pg_class c on l.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and c.oid = l.objid and c.relkind in ('v', 'm')
left join pg_catalog.pg_policy p on l.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
    and p.oid = l.objid
left join pg_catalog.pg_trigger t on l.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
    and t.oid = l.objid and not t.tgisinternal
left join pg_catalog.pg_proc f on l.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    and f.oid = l.objid
left join pg_catalog.pg_class r on r.oid = coalesce(c.oid, p.polrelid, t.tgrelid)
left join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where coalesce(c.oid, p.oid, t.oid, f.oid) is not null
order by 1, 2, 3
"""


def drop(
    connection: Connection[Any], tables: Collection[str], made_by_files: Collection[str]
) -> Sequence[str]:
    """Drops what SQL files made on these tables; returns the statements in the order that ran.

    tables: as `schema.name`. made_by_files: identities of facts; nothing else is dropped.
    """
    oids = [
        oid
        for table in tables
        for (oid,) in ask(connection, "select pg_catalog.to_regclass(%s)::pg_catalog.oid", (table,))
        if oid
    ]
    found = ask(connection, _DEPENDENTS, (oids,)).fetchall()
    waiting = list(
        dict.fromkeys(
            _statement(kind, name, place)
            for kind, name, place in found
            if _identity(kind, name, place) in made_by_files
        )
    )
    ran: list[str] = []
    with theirs(connection):
        while waiting:
            now = [statement for statement in waiting if _runs(connection, statement)]
            if not now:
                break
            ran += now
            waiting = [statement for statement in waiting if statement not in now]
    return ran


def _runs(connection: Connection[Any], statement: str) -> bool:
    import psycopg

    try:
        with connection.transaction():
            connection.execute(supautils.raised(connection, statement).encode())
    except psycopg.errors.DependentObjectsStillExist:
        return False
    return True


def _identity(kind: str, name: str | None, place: str) -> str:
    return f"{kind} {place}.{name}" if name else f"{kind} {place}"


def _statement(kind: str, name: str | None, place: str) -> str:
    return f"drop {kind} if exists {name} on {place}" if name else f"drop {kind} if exists {place}"
