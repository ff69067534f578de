"""What commands show of changes, plans and refusals."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twolane.facts.catalog import Change
from twolane.facts.differences import as_json, flat, from_json, grouped
from twolane.facts.identities import kind, relation
from twolane.tasks.console import confirm, done, paint, pasted, say, warn
from twolane.text import MOST, clean, clean_line, shortened

if TYPE_CHECKING:
    from twolane.guards.refusal import Refusal
    from twolane.migrations.renames import Likely
    from twolane.state.hazards import Hazard
    from twolane.state.plan import Plan


def show_refusal(name: str, refusal: Refusal) -> None:
    """Prints one screen: what was refused, the facts concerned, and the one next command."""
    sys.stdout.flush()
    head = f"{name} refused · {refusal.head}"
    lines = [
        f"{paint('✗', 'red', sys.stderr)} {paint(head, 'bold', sys.stderr)}",
        f"  {pasted(refusal.reason)}",
    ]
    lines += [f"    {line}" for line in change_lines(refusal.changes, sys.stderr)]
    lines += [f"    {clean_line(detail)}" for detail in refusal.details]
    lines += [f"  {paint('First:', 'bold', sys.stderr)}  {pasted(refusal.first)}"]
    print("\n".join(lines), file=sys.stderr)


def show_changes(changes: Sequence[Change], limit: int = MOST) -> None:
    for line in change_lines(changes, sys.stdout, limit):
        print(f"  {line}")


def show_objects(changes: Sequence[Change], limit: int | None = 60) -> None:
    """Prints the changes by object; of a long definition, only the part that changed."""
    lines = [_paint_change(line, sys.stdout) for line in grouped(changes)]
    for line in lines if limit is None else shortened(lines, limit):
        print(line)


def show_plan(told: Mapping[str, Any], allowed: Sequence[str] = ()) -> None:
    """Prints the revisions, their statements, the facts that they change, and the hazards.

    told: see `plan_json`. allowed: the consents that were given.
    """
    show_revisions(told)
    show_effects(told, allowed)


def show_revisions(told: Mapping[str, Any]) -> None:
    for revision in told["revisions"]:
        by = "   (online, step by step)" if revision.get("online") else ""
        say(f"Revision {revision['id']}  {revision['title']}{by}")
    for statement in told["statements"]:
        show_statement(statement)


def show_statement(statement: str) -> None:
    print(textwrap.indent(clean(statement), "    "))


def show_effects(told: Mapping[str, Any], allowed: Sequence[str] = ()) -> None:
    changes = from_json(told["changes"])
    say("The facts it changes:" if changes else "It changes no fact.")
    show_objects(changes)
    _show_renamed(told["renamed"])
    _show_hazards(told["hazards"], allowed)


def show_dangers(plan: Plan, found: Sequence[Hazard]) -> None:
    """Prints what a plan renames, and its hazards."""
    told = plan_json(plan, found)
    _show_renamed(told["renamed"])
    _show_hazards(told["hazards"])


def _show_renamed(renames: Sequence[Mapping[str, str]]) -> None:
    for renamed in renames:
        say(clean_line(f"Renamed: {renamed['before']} → {renamed['after']}; its data stay."))


def _show_hazards(told: Sequence[Mapping[str, Any]], allowed: Sequence[str] = ()) -> None:
    from twolane.state import hazards

    given = hazards.given(allowed)
    for hazard in told:
        consent = "" if not hazard["needs_consent"] else "; allowed"
        if consent and hazard["key"] not in given:
            consent = f"; needs --allow {shlex.quote(hazard['key'])}"
        warn(clean_line(f"{hazard['key']}   {hazard['text']}{consent}"))


def show_push(
    told: Mapping[str, Any], dry_run: bool, to: str | None, allowed: Sequence[str] = ()
) -> None:
    """Prints what a push will do, or would."""
    if not told["revisions"]:
        done(f"Nothing to push: the database has {to or 'every revision'}.")
        return
    show_plan(told, allowed)
    if dry_run:
        say("Dry run: nothing was applied.")


def show_deploy(told: Mapping[str, Any], dry_run: bool, allowed: Sequence[str] = ()) -> None:
    """Prints what a deploy will do, or would; told: see `tasks.deploy.as_json`."""
    if not (told["files"] or told["revisions"] or told["left_over"]):
        done("Nothing to deploy: the database has every file and revision as it is.")
        return
    for name in told["files"][: len(told["files"]) - len(told["late"])]:
        say(clean_line(f"SQL file {name}"))
    show_revisions(told)
    for name in told["late"]:
        say(clean_line(f"SQL file {name}"))
    if told["left_over"]:
        say("Left over from an older form of the repo:")
        for statement in told["left_over"]:
            show_statement(statement)
    show_effects(told, allowed)
    say(f"Plan {told['digest']}")
    if dry_run:
        say("Dry run: nothing was applied.")


def ask_renames(likely: Iterable[Likely], how: str) -> list[str]:
    """The renames, as `--rename` takes them, that the person at the terminal says yes to.

    how: what the question says was done to it. Neither half of one is asked for again.
    """
    found: list[str] = []
    for pair in likely:
        old, new = pair.halves
        taken = {half for text in found for half in text.split(":")}
        if not taken & {old, new} and confirm(f"Is {new} what was {old}, {how}?"):
            found.append(pair.text)
    return found


def plan_json(plan: Plan, found: Sequence[Hazard]) -> dict[str, Any]:
    """`{"revisions": [{"id", "title"}], "statements": [sql], "changes": […], "hazards": […],
    "renamed": [{"before", "after"}]}`; a revision that is online also says `"online": true`.

    changes: see `as_json`. A hazard is `{"key", "text", "needs_consent"}`. renamed: tables and
    columns that keep their data, as facts.
    """
    return {
        "revisions": [
            {"id": r.id, "title": r.title, **({"online": True} if r.online else {})}
            for r in plan.revisions
        ],
        "statements": list(plan.statements),
        "changes": as_json(plan.changes),
        "hazards": [
            {"key": hazard.key, "text": hazard.text, "needs_consent": hazard.needs_consent}
            for hazard in found
        ],
        "renamed": [
            {"before": before, "after": after}
            for before, after in plan.effects.renamed.items()
            if kind(before) == "table" or relation(after) == relation(before)
        ],
    }


def change_lines(changes: Sequence[Change], stream: Any, limit: int = MOST) -> list[str]:
    """One coloured line per change; a long list ends with the number of lines left out."""
    return shortened([_paint_change(line, stream) for line in flat(changes)], limit)


def _paint_change(line: str, stream: Any) -> str:
    color = {"+": "green", "-": "red", "~": "yellow"}.get(line.lstrip()[:1])
    return paint(clean_line(line), color, stream) if color else clean_line(line)
