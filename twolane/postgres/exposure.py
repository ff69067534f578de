"""What is new begins closed to the roles of Supabase's data API, whatever a database grants.

An older Supabase project grants `anon` everything on each new table, so what no file opens is
closed on the database itself, at the end of the transaction that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twolane.postgres.transactions import ask, theirs

if TYPE_CHECKING:
    from psycopg import Connection

# Relations in schemas that the data API's roles may use, or everywhere. An extension's are the
# extension's.
_RELATIONS = """
with exposed as materialized (
    select n.oid, pg_catalog.quote_ident(n.nspname) as name
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'twolane')
        and (%(everywhere)s or exists (
            select from pg_catalog.pg_roles r
            where r.rolname in ('anon', 'authenticated')
                and pg_catalog.has_schema_privilege(r.oid, n.oid, 'usage')))
),
relation as (
    select
        c.oid, c.relkind, n.name || '.' || pg_catalog.quote_ident(c.relname) as name,
        c.relkind in ('r', 'p') as is_table, c.relrowsecurity,
        coalesce(pg_catalog.array_to_string(c.reloptions, ' ')
            ~* 'security_invoker=(true|on|yes|1)', false) as is_invoker
    from pg_catalog.pg_class c
    join exposed n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'v', 'm')
        and not exists (
            select from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid
                and d.deptype = 'e')
)
"""
_EXPOSED = {"everywhere": False}
_TABLES = "select oid, name, relrowsecurity from relation where is_table order by name"
# What a role of the API can read or write, and what no policy limits.
_OPEN = """
select oid, name from relation c
where not (is_table and relrowsecurity) and not (relkind = 'v' and is_invoker)
    and exists (
        select from pg_catalog.pg_roles r
        where r.rolname in ('anon', 'authenticated')
            and (pg_catalog.has_table_privilege(r.oid, c.oid, 'select, insert, update, delete')
                or pg_catalog.has_any_column_privilege(r.oid, c.oid, 'select, insert, update')))
order by name
"""
# Whose privileges on an object are the API's: its roles, and those that they inherit from.
_GRANTEES = """
select distinct case a.grantee when 0 then 'public'
    else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end
from ({held}) as held (acl)
cross join lateral pg_catalog.aclexplode(held.acl) a
where a.grantee = 0 or exists (
    select from pg_catalog.pg_roles r
    where r.rolname in ('anon', 'authenticated')
        and pg_catalog.pg_has_role(r.oid, a.grantee, 'usage'))
order by 1
"""
_OF_RELATION = """
select relacl from pg_catalog.pg_class where oid = %(oid)s
union all
select attacl from pg_catalog.pg_attribute where attrelid = %(oid)s
"""
_OF_FUNCTION = """
select coalesce(proacl, pg_catalog.acldefault('f', proowner))
from pg_catalog.pg_proc where oid = %(oid)s
"""
# Functions that run with their owner's rights, which a role of the API can call: past all policies.
_OPEN_FUNCTIONS = """
select p.oid, case p.prokind when 'p' then 'procedure ' else 'function ' end
    || n.name || '.' || pg_catalog.quote_ident(p.proname)
    || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' as name
from pg_catalog.pg_proc p
join exposed n on n.oid = p.pronamespace
where p.prosecdef and p.prorettype <> all (
        array['pg_catalog.trigger', 'pg_catalog.event_trigger']::pg_catalog.regtype[])
    and not exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid
            and d.deptype = 'e')
    and exists (
        select from pg_catalog.pg_roles r
        where r.rolname in ('anon', 'authenticated')
            and pg_catalog.has_function_privilege(r.oid, p.oid, 'execute'))
order by name
"""


def tables(connection: Connection[Any]) -> frozenset[int]:
    """The OIDs of the tables in schemas that the API's roles may use."""
    return frozenset(oid for oid, _, _ in ask(connection, _RELATIONS + _TABLES, _EXPOSED))


def open_relations(connection: Connection[Any], everywhere: bool = False) -> dict[str, int]:
    """The relations whose rows a role of the API can reach and no policy limits, with their OIDs.

    everywhere: also those in schemas that no role of the API may use: granted all the same.
    """
    found = ask(connection, _RELATIONS + _OPEN, {"everywhere": everywhere})
    return {name: oid for oid, name in found}


def open_functions(connection: Connection[Any]) -> dict[str, int]:
    """The functions that a role of the API can call and that run with their owner's rights, as
    `function schema.name(arguments)`, with their OIDs."""
    found = ask(connection, _RELATIONS + _OPEN_FUNCTIONS, _EXPOSED)
    return {name: oid for oid, name in found}


def closed_tables(connection: Connection[Any], before: Collection[int]) -> list[str]:
    """The tables that are not among `before` and have RLS, by whatever it was enabled."""
    found = ask(connection, _RELATIONS + _TABLES, _EXPOSED).fetchall()
    return [name for oid, name, has_rls in found if oid not in before and has_rls]


def close_tables(connection: Connection[Any], before: Collection[int]) -> Iterator[str]:
    """Enables RLS on tables that are not among `before`, as the starter's event trigger does.

    Yields what it closes.
    """
    for oid, name, has_rls in ask(connection, _RELATIONS + _TABLES, _EXPOSED).fetchall():
        if oid not in before and not has_rls:
            _run(connection, f"alter table {name} enable row level security")
            yield name


def take_back(
    connection: Connection[Any],
    before: Collection[str],
    said: Callable[[str], Sequence[str] | None] = lambda name: (),
) -> Iterator[str]:
    """Revokes what the API's roles have on relations that were not open `before`.

    said: as in `limit`. Yields what it closes, with nothing said of it.
    """
    for name, statements in limit(connection, before, said):
        if len(statements) == 1:
            yield name


def limit(
    connection: Connection[Any],
    before: Collection[str],
    said: Callable[[str], Sequence[str] | None] = lambda name: (),
) -> Iterator[tuple[str, Sequence[str]]]:
    """Leaves the API's roles what is said, on relations that were not open `before`.

    said: relation → the statements that grant what it is meant to have, which run again; None if it
    is meant as it is. Yields such a relation, and what ran: a revoke, and those statements.
    """
    for name, oid in open_relations(connection).items():
        if name in before or (statements := said(name)) is None:
            continue
        revoke = f"revoke all on table {name} from {_grantees(connection, _OF_RELATION, oid)}"
        _run(connection, revoke, *statements)
        yield name, [revoke, *statements]


def take_back_functions(connection: Connection[Any], before: Collection[str]) -> Iterator[str]:
    """Revokes what the API's roles have on such functions that were not open `before`.

    Yields the statements that ran.
    """
    for name, oid in open_functions(connection).items():
        if name not in before:
            revoke = f"revoke all on {name} from {_grantees(connection, _OF_FUNCTION, oid)}"
            _run(connection, revoke)
            yield revoke


def _grantees(connection: Connection[Any], held: str, oid: int) -> str:
    rows = ask(connection, _GRANTEES.format(held=held), {"oid": oid})
    return ", ".join(role for (role,) in rows)


def _run(connection: Connection[Any], *statements: str) -> None:
    with theirs(connection):  # whose event triggers fire
        for statement in statements:
            connection.execute(statement.encode())
