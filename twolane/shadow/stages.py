"""Replays of the repo's files on the shadow: SQL files, migrations, SQL files after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.facts import ownership
from twolane.facts.catalog import Snapshot
from twolane.repo.revisions import Revision, moves
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow import shadow
from twolane.shadow.steps import Recorded, files_step, migrations_step, recorded_step

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
        foreign: Sequence[Recorded] = (),
    ) -> shadow.Replay:
        """Replays the SQL files before the mark (or `before`), the revisions, and `after`.

        history: the repo's revisions. foreign: those that only a database's record has.
        """
        steps = [
            files_step(self.repo.order.before if before is None else before, self.repo.revisions),
            migrations_step(self.repo.config, history),
            recorded_step(foreign),
            files_step(after),
        ]
        return shadow.replay(self.repo.config, steps, self.working)

    def base(self) -> shadow.Replay:
        """Replays only the SQL files before the mark."""
        return self.at(())

    def whole(self) -> shadow.Replay:
        """Replays all files and revisions of the repo."""
        return self.at(self.repo.revisions, self.repo.order.after)

    def app(
        self,
        history: Sequence[Revision],
        before: Sequence[SqlFile] | None = None,
        foreign: Sequence[Recorded] = (),
    ) -> Snapshot:
        """The facts that these revisions add to those of the files before the mark.

        A table that they move to the app counts from there on, one that they move away no more.
        """
        made = self.at(history, (), before, foreign).facts
        base = self.at((), (), before).facts
        return ownership.app(made, base, *moves(history))
