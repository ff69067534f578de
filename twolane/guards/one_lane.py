"""G02 one-lane: protects from work in both lanes at once.

A revision is made and tried on top of the SQL files, so these are applied first. An SQL file after
the mark may need a table of a revision, so a revision that waits is pushed before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from twolane.guards.refusal import Refusal
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.ledger import Ledger
from twolane.state.state import State


def one_lane_for_push(state: State) -> Refusal | None:
    """G02 for lane B: no push, no gen while SQL files wait. With work in both lanes, A goes first.

    Files after the mark build on the migrations, so they don't block a waiting revision.
    """
    files = state.pending_before or (() if state.waiting else state.pending_after)
    if not files:
        return None
    first = "invoke db.apply" if state.ledger.applied else "invoke db.bootstrap"
    both = " (invoke db.deploy does both lanes)" if state.waiting else ""
    return Refusal(
        "G02",
        "one-lane",
        f"Lane A has unfinished work; these SQL files are new or changed, and not applied{both}:",
        first,
        details=[file.name for file in files],
    )


def one_lane_for_gen(state: State) -> Refusal | None:
    """G02 for `db.gen`: as for a push, but files after the mark may exist before their table."""
    return one_lane_for_push(state) if state.pending_before else None


def one_lane_for_apply(repo: Repo, ledger: Ledger, names: Sequence[str]) -> Refusal | None:
    """G02 for lane A: no apply while a revision waits, unless lane A has work before it."""
    todo = waiting(repo, ledger)
    both = " (invoke db.deploy does both lanes)" if pending(repo.order.files, ledger) else ""
    early = {file.name for file in pending(repo.order.before, ledger)}
    if not todo or (early and early.issuperset(names)):
        return None
    return Refusal(
        "G02",
        "one-lane",
        f"Lane B has unfinished work; these revisions wait to be pushed{both}:",
        "invoke db.push",
        details=[f"{r.id}  {r.title}" for r in todo],
    )
