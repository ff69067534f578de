"""G05 baseline: protects what lane A owns from migrations, however they are written.

It looks at the facts before and after the migration ran on the shadow, and at what it left beside
them there and in the database, not at its text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.traces import Traces
from twolane.guards.refusal import Refusal
from twolane.state.plan import Plan


def baseline(plan: Plan) -> Refusal | None:
    """G05: a migration changes only what lane B owns, however it is written."""
    made = {c.identity for c in plan.changes if c.before is None}
    touched = [c for c in plan.changes if not _is_lane_b(c, plan, made)]
    lost = [f"{identity}   its data are lost or written anew" for identity in _lost_unseen(plan)]
    lost += _beside(plan, plan.effects.traces)
    if not touched and not lost:
        return None
    return Refusal(
        "G05",
        "baseline",
        "Run on the shadow, the waiting migrations change what they do not own:",
        f"take it out of {plan.revisions[-1].path.name}; such changes go into supabase/sql/",
        touched,
        lost,
    )


def elsewhere(facts: Snapshot, seen: Traces) -> Refusal | None:
    """G05 for a way back: it keeps to what facts show, whichever lane owns that."""
    details = [
        f"rows of {t}   are written" for t in sorted(seen.written) if f"table {t}" not in facts
    ]
    details += _of_others(seen)
    if not details:
        return None
    return Refusal(
        "G05",
        "baseline",
        "Run on the shadow, the way back changes what no lane owns:",
        "take it out of downgrade()",
        details=details,
    )


def unplanned(plan: Plan, seen: Traces, parts: Collection[str] = ()) -> Refusal | None:
    """G05 once more, in the database itself: it holds rows, and may hold what the shadow doesn't.

    seen: what the migrations left there, before the commit. parts: the partitions of lane B's
    tables there.
    """
    planned = plan.effects.traces
    rest = replace(
        seen,
        written=seen.written - planned.written - _passing(plan, seen) - set(parts),
        replaced=seen.replaced - planned.replaced,
    )
    anew = seen.rewritten - plan.effects.rewritten - set(parts)
    details = [f"table {table}   its data are lost or written anew" for table in sorted(anew)]
    details += _beside(plan, rest)
    if not details:
        return None
    return Refusal(
        "G05",
        "baseline",
        "In the database, other than on the shadow, the migrations change what they do not own (by "
        "a cascade or a trigger, perhaps); nothing was applied:",
        f"take it out of {plan.revisions[-1].path.name}; such changes go into supabase/sql/"
        if plan.revisions
        else "take it out of downgrade()",
        details=details,
    )


# What the platform keeps of messages on their way: triggers on the app's tables write there.
_QUEUES = ("realtime.messages", "net.http_request_queue", "supabase_functions.hooks")


def _passing(plan: Plan, seen: Traces) -> set[str]:
    """The queues that were written while rows of lane B's tables were."""
    if not any(plan.owns(table) for table in seen.written):
        return set()
    return {table for table in seen.written if table.startswith(_QUEUES)}


def _beside(plan: Plan, seen: Traces) -> list[str]:
    """What of it lane B does not own, a line each."""
    lines = [f"rows of {table}   are written" for table in seen.written if not plan.owns(table)]
    lines += [
        f"sequence {sequence}   is set to another number"
        for sequence, table in seen.moved.items()
        if plan.before.keys() & {f"table {table}", f"sequence {sequence}"}
        and not (plan.owns(table) or f"sequence {sequence}" in plan.owned)
    ]
    lines += [
        f"{identity}   is another one by that name"
        for identity in seen.replaced - plan.effects.gone
        if not plan.owns(str(identities.relation(identity)))
    ]
    if any(identities.kind(change.identity) == "extension" for change in plan.changes):
        seen = replace(seen, platform=())  # an extension is G07's, with what it brings
    return sorted(lines) + _of_others(seen)


def _of_others(seen: Traces) -> list[str]:
    areas = (
        ("twolane's record", seen.records),
        ("the whole server", seen.server),
        ("the platform", seen.platform),
    )
    return [f"{line}   of {area}" for area, found in areas for line in _chief(found)]


def _chief(lines: Sequence[str]) -> list[str]:
    """Without what comes and goes with a table or view that is listed itself."""
    whole = {line.partition(" relation ")[2] for line in lines if line[0] in "+-"} - {""}
    return [
        line for line in lines if " relation " in line or not any(name in line for name in whole)
    ]


def record_written(file: str, records: Sequence[str]) -> Refusal | None:
    """G05 for an SQL file: twolane's own record is not lane A's either.

    records: what of it the file has written.
    """
    if not records:
        return None
    return Refusal(
        "G05",
        "baseline",
        f"{file} changes twolane's own record; nothing of it was applied:",
        f"take it out of {file}",
        details=records,
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
    return sorted(
        i
        for i in lost - plan.owned
        if i in plan.after and identities.relation(i) not in plan.partitions
    )


def _follows(change: Change) -> bool:
    """Whether a partition gets that from its parent, whose name may be another afterwards."""
    kind = identities.kind(change.identity)
    return kind in ("column", "constraint", "index") or (kind == "table" and change.sign == "~")


def _becomes_child(change: Change, plan: Plan) -> bool:
    """Whether it is a table whose rows now show in a table that lane B does not own."""
    if identities.kind(change.identity) not in ("table", "foreign table"):
        return False
    before, after = (
        set(catalog.definition(text or "{}").get("inherits") or ())
        for text in (change.before, change.after)
    )
    return any(f"table {name}" in plan.before and not plan.owns(name) for name in after - before)


def _is_lane_b(change: Change, plan: Plan, made: set[str]) -> bool:
    if change.identity in plan.follows:
        return True
    table = identities.relation(change.identity)
    if change.after is None and table in plan.dropped:
        return True
    if table in plan.partitions and _follows(change):
        return True
    if _becomes_child(change, plan):
        return False
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
