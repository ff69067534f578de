"""Whether two URLs lead to one database, however they are written: localhost, an address, a pooler.

The servers themselves answer. A server's identifier (`pg_control_system`, which every role may
call: no REVOKE in src/backend/catalog/system_functions.sql) and the database's name tell databases
apart. Where both are equal, one may be a physical copy of the other, a snapshot restored for
staging: then the time at which the server started decides.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.config import Config, Target
from twolane.errors import Failure
from twolane.postgres import reach, urls
from twolane.postgres.connections import open_connection
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

# How long an answer of a protected database is believed: it is not asked at each command.
DAY = 86_400
PATIENCE = 3
_HERE = ("localhost", "127.", "::1", "/")


@dataclass(frozen=True)
class Place:
    """A database on a running server. system: the server's identifier, where it may be asked."""

    system: str | None
    database: str
    oid: int
    started: str


def read(connection: Connection[Any]) -> Place:
    from psycopg import errors

    row = ask(
        connection,
        "select datname, oid::pg_catalog.int8, "
        "extract(epoch from pg_catalog.pg_postmaster_start_time())::pg_catalog.text "
        "from pg_catalog.pg_database where datname = pg_catalog.current_database()",
    ).fetchone()
    assert row is not None
    system = None
    with suppress(errors.InsufficientPrivilege, errors.FeatureNotSupported):
        found = ask(
            connection,
            "select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()",
        ).fetchone()
        system = str(found[0]) if found else None
    return Place(system, *row)


def protected_twin(config: Config, target: Target, connection: Connection[Any]) -> str | None:
    """The name of the protected target that is the connected database, if one is.

    A protected database is asked once a day, and not at all where the URLs tell enough. One that
    can't be reached counts as the same only if it was found to be so before.
    """
    others = list(_candidates(config, target))
    if not others:
        return None
    here = read(connection)
    for other, found in others:
        if _is(here, found, other, config.home / "places.json"):
            return other.name
    return None


def _candidates(config: Config, target: Target) -> Iterator[tuple[Target, dict[str, Any]]]:
    """The protected targets that might be the target's database, with libpq's parameters."""
    mine = _parameters(config, target)
    for other in config.targets.values():
        theirs = _parameters(config, other) if other.protected else None
        if theirs is None or other.variable == target.variable:
            continue
        if mine is None and not str(theirs.get("host", "/")).startswith(_HERE):
            continue  # the embedded server is on this machine
        if mine and _of_supabase(mine) and _of_supabase(theirs):
            continue  # their URLs name the project
        yield other, theirs


def _parameters(config: Config, target: Target) -> dict[str, Any] | None:
    url = config.environment.get(target.variable) if target.variable else None
    if not url:
        return None
    with suppress(Failure):
        return urls.parse(url, str(target.variable))
    return None


def _of_supabase(parameters: dict[str, Any]) -> bool:
    return reach.project(parameters) is not None


def _is(here: Place, found: dict[str, Any], other: Target, memory: Path) -> bool:
    """Whether the protected target with these parameters is the place."""
    mine = [here.system, here.database]
    named = [str(found.get(part)) for part in ("host", "hostaddr", "port", "user", "dbname")]
    key = sha256(json.dumps(named).encode()).hexdigest()
    known = _remembered(memory).get(key)
    if known and known["place"] != mine and here.system and known["at"] > time.time() - DAY:
        return False
    try:
        with open_connection(
            found | {"connect_timeout": PATIENCE}, f"Connecting to target {other.name}"
        ) as connection:
            there = read(connection)
    except Failure:
        _remember(memory, key, known["place"] if known else None)
        return bool(known and here.system and known["place"] == mine)
    _remember(memory, key, [there.system, there.database])
    return (there.oid, there.started) == (here.oid, here.started)


def _remembered(memory: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(memory.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _remember(memory: Path, key: str, place: list[str | None] | None) -> None:
    """Keeps what a database answered, without its URL; None for one that gave no answer."""
    known = _remembered(memory) | {key: {"place": place, "at": time.time()}}
    draft = memory.with_name(f".{memory.name}.{time.monotonic_ns()}")
    with suppress(OSError):
        memory.parent.mkdir(mode=0o700, exist_ok=True)
        draft.write_text(json.dumps(known), encoding="utf-8")
        draft.replace(memory)
