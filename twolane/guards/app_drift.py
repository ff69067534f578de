"""G10 app-drift: protects the app's tables from changes that no revision makes.

Such a change is in one database alone, and the next revision would build on it.
"""

from __future__ import annotations

from twolane.guards.refusal import Refusal
from twolane.state.state import State


def app_drift(state: State) -> Refusal | None:
    """G10: only revisions change the app's tables."""
    if not state.app_drift:
        return None
    return Refusal(
        "G10",
        "app-drift",
        "The app's tables were changed by hand; no revision makes this:",
        "undo it in the database (invoke db.psql), and make it by app.py and invoke db.gen",
        state.app_drift,
    )
