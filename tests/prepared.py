"""The facts query, planned once a connection.

Planning it takes several times as long as running it. The product plans it at each read, because
behind a transaction pooler no statement stays prepared. Tests that read one database hundreds of
times need not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import psycopg
import pytest

from twolane.facts import catalog
from twolane.facts.catalog import Snapshot

_NAME = b"the_facts"
_prepared: WeakSet[psycopg.Connection[Any]] = WeakSet()


@contextmanager
def facts_prepared() -> Iterator[None]:
    """Within it, `catalog.read` of this process runs a prepared statement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_read", _read)
        yield


def _read(connection: psycopg.Connection[Any]) -> Snapshot:
    settings = catalog.settings()
    if connection not in _prepared:
        query = catalog.query().removeprefix(settings)
        connection.execute(b"%s\nprepare %s as %s" % (settings, _NAME, query))
        _prepared.add(connection)
    with connection.cursor() as cursor:
        cursor.execute(b"%s\nexecute %s" % (settings, _NAME))
        cursor.nextset()
        return dict(sorted(cursor.fetchall()))
