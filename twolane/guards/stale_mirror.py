"""G03 stale-mirror: protects from a push into a database that the repo does not know.

A push is planned on the shadow, which the repo makes. After a change by hand the plan is wrong.
"""

from __future__ import annotations

from twolane.guards.refusal import Refusal
from twolane.state.state import State


def stale_mirror(state: State) -> Refusal | None:
    """G03: nobody changed the database by hand since its own record, or the mirror knows it.

    In the lanes of one database the mirror also has what SQL files made there.
    """
    return drift(state) or _unsynced(state)


def drift(state: State) -> Refusal | None:
    """G03 for `db.deploy`: the mirror may still lack what files of the repo make."""
    if not state.drift:
        return _swapped(state)
    details = [
        f"{change.identity}   the repo changes it too; db.deploy will make the repo's form of it"
        for change in state.contested
    ]
    return Refusal(
        "G03",
        "stale-mirror",
        "The live database changed since the last sync:",
        "invoke db.sync",
        state.drift,
        details,
    )


def _swapped(state: State) -> Refusal | None:
    """Names that went round by hand: no fact differs, and yet rows and values are other ones'."""
    if not state.renamed.swapped:
        return None
    return Refusal(
        "G03",
        "stale-mirror",
        "Somebody gave these the names of one another by hand; no fact shows it:",
        "invoke db.sync",
        details=list(state.renamed.swapped),
    )


def _unsynced(state: State) -> Refusal | None:
    if not state.unsynced:
        return None
    return Refusal(
        "G03",
        "stale-mirror",
        "SQL files were applied since the last sync; the mirror does not show it yet:",
        "invoke db.sync",
        state.unsynced,
    )
