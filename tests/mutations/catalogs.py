"""The rows of the catalogs, each under a name that outlasts its being made anew."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg import Connection

# `k` says what an `oid` refers to. https://www.postgresql.org/docs/current/functions-info.html
_COLUMNS = """
select c.relname, a.attname, a.atttypid::regtype::text, k.pktable::text, k.is_array
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
left join pg_get_catalog_foreign_keys() k
    on k.fktable = c.oid and k.fkcols = array[a.attname::text] and k.pkcols = '{oid}'
where c.relkind = 'r' and c.relnamespace = 'pg_catalog'::regnamespace
order by c.relname, a.attnum
"""
_KEYS = """
select x.indrelid::regclass::text, array_agg(a.attname::text order by k.position)
from pg_index x
cross join unnest(x.indkey) with ordinality k (attnum, position)
join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum
where x.indisprimary and x.indrelid < 16384
group by x.indrelid
"""
_NAMES = {"pg_attribute": ["attrelid", "attname"], "pg_enum": ["enumtypid", "enumlabel"]}
_NAMELESS = {"pg_authid", "pg_database", "pg_tablespace"}  # never made anew by a mutation


@dataclass(frozen=True)
class Row:
    """`number` is its key as it stands, `name` its key with every reference by name."""

    catalog: str
    number: str
    name: str
    values: dict[str, str | None]


class Catalogs:
    """The catalogs of one server, but for those `excluded`."""

    def __init__(self, connection: Connection[Any], excluded: set[str]) -> None:
        self._connection = connection
        self._keys: dict[str, list[str]] = dict(connection.execute(_KEYS).fetchall())
        self._casts: dict[str, str] = {}
        self._printed: dict[str, dict[str, str]] = defaultdict(dict)
        for catalog, column, kind, target, is_array in connection.execute(_COLUMNS):
            if catalog not in excluded:
                self._printed[catalog][column] = _printed(column, kind, target, is_array)
                self._casts[f"{catalog}.{column}"] = "::oid" if kind == "regproc" else ""

    @cached_property
    def columns(self) -> set[str]:
        """As `pg_class.relname`."""
        return {f"{name}.{column}" for name in self._printed for column in self._printed[name]}

    def rows(self, since: int) -> list[Row]:
        """What this and later transactions wrote."""
        query = " union all ".join(
            f"select '{name}', {self.number(name)}, {self._name(name)}, {_object(columns)}"
            f" from pg_catalog.{name} t where t.xmin::text::bigint >= {since}"
            for name, columns in self._printed.items()
        )
        return [Row(*row) for row in self._connection.execute(query.encode())]

    def numbers(self, catalog: str, condition: str) -> list[str]:
        """The keys of the rows `t` for which the condition holds."""
        query = f"select {self.number(catalog)} from pg_catalog.{catalog} t where {condition}"
        return [number for (number,) in self._connection.execute(query.encode())]

    def number(self, catalog: str) -> str:
        """The expression for the key of a row `t`, as text."""
        keys = [f"t.{key}{self._casts[f'{catalog}.{key}']}" for key in self._keys[catalog]]
        return f"concat_ws(' ', {', '.join(keys)})"

    def _name(self, catalog: str) -> str:
        printed = self._printed[catalog]
        if catalog in _NAMES:
            return "concat_ws(' ', " + ", ".join(printed[key] for key in _NAMES[catalog]) + ")"
        if self._keys[catalog] == ["oid"]:
            return _identity(catalog, "t.oid")
        return "concat_ws(' ', " + ", ".join(printed[key] for key in self._keys[catalog]) + ")"


def _printed(column: str, kind: str, target: str | None, is_array: bool | None) -> str:
    if target is None or target in _NAMELESS:
        return f"t.{column}"
    if is_array:
        return (
            f"(select array_agg({_identity(target, 'u.oid')} order by u.position)"
            f" from unnest(t.{column}::oid[]) with ordinality u (oid, position))"
        )
    return _identity(target, f"nullif(t.{column}::oid, 0)")


def _identity(catalog: str, oid: str) -> str:
    return f"(pg_identify_object('{catalog}'::regclass, {oid}, 0)).identity"


def _object(columns: dict[str, str]) -> str:
    pairs = ", ".join(f"'{name}', ({value})::text" for name, value in columns.items())
    return f"json_build_object({pairs})"
