"""G06 destructive: protects data from being dropped or cut by accident.

The plan names each such step, and the user repeats the names that are meant.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from twolane.guards.refusal import Refusal
from twolane.state import hazards
from twolane.state.hazards import Hazard


def destructive(found: Sequence[Hazard], allowed: Sequence[str]) -> Refusal | None:
    """G06: a plan that gives up data needs consent, by name."""
    unmet = hazards.unmet(found, allowed)
    if not unmet:
        return None
    consents = " ".join(f"--allow {shlex.quote(hazard.key)}" for hazard in unmet)
    return Refusal(
        "G06",
        "destructive",
        "The plan gives up data:",
        f"if it is meant, repeat with {consents}",
        details=[f"{hazard.key}   {hazard.text}" for hazard in unmet],
    )
