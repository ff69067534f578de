"""How a database notes its own facts, where SQL that twolane wrote runs without twolane.

The Supabase CLI runs the migrations that `db.export` writes. What else such a database has, which
rights its defaults give and whether somebody changed it by hand, only that database knows: so a
migration calls a function there before its work and after, and `record` reads what changed between.
"""

from __future__ import annotations

import re

from twolane.facts import catalog
from twolane.repo import numbering
from twolane.sql import literal

_SETTING = re.compile(r"\('(\w+)', '([^']*)'\)")
_TAG = "$look$"


def before(kind: str) -> str:
    """The kind of the row with what the record of that kind would have said before."""
    return f"{kind} before"


def after(kind: str) -> str:
    return f"{kind} after"


def call(moment: str) -> str:
    """The statement that notes the facts. moment: `before` or `after`."""
    return f"select twolane.look({literal(moment)});"


def function() -> str:
    """The statement that makes the function: the query of `catalog`, with its settings."""
    settings, _, query = catalog.query().decode().partition(";\n")
    assert _TAG not in query
    limits = "\n".join(
        f"set {name} = {literal(value)}" for name, value in _SETTING.findall(settings)
    )
    return f"""\
create or replace function twolane.look(moment pg_catalog.text) returns void
language sql
{limits}
as {_TAG}
insert into twolane.facts (kind, digest, facts)
select 'stood ' || $1, '', pg_catalog.convert_to(
    pg_catalog.json_object_agg(identity, definition)::pg_catalog.text, 'UTF8')
from (
{query.strip().removesuffix(";")}
) found (identity, definition);
insert into twolane.facts (kind, digest, facts)
select 'numbers ' || $1, '', pg_catalog.convert_to(
    coalesce(pg_catalog.json_object_agg(oid, pg_catalog.json_build_array(
        name, coalesce(columns, '{{}}'::pg_catalog.json))::pg_catalog.text), '{{}}'
    )::pg_catalog.text, 'UTF8')
from (
{numbering.QUERY.strip()}
) numbered (oid, name, columns);
{_TAG};
revoke all on function twolane.look(pg_catalog.text) from public;
"""
