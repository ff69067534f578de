"""The SQL that turns one database into another, tried on the shadow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.capture import capture
from twolane.capture.capture import NO_REASON, Columns
from twolane.capture.trial import Trial, bring_about
from twolane.config import Config
from twolane.ddl import render
from twolane.ddl.render import UNWRITTEN, Left, Rank, Statement
from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.differences import without_owners
from twolane.migrations import effects
from twolane.postgres import connections
from twolane.shadow import shadow
from twolane.state import hazards
from twolane.state.hazards import Hazard
from twolane.state.plan import Plan

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Side:
    """One of the two: its facts, its owner, its tables' columns in order."""

    facts: Snapshot
    owner: str
    columns: Columns


def side(connection: Connection[Any], facts: Snapshot) -> Side:
    return Side(facts, connections.owner(connection), capture.columns(connection))


@dataclass(frozen=True)
class Difference:
    """statements: in an order that runs. left: the changes that they don't make, and why.

    hazards: what they do to rows, and for how long they stop others. unlike: what the source has,
    and the copy of it on which they were tried could not have.
    """

    statements: tuple[Statement, ...]
    left: tuple[Left, ...]
    hazards: tuple[Hazard, ...]
    unlike: Sequence[Change]


def find(
    config: Config,
    source: Side,
    target: Side,
    changes: Sequence[Change],
    working: Callable[[str], Any],
) -> Difference:
    """The SQL for the changes from `source` to `target`, tried on a copy that the source's facts
    make. Neither database is touched.

    Raises:
        Failure: the shadow's server is out of reach.
    """
    ground = shadow.replay(config, [], working)
    with (
        working("trying the statements on the shadow"),
        shadow.open_clone(config, ground.database) as connection,
    ):
        _make(connection, source)
        before, old = catalog.read(connection), effects.layout(connection)
        trial = _make(connection, target)
        after, new = catalog.read(connection), effects.layout(connection)
    remaining = {change.identity for change in without_owners(after, target.facts)}
    plan = Plan((), before, after, frozenset(before), effects.compare(old, new, {}))
    return Difference(
        trial.ran,
        tuple(
            Left(change, trial.reasons.get(change.identity, _reason(change)))
            for change in changes
            if change.identity in remaining or identities.kind(change.identity) == "owner"
        ),
        tuple(hazards.find(plan)),
        without_owners(before, source.facts),
    )


def text(found: Difference, title: str) -> str:
    """The statements as SQL to be run by psql, with what is to know about them ahead.

    New values of enums have a transaction of their own: one that adds them may not use them
    (Postgres manual, ALTER TYPE).
    """
    values = [each for each in found.statements if each.rank is Rank.VALUE]
    rest = [each for each in found.statements if each.rank is not Rank.VALUE]
    lines = [f"{hazard.key}: {hazard.text}" for hazard in found.hazards]
    lines += [f"Not written: {_line(left.change)}: {left.reason}" for left in found.left]
    lines += [
        f"Not tried with: {_line(change)}, which the shadow can't have" for change in found.unlike
    ]
    ahead = "".join(f"-- {' '.join(line.split())}\n" for line in lines)
    parts = [
        f"begin;\n\n{render.text(statements, heading)}\ncommit;\n"
        for statements, heading in ((values, "New values of enums."), (rest, title))
        if statements
    ]
    return ahead + "\n".join(parts)


def _line(change: Change) -> str:
    return differences.flat([change])[0]


def _reason(change: Change) -> str:
    return UNWRITTEN.get(identities.kind(change.identity), NO_REASON)


def _make(connection: Connection[Any], side: Side) -> Trial:
    def changes(facts: Snapshot) -> list[Change]:
        return without_owners(facts, side.facts)

    return bring_about(connection, changes, side.facts, side.owner, side.columns)
