"""G06 destructive: protects data from being dropped or cut by accident.

The plan names each such step, and the user repeats the names that are meant.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from twolane.facts.traces import Traces
from twolane.guards.refusal import Refusal
from twolane.state import hazards
from twolane.state.hazards import Hazard
from twolane.state.plan import Plan


def destructive(found: Sequence[Hazard], allowed: Sequence[str]) -> Refusal | None:
    """G06: a plan that gives up data needs consent, by name."""
    unmet = hazards.unmet(found, allowed)
    return _unmet("The plan gives up data:", unmet) if unmet else None


def unplanned_writes(plan: Plan, seen: Traces, allowed: Sequence[str]) -> Refusal | None:
    """G06 once more, in the database itself: a migration may ask what it finds there.

    seen: what the migrations left there beside facts, before the commit.
    """
    found = hazards.writes(plan, seen.written - plan.effects.traces.written)
    unmet = hazards.unmet(found, allowed)
    reason = "In the database, other than on the shadow, the migrations write rows:"
    return _unmet(reason, unmet) if unmet else None


def given_up(file: str, found: Sequence[Hazard], allowed: Sequence[str]) -> Refusal | None:
    """G06 for an SQL file that has run, before the commit.

    found: what it does to data that were there.
    """
    unmet = hazards.unmet(found, allowed)
    reason = f"{file} gives up data that are there; nothing of it was applied:"
    return _unmet(reason, unmet) if unmet else None


def _unmet(reason: str, unmet: Sequence[Hazard]) -> Refusal:
    consents = " ".join(f"--allow {shlex.quote(hazard.key)}" for hazard in unmet)
    return Refusal(
        "G06",
        "destructive",
        reason,
        f"if it is meant, repeat with {consents}",
        details=[f"{hazard.key}   {hazard.text}" for hazard in unmet],
    )
