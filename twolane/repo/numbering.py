"""The numbers by which Postgres knows tables and columns: a rename leaves them as they are.

They stand in the record beside the facts, so that what was renamed by hand is known, not guessed. A
dump that was restored elsewhere has other numbers; then nothing is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.facts.catalog import Snapshot
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

# Names as facts have them. A number is never given twice in a table, and hardly ever to a table.
QUERY = """
select c.oid::pg_catalog.text,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
    pg_catalog.json_object_agg(a.attnum, pg_catalog.quote_ident(a.attname) order by a.attnum)
        filter (where a.attnum is not null)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_attribute a
    on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'f') and n.nspname !~ '^pg_'
    and n.nspname not in ('information_schema', 'twolane')
group by c.oid, n.nspname, c.relname
order by 1
"""


@dataclass(frozen=True)
class Table:
    """A table's name and its columns by number, quoted as in facts."""

    name: str
    columns: Mapping[str, str]


Numbers = Mapping[str, Table]
"""Tables by OID."""


@dataclass(frozen=True)
class Renamed:
    """What was renamed by hand, as facts. pairs: old → new.

    swapped: those whose names went round, so that each stands for the rows or values of another.
    """

    pairs: Mapping[str, str]
    swapped: tuple[str, ...] = ()


NOTHING = Renamed({})


def read(connection: Connection[Any]) -> Numbers:
    """The numbers of the database's tables and columns, as it has them now."""
    rows = ask(connection, QUERY).fetchall()
    return {oid: Table(name, columns or {}) for oid, name, columns in rows}


def packed(numbers: Numbers) -> Snapshot:
    """The numbers as the record keeps them: as it keeps facts, a text each."""
    return {oid: json.dumps([t.name, dict(t.columns)]) for oid, t in sorted(numbers.items())}


def unpacked(kept: Snapshot) -> Numbers:
    """What `packed` gave."""
    return {oid: Table(*json.loads(text)) for oid, text in kept.items()}


def advanced(known: Numbers, now: Numbers, stood: Snapshot) -> Numbers:
    """The numbers to record: as they are now, but for what is renamed by hand and not undone.

    stood: the facts as twolane left them, which still have the old names of these.
    """
    renamed = find(known, now).pairs
    old = {new: identity for identity, new in renamed.items() if identity in stood}
    found = {}
    for oid, table in now.items():
        before = known.get(oid, table)
        columns = {
            number: before.columns[number] if f"column {table.name}.{own}" in old else own
            for number, own in table.columns.items()
        }
        found[oid] = Table(before.name if f"table {table.name}" in old else table.name, columns)
    return found


def find(known: Numbers, now: Numbers) -> Renamed:
    """What has another name now; nothing where the numbers are those of another database."""
    if not known or not _is_same(known, now):
        return NOTHING
    pairs: dict[str, str] = {}
    swapped: list[str] = []
    then_names = {table.name for table in known.values()}
    now_names = {table.name for table in now.values()}
    for oid in known.keys() & now.keys():
        old, new = known[oid], now[oid]
        if old.name != new.name:
            if old.name not in now_names and new.name not in then_names:
                pairs[f"table {old.name}"] = f"table {new.name}"
            elif old.name in now_names and new.name in then_names:
                swapped.append(f"table {new.name}")
        for number in old.columns.keys() & new.columns.keys():
            before, after = old.columns[number], new.columns[number]
            if before == after:
                continue
            is_free = before not in new.columns.values() and after not in old.columns.values()
            if is_free:
                pairs[f"column {old.name}.{before}"] = f"column {new.name}.{after}"
            elif before in new.columns.values() and after in old.columns.values():
                swapped.append(f"column {new.name}.{after}")
    return Renamed(dict(sorted(pairs.items())), tuple(sorted(swapped)))


def _is_same(known: Numbers, now: Numbers) -> bool:
    """Whether most tables that both have, by name, have their numbers in both."""
    then = {table.name: oid for oid, table in known.items()}
    here = {table.name: oid for oid, table in now.items()}
    both = then.keys() & here.keys()
    same = sum(then[name] == here[name] for name in both)
    return 2 * same >= len(both)
