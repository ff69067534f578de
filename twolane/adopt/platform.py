"""Schemas named as the platform's are: whether they are the database's own, and what is left out.

`facts/sql/common.sql` decides whose a schema is, by its name, owner and contents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twolane.postgres.dump import ask

if TYPE_CHECKING:
    from psycopg import Connection

_OWN = "select nspname from schemas where not is_platform order by 1"
_PLATFORM = "select nspname from schemas where is_platform order by 1"
# Objects in the platform's schemas that are neither the platform's nor an extension's.
_LEFT_OUT = """
, object (classid, objid, nsp, owner) as (
    select 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relnamespace, relowner
    from pg_catalog.pg_class
    where relkind in ('r', 'p', 'f', 'v', 'm', 'c')
        or (relkind = 'S' and oid not in (select sequence from column_sequence))
    union all
    select 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace, proowner
    from pg_catalog.pg_proc
    where proname not in ('grant_pg_cron_access', 'grant_pg_graphql_access', 'grant_pg_net_access',
        'pgrst_ddl_watch', 'pgrst_drop_watch', 'set_graphql_placeholder')
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typnamespace, typowner
    from pg_catalog.pg_type where typtype in ('d', 'e', 'r')
)
select i.type || ' ' || i.identity
from object o
join schemas s on s.oid = o.nsp and s.is_platform
cross join lateral pg_catalog.pg_identify_object(o.classid, o.objid, 0) i
where s.nspname <> 'twolane'
    and i.identity <> all (
        array['supabase_migrations.schema_migrations', 'supabase_migrations.seed_files'])
    and o.owner not in (select oid from platform_role)
    and (o.classid, o.objid) not in (select classid, objid from member)
order by 1
"""
# What others than the platform's roles may do with its users and secrets: somebody gave it away.
_GIVEN_AWAY = """
, held (relation, acl) as (
    select oid, relacl from pg_catalog.pg_class
    union all
    select attrelid, attacl from pg_catalog.pg_attribute where attacl is not null
)
select distinct 'grant ' || i.type || ' ' || i.identity || ' to ' || case a.grantee
    when 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end
from held h
join pg_catalog.pg_class c on c.oid = h.relation
join schemas s on s.oid = c.relnamespace and s.is_platform and s.nspname in ('auth', 'vault')
cross join lateral pg_catalog.aclexplode(h.acl) a
cross join lateral pg_catalog.pg_identify_object(
    'pg_catalog.pg_class'::pg_catalog.regclass, h.relation, 0) i
where a.grantee <> c.relowner and a.grantee not in (select oid from platform_role)
    and a.grantee not in (
        select oid from pg_catalog.pg_roles where rolname in ('postgres', 'service_role')
        union all
        select datdba from pg_catalog.pg_database where datname = pg_catalog.current_database())
order by 1
"""
_TABLE = re.compile(r"^\[tool\.twolane\][^\n]*\n", re.MULTILINE)
_SETTING = re.compile(r"^own_schemas *=[^\n]*\n", re.MULTILINE)


def own_schemas(live: Connection[Any], stub: Connection[Any], set_now: Sequence[str]) -> list[str]:
    """The schemas of the database's own that the platform stub has, or has but for the setting."""
    of_stub = {name for (name,) in ask(stub, _PLATFORM)} | set(set_now)
    return [name for (name,) in ask(live, _OWN) if name in of_stub]


def left_out(connection: Connection[Any]) -> list[str]:
    """What is in the platform's schemas and is not the platform's: no fact, so not adopted."""
    return [what for query in (_LEFT_OUT, _GIVEN_AWAY) for (what,) in ask(connection, query)]


def with_setting(text: str, own: Sequence[str]) -> str:
    """A pyproject.toml that names these schemas as the service's own; without any, no setting."""
    line = f"own_schemas = [{', '.join(map(_quoted, own))}]\n" if own else ""
    found = _SETTING.search(text)
    if found:
        return text[: found.start()] + line + text[found.end() :]
    return _TABLE.sub(lambda head: head[0] + line, text, count=1)


def _quoted(name: str) -> str:
    return f'"{name}"'
