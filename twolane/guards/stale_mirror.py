"""G03 stale-mirror: protects from a push into a database that the repo does not know.

A push is planned on the shadow, which the repo makes. After a change by hand the plan is wrong.
"""

from __future__ import annotations

from twolane.guards.refusal import Refusal
from twolane.state.state import State


def stale_mirror(state: State) -> Refusal | None:
    """G03: at a push, the database must match the mirror."""
    if not state.drift:
        return None
    return Refusal(
        "G03",
        "stale-mirror",
        "The live database changed since the last sync:",
        "invoke db.sync",
        state.drift,
    )
