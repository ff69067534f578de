"""What a sync shows: what changed, and what it does not resolve."""

from __future__ import annotations

from collections.abc import Sequence

from twolane.facts import differences
from twolane.facts.catalog import Change
from twolane.lanes.mirror import Mirror
from twolane.tasks.console import say, warn
from twolane.tasks.screens import show_changes, show_objects


def show(mirror: Mirror) -> None:
    """Prints what changed fact by fact, and what a sync does not resolve, with the next steps."""
    state = mirror.state
    if mirror.changes:
        say(f"The live database against the mirror, {differences.count(mirror.changes)}:")
        show_objects(mirror.changes)
    if state.replay_error:
        warn(f"The repo's files don't run on the shadow: {state.replay_error.message}")
    if extra := [change for change in state.unmade if change.sign == "+"]:
        warn("No SQL file makes this; invoke db.capture writes one that does, or undo it:")
        show_changes(extra)
    if otherwise := [change for change in state.unmade if change.sign != "+"]:
        warn("The SQL files make this otherwise; invoke db.capture writes what was changed by")
        say("  hand; what a file should change needs statements that work on what exists:")
        show_changes(otherwise)
        say_way_back(otherwise)
    if state.app_drift:
        warn("The app's tables are not what their revisions make (G10), and left out:")
        show_changes(state.app_drift)


def say_way_back(changes: Sequence[Change]) -> None:
    """Says how to undo a drop by hand, if there is one among the changes."""
    if any(change.sign == "-" for change in changes):
        say("  To have back what is gone, run what makes it: invoke db.apply --file NAME")
