"""The three-way question that is asked of each database, as a pure function of snapshots.

base: the facts as twolane last left the database. theirs: what it has now. ours: what the repo
makes. What differs from the base was changed by hand; what the repo makes and the database's own
files don't is still to come.
"""

from __future__ import annotations

from dataclasses import dataclass

from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot


@dataclass(frozen=True)
class Sides:
    """The SQL lane, as each side has it.

    lock: the mirror. live: the database. base: as twolane left it, None where no record says. made:
    what the repo's files make, None if they don't run. standing: what the database's own files
    make. past: facts of the lock that the database had once.
    """

    lock: Snapshot
    live: Snapshot
    base: Snapshot | None
    made: Snapshot | None
    standing: Snapshot
    past: frozenset[str]


def drift(sides: Sides) -> list[Change]:
    """What was changed by hand.

    Where no record says how twolane left the database, what the mirror, or the database's own
    files, or the repo's make counts as left by twolane.
    """
    if sides.base is not None:
        return catalog.diff(sides.base, sides.live)
    known = (sides.standing, sides.made or {})
    return [
        change
        for change in catalog.diff(sides.lock, sides.live)
        if identities.kind(change.identity) != "owner"
        and all(facts.get(change.identity) != change.after for facts in known)
    ]


def is_pending(identity: str, sides: Sides) -> bool:
    """Whether a file or revision that the database lacks, or has in an old form, changes it."""
    return sides.made is not None and sides.standing.get(identity) != sides.made.get(identity)


def is_still_to_come(identity: str, sides: Sides) -> bool:
    """Whether the database is at that fact as its own files left it, and the repo changes it."""
    left = sides.standing if sides.base is None else sides.base
    return is_pending(identity, sides) and sides.live.get(identity) == left.get(identity)


def intended(sides: Sides) -> Snapshot:
    """What the mirror should say: what the repo makes, with the drift on top."""
    changed = {change.identity for change in drift(sides)}
    every = sides.lock.keys() | sides.live.keys() | (sides.made or {}).keys()
    facts = {
        identity: _owner(identity, sides)
        if identity.startswith("owner ") and identity not in changed
        else _intended(identity, sides, identity in changed)
        for identity in every
    }
    facts = {i: t for i, t in facts.items() if facts.get(identities.about(i) or i, t) is not None}
    return {identity: text for identity in sorted(facts) if (text := facts[identity]) is not None}


def _owner(identity: str, sides: Sides) -> str | None:
    """The mirror's, for an object that it knows: owners differ with who connects, so it would flip
    between two databases."""
    known = identities.about(identity) in sides.lock
    return (sides.lock if known else sides.live).get(identity)


def _intended(identity: str, sides: Sides, drifted: bool) -> str | None:
    live, lock = sides.live.get(identity), sides.lock.get(identity)
    if drifted:
        return live
    if sides.made is None:
        return _without_replay(identity, sides)
    if is_pending(identity, sides):
        return sides.made.get(identity)
    if live is None and lock is not None and identity not in sides.past:
        return lock  # it was made by hand in another database; this one never had it
    return live


def _without_replay(identity: str, sides: Sides) -> str | None:
    """The lock where the database has nothing newer to say: what is still to come is not known."""
    live, lock = sides.live.get(identity), sides.lock.get(identity)
    if sides.base is None:
        return live
    return lock if live == sides.standing.get(identity) else live
