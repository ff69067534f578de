"""Views as two servers print them, held against each other by letting one server print both.

Since 16, Postgres prints the columns of a view's only relation without its name (`SELECT id` for
`SELECT t.id`; 16 keeps no OLD and NEW among a view's relations any more). Other definitions are
printed alike by 15 to 18.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from . import catalog
from .catalog import Snapshot

if TYPE_CHECKING:
    from psycopg import Connection

KINDS = ("view ", "materialized view ")


def settle(
    facts: Snapshot, like: Snapshot, connect: Callable[[], AbstractContextManager[Connection[Any]]]
) -> Snapshot:
    """`facts`, in the words of `like` wherever a view's two definitions mean the same.

    `connect` opens a database that has what the views read; it is called if a view differs, and
    nothing stays in that database. A view that it can't make keeps its own words.
    """
    differing = [
        identity
        for identity, text in facts.items()
        if identity.startswith(KINDS) and like.get(identity, text) != text
    ]
    if not differing:
        return facts
    with connect() as connection:
        settled = {i: _settle(facts[i], like[i], connection) for i in differing}
    return {**facts, **settled}


def _settle(text: str, like: str, connection: Connection[Any]) -> str:
    own, other = catalog.definition(text), catalog.definition(like)
    words, wanted = own["definition"], other["definition"]
    printed = reprint(words, connection) if words != wanted else None
    if printed is None or printed not in (wanted, reprint(wanted, connection)):
        return text
    return catalog.as_text(own | {"definition": wanted})


def reprint(words: str, connection: Connection[Any]) -> str | None:
    """A view's definition as this server prints it; None if it can't have such a view.

    Made as a temporary view in a savepoint that is taken back. The extended protocol, which
    `binary` brings about, carries one statement only, so no definition can smuggle in a second.
    """
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            connection.execute(catalog.settings())
            connection.execute(f"create temporary view printed as {words}".encode(), binary=True)
            row = connection.execute(
                "select pg_get_viewdef('pg_temp.printed'::regclass)"
            ).fetchone()
    except psycopg.Error:
        return None
    return str(row[0]) if row else None
