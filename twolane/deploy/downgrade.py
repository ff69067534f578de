"""Takes a database back to an older revision: rehearsed where it stands, with its hazards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twolane.capture import trial
from twolane.deploy import ending, take_back
from twolane.deploy.ending import Ending
from twolane.deploy.route import Route
from twolane.deploy.take_back import Leg
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Change, Snapshot, structure
from twolane.facts.traces import Traces, together
from twolane.guards import guards
from twolane.guards.refusal import Refusal, refuse
from twolane.migrations import dependents, effects
from twolane.migrations.dependents import InTheWay
from twolane.postgres import connections, transactions
from twolane.repo import ledger
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state import hazards, stand
from twolane.state.connected import Work
from twolane.state.hazards import Hazard
from twolane.state.plan import Plan
from twolane.state.state import State
from twolane.text import shortened

if TYPE_CHECKING:
    from psycopg import Connection

Ahead = Callable[["Connection[Any]"], Sequence[str]]


@dataclass(frozen=True)
class Downgrade:
    """A way back, rehearsed.

    first, last: the statements around the revisions' own, which take away what SQL files made.
    legs: what runs one after the other. not_run: the SQL files that have to run again. plan: the
    facts and the effects. as_left: the database's facts without what was changed by hand.
    """

    route: Route
    first: Sequence[str]
    legs: Sequence[Leg]
    last: Sequence[str]
    not_run: Sequence[str]
    plan: Plan
    hazards: Sequence[Hazard]
    as_left: Snapshot

    @property
    def statements(self) -> Sequence[str]:
        return [*self.first, *(sql for leg in self.legs for sql in leg.ran), *self.last]

    @property
    def steps(self) -> Mapping[str, Sequence[str]]:
        """Online revision → the statements of its steps."""
        return {leg.route.back[0].id: [step.sql for step in leg.steps] for leg in self.legs}


def prepare(work: Work, state: State, route: Route) -> Downgrade:
    """Rehearses the way back on a copy of the shadow that stands where the database stands.

    Raises:
        Failure: it does not run there, or does not end in what the revisions that stay make.
    """
    replays = Replays(work.repo, work.tell.working)
    known = state.stand or stand.read(work.repo, state.ledger, work.connection)
    start, where = known.replay(replays)
    end = ending.find(replays, where, route)
    recorded = {
        had.id: ledger.statements(work.connection, had.id)[1] or () for had in route.foreign
    }
    rehearsal = _Rehearsal(work, route, end, recorded, connections.owner(work.connection))
    with work.tell.working("rehearsing on the shadow"):
        done = rehearsal.run_with_less(start)
    passing = frozenset[str]().union(*(leg.passing for leg in done.legs)) - done.end.keys()
    plan = Plan(
        (),
        start.facts,
        done.end,
        frozenset(start.facts),
        done.effects,
        passing=passing,
    )
    return Downgrade(
        route,
        done.first,
        done.legs,
        done.last,
        list(dict.fromkeys(f.name for f in where.after if f.name in end.not_run)),
        plan,
        hazards.find(plan),
        state.as_left,
    )


@dataclass(frozen=True)
class _Done:
    first: Sequence[str]
    legs: Sequence[Leg]
    last: Sequence[str]
    end: Snapshot
    effects: effects.Effects


@dataclass(frozen=True)
class _Rehearsal:
    work: Work
    route: Route
    ending: Ending
    recorded: Mapping[str, Sequence[str]]
    owner: str

    def run_with_less(self, start: shadow.Replay) -> _Done:
        """Takes the revisions back; where that is refused, once more without what SQL files made:
        what goes for good, and at last also what is made again at the end."""
        for ahead in (self._nothing, self._what_goes):
            with suppress(InTheWay):
                return self._run(start, ahead)
        return self._run(start, self._what_is_on_the_tables)

    def _nothing(self, connection: Connection[Any]) -> Sequence[str]:
        return ()

    def _what_goes(self, connection: Connection[Any]) -> Sequence[str]:
        return self._bring_about(connection, self.ending.by_files)

    def _what_is_on_the_tables(self, connection: Connection[Any]) -> Sequence[str]:
        gone = self._what_goes(connection)
        end = self.ending
        with transactions.transaction(connection):
            return [*gone, *dependents.drop(connection, end.tables(), end.by_late)]

    def _run(self, start: shadow.Replay, ahead: Ahead) -> _Done:
        """Takes the revisions back on a copy; `ahead` runs before, and tells its statements."""
        config = self.work.config
        with shadow.open_clone(config, start.database) as connection:
            layout = effects.layout(connection)
            first = ahead(connection)
            left: list[Traces] = []

            def judge(connection: Connection[Any], seen: Traces) -> None:
                refuse(guards.elsewhere(start.facts, seen))
                left.append(seen)

            legs = [
                take_back.rehearse(connection, config, stage, self.recorded, judge)
                for stage in self.route.stages
            ]
            last = self._bring_about(connection, self.ending.changes)
            facts = catalog.read(connection)
            self._expect_the_end(facts)
            seen = effects.compare(layout, effects.layout(connection), {})
            seen = replace(seen, traces=together(left))
        return _Done(first, legs, last, facts, seen)

    def _bring_about(
        self, connection: Connection[Any], changes: Callable[[Snapshot], list[Change]]
    ) -> Sequence[str]:
        if not changes(catalog.read(connection)):
            return ()
        done = trial.bring_about(connection, changes, self.ending.facts, self.owner)
        return [statement.sql for statement in done.ran]

    def _expect_the_end(self, facts: Snapshot) -> None:
        compared = structure({**self.ending.facts, **facts})
        left = [change for change in self.ending.changes(facts) if change.identity in compared]
        if left:
            lines = "\n".join(f"    {line}" for line in shortened(differences.flat(left)))
            raise Failure(
                f"Taken back to {self.route.end}, the database would still need this:\n{lines}",
                "Correct downgrade() of what is taken back; invoke db.check tries it.",
            )


def touched_by_hand(found: Downgrade, state: State) -> Refusal | None:
    """G03 and G10 where the repo lacks the revision, and so no sync: what the way back meets."""
    about = {identities.relation(change.identity) for change in found.plan.changes} - {None}
    changed = {change.identity for change in found.plan.changes}
    drift = [
        change
        for change in (*state.drift, *state.app_drift)
        if change.identity in changed or identities.relation(change.identity) in about
    ]
    if not drift:
        return None
    return Refusal(
        "G03",
        "stale-mirror",
        "What is taken back was changed by hand:",
        "undo that in the database (invoke db.psql), then run the same command again",
        drift,
    )
