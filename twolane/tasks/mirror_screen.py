"""What a sync shows: what changed, and what it does not resolve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twolane.facts import differences
from twolane.facts.catalog import Change
from twolane.tasks.console import NO_CHANGES, done, say, warn
from twolane.tasks.screens import show_changes, show_objects


def show(told: Mapping[str, Any]) -> None:
    """Prints what changed fact by fact, and what a sync does not resolve, with the next steps.

    told: see `mirror.as_json`.
    """
    changes, uncaptured, app_drift = (
        differences.from_json(told[name]) for name in ("changes", "no_sql_file_makes", "app_drift")
    )
    if changes:
        say(f"The live database against the mirror, {differences.count(changes)}:")
        show_objects(changes)
    show_renamed(told)
    if told["problem"]:
        warn(f"The repo's files don't run on the shadow: {told['problem']}")
    if extra := [change for change in uncaptured if change.sign == "+"]:
        warn("No SQL file makes this; invoke db.capture writes one that does, or undo it:")
        show_changes(extra)
    if changed := [change for change in uncaptured if change.sign != "+"]:
        warn("This differs from what the SQL files make; invoke db.capture writes what was changed")
        say("  by hand; what a file should change needs statements that work on what exists:")
        show_changes(changed)
        say_way_back(changed)
    if app_drift:
        warn("The app's tables are not what their revisions make (G10), and left out:")
        show_changes(app_drift)


def show_renamed(told: Mapping[str, Any]) -> None:
    """Prints what was renamed by hand: the facts look like a drop and an add, or don't change."""
    for each in told.get("renamed", ()):
        say(f"Renamed by hand: {each['before']} → {each['after']}; invoke db.capture writes that.")
    show_swapped(told.get("swapped", ()))


def show_swapped(swapped: Sequence[str]) -> None:
    """Prints what has the name of another one now; no file that may run twice can make that."""
    if swapped:
        warn("Names went round by hand, so these hold what others held; no fact shows it, and no")
        say("  file can repeat it. Swap them back (invoke db.psql), or in every database by hand:")
        for identity in swapped:
            say(f"    {identity}")


def show_check(told: Mapping[str, Any]) -> None:
    """Prints what `db.sync --check` found."""
    show(told)
    if told["files"]:
        say(f"Stale: {', '.join(told['files'])}.\nNext:  invoke db.sync")
    else:
        done(NO_CHANGES)


def say_way_back(changes: Sequence[Change]) -> None:
    """Says how to undo a drop by hand, if there is one among the changes."""
    if any(change.sign == "-" for change in changes):
        say("  To have back what is gone, run what makes it: invoke db.apply --file NAME")
