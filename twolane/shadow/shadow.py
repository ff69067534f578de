"""The shadow: throw-away databases that replay the repo's files, to see what they make.

Platform stub → SQL files before the migrations → migrations → SQL files after. Each step has its
own database: a copy of the previous one plus the step. A digest of all inputs is its name, so an
unchanged step never runs again; after a new revision, the older ones don't. A file next to the
server's data holds the facts of each step.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twolane.config import Config
from twolane.errors import Failure, Unreachable
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.postgres import (
    connections,
    databases,
    embedded,
    project_role,
    reach,
    standins,
    supautils,
    transactions,
    urls,
)
from twolane.postgres.databases import Fill, Server
from twolane.repo import ledger_tables, sqlfiles
from twolane.repo.revisions import Revision, expect_unedited
from twolane.repo.sqlfiles import FileFailure, SqlFile

if TYPE_CHECKING:
    from psycopg import Connection

VARIABLE = "SHADOW_DATABASE_URL"
# For how many seconds since a command needed it a shadow is kept.
KEEP_FOR = 7 * 86_400


class Room(NamedTuple):
    """How many shadows are kept beside the last replay's, or else how many bytes of them."""

    number: int
    size: int


# `.postgres/` stays small; on a server elsewhere other clones of the repo may use them as well.
HERE, ELSEWHERE, NONE = Room(3, 32 << 20), Room(16, 0), Room(0, 0)
# The format of the file with the facts of a step.
FORMAT = "2"


@dataclass(frozen=True)
class Step:
    """One step of a replay: a digest of its inputs, and a function that runs it.

    parts: steps that make the same one after the other. What has been replayed up to one of them
    need not be replayed again.
    """

    digest: str
    run: Callable[[Connection[Any]], None]
    parts: Sequence[Step] = ()


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


def files_step(files: Sequence[SqlFile]) -> Step | None:
    """SQL files, each in its own transaction; None for no files."""
    if not files:
        return None

    def run(connection: Connection[Any]) -> None:
        for file in files:
            with transactions.transaction(connection), _on_the_shadow():
                sqlfiles.run(connection, file)

    return Step(_digest(*(f"{file.name}\0{file.digest}" for file in files)), run)


@contextmanager
def _on_the_shadow() -> Iterator[None]:
    try:
        yield
    except FileFailure as failure:
        first = (
            "Make the file run on an empty Supabase, too (`to_regclass` tells what is there), or "
            f"name a server that has what it needs: {VARIABLE}."
        )
        raise FileFailure(
            failure.file,
            f"On the shadow, {failure.message}",
            failure.first if failure.is_final else first,
            failure.is_final,
        ) from failure


def migrations_step(config: Config, revisions: Sequence[Revision]) -> Step | None:
    """The revisions, a history from its beginning; None for no revisions."""
    if not revisions:
        return None

    environment = sorted(config.migrations.glob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in environment]

    # One transaction each: a new enum value can be used only after its transaction.
    def part(revision: Revision) -> Step:
        def run(connection: Connection[Any]) -> None:
            from twolane.migrations import online, runner

            advance = online.upgrade if revision.online else runner.upgrade
            advance(connection, config, revision.id)
            expect_unedited(config.migrations, [revision])

        return Step(_digest(revision.digest, *texts), run)

    return _whole([part(revision) for revision in revisions])


def _whole(parts: Sequence[Step]) -> Step:
    """One step of several."""

    def run(connection: Connection[Any]) -> None:
        for part in parts:
            part.run(connection)

    return Step(_digest(*(part.digest for part in parts)), run, parts)


@dataclass(frozen=True)
class Recorded:
    """A revision that only a database's record has: its id and the SQL that it ran.

    online: it ran statement by statement, in no transaction that held them all.
    """

    id: str
    statements: tuple[str, ...]
    online: bool = False


def recorded_step(revisions: Sequence[Recorded]) -> Step | None:
    """Revisions from a record, each in its own transaction; None for none."""
    if not revisions:
        return None

    def run(connection: Connection[Any]) -> None:
        from twolane.migrations import online, runner

        for revision in revisions:
            if revision.online:
                online.replay(connection, revision.statements)
                continue
            with transactions.transaction(connection), runner.watched(connection):
                for statement in revision.statements:
                    connection.execute(supautils.raised(connection, statement).encode())

    return Step(_digest(*(text for r in revisions for text in (r.id, *r.statements))), run)


def replay(config: Config, steps: Sequence[Step | None], working: Callable[[str], Any]) -> Replay:
    """Replays the steps on the platform stub; skips steps that it has replayed before.

    Calls `working` with the current step if it takes long.

    Raises:
        Failure: the shadow's server can't be reached, or a step fails on it.
    """
    root = Step(
        _digest(
            FORMAT,
            databases.PLATFORM.read_text(encoding="utf-8"),
            *config.own_schemas,
            catalog.query().decode(),
            ledger_tables.TABLES,
            _server(config),
        ),
        ledger_tables.prepare,
    )
    chain: list[Link] = []
    digest = ""
    for step in [root, *(step for step in steps if step)]:
        for part in step.parts or (step,):
            digest = _digest(digest, part.digest)
            chain.append(Link(f"shadow_{digest[:16]}", part, part is (step.parts or (step,))[-1]))
    last = chain[-1].name
    facts = _facts_file(config, last)
    if not facts.exists():
        with working("replaying the repo's files on the shadow"):
            _build(config, chain)
    try:
        found = _read_facts(facts)
    except ValueError:  # the file is incomplete, for example because the disk was full
        facts.unlink()
        return replay(config, steps, working)
    for link in chain:
        with suppress(FileNotFoundError):
            os.utime(_facts_file(config, link.name))
    return Replay(last, found)


def _server(config: Config) -> str:
    """A text that identifies the server and its extensions; the first step depends on it."""
    brought = standins.digest() if embedded.has_standins(config) else ""
    return config.environment.get(VARIABLE) or f"{embedded.major(config)}{brought}"


@lru_cache(maxsize=8)
def _read_facts(path: Path) -> Snapshot:
    """The facts of a step; the digest in the file name covers all their inputs."""
    facts: dict[str, str] = json.loads(path.read_bytes())
    return facts


@contextmanager
def connect(config: Config, database: str) -> Iterator[Connection[Any]]:
    """A connection to a database of the shadow's server."""
    found = server(config).role | {"dbname": database}
    try:
        with connections.open_connection(found, "Connecting to the shadow") as connection:
            yield connection
    except Unreachable as error:
        _facts_file(config, database).unlink(missing_ok=True)
        raise Failure(
            error.message, "Run the same command again: the shadow is made anew."
        ) from None


@contextmanager
def clone(config: Config, database: str) -> Iterator[dict[str, Any]]:
    """Connection parameters of a throw-away copy of one of the shadow's databases."""
    with databases.clone(server(config), database) as found:
        yield found


def discard(config: Config, database: str) -> None:
    """Drops the database and facts of a broken step; the next replay makes them again."""
    _facts_file(config, database).unlink(missing_ok=True)
    with maintenance(server(config)) as connection:
        databases.drop(connection, database)


def maintenance(server: Server) -> AbstractContextManager[Connection[Any]]:
    """A connection for making and dropping databases, which runs nobody else's SQL."""
    return connections.open_connection(
        {"dbname": "postgres"} | server.administrator, "Connecting to the shadow's server"
    )


def _build(config: Config, chain: Sequence[Link]) -> None:
    """Makes the databases of the chain's steps, from the last one that is there already."""
    ours = server(config)
    role = ours.role["user"]
    lay = partial(databases.load_platform, own=config.own_schemas, role=role)
    stub = Fill(ours.administrator, lay)
    names = [link.name for link in chain]
    with maintenance(ours) as connection:
        there = databases.existing(connection, names)
        begun = max((n for n, name in enumerate(names) if name in there), default=-1)
        template = names[begun] if begun >= 0 else "template0"
        todo: list[Step] = []
        for link in chain[begun + 1 :]:
            todo.append(link.step)
            if not link.is_kept:
                continue
            made: list[Snapshot] = []
            fills = [stub] if template == "template0" else []
            fills.append(Fill(ours.role, partial(_run, _whole(todo), made)))
            databases.ensure_database(connection, link.name, fills, template, role)
            _write_facts(config, link.name, made[0] if made else _facts(ours.role, link.name))
            template, todo = link.name, []
        if not _facts_file(config, names[-1]).exists():
            _write_facts(config, names[-1], _facts(ours.role, names[-1]))
        room = ELSEWHERE if config.environment.get(VARIABLE) else HERE
        _prune(config, connection, set(names), room)


def _run(step: Step, made: list[Snapshot], connection: Connection[Any]) -> None:
    """Runs the step, and reads what it made while the connection is there."""
    step.run(connection)
    made.append(catalog.read(connection))


def _facts(role: dict[str, Any], name: str) -> Snapshot:
    with connections.open_connection(
        role | {"dbname": name}, "Connecting to the shadow"
    ) as connection:
        return catalog.read(connection)


def _write_facts(config: Config, name: str, facts: Snapshot) -> None:
    path = _facts_file(config, name)
    text = json.dumps(dict(facts), ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{time.monotonic_ns()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def prune(config: Config) -> tuple[int, int]:
    """Drops all shadows that nobody is connected to, and what interrupted commands left.

    Returns how many there were and how many bytes they held. The next command replays the files.
    """
    with maintenance(server(config)) as connection:
        return _prune(config, connection, set(), NONE)


def _prune(
    config: Config, maintenance: Connection[Any], used: set[str], room: Room
) -> tuple[int, int]:
    """Drops the least recently used shadows, and unfinished ones."""
    from psycopg import errors

    for name in [
        *databases.abandoned(maintenance, "shadow_"),
        *databases.old_clones(maintenance),
    ]:
        databases.drop(maintenance, name)
    cached = [
        path for path in _facts_file(config, "x").parent.glob("*.json") if path.stem not in used
    ]
    cached.sort(key=lambda path: -path.stat().st_mtime)
    sizes = databases.sizes(maintenance, [path.stem for path in cached])
    oldest, held, dropped = time.time() - KEEP_FOR, 0, []
    for number, path in enumerate(cached):
        held += sizes.get(path.stem, 0)
        is_small = number < room.number or held <= room.size
        if is_small and path.stat().st_mtime > oldest:
            continue
        try:
            databases.drop(maintenance, path.stem, force=False)
            path.unlink(missing_ok=True)
            dropped.append(path.stem)
        except errors.ObjectInUse:
            continue
    return len(dropped), sum(sizes.get(name, 0) for name in dropped)


def server(config: Config) -> Server:
    """The shadow's server; starts it if needed.

    Raises:
        Failure: the server can't be reached, or it holds a target.
    """
    url = config.environment.get(VARIABLE)
    if not url:
        return databases.embedded_server(config)
    parameters = urls.parse(url, VARIABLE)
    if name := reach.target_beside(config, parameters):
        with maintenance(Server(parameters, parameters)):
            pass  # a server that nobody reaches is another problem
        raise Failure(
            f"{VARIABLE} leads to the server of target {name}: roles and settings belong to a "
            "whole server, and what replays do to them would reach that database.",
            f"Name a server that holds no target, or take {VARIABLE} out: the embedded one serves.",
        )
    return Server(project_role.lesser(parameters), parameters)


def _facts_file(config: Config, name: str) -> Path:
    return config.home / "shadow" / f"{name}.json"


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()
