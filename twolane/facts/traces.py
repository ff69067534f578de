"""What a transaction leaves in a database that facts don't show: two looks at it, compared. Pure.

Rows that were written; twolane's own records; what belongs to the whole server; objects in schemas
that are left to the platform. `postgres.traces` takes the looks.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SERVER, PLATFORM, RECORDS = "server", "platform", "records"
RECORD_SCHEMA = "twolane."

# What belongs to the server → the catalog that says so. Whoever changes it holds that catalog's
# lock until the end (src/backend/commands/user.c and its like: `table_close(…, NoLock)`); without
# the lock it was somebody else, meanwhile.
_CATALOGS = {
    "role": "pg_authid",
    "membership": "pg_auth_members",
    "settings": "pg_db_role_setting",
    "parameter": "pg_parameter_acl",
    "comment": "pg_shdescription",
}
# What such a lock tells where no look shows a difference.
UNSEEN = {
    "pg_authid": "role: what is not for everybody to see, like a password",
    "pg_database": "another database",
    "pg_shseclabel": "security label of a role or a database",
    "pg_largeobject": "large objects",
}


class Relation(NamedTuple):
    """A table or a sequence. name: as in facts. file: holds its rows.

    counts: for a sequence, the table whose column it numbers, else ""; None for a table. columns:
    a JSON text, name as in facts → number.
    """

    name: str
    file: int
    counts: str | None
    columns: str = "{}"


@dataclass(frozen=True)
class Look:
    """A database as an open transaction sees it.

    relations: by OID. written: those of which the transaction wrote rows (or a sequence's
    position). exclusive: those that it holds for itself alone. held: catalogs of the whole server
    that it wrote. things: area and name → digest, of what facts leave out.
    """

    relations: Mapping[int, Relation]
    written: frozenset[int]
    exclusive: frozenset[int]
    held: frozenset[str]
    things: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Traces:
    """What changed between two looks of one transaction, of what was there before.

    written: tables of which rows were written, as `schema.name`, also where no row was met.
    rewritten: those whose rows were written anew or thrown away as a whole. replaced: tables and
    columns, as facts name them, whose names others have now: made again, or swapped by renames.
    moved: sequences whose position was set → the table whose column each numbers, or "". records,
    server, platform: what else changed, each with its sign, as `+ role evil`.
    """

    written: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    moved: Mapping[str, str] = field(default_factory=dict)
    records: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()


NOTHING = Traces()


def compare(before: Look, after: Look, own: Collection[str] = ()) -> Traces:
    """The traces between two looks. own: records that twolane itself wrote, as `schema.name`."""
    there = before.relations
    written = [there[oid] for oid in sorted(after.written - before.written) if oid in there]
    tables = {each.name for each in written if each.counts is None}
    records = {name for name in tables if name.startswith(RECORD_SCHEMA)}
    anew = {
        there[oid].name
        for oid in after.exclusive & there.keys() & after.relations.keys()
        if there[oid].file != after.relations[oid].file
    }
    emptied = {name for name in anew if name.startswith(RECORD_SCHEMA)}
    return Traces(
        written=frozenset(tables - records),
        rewritten=frozenset(anew - emptied),
        replaced=frozenset(_replaced(there, after.relations)),
        moved={r.name: r.counts for r in written if r.counts is not None},
        records=(
            *(f"~ rows of {name}" for name in sorted((records | emptied) - set(own))),
            *_changes(before, after, RECORDS),
        ),
        server=tuple(_of_server(before, after)),
        platform=tuple(_changes(before, after, PLATFORM)),
    )


def together(parts: Collection[Traces]) -> Traces:
    """The traces of transactions that ran one after the other."""
    lines = ("records", "server", "platform")
    return Traces(
        written=frozenset[str]().union(*(part.written for part in parts)),
        rewritten=frozenset[str]().union(*(part.rewritten for part in parts)),
        replaced=frozenset[str]().union(*(part.replaced for part in parts)),
        moved={name: table for part in parts for name, table in part.moved.items()},
        **{n: tuple(dict.fromkeys(x for part in parts for x in getattr(part, n))) for n in lines},
    )


def _replaced(before: Mapping[int, Relation], after: Mapping[int, Relation]) -> Iterator[str]:
    names = {each.name: oid for oid, each in after.items() if each.counts is None}
    for oid, old in before.items():
        if old.counts is not None or old.name.startswith(RECORD_SCHEMA):
            continue
        if names.get(old.name, oid) != oid:
            yield f"table {old.name}"
        new = after.get(oid)
        if new and new.columns != old.columns:
            numbers, now = json.loads(old.columns), json.loads(new.columns)
            for column in numbers.keys() & now.keys():
                if numbers[column] != now[column]:
                    yield f"column {old.name}.{column}"


def _of_server(before: Look, after: Look) -> Iterator[str]:
    held = after.held - before.held
    told = set()
    for change in _changes(before, after, SERVER):
        kind = change.split(" ", 2)[1]
        if kind not in _CATALOGS or _CATALOGS[kind] in held:
            told |= {_CATALOGS.get(kind, "pg_database")}
            yield change
    yield from (f"~ {UNSEEN[name]}" for name in sorted(held - told) if name in UNSEEN)


def of_server(held: Collection[str]) -> list[str]:
    """What belongs to the server, by the catalogs alone that a transaction wrote."""
    names = {catalog: kind for kind, catalog in _CATALOGS.items()} | UNSEEN
    return [f"~ {names[name].partition(':')[0]}" for name in sorted(held) if name in names]


def _changes(before: Look, after: Look, area: str) -> Iterator[str]:
    old, new = (
        {name: digest for (where, name), digest in look.things.items() if where == area}
        for look in (before, after)
    )
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            sign = "+" if name not in old else "-" if name not in new else "~"
            yield f"{sign} {name}"
