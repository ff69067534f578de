"""Runs what a database lacks on a copy of the shadow that stands just where the database stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twolane.ddl.statement import Statement
from twolane.errors import Failure
from twolane.facts import catalog, identities, ownership
from twolane.facts.catalog import Snapshot
from twolane.migrations import effects, functions
from twolane.postgres import transactions
from twolane.repo import revisions, sqlfiles
from twolane.repo.contents import Repo
from twolane.repo.revisions import Revision, code, moves, up_to
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state import losses
from twolane.state.losses import Losses
from twolane.state.plan import Plan
from twolane.state.stand import Stand

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.migrations.runner import Carried


@dataclass(frozen=True)
class Steps:
    """What a database lacks, in the order in which it runs.

    early, late: the SQL files before and after the revisions. major: the database's version.
    """

    revisions: tuple[Revision, ...]
    early: tuple[SqlFile, ...] = ()
    late: tuple[SqlFile, ...] = ()
    major: int | None = None


@dataclass(frozen=True)
class Course:
    """How a database gets on: the facts where it stands, the plan, the facts at the end.

    rest: the statements of `finish`, which ran last. files: what each SQL file does to data that
    the database may have.
    """

    start: Snapshot
    plan: Plan
    end: Snapshot
    rest: tuple[Statement, ...] = ()
    files: tuple[Losses, ...] = ()

    def renamed(self, identity: str) -> str:
        """The table's or column's name after the SQL files."""
        for file in self.files:
            identity = file.renamed.get(identity, identity)
        return identity


@dataclass(frozen=True)
class Finish:
    """What runs on the copy after all steps.

    is_due: whether there is anything to do, given the facts. run: does it, and returns the
    statements.
    """

    is_due: Callable[[Snapshot], bool]
    run: Callable[[Connection[Any]], Sequence[Statement]]


NOTHING = Finish(lambda facts: False, lambda connection: ())


@dataclass(frozen=True)
class _Ground:
    """The copy, and what is known of it."""

    repo: Repo
    replays: Replays
    stand: Stand
    owned: frozenset[str]
    by_late_files: frozenset[str]
    connection: Connection[Any]


def rehearse(
    repo: Repo,
    stand: Stand,
    steps: Steps,
    working: Callable[[str], Any],
    finish: Finish = NOTHING,
) -> Course:
    """Runs the steps, each as it will run in the database.

    Raises:
        Failure: a file or a revision doesn't run there.
    """
    replays = Replays(repo, working)
    start, stand = stand.replay(replays)
    owned = frozenset(replays.app(stand.history, stand.before, stand.foreign))
    if not (steps.revisions or steps.early or steps.late or finish.is_due(start.facts)):
        return Course(start.facts, Plan((), start.facts, start.facts, owned), start.facts)
    if not (stand.files or stand.history or stand.foreign or steps.revisions):
        made = replays.whole().facts
        return Course(
            start.facts, Plan((), replays.base().facts, replays.base().facts, owned), made
        )
    alone = replays.at(stand.history, (), stand.before, stand.foreign).facts
    with (
        working("rehearsing on the shadow"),
        shadow.open_clone(repo.config, start.database) as connection,
    ):
        ground = _Ground(
            repo, replays, stand, owned, frozenset(start.facts.keys() - alone.keys()), connection
        )
        return _course(ground, start.facts, steps, finish)


def _course(ground: _Ground, start: Snapshot, steps: Steps, finish: Finish) -> Course:
    connection = ground.connection
    unfit = functions.faults(connection)
    there = losses.tables(connection)
    lost = _run(connection, steps.early, there, steps.revisions)
    before = catalog.read(connection) if steps.early else start
    moved = ownership.structure(before, moves(steps.revisions)[0])
    ground = replace(ground, owned=(ground.owned | moved) & before.keys())
    plan = Plan((), before, before, ground.owned)
    if steps.revisions:
        plan = _in_stages(ground, before, steps, unfit)
    if plan.needs_session or plan.effects.traces.server:
        return Course(start, plan, plan.after)
    rest = [file for file in steps.late if file not in plan.again]
    lost += _run(connection, rest, there)
    end = catalog.read(connection) if rest else plan.after
    plan = replace(
        plan,
        broken=_new_faults(connection, unfit),
        mentions=functions.mentions(connection, _gone(plan)),
    )
    ran = tuple(finish.run(connection)) if finish.is_due(end) else ()
    end = catalog.read(connection) if ran else end
    undo = _undo(ground, plan, end)
    stages = tuple(replace(stage, undo=undo) for stage in plan.stages)
    return Course(start, replace(plan, undo=undo, stages=stages), end, ran, tuple(lost))


def _new_faults(connection: Connection[Any], before: Mapping[str, str]) -> Mapping[str, str]:
    faults = functions.faults(connection)
    return {name: text for name, text in faults.items() if name not in before}


def _run(
    connection: Connection[Any],
    files: Sequence[SqlFile],
    there: frozenset[int],
    later: Sequence[Revision] = (),
) -> list[Losses]:
    """Runs the files; what each does to data of the tables that are `there`, by OID.

    later: the revisions that run after them.
    """
    found: list[Losses] = []
    for file in files:
        with transactions.transaction(connection), _rehearsing(later):
            before = losses.look(connection)
            sqlfiles.run(connection, file)
            found.append(losses.find(connection, file, before, there))
    return found


@contextmanager
def _rehearsing(later: Sequence[Revision] = ()) -> Iterator[None]:
    try:
        yield
    except FileFailure as failure:
        raise FileFailure(
            failure.file,
            f"Rehearsed where the database stands, {failure.message}",
            revisions.below_the_mark(failure, later) or failure.first,
        ) from failure


def _in_stages(ground: _Ground, before: Snapshot, steps: Steps, unfit: Mapping[str, str]) -> Plan:
    """The plan of the revisions; where one is online, stage after stage, and their sum."""
    stages = revisions.stages(steps.revisions)
    if len(stages) == 1:
        return _stage(ground, before, steps, unfit)
    layout = effects.layout(ground.connection)
    plans: list[Plan] = []
    for stage in stages:
        last = stage is stages[-1]
        now = replace(steps, revisions=stage, late=steps.late if last else ())
        plans.append(_stage(ground, plans[-1].after if plans else before, now, unfit))
        if plans[-1].needs_session or plans[-1].effects.traces.server:
            return replace(plans[-1], revisions=steps.revisions)
        ground = replace(ground, owned=frozenset(plans[-1].app))
    whole = effects.compare(layout, effects.layout(ground.connection), {})
    return Plan(
        revisions=steps.revisions,
        before=before,
        after=plans[-1].after,
        owned=ground.owned.union(*(plan.owned for plan in plans)),
        effects=effects.in_sequence(whole, [plan.effects for plan in plans]),
        drops=[sql for plan in plans for sql in plan.drops],
        again=tuple(dict.fromkeys(file for plan in plans for file in plan.again)),
        follows=frozenset().union(*(plan.follows for plan in plans)),
        ran={name: ran for plan in plans for name, ran in plan.ran.items()},
        code={name: text for plan in plans for name, text in plan.code.items()},
        stages=tuple(plans),
    )


def _stage(ground: _Ground, before: Snapshot, steps: Steps, unfit: Mapping[str, str]) -> Plan:
    if steps.revisions[0].online:
        return _online(ground, before, steps)
    return _plan(ground, before, steps, unfit)


def _online(ground: _Ground, before: Snapshot, steps: Steps) -> Plan:
    """One online revision, its steps one by one. It carries along nothing that is in its way."""
    from twolane.migrations import online

    revision = steps.revisions[0]
    said = code(ground.repo.config.migrations, steps.revisions)
    done = online.observe(ground.connection, ground.repo.config, revision.id, major=steps.major)
    return Plan(
        revisions=steps.revisions,
        before=before,
        after=done.facts,
        owned=ground.owned,
        effects=done.effects,
        follows=_follows(ground, before, done.facts, steps),
        ran={revision.id: done.statements},
        code=said,
        steps=done.steps,
        passing=done.passing,
    )


def _plan(ground: _Ground, before: Snapshot, steps: Steps, unfit: Mapping[str, str]) -> Plan:
    """The revisions, with the files that have to run in their transaction: those that make anew
    what was in the way, and those that mend a function that the revisions break."""
    from twolane.migrations import dependents, runner, session

    config, last = ground.repo.config, steps.revisions[-1].id
    said = code(config.migrations, steps.revisions)
    again: tuple[SqlFile, ...] = ()
    try:
        try:
            done = runner.rehearse(ground.connection, config, last, keep=True)
        except dependents.InTheWay:
            carried = _carried(ground, steps)
            if not carried.facts:
                raise
            again = tuple(carried.files)
            with _rehearsing():
                done = runner.rehearse(ground.connection, config, last, carried, keep=True)
    except session.NeedsSession as failure:
        return Plan(steps.revisions, before, before, ground.owned, needs_session=failure.message)
    if done.effects.traces.server:  # it was rolled back
        return Plan(steps.revisions, before, before, ground.owned, done.effects, ran=done.ran)
    end = done.end
    if steps.late and not again and _new_faults(ground.connection, unfit):
        again = steps.late
        _run(ground.connection, again, frozenset())
        end = catalog.read(ground.connection)
    return Plan(
        revisions=steps.revisions,
        before=before,
        after=end,
        owned=ground.owned,
        effects=done.effects,
        drops=done.drops,
        again=again,
        follows=_follows(ground, before, end, steps),
        ran=done.ran,
        code=said,
    )


def _carried(ground: _Ground, steps: Steps) -> Carried:
    """What the files after the mark made on the tables that the revisions change."""
    from twolane.migrations.runner import Carried

    stand, replays = ground.stand, ground.replays
    now = replays.app(stand.history, stand.before, stand.foreign)
    then = replays.app(up_to(ground.repo.revisions, steps.revisions[-1].id))
    tables = {
        name for change in catalog.diff(now, then) if (name := identities.relation(change.identity))
    }
    types = any(identities.kind(c.identity) in _TYPES for c in catalog.diff(now, then))
    tables |= set(map(str, map(identities.relation, now))) - {"None"} if types else set()
    return Carried(tables, ground.by_late_files, ground.repo.order.after)


_TYPES = ("enum", "domain", "composite type", "range type")


def _follows(ground: _Ground, before: Snapshot, end: Snapshot, steps: Steps) -> frozenset[str]:
    """What files after the mark make, and what comes out as they make it from nothing."""
    if steps.revisions[-1] != ground.repo.revisions[-1]:
        return frozenset()
    try:
        made = ground.replays.whole().facts
    except Failure:
        return frozenset()
    alone = ground.replays.at(ground.repo.revisions).facts
    late = (ground.by_late_files | made.keys()) - alone.keys()
    return frozenset(
        change.identity
        for change in catalog.diff(before, end)
        if change.identity in late and change.after == made.get(change.identity)
    )


def _gone(plan: Plan) -> set[tuple[str, str | None]]:
    """The tables and columns that no longer have their names, as (table, column or None)."""
    found: set[tuple[str, str | None]] = set()
    for identity in (*plan.effects.gone, *plan.effects.renamed):
        kind = identities.kind(identity)
        parts = identities.split_name(identity.removeprefix(f"{kind} "))
        names = [identities.unquote(part) for part in parts]
        if kind == "table":
            found.add((names[-1], None))
        elif kind == "column" and f"table {identities.relation(identity)}" not in plan.effects.gone:
            found.add((names[-2], names[-1]))
    return found


def _undo(ground: _Ground, plan: Plan, end: Snapshot) -> Mapping[str, Sequence[str] | None]:
    from twolane.migrations import runner

    tables = {str(identities.relation(i)) for i in plan.app if identities.kind(i) == "table"}
    carried = runner.Carried(tables, end.keys() - plan.app.keys())
    below = [(r.id, r.down[0] if len(r.down) == 1 else None) for r in reversed(plan.revisions)]
    if any(len(revision.down) > 1 for revision in plan.revisions):
        return {revision.id: None for revision in plan.revisions}
    stepwise = {revision.id for revision in plan.revisions if revision.online}
    return runner.undo(ground.connection, ground.repo.config, below, carried, stepwise)
