"""Compares views that two servers printed: lets one server print both definitions.

Since 16, Postgres prints the columns of a view's only relation without its name: `SELECT id`
instead of `SELECT t.id`, because 16 no longer keeps OLD and NEW among a view's relations. Postgres
15 to 18 print all other definitions alike.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog
from twolane.facts.catalog import Snapshot

if TYPE_CHECKING:
    from psycopg import Connection

KINDS = ("view ", "materialized view ")


def settle(
    facts: Snapshot, like: Snapshot, connect: Callable[[], AbstractContextManager[Connection[Any]]]
) -> Snapshot:
    """`facts`, with a view's text from `like` if both of its definitions mean the same.

    `connect` opens a database with the relations that the views read. It is called only if a view
    differs, and that database stays unchanged. A view that can't be made there keeps its own text.
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
    """A view's definition as this server prints it; None if the server can't create the view.

    Creates a temporary view in a savepoint, and rolls back. `binary` selects the extended protocol,
    which allows only one statement, so no definition can add a second one.
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
