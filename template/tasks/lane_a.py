"""Lane A: SQL files into the database, the database into the mirror."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import catalog, console, databases, ledger, models, sqlfiles
from .catalog import Change
from .config import Config, Target
from .errors import Failure
from .sqlfiles import SqlFile
from .state import Repo, State

if TYPE_CHECKING:
    from psycopg import Connection


def choose(repo: Repo, done: ledger.Ledger, names: Sequence[str]) -> tuple[SqlFile, ...]:
    """The files to run: those named, else those new or changed; in the order of `bootstrap.txt`.

    While a revision waits, files that build on the migrations stay behind.

    Raises:
        Failure: a name that `bootstrap.txt` doesn't list.
    """
    wanted = {Path(name).name for name in names}
    known = {file.name for file in repo.order.files}
    if unknown := sorted(wanted - known):
        raise Failure(
            f"bootstrap.txt lists no {', '.join(unknown)}; it lists: {', '.join(sorted(known))}.",
            "Write the file's name as it stands in supabase/sql/.",
        )
    if wanted:
        return tuple(file for file in repo.order.files if file.name in wanted)
    from .state import pending, waiting

    return pending(repo.order.before if waiting(repo, done) else repo.order.files, done)


def apply(
    connection: Connection[Any], target: Target, files: Sequence[SqlFile], again: bool
) -> list[SqlFile]:
    """Runs the files, each in one transaction with its row in the ledger; returns those run.

    A file that another command ran meanwhile is skipped, unless it is to run `again`.
    """
    for file in files:
        sqlfiles.check(file)
    return [file for file in files if _apply_one(connection, target, file, again)]


def _apply_one(connection: Connection[Any], target: Target, file: SqlFile, again: bool) -> bool:
    def work() -> bool:
        with databases.transaction(connection):
            databases.exclusive(connection, console.note)
            ledger.prepare(connection)
            if not again and ledger.read(connection).applied.get(file.name) == file.digest:
                return False
            start = time.monotonic()
            sqlfiles.run(connection, file)
            ledger.record_file(connection, file, round(1000 * (time.monotonic() - start)))
            if target.protected:
                ledger.label(connection, target.name)
            return True

    def tell(text: str) -> None:
        console.warn(f"{file.name}: {text}")

    with console.working(file.name), sqlfiles.messages(connection, tell):
        start = time.monotonic()
        ran = databases.retry_locks(work, connection, console.note)
    if ran:
        console.say(f"  {file.name}  {round(1000 * (time.monotonic() - start))} ms")
    return ran


@dataclass(frozen=True)
class Mirror:
    """What a sync would write, and what that changes."""

    models: str
    lock: str
    changes: Sequence[Change]


def mirror(state: State) -> Mirror:
    """The mirror of the live database's SQL lane."""
    return Mirror(
        models=models.render_models(state.sql_lane),
        lock=catalog.dump_lock(state.sql_lane),
        changes=catalog.diff(state.repo.lock, state.sql_lane),
    )


def outdated(config: Config, mirror: Mirror) -> list[Path]:
    """The files of the mirror that are not what a sync would write."""
    wanted = {config.introspected: mirror.models, config.lock: mirror.lock}
    return [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_bytes() != text.encode()
    ]


def write(config: Config, mirror: Mirror) -> None:
    """Writes the mirror; the lock last, so that a sync cut short is seen as unfinished."""
    for path, text in ((config.introspected, mirror.models), (config.lock, mirror.lock)):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        draft.write_bytes(text.encode())
        draft.replace(path)
