"""What commands show of changes, plans and refusals."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twolane.facts.catalog import Change
from twolane.facts.differences import as_json, flat, grouped
from twolane.facts.identities import kind, relation
from twolane.tasks.console import paint, say, warn
from twolane.text import MOST, clean, clean_line, shortened

if TYPE_CHECKING:
    from twolane.guards.refusal import Refusal
    from twolane.state.hazards import Hazard
    from twolane.state.plan import Plan


def show_refusal(name: str, refusal: Refusal) -> None:
    """Prints one screen: what was refused, the facts concerned, and the one next command."""
    sys.stdout.flush()
    head = f"{name} refused · {refusal.head}"
    lines = [
        f"{paint('✗', 'red', sys.stderr)} {paint(head, 'bold', sys.stderr)}",
        f"  {clean(refusal.reason)}",
    ]
    lines += [f"    {line}" for line in change_lines(refusal.changes, sys.stderr)]
    lines += [f"    {clean_line(detail)}" for detail in refusal.details]
    lines += [f"  {paint('First:', 'bold', sys.stderr)}  {clean(refusal.first)}"]
    print("\n".join(lines), file=sys.stderr)


def show_changes(changes: Sequence[Change], limit: int = MOST) -> None:
    for line in change_lines(changes, sys.stdout, limit):
        print(f"  {line}")


def show_objects(changes: Sequence[Change], limit: int | None = 60) -> None:
    """Prints the changes by object; of a long definition, only the part that changed."""
    lines = [_paint_change(line, sys.stdout) for line in grouped(changes)]
    for line in lines if limit is None else shortened(lines, limit):
        print(line)


def show_plan(plan: Plan, found: Sequence[Hazard]) -> None:
    """Prints the revisions, their statements, the facts that they change, and the hazards."""
    for revision in plan.revisions:
        say(f"Revision {revision.id}  {revision.title}")
    for statement in plan.statements:
        print(textwrap.indent(clean(statement), "    "))
    say("The facts it changes:" if plan.changes else "It changes no fact.")
    show_objects(plan.changes)
    for old, new in plan.effects.renamed.items():
        if kind(old) == "table" or relation(new) == relation(old):
            say(clean_line(f"Renamed: {old} → {new}; its data stay."))
    for hazard in found:
        consent = f"; needs --allow {hazard.key}" if hazard.needs_consent else ""
        warn(clean_line(f"{hazard.key}   {hazard.text}{consent}"))


def plan_json(plan: Plan, found: Sequence[Hazard]) -> dict[str, Any]:
    """`{"revisions": [{"id", "title"}], "statements": [sql], "changes": […], "hazards": […]}`.

    changes: see `as_json`. A hazard is `{"key", "text", "needs_consent"}`.
    """
    return {
        "revisions": [{"id": r.id, "title": r.title} for r in plan.revisions],
        "statements": list(plan.statements),
        "changes": as_json(plan.changes),
        "hazards": [
            {"key": hazard.key, "text": hazard.text, "needs_consent": hazard.needs_consent}
            for hazard in found
        ],
    }


def change_lines(changes: Sequence[Change], stream: Any, limit: int = MOST) -> list[str]:
    """One coloured line per change; a long list ends with the number of lines left out."""
    return shortened([_paint_change(line, stream) for line in flat(changes)], limit)


def _paint_change(line: str, stream: Any) -> str:
    color = {"+": "green", "-": "red", "~": "yellow"}.get(line.lstrip()[:1])
    return paint(clean_line(line), color, stream) if color else clean_line(line)
