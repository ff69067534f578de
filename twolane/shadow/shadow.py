"""The shadow: throw-away databases that replay the repo's files, to see what they make.

Platform stub → SQL files before the migrations → migrations → SQL files after. Each step has its
own database: a copy of the previous one plus the step. A digest of all inputs is its name, so an
unchanged step never runs again; after a new revision, the older ones don't. A file next to the
server's data holds the facts of each step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from twolane.config import Config
from twolane.errors import Failure, Unreachable
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.postgres import connections, databases, stub
from twolane.postgres.databases import Fill
from twolane.repo import ledger_tables
from twolane.shadow import facts_files, pruning, shadow_server
from twolane.shadow.steps import Step, digest, whole

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Replay:
    """A finished replay: its database on the shadow's server, and the facts in it."""

    database: str
    facts: Snapshot


class Link(NamedTuple):
    """A step in a chain of steps: the name of its database, and whether that one is kept."""

    name: str
    step: Step
    is_kept: bool


def replay(config: Config, steps: Sequence[Step | None], working: Callable[[str], Any]) -> Replay:
    """Replays the steps on the platform stub; skips steps that it has replayed before.

    Calls `working` with the current step if it takes long.

    Raises:
        Failure: the shadow's server can't be reached, or a step fails on it.
    """
    root = Step(
        digest(
            facts_files.FORMAT,
            stub.FILE.read_text(encoding="utf-8"),
            *config.own_schemas,
            catalog.query().decode(),
            ledger_tables.TABLES,
            shadow_server.identity(config),
        ),
        ledger_tables.prepare,
    )
    chain: list[Link] = []
    inputs = ""
    for step in [root, *(step for step in steps if step)]:
        parts = step.parts or (step,)
        for part in parts:
            inputs = digest(inputs, part.digest)
            chain.append(Link(f"shadow_{inputs[:16]}", part, part is parts[-1]))
    last = chain[-1].name
    facts = facts_files.path(config, last)
    if not facts.exists():
        with working("replaying the repo's files on the shadow"):
            _build(config, chain)
    try:
        found = facts_files.read(facts)
    except ValueError:  # the file is incomplete, for example because the disk was full
        facts.unlink()
        return replay(config, steps, working)
    for name in _kept(chain):
        with suppress(FileNotFoundError):
            os.utime(facts_files.path(config, name))
    return Replay(last, found)


_AGAIN = "Run the same command again: the shadow is made anew."


@contextmanager
def connect(config: Config, database: str) -> Iterator[Connection[Any]]:
    """A connection to a database of the shadow's server."""
    found = shadow_server.find(config).role | {"dbname": database}
    try:
        with connections.open_connection(found, "Connecting to the shadow") as connection:
            yield connection
    except Unreachable as error:
        facts_files.path(config, database).unlink(missing_ok=True)
        raise Failure(error.message, _AGAIN) from None


@contextmanager
def clone(config: Config, database: str) -> Iterator[dict[str, Any]]:
    """Connection parameters of a throw-away copy of one of the shadow's databases."""
    from psycopg.errors import InvalidCatalogName

    with ExitStack() as stack:
        try:
            ours = shadow_server.find(config)
            found = stack.enter_context(databases.clone(ours, database))
        except InvalidCatalogName:
            facts_files.path(config, database).unlink(missing_ok=True)
            raise Failure("A database of the shadow is gone.", _AGAIN) from None
        yield found


@contextmanager
def open_clone(config: Config, database: str) -> Iterator[Connection[Any]]:
    """A connection to a throw-away copy of one of the shadow's databases."""
    with (
        clone(config, database) as parameters,
        connections.open_connection(parameters, "Connecting to the shadow") as connection,
    ):
        yield connection


def _build(config: Config, chain: Sequence[Link]) -> None:
    """Makes the databases of the chain's steps, from the last one that is there already."""
    ours = shadow_server.find(config)
    role = ours.role["user"]
    load = partial(stub.load, own=config.own_schemas, role=role)
    first = Fill(ours.administrator, load)
    names = [link.name for link in chain]
    with databases.connect(ours) as connection:
        there = databases.existing(connection, names)
        begun = max((n for n, name in enumerate(names) if name in there), default=-1)
        template = names[begun] if begun >= 0 else "template0"
        todo: list[Step] = []
        for link in chain[begun + 1 :]:
            todo.append(link.step)
            if not link.is_kept:
                continue
            made: list[Snapshot] = []
            fills = [first] if template == "template0" else []
            fills.append(Fill(ours.role, partial(_run, whole(todo), made)))
            databases.ensure_database(connection, link.name, fills, template, role)
            found = made[0] if made else _facts(ours.role, link.name)
            facts_files.write(config, link.name, found)
            template, todo = link.name, []
        if not facts_files.path(config, names[-1]).exists():
            facts_files.write(config, names[-1], _facts(ours.role, names[-1]))
        pruning.drop_unused(config, connection, set(_kept(chain)), pruning.room(config))


def _kept(chain: Sequence[Link]) -> list[str]:
    """The shadows that the replay needs again. One up to a part that others follow is of use when
    the next one is edited, so it goes like any other."""
    return [link.name for link in chain if link.is_kept]


def _run(step: Step, made: list[Snapshot], connection: Connection[Any]) -> None:
    """Runs the step, and reads what it made while the connection is there."""
    step.run(connection)
    made.append(catalog.read(connection))


def _facts(role: dict[str, Any], name: str) -> Snapshot:
    with connections.open_connection(
        role | {"dbname": name}, "Connecting to the shadow"
    ) as connection:
        return catalog.read(connection)
