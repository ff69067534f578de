"""What brings one database to what the repo says: rehearsed, judged, with a digest of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twolane.capture import trial
from twolane.ddl.statement import Statement
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.guards.refusal import Refusal
from twolane.postgres import connections
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow.stages import Replays
from twolane.state import hazards
from twolane.state.connected import Work
from twolane.state.hazards import Hazard, short
from twolane.state.plan import Plan
from twolane.state.rehearsal import Course, Finish, Steps
from twolane.state.state import State

if TYPE_CHECKING:
    from psycopg import Connection

_HOLDS_DATA = ("table", "column")


@dataclass(frozen=True)
class Deployment:
    """One database's way to what the repo says.

    early, late: the SQL files to run before and after the revisions of `plan`. course: the
    rehearsal. different: what would differ even then from what the repo makes from nothing.
    """

    state: State
    early: tuple[SqlFile, ...]
    late: tuple[SqlFile, ...]
    course: Course
    hazards: Sequence[Hazard]
    different: Sequence[Change]

    @property
    def plan(self) -> Plan:
        return self.course.plan

    @property
    def is_empty(self) -> bool:
        return not (self.early or self.late or self.plan.revisions or self.course.rest)

    @property
    def files(self) -> tuple[SqlFile, ...]:
        return (*self.early, *self.late)

    @property
    def changes(self) -> list[Change]:
        """From where the database stands to the end, as the shadow has it."""
        return catalog.diff(self.course.start, self.course.end)

    @property
    def digest(self) -> str:
        """Names this plan: where the database stands, what will run, and what that does."""
        ledger = self.state.ledger
        parts = [
            dict(ledger.applied),
            ledger.revision,
            [(file.name, file.digest) for file in self.files],
            [(revision.id, revision.digest) for revision in self.plan.revisions],
            list(self.plan.statements),
            [statement.sql for statement in self.course.rest],
            [hazard.key for hazard in self.hazards],
        ]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def prepare(work: Work, state: State) -> Deployment:
    """Rehearses what the database lacks; what of an older form of the repo is left over, too.

    Where the repo's files don't run from nothing, what is left over is not known.

    Raises:
        Failure: the repo's files don't run where the database stands.
    """
    if state.replay_error:
        return _broken(work, state, state.replay_error)
    early, late = state.pending_before, state.pending_after
    replays = Replays(work.repo, work.tell.working)
    made = replays.whole().facts
    app = replays.app(work.repo.revisions)
    owner = connections.owner(work.connection)

    def rest(facts: Snapshot) -> list[Change]:
        return [
            change
            for change in catalog.diff(facts, made)
            if identities.kind(change.identity) != "owner" and change.identity not in app
        ]

    def run(connection: Connection[Any]) -> Sequence[Statement]:
        return trial.bring_about(connection, rest, made, owner).ran

    finish = Finish(lambda facts: bool(rest(facts)), run)
    course = work.rehearse(state, Steps(state.waiting, early, late), finish)
    again = {file.name for file in course.plan.again}
    return Deployment(
        state,
        early,
        tuple(file for file in late if file.name not in again),
        course,
        _hazards(course, state),
        rest(course.end) if not course.plan.needs_session else (),
    )


def _broken(work: Work, state: State, problem: Failure) -> Deployment:
    if not state.waiting:
        raise problem
    course = work.rehearse(state, Steps(state.waiting, state.pending_before))
    return Deployment(state, (), (), course, (), ())


def _hazards(course: Course, state: State) -> list[Hazard]:
    found = {hazard.key: hazard for hazard in hazards.find(course.plan)}
    found |= {hazard.key: hazard for hazard in _left_over(course)}
    for hazard in (*_by_files(course, state), *_of_rows(course, state)):
        found.setdefault(hazard.key, hazard)
    return sorted(found.values(), key=lambda hazard: (not hazard.needs_consent, hazard.key))


def _left_over(course: Course) -> Iterator[Hazard]:
    for statement in course.rest:
        for identity in statement.facts[:1]:
            is_lost = identities.kind(identity) in _HOLDS_DATA and identity not in course.end
            if not is_lost:  # else it is a drop
                yield Hazard("undo", short(identity), "no file of the repo makes it so any more")


def _by_files(course: Course, state: State) -> Iterator[Hazard]:
    """The tables and columns that SQL files drop, and that the database has."""
    plan = course.plan
    kept = {*plan.effects.renamed, *plan.effects.renamed.values()}
    gone = [
        identity
        for before, after in ((course.start, plan.before), (plan.after, course.end))
        for identity in before.keys() - after.keys()
        if identities.kind(identity) in _HOLDS_DATA
        and identity not in kept
        and course.renamed(identity) not in course.end
        and identity in state.live
    ]
    tables = {identities.relation(i) for i in gone if identities.kind(i) == "table"}
    for identity in sorted(gone):
        goes_with_table = identities.kind(identity) == "column" and (
            identities.relation(identity) in tables
        )
        if not goes_with_table and f"table {identities.relation(identity)}" in state.live:
            yield Hazard("drop", short(identity), "its data are lost for good")


def _of_rows(course: Course, state: State) -> Iterator[Hazard]:
    """What SQL files do to the rows of tables that the database has."""
    tables = {short(i) for i in state.live if identities.kind(i) == "table"}
    kinds = ("write", "rewrite")
    for each in (hazard for file in course.files for hazard in file.hazards):
        if each.kind in kinds and each.what in tables:
            yield each


def idle(deployment: Deployment, allowed: Sequence[str]) -> list[str]:
    """The consents that no hazard asks for: what they were for is done, or they are a slip."""
    asked = hazards.unmet(deployment.hazards, ())
    return [consent for consent in allowed if hazards.unmet(asked, [consent]) == asked]


def not_the_repo(deployment: Deployment) -> Refusal | None:
    """G08: run where the database stands, the files end where they end from nothing."""
    if not deployment.different:
        return None
    return Refusal(
        "G08",
        "idempotent",
        "Run where this database stands, the repo's files end without this:",
        "write the statement that brings it about into an SQL file, beside the one that makes it "
        "from nothing (alter …, drop … if exists); then run the same command again",
        deployment.different,
    )
