"""Tests that migrations are reversible: each goes up, down and up again, on a shadow copy."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities, ownership
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.traces import Traces, together
from twolane.guards import guards
from twolane.guards.findings import Finding
from twolane.guards.refusal import Refusal
from twolane.migrations import effects, online, runner
from twolane.migrations.session import as_run
from twolane.repo.locations import Place, in_folder, line_of
from twolane.repo.revisions import Revision, moves, up_to
from twolane.shadow import shadow
from twolane.state.plan import Plan

if TYPE_CHECKING:
    from psycopg import Connection

_NOT_UNDONE = 'write downgrade(), or say in it why not: raise NotImplementedError("…")'


@dataclass(frozen=True)
class Statement:
    """An SQL statement of a revision, and the line of the file that runs it."""

    text: str
    line: int


@dataclass(frozen=True)
class RoundTrip:
    """A revision, the facts after it, its statements, and the findings of guards and downgrade.

    added: the facts that it adds. refusals: G05 and G07. light: the app's tables of which it writes
    no row anew, as `schema.name`. is_spoilt: whether the database after the downgrade test differs
    from the state that the revision makes.
    """

    revision: Revision
    facts: Snapshot
    statements: Sequence[Statement]
    added: frozenset[str]
    light: frozenset[str]
    refusals: Sequence[Refusal]
    finding: Finding | None
    is_spoilt: bool


def trips(
    config: Config,
    revisions: Sequence[Revision],
    replay: Callable[[Sequence[Revision]], shadow.Replay],
    first: int = 0,
) -> Iterator[RoundTrip]:
    """Tries each revision from that number on, oldest first. `replay` gives the shadow at the end
    of a history.

    Each step has its own transaction, as in a push. A revision that is one of several on the same
    parent, or that merges two, is only upgraded: Alembic has no single downgrade path from there.

    Raises:
        Failure: an upgrade fails; replay it first.
    """
    done, lane_a = first, replay(()).facts
    while done < len(revisions):
        start = replay(revisions[:done])
        facts = start.facts
        with shadow.open_clone(config, start.database) as connection:
            for revision in revisions[done:]:
                trip = _trip(connection, config, revision, revisions, facts, lane_a)
                facts = trip.facts
                yield trip
                done += 1
                if trip.is_spoilt:
                    break


def _trip(
    connection: Connection[Any],
    config: Config,
    revision: Revision,
    revisions: Sequence[Revision],
    before: Snapshot,
    lane_a: Snapshot,
) -> RoundTrip:
    """Tries one revision where the ones before it are done.

    before: the facts there. lane_a: those that the SQL files before the mark make.
    """
    layout = effects.layout(connection)
    left: list[Traces] = []

    def judge(connection: Connection[Any], seen: Traces) -> None:
        runner.expect_own(seen.server)
        left.append(seen)

    with _statements_of(revision.path) as statements:
        _up(connection, config, revision, judge)
    facts = catalog.read(connection)
    done = effects.compare(layout, effects.layout(connection), {})
    done = replace(done, traces=together(left))
    finding, is_spoilt = None, False
    if _has_one_way_back(revision, revisions):
        finding, is_spoilt = _back_and_forth(connection, config, revision, before, facts)
    texts = tuple(statement.text for statement in statements)
    owned = frozenset(ownership.app(before, lane_a, *moves(up_to(revisions, revision.id))))
    plan = Plan((revision,), before, facts, owned, done, ran={revision.id: texts})
    return RoundTrip(
        revision,
        facts,
        statements,
        frozenset(facts.keys() - before.keys()),
        _tables(owned) - set(map(identities.plain, done.rewritten)),
        [r for r in (guards.baseline(plan), guards.sql_only(plan)) if r],
        finding,
        is_spoilt,
    )


def _up(
    connection: Connection[Any],
    config: Config,
    revision: Revision,
    judge: runner.Judge | None = None,
) -> None:
    advance = online.upgrade if revision.online else runner.upgrade
    advance(connection, config, revision.id, judge=judge)


def _tables(owned: frozenset[str]) -> frozenset[str]:
    return frozenset(
        identities.plain(i.removeprefix("table ")) for i in owned if identities.kind(i) == "table"
    )


def _has_one_way_back(revision: Revision, revisions: Sequence[Revision]) -> bool:
    beside = [other for other in revisions if other.down == revision.down]
    return len(beside) == 1 and len(revision.down) < 2


def _back_and_forth(
    connection: Connection[Any],
    config: Config,
    revision: Revision,
    before: Snapshot,
    after: Snapshot,
) -> tuple[Finding | None, bool]:
    """The problem of the downgrade, if any, and whether the database is unusable after it."""
    try:
        take_back = online.downgrade if revision.online else runner.downgrade
        take_back(connection, config, revision.down[0] if revision.down else "base")
    except Failure as failure:
        cause = failure.__cause__
        if not isinstance(cause, NotImplementedError):
            return _finding(revision, "Its downgrade() fails:", failure.message.splitlines()), False
        reason = "Its downgrade() says that it can't be undone, and not why."
        return None if str(cause).strip() else _finding(revision, reason), False
    left = [c for c in catalog.diff(before, catalog.read(connection)) if not _is_closed(c)]
    if left and before == after:
        return None, True  # what it drops, if it is there, is not there
    if left:
        message = "Up and down again, it leaves a schema that differs from the one before:"
        return _finding(revision, message, differences.flat(left)), True
    try:
        _up(connection, config, revision)
    except Failure as failure:
        message = "After its downgrade() it doesn't go up again:"
        return _finding(revision, message, failure.message.splitlines()), True
    if left := catalog.diff(after, catalog.read(connection)):
        message = "Up, down and up again, it makes something else than the first time:"
        return _finding(revision, message, differences.flat(left)), True
    return None, False


def _is_closed(change: Change) -> bool:
    """Whether twolane enabled row level security: where a table came into an exposed schema.

    A migration may not (G07). A database's own downgrade takes it off again.
    """
    return change.sign == "+" and identities.kind(change.identity) == "rls"


def _finding(revision: Revision, message: str, details: Sequence[str] = ()) -> Finding:
    place = Place(in_folder(revision), line_of(revision.path, "def downgrade"))
    return Finding(
        "reversible", revision.path.name, message, _NOT_UNDONE, place=place, details=tuple(details)
    )


def place_of(trip: RoundTrip, name: str) -> Place:
    """The line where the revision first names a table (as `public.notes`), or its upgrade()."""
    table = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b")
    lines = (s.line for s in trip.statements if table.search(s.text))
    line = next(lines, None) or line_of(trip.revision.path, "def upgrade")
    return Place(in_folder(trip.revision), line)


@contextmanager
def _statements_of(path: Path) -> Iterator[list[Statement]]:
    """Records the statements that code in this file runs, without Alembic's own bookkeeping."""
    from sqlalchemy import Engine, event

    statements: list[Statement] = []

    def note(_c: Any, _cursor: Any, statement: str, _p: Any, context: Any, _many: bool) -> None:
        frame = sys._getframe()
        while frame.f_back and Path(frame.f_code.co_filename).name != path.name:
            frame = frame.f_back
        if frame.f_back:
            statements.append(Statement(as_run(statement, context).strip(), frame.f_lineno))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
