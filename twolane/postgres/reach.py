"""How a target is reached: the parameters of its connection, the database that it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twolane.config import Config, Target
from twolane.errors import Failure, Unreachable
from twolane.postgres import urls
from twolane.postgres.connections import open_connection

if TYPE_CHECKING:
    from psycopg import Connection

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@contextmanager
def connect(config: Config, target: Target) -> Iterator[Connection[Any]]:
    """A connection to the target, in autocommit; the local database is made on first use.

    Raises:
        Failure: unreachable, refused, or older than Postgres 15.
    """
    found, doing = parameters(config, target), f"Connecting to target {target.name}"
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(open_connection(found, doing))
        except Unreachable as failure:
            raise _of_the_embedded(config, target, found) or failure from None
        yield connection


def _of_the_embedded(
    config: Config, target: Target, parameters: Mapping[str, Any]
) -> Unreachable | None:
    """What to say where a URL means the embedded server, which does not listen there; None if it
    does, and refused."""
    from twolane.postgres import embedded
    from twolane.postgres.place import is_password

    if target.variable is None or not is_password(config, parameters.get("password")):
        return None
    now = embedded.running(config)
    if now and str(parameters.get("port")) == str(now["port"]):
        return None
    what = f"it listens on port {now['port']} now" if now else "it is not running"
    return Unreachable(
        f"Target {target.name} is the embedded Postgres, by the URL in {target.variable}, and "
        f"{what}.",
        f"invoke db.up   (prints the URL that {target.variable} has to have)"
        if now
        else "invoke db.up",
    )


def parameters(config: Config, target: Target) -> dict[str, Any]:
    """libpq's parameters for the target. Those of a URL, TLS included, are kept as they are."""
    if target.variable is None:
        from twolane.postgres import embedded_databases

        return embedded_databases.local(config)
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


def target_beside(config: Config, found: Mapping[str, Any]) -> str | None:
    """The target on the server that the parameters lead to, if that is no place for a shadow.

    On a server of one's own machine replays may lie beside a target, in other databases.
    """
    for target in config.targets.values():
        url = config.environment.get(target.variable or "")
        if not url:
            continue
        try:
            other = urls.parse(url, str(target.variable))
        except Failure:
            continue
        is_alone = not _is_local(found) or _database(found) == _database(other)
        if is_alone and _server(found) == _server(other):
            return target.name
    return None


def _server(found: Mapping[str, Any]) -> tuple[str, ...]:
    if named := project(found):
        return (named,)
    host = str(found.get("hostaddr") or found.get("host") or "localhost").lower()
    port = str(found.get("port") or "5432")
    return ("localhost" if host in _LOOPBACK else host, port)


def _is_local(found: Mapping[str, Any]) -> bool:
    host = _server(found)[0]
    return host == "localhost" or host.startswith(("/", "@"))


def _database(found: Mapping[str, Any]) -> tuple[str, str]:
    user = str(found.get("user") or "")
    return user, str(found.get("dbname") or user)
