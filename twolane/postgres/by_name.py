"""Databases that a command is given by name: of a target, or a URL; what differs between two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from twolane import config
from twolane.facts import catalog
from twolane.facts.catalog import Change, Snapshot
from twolane.postgres import connections, reach, urls

if TYPE_CHECKING:
    from psycopg import Connection


@contextmanager
def open_database(name: str | None) -> Iterator[Connection[Any]]:
    """Opens a database by URL or by target name; a URL works outside a service, too."""
    if name and "://" in name:
        parameters = urls.parse(name, "The URL")
        opening = connections.open_connection(parameters, "Connecting to the URL")
    else:
        settings = config.load()
        opening = reach.connect(settings, settings.target(name))
    with opening as connection:
        yield connection


def compare(source: str, target: str) -> list[Change]:
    """The differences between two databases; views are equal if one server prints both alike."""
    with open_database(source) as one, open_database(target) as other:
        return difference(one, other)[2]


def difference(
    source: Connection[Any], target: Connection[Any]
) -> tuple[Snapshot, Snapshot, list[Change]]:
    """The facts of both databases, read at the same time, and the changes from one to the other."""
    from concurrent.futures import ThreadPoolExecutor

    from twolane.facts import views

    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(catalog.read, target)
        before, after = catalog.read(source), reading.result()
    after = views.settle(after, before, lambda: nullcontext(target))
    after = views.settle(after, before, lambda: nullcontext(source))
    return before, after, catalog.diff(before, after)
