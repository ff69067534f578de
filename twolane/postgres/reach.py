"""How a target is reached: the parameters of its connection, the database that it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twolane.config import Config, Target
from twolane.postgres import urls
from twolane.postgres.connections import open_connection
from twolane.postgres.databases import local_database

if TYPE_CHECKING:
    from psycopg import Connection


@contextmanager
def connect(config: Config, target: Target) -> Iterator[Connection[Any]]:
    """A connection to the target, in autocommit; the local database is made on first use.

    Raises:
        Failure: unreachable, refused, or older than Postgres 15.
    """
    with open_connection(
        parameters(config, target), f"Connecting to target {target.name}"
    ) as connection:
        yield connection


def parameters(config: Config, target: Target) -> dict[str, Any]:
    """libpq's parameters for the target. Those of a URL, TLS included, are kept as they are."""
    if target.variable is None:
        return local_database(config)
    return urls.parse(config.environment[target.variable], target.variable)


def protected_twin(config: Config, target: Target) -> Target:
    """The protected target of the same database, with this target's URL; or else this target."""
    meant = place(config, target)
    for twin in config.targets.values():
        if twin.protected and meant and place(config, twin) == meant:
            return replace(twin, variable=target.variable)
    return target


def place(config: Config, target: Target) -> tuple[Any, ...] | None:
    """Identifies the database that the target's URL leads to, for any user; None without a URL.

    Raises:
        Failure: it is no Postgres URL.
    """
    if not target.variable or not (url := config.environment.get(target.variable)):
        return None
    found = urls.parse(url, target.variable)
    if named := project(found):
        return (named, found.get("dbname"), found.get("options"))
    return (
        *(found.get(key) for key in ("host", "hostaddr", "dbname", "service")),
        found.get("port", "5432"),
    )


def project(found: Mapping[str, Any]) -> str | None:
    """The Supabase project that libpq's parameters lead to; None for another server."""
    host, user = str(found.get("host", "")), str(found.get("user", ""))
    if host.endswith(".pooler.supabase.com"):
        # All projects of a region share this host; the user's name identifies the project.
        return user.partition(".")[2]
    if host.startswith("db.") and host.endswith(".supabase.co"):
        return host.split(".")[1]
    return None
