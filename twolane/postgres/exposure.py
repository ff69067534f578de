"""What is new begins closed to the roles of Supabase's data API, whatever a database grants.

An older Supabase project grants `anon` everything on each new table, so what no file opens is
closed on the database itself, at the end of the transaction that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
# What a role of the API can read or write, and what no policy limits.
_OPEN = """
select oid, name from relation c
where not (is_table and relrowsecurity) and not (relkind = 'v' and is_invoker)
    and exists (
        select from pg_catalog.pg_roles r
        where r.rolname in ('anon', 'authenticated')
            and (pg_catalog.has_table_privilege(r.oid, c.oid, 'select, insert, update, delete')
                or pg_catalog.has_any_column_privilege(r.oid, c.oid, 'select, insert, update')))
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
# Beside these, functions that run with their owner's rights, which a role of the API can call: past
# all policies.
_REACH = f"""
select 'table', oid, name, relrowsecurity from relation where is_table
union all
select 'relation', oid, name, null from ({_OPEN}) open
union all
select 'function', p.oid, case p.prokind when 'p' then 'procedure ' else 'function ' end
    || n.name || '.' || pg_catalog.quote_ident(p.proname)
    || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')', null
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
order by 3
"""


@dataclass(frozen=True)
class Reach:
    """What a role of the API might reach, or can.

    tables: OID → name, row level security, of those in schemas that the roles may use. relations:
    name → OID, where rows can be reached and no policy limits them. functions: the same for those
    that run with their owner's rights, as `function schema.name(arguments)`.
    """

    tables: Mapping[int, tuple[str, bool]]
    relations: Mapping[str, int]
    functions: Mapping[str, int]

    def since(self, before: Reach) -> Reach:
        """What was not there before."""
        return Reach(
            {oid: table for oid, table in self.tables.items() if oid not in before.tables},
            {name: oid for name, oid in self.relations.items() if name not in before.relations},
            {name: oid for name, oid in self.functions.items() if name not in before.functions},
        )


def look(connection: Connection[Any]) -> Reach:
    """Reads in one query what a role of the API might reach."""
    tables, relations, functions = dict[int, tuple[str, bool]](), dict[str, int](), dict[str, int]()
    for what, oid, name, has_rls in ask(connection, _RELATIONS + _REACH, {"everywhere": False}):
        match what:
            case "table":
                tables[oid] = (name, has_rls)
            case "relation":
                relations[name] = oid
            case _:
                functions[name] = oid
    return Reach(tables, relations, functions)


def open_relations(connection: Connection[Any], everywhere: bool = False) -> dict[str, int]:
    """The relations whose rows a role of the API can reach and no policy limits, with their OIDs.

    everywhere: also those in schemas that no role of the API may use: granted all the same.
    """
    question = f"{_RELATIONS}{_OPEN}order by name"
    return {name: oid for oid, name in ask(connection, question, {"everywhere": everywhere})}


def opened_since(connection: Connection[Any], before: Collection[str]) -> dict[str, int]:
    """The open relations that were not open `before`."""
    return {n: oid for n, oid in open_relations(connection).items() if n not in before}


def close_tables(connection: Connection[Any], made: Reach) -> Iterator[str]:
    """Enables RLS on new tables, as the starter's event trigger does; yields what it closes."""
    for name, has_rls in made.tables.values():
        if not has_rls:
            _run(connection, f"alter table {name} enable row level security")
            yield name


def take_back(
    connection: Connection[Any],
    opened: Mapping[str, int],
    said: Callable[[str], Sequence[str] | None] = lambda name: (),
) -> Iterator[str]:
    """Revokes what the API's roles have on these relations.

    said: as in `limit`. Yields what it closes, with nothing said of it.
    """
    for name, statements in limit(connection, opened, said):
        if len(statements) == 1:
            yield name


def limit(
    connection: Connection[Any],
    opened: Mapping[str, int],
    said: Callable[[str], Sequence[str] | None] = lambda name: (),
) -> Iterator[tuple[str, Sequence[str]]]:
    """Leaves the API's roles what is said, on these relations.

    said: relation → the statements that grant what it is meant to have, which run again; None if it
    is meant as it is. Yields such a relation, and what ran: a revoke, and those statements.
    """
    for name, oid in opened.items():
        if (statements := said(name)) is None:
            continue
        revoke = f"revoke all on table {name} from {_grantees(connection, _OF_RELATION, oid)}"
        _run(connection, revoke, *statements)
        yield name, [revoke, *statements]


def take_back_functions(connection: Connection[Any], opened: Mapping[str, int]) -> Iterator[str]:
    """Revokes what the API's roles have on these functions; yields the statements that ran."""
    for name, oid in opened.items():
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
