"""Extensions of a database that the shadow's server does not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.postgres import transactions
from twolane.postgres.dump import ask
from twolane.text import shortened

if TYPE_CHECKING:
    from psycopg import Connection

# Each extension, and the user's objects that need one of its objects (or an array of its types).
_NEEDED = """
, brought as (
    select e.extname, d.classid, d.objid
    from pg_catalog.pg_depend d
    join pg_catalog.pg_extension e on e.oid = d.refobjid
    where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
),
part as (
    select * from brought
    union all
    select b.extname, b.classid, t.typarray
    from brought b join pg_catalog.pg_type t on t.oid = b.objid
    where b.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and t.typarray <> 0
),
own as materialized (
    select classid, objid from fact where classid is not null
    union all
    select 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid
    from pg_catalog.pg_attrdef a join user_relation r on r.oid = a.adrelid
    union all
    select 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid
    from pg_catalog.pg_rewrite w join user_relation r on r.oid = w.ev_class
)
select distinct p.extname, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
from part p
join pg_catalog.pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid
join own o on o.classid = d.classid and o.objid = d.objid
where (d.classid, d.objid) not in (select classid, objid from part)
order by 1, 2
"""


@dataclass(frozen=True)
class Extensions:
    """The extensions of a database. needed_by: extension → user objects that need it, in words."""

    names: Collection[str]
    needed_by: Mapping[str, list[str]] = field(default_factory=dict)

    def lacking(self, available: Collection[str]) -> list[str]:
        """The extensions that a server lacks and that no object needs.

        Raises:
            Failure: an object needs an extension that the server lacks.
        """
        missing = sorted(set(self.names) - set(available))
        if needed := [name for name in missing if name in self.needed_by]:
            raise Failure(
                "\n".join(
                    [
                        "The shadow's server does not have what the database builds on:",
                        *(line for name in needed for line in self._lines(name)),
                        "  Nothing was written: what these files make could not be found out.",
                    ]
                ),
                'Name a Postgres that has it: postgres = "/path/to/bin" in [tool.twolane], or a '
                "server's URL in SHADOW_DATABASE_URL.",
            )
        return missing

    def _lines(self, name: str) -> list[str]:
        needing = self.needed_by[name]
        return [f"    {name}, for", *(f"      {each}" for each in shortened(needing))]


def read(connection: Connection[Any]) -> Extensions:
    names = [
        name
        for (name,) in transactions.ask(connection, "select extname from pg_catalog.pg_extension")
    ]
    needed_by: dict[str, list[str]] = {}
    for name, what in ask(connection, _NEEDED):
        needed_by.setdefault(name, []).append(what)
    return Extensions(names, needed_by)


def available(connection: Connection[Any]) -> set[str]:
    """The extensions that a server has, installed or not."""
    rows = transactions.ask(connection, "select name from pg_catalog.pg_available_extensions")
    return {name for (name,) in rows}
