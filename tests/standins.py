"""The real extensions and their stand-ins, side by side."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from servers import DEBIAN_15, Server

EXTENSIONS = ("pgcrypto", "uuid-ossp")
SHARE = Path("/usr/share/postgresql/15/extension")

# What belongs to an extension, in words that are the same whatever implements it.
_MEMBERS = """
with member as (
    select d.classid, d.objid from pg_depend d join pg_extension e on e.oid = d.refobjid
    where d.deptype = 'e' and e.extname = %s)
select 'function', p.oid::regprocedure::text, concat_ws(' ', pg_get_function_arguments(p.oid), '->',
    pg_get_function_result(p.oid), prokind, provolatile, proisstrict, proparallel, proretset)
from pg_proc p join member on objid = p.oid and classid = 'pg_proc'::regclass
union all
select 'operator', o.oid::regoperator::text, concat_ws(' ', oprresult::regtype, oprcode,
    oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin, oprcanmerge, oprcanhash)
from pg_operator o join member on objid = o.oid and classid = 'pg_operator'::regclass
union all
select 'cast', concat(castsource::regtype, ' ', casttarget::regtype),
    concat_ws(' ', castfunc::regprocedure, castcontext, castmethod)
from pg_cast c join member on objid = c.oid and classid = 'pg_cast'::regclass
union all
select 'type', t.oid::regtype::text, concat_ws(' ', typcategory, typispreferred, typdelim,
    typinput, typoutput, typreceive, typsend, typcollation::regcollation)
from pg_type t join member on objid = t.oid and classid = 'pg_type'::regclass
where typelem = 0
union all
select 'operator class', concat(opcname, ' ', amname),
    concat_ws(' ', opcdefault, opcintype::regtype, opckeytype::regtype)
from pg_opclass c join pg_am a on a.oid = opcmethod
join member on objid = c.oid and classid = 'pg_opclass'::regclass
union all
select 'of operator class', concat_ws(' ', opfname, amopstrategy), amopopr::regoperator::text
from pg_amop a join pg_opfamily f on f.oid = amopfamily
join member on objid = f.oid and classid = 'pg_opfamily'::regclass
union all
select 'aggregate', aggfnoid::regprocedure::text, concat_ws(' ', aggtransfn, aggcombinefn,
    aggsortop::regoperator, aggtranstype::regtype, agginitval)
from pg_aggregate g join member on objid = g.aggfnoid and classid = 'pg_proc'::regclass
"""


@dataclass(frozen=True)
class Pair:
    """The same database twice: with Debian's extensions on 15, with the stand-ins on 18."""

    real: psycopg.Connection[Any]
    stand_in: psycopg.Connection[Any]

    def execute(self, statements: str) -> None:
        for connection in (self.real, self.stand_in):
            connection.execute(statements.encode())

    def same(self, query: str, *parameters: Any) -> list[tuple[Any, ...]] | str:
        """What both answer, which must be the same: rows, or an error."""
        real, stand_in = (_answer(c, query, parameters) for c in (self.real, self.stand_in))
        assert stand_in == real, (query, parameters)
        return stand_in


def _answer(
    connection: psycopg.Connection[Any], query: str, parameters: Sequence[Any]
) -> list[tuple[Any, ...]] | str:
    try:
        return connection.execute(query.encode(), parameters or None).fetchall()
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"


def members(connection: psycopg.Connection[Any], name: str) -> dict[tuple[str, str], str]:
    """(kind, name) → what it is."""
    rows = connection.execute(_MEMBERS.encode(), (name,)).fetchall()
    return {(kind, identity): text for kind, identity, text in rows}


def install(connection: psycopg.Connection[Any], schema: str) -> None:
    for name in EXTENSIONS:
        connection.execute(
            sql.SQL("create extension {} schema {}").format(
                sql.Identifier(name), sql.Identifier(schema)
            )
        )


def make_real(server: Server) -> str:
    """The URL of a database with the real ones; skips where the machine has none."""
    need_real()
    url = server.new_database(platform=False)
    with psycopg.connect(url) as connection:
        install(connection, "public")
    return url


def make_stand_ins(url: str, offered: str) -> str:
    """The same URL, when its database has the stand-ins."""
    with psycopg.connect(url, options=offered) as connection:
        install(connection, "public")
    return url


def need_real() -> None:
    if missing := [name for name in EXTENSIONS if not (SHARE / f"{name}.control").exists()]:
        pytest.skip(f"{DEBIAN_15} has no {', '.join(missing)}: apt-get install postgresql-15")


def text(chance: random.Random, length: int) -> str:
    """Letters of every kind and width."""
    return "".join(chance.choices("aAbZ09 éÉß€漢🎉.$/\\_-", k=length))
