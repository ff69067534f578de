"""What the record of an earlier version of twolane lacks, from the repo, git and the shadow.

It had names and digests: no texts of SQL files, no SQL of revisions, no facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twolane.errors import Failure
from twolane.facts.catalog import Snapshot
from twolane.postgres import transactions
from twolane.repo import entries, ledger_tables, record
from twolane.repo import ledger as records
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state import stand
from twolane.state.state import State
from twolane.telling import Tell, Working

if TYPE_CHECKING:
    from psycopg import Connection

Statements = tuple[Sequence[str] | None, Sequence[str] | None]


@dataclass(frozen=True)
class Completion:
    """What to fill in. files: those of whose runs only the digests are recorded. revisions: pushed
    ones likewise. statements: revision → the SQL that brings it about, and that takes it back.
    stood: the facts as twolane left the database."""

    files: Sequence[SqlFile] = ()
    revisions: Sequence[Revision] = ()
    statements: Mapping[str, Statements] = field(default_factory=dict)
    stood: Snapshot | None = None

    def write(self, connection: Connection[Any], ledger: Ledger) -> None:
        """Fills it in, in the open transaction, once the ledger has its columns."""
        for file in self.files:
            entries.fill_file(connection, file)
        for revision in self.revisions:
            entries.fill_push(connection, revision)
        for name, (ran, undo) in self.statements.items():
            entries.fill_statements(connection, name, ran, undo)
        if self.stood is not None:
            record.write(connection, ledger, record.STOOD, self.stood)


def carry_out(connection: Connection[Any], then: Ledger, lacking: Completion, tell: Tell) -> None:
    """Fills it in, in a transaction; not if another command changed the database meanwhile."""
    with transactions.transaction(connection):
        transactions.exclusive(connection, tell.note)
        now = records.read(connection)
        if now == then:
            ledger_tables.prepare(connection)
            lacking.write(connection, now)


def is_complete(ledger: Ledger) -> bool:
    """Whether nothing is missing, or there is no record at all."""
    has_texts = all(ledger.late.get(name) is not None for name in ledger.applied)
    has_chain = all(pushed.down is not None for pushed in ledger.chain.values())
    return ledger.is_empty or (has_texts and has_chain and record.has(ledger, record.STOOD))


def find(connection: Connection[Any], state: State, working: Working) -> Completion:
    """What the record lacks, as far as the repo, git and the shadow know."""
    if is_complete(state.ledger):
        return Completion()
    names = find_names(connection, state.repo, state.ledger)
    return replace(
        names,
        statements=_statements(connection, state, names.revisions, working),
        stood=None if record.has(state.ledger, record.STOOD) else state.as_left,
    )


def find_names(connection: Connection[Any], repo: Repo, ledger: Ledger) -> Completion:
    """The part of `find` that needs no shadow."""
    if is_complete(ledger):
        return Completion()
    files = [
        file
        for file in stand.files(repo, ledger, connection)
        if ledger.late.get(file.name) is None and file.digest == ledger.applied[file.name]
    ]
    return Completion([*stand.earlier(repo, ledger), *files], _lost(repo, ledger))


def _lost(repo: Repo, ledger: Ledger) -> list[Revision]:
    """The repo's revisions of which the record has a digest alone."""
    return [
        revision
        for revision in repo.revisions
        if (pushed := ledger.chain.get(revision.id))
        and pushed.down is None
        and revision.is_recorded_as(pushed.digest)
    ]


def _statements(
    connection: Connection[Any], state: State, lost: Sequence[Revision], working: Working
) -> dict[str, Statements]:
    """Revision → the SQL that brings it about and that takes it back, run on the shadow."""
    from twolane.migrations import runner

    if not lost:
        return {}
    where = state.stand or stand.read(state.repo, state.ledger, connection)
    history, config = where.history, state.repo.config
    if not history or any(len(revision.down) > 1 or revision.online for revision in history):
        return {}
    below = [(r.id, r.down[0] if r.down else None) for r in reversed(history)]
    replays = Replays(state.repo, working)
    with suppress(Failure), working("completing the record"):
        base = replays.at((), (), where.before)
        with shadow.open_clone(config, base.database) as copy:
            ran = runner.rehearse(copy, config, history[-1].id, keep=True).ran
            undo = runner.undo(copy, config, below, runner.Carried())
        return {r.id: (ran.get(r.id), undo.get(r.id)) for r in lost}
    return {}
