"""Reads the facts again and again on one connection to a server of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolane.facts import catalog
from twolane.facts.catalog import Snapshot

if TYPE_CHECKING:
    from psycopg import Connection

_NAME = b"twolane_facts"


class Reader:
    """The facts query, planned once: planning it takes several times as long as running it.

    Only for connections that no pooler stands before.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def __call__(self) -> Snapshot:
        """The facts as they are now, also within an open transaction."""
        settings = catalog.settings()
        with (
            self._connection.transaction(force_rollback=True),
            self._connection.cursor() as cursor,
        ):
            if not self._is_prepared():
                query = catalog.query().removeprefix(settings)
                cursor.execute(b"%s\nprepare %s as %s" % (settings, _NAME, query))
            cursor.execute(b"%s\nexecute %s" % (settings, _NAME))
            cursor.nextset()
            return catalog.of_rows(cursor.fetchall(), self._connection.info.user)

    def _is_prepared(self) -> bool:
        """Whether the statement is there: `deallocate all` in a file takes it away."""
        found = self._connection.execute(
            "select from pg_catalog.pg_prepared_statements where name operator(pg_catalog.=) %s",
            (_NAME.decode(),),
        )
        return found.fetchone() is not None
