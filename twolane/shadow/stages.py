"""Replays of the repo's files on the shadow: SQL files, migrations, SQL files after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.facts.catalog import Snapshot
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow import shadow

if TYPE_CHECKING:
    from twolane.repo.contents import Repo


@dataclass(frozen=True)
class Replays:
    """Replays all or part of a repo; calls `working` with the current step if it takes long.

    All methods raise `Failure` if a file or a migration doesn't run.
    """

    repo: Repo
    working: Callable[[str], Any]

    def at(
        self,
        history: Sequence[Revision],
        after: Sequence[SqlFile] = (),
        before: Sequence[SqlFile] | None = None,
    ) -> shadow.Replay:
        """Replays the SQL files before the mark (or `before`), `history`, and `after`."""
        steps = [
            shadow.files_step(self.repo.order.before if before is None else before),
            shadow.migrations_step(self.repo.config, history),
            shadow.files_step(after),
        ]
        return shadow.replay(self.repo.config, steps, self.working)

    def base(self) -> shadow.Replay:
        """Replays only the SQL files before the mark."""
        return self.at(())

    def whole(self) -> shadow.Replay:
        """Replays all files and revisions of the repo."""
        return self.at(self.repo.revisions, self.repo.order.after)

    def app(self, history: Sequence[Revision], before: Sequence[SqlFile] | None = None) -> Snapshot:
        """The facts that these revisions add to those of the files before the mark."""
        made, base = self.at(history, (), before).facts, self.at((), (), before).facts
        return {identity: text for identity, text in made.items() if identity not in base}

    def runnable(self, history: Sequence[Revision]) -> tuple[tuple[SqlFile, ...], Failure | None]:
        """The files before the mark that run, and the failure of the first that doesn't."""
        files, problem = self.repo.order.before, None
        while True:
            try:
                self.at(history, before=files)
            except FileFailure as failure:
                files = tuple(file for file in files if file != failure.file)
                problem = problem or failure
            else:
                return files, problem
