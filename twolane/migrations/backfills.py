"""Backfills: one update of a whole table, taken batch by batch along a unique key.

As a statement it is the update with a comment before it, so that it runs as it is on a shadow,
where there are no rows. In a target each batch is a transaction, and the record keeps the last key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.sql import literal, readable_statements

if TYPE_CHECKING:
    from psycopg import Connection

_HEAD = re.compile(
    r"/\* backfill by (?P<key>.+), (?P<batch>\d+) rows at a time, (?P<pause>[\d.]+) s apart \*/\n"
    r"(?P<update>update (?P<table>\S+) set .*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Backfill:
    """key: the columns by which it goes on, quoted. batch: rows. pause: seconds between batches.

    table: as `schema.name`, quoted. update: the whole update, which begins with it.
    """

    key: tuple[str, ...]
    batch: int
    pause: float
    table: str
    update: str

    @property
    def text(self) -> str:
        """The statement of the revision."""
        by = f"by {', '.join(self.key)}, {self.batch} rows at a time, {self.pause:g} s apart"
        return f"/* backfill {by} */\n{self.update}"


def read(sql: str) -> Backfill | None:
    """The backfill that a revision's statement is, if it is one."""
    found = _HEAD.fullmatch(sql.strip())
    if found is None:
        return None
    return Backfill(
        tuple(found["key"].split(", ")),
        int(found["batch"]),
        float(found["pause"]),
        found["table"],
        found["update"],
    )


def batch(
    connection: Connection[Any], whole: Backfill, place: Sequence[str]
) -> tuple[int, list[str] | None]:
    """Updates the next batch after the key `place`, from the beginning if that is empty.

    Returns how many rows it wrote, and the key at its end, None for the last batch.
    """
    types = _types(connection, whole)
    keys = ", ".join(whole.key)
    after = f"({keys}) > ({_values(place, types)})" if place else ""
    texts = ", ".join(f"{column}::pg_catalog.text" for column in whole.key)
    row = connection.execute(
        f"select {texts} from {whole.table} {'where ' + after if after else ''} "
        f"order by {keys} offset {whole.batch - 1} limit 1".encode()
    ).fetchone()
    until = f"({keys}) <= ({_values(row, types)})" if row else ""
    bounds = [bound for bound in (after, until) if bound]
    done = connection.execute(_narrowed(whole.update, bounds).encode())
    return done.rowcount, list(row) if row else None


def _narrowed(update: str, bounds: Sequence[str]) -> str:
    """The update, of the rows within the bounds alone."""
    if not bounds:
        return update
    node = readable_statements(update)[0].node
    both = " and ".join(bounds)
    if node.whereClause is None:
        return f"{update} where {both}"
    head, own = _parted(update)
    return f"{head} where ({own}) and {both}"


def _parted(update: str) -> tuple[str, str]:
    """What stands before the update's own WHERE, and its condition."""
    from pglast.parser import scan

    depth, place = 0, None
    for token in scan(update):
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if token.name == "WHERE" and depth == 0:
            place = token
    assert place is not None
    return update[: place.start], update[place.end + 1 :]


def _types(connection: Connection[Any], whole: Backfill) -> list[str]:
    names = connection.execute(f"select {', '.join(whole.key)} from {whole.table} limit 0".encode())
    assert names.description is not None
    oids = [column.type_code for column in names.description]
    rows = connection.execute(
        "select pg_catalog.format_type(o, null) from pg_catalog.unnest(%s::pg_catalog.oid[]) "
        "with ordinality u (o, n) order by n",
        (oids,),
    )
    return [str(name) for (name,) in rows]


def _values(place: Sequence[str], types: Sequence[str]) -> str:
    return ", ".join(f"{literal(text)}::{kind}" for text, kind in zip(place, types, strict=True))
