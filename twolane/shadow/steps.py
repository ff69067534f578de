"""The steps of a replay: SQL files, migrations, and revisions that only a record has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.config import Config
from twolane.postgres import supautils, transactions
from twolane.repo import sqlfiles
from twolane.repo.revisions import Revision, below_the_mark, expect_unedited
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow.shadow_server import VARIABLE

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Step:
    """One step of a replay: a digest of its inputs, and a function that runs it.

    parts: steps that make the same one after the other. What has been replayed up to one of them
    need not be replayed again.
    """

    digest: str
    run: Callable[[Connection[Any]], None]
    parts: Sequence[Step] = ()


def files_step(files: Sequence[SqlFile], later: Sequence[Revision] = ()) -> Step | None:
    """SQL files, each in its own transaction; None for no files.

    later: the revisions that run after them, whose tables they can't have.
    """
    if not files:
        return None

    def run(connection: Connection[Any]) -> None:
        for file in files:
            with transactions.transaction(connection), _on_the_shadow(later):
                sqlfiles.run(connection, file)

    return Step(digest(*(f"{file.name}\0{file.digest}" for file in files)), run)


@contextmanager
def _on_the_shadow(later: Sequence[Revision]) -> Iterator[None]:
    try:
        yield
    except FileFailure as failure:
        first = (
            "Make the file run on an empty Supabase, too (`to_regclass` tells what is there), or "
            f"name a server that has what it needs: {VARIABLE}."
        )
        first = below_the_mark(failure, later) or first
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
    texts = [files.read(config, path) for path in environment]

    # One transaction each: a new enum value can be used only after its transaction.
    def part(revision: Revision) -> Step:
        def run(connection: Connection[Any]) -> None:
            from twolane.migrations import online, runner

            advance = online.upgrade if revision.online else runner.upgrade
            advance(connection, config, revision.id)
            expect_unedited(config.migrations, [revision])

        return Step(digest(revision.digest, *texts), run)

    return whole([part(revision) for revision in revisions])


def whole(parts: Sequence[Step]) -> Step:
    """One step of several."""

    def run(connection: Connection[Any]) -> None:
        for part in parts:
            part.run(connection)

    return Step(digest(*(part.digest for part in parts)), run, parts)


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

    return Step(digest(*(text for r in revisions for text in (r.id, *r.statements))), run)


def digest(*parts: str) -> str:
    """One digest of several texts in their order."""
    return sha256("\0".join(parts).encode()).hexdigest()
