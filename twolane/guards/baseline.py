"""G05 baseline: protects what lane A owns from migrations, however they are written.

It looks at the facts before and after the migration ran on the shadow, not at its text.
"""

from __future__ import annotations

from twolane.errors import Failure
from twolane.facts import identities, partitions
from twolane.facts.catalog import Change
from twolane.guards.refusal import Refusal
from twolane.state.plan import Plan


def baseline(plan: Plan) -> Refusal | None:
    """G05: a migration changes only what lane B owns, however it is written."""
    made = {c.identity for c in plan.changes if c.before is None}
    touched = [c for c in plan.changes if not _is_lane_b(c, plan, made)]
    lost = _lost_unseen(plan)
    if not touched and not lost:
        return None
    return Refusal(
        "G05",
        "baseline",
        "Run on the shadow, the waiting migrations change what they do not own:",
        f"take it out of {plan.revisions[-1].path.name}; such changes go into supabase/sql/",
        touched,
        [f"{identity}   its data are lost or written anew" for identity in lost],
    )


def broken(plan: Plan, problem: Failure | None) -> Refusal | None:
    """G05: nothing that lane A makes stops working by a migration.

    problem: why the repo's files, with the waiting migrations, don't run from nothing.
    """
    if not plan.revisions or not (plan.broken or problem):
        return None
    details = [f"{name}   {reason}" for name, reason in plan.broken.items()]
    details += problem.message.splitlines() if problem else []
    details += [f"renamed: {old} → {new}" for old, new in plan.effects.renamed.items()]
    return Refusal(
        "G05",
        "baseline",
        "With the waiting migrations, this of the SQL files no longer works:",
        "change the SQL file that makes it, in the same commit as the revision; then run the same "
        "command again",
        details=details,
    )


def _lost_unseen(plan: Plan) -> list[str]:
    """Objects that lane B does not own and whose data are lost without a change of their facts.

    A migration may drop such an object and make it again, or rewrite it.
    """
    lost = {*plan.effects.gone, *(f"table {table}" for table in plan.effects.rewritten)}
    parts = _parts(plan)
    return sorted(
        i for i in lost - plan.owned if i in plan.after and identities.relation(i) not in parts
    )


def _follows(change: Change) -> bool:
    """Whether a partition gets that from its parent, whose name may be another afterwards."""
    kind = identities.kind(change.identity)
    return kind in ("column", "constraint", "index") or (kind == "table" and change.sign == "~")


def _parts(plan: Plan) -> frozenset[str]:
    """The partitions of lane B's tables, whoever made them: they follow their parents."""
    tables = {i.removeprefix("table ") for i in plan.owned if identities.kind(i) == "table"}
    return partitions.of(tables, (plan.before, plan.after))


def _is_lane_b(change: Change, plan: Plan, made: set[str]) -> bool:
    if change.identity in plan.follows:
        return True
    table = identities.relation(change.identity)
    if change.after is None and table in plan.dropped:
        return True
    if table in _parts(plan) and _follows(change):
        return True
    if change.before is not None:
        return change.identity in plan.owned
    about = identities.about(change.identity)
    if about in plan.before:
        return about in plan.owned
    hosts = (
        [f"{kind} {table}" for kind in (*identities.RELATION_KINDS, "domain", "composite type")]
        if table
        else []
    )
    return not hosts or any(host in plan.owned or host in made for host in hosts)
