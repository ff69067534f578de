"""The results of a command on several targets: outcomes, the table, the exit code. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import shorten
from typing import Any

from twolane.exit_codes import DIFFERENT, ERROR, REFUSED
from twolane.fleet.children import Ended
from twolane.tasks.console import NO_CHANGES, NOTHING_TO_APPLY, NOTHING_TO_PUSH
from twolane.text import clean_line

DONE, NOTHING, PLANNED = "done", "nothing to do", "planned"
REFUSAL, FAILURE, DIFFERENCE, CUT = "refused", "failed", "differs", "interrupted"
NOT_STARTED, LEFT_OUT = "not started", "left out"
FAILED = (REFUSAL, FAILURE)
_OF_CODE = {0: DONE, REFUSED: REFUSAL, DIFFERENT: DIFFERENCE}
_NOTHING = (NOTHING_TO_PUSH, NOTHING_TO_APPLY, NO_CHANGES)
# The most serious of them is the exit code of the whole command.
_CODES = {FAILURE: ERROR, REFUSAL: REFUSED, DIFFERENCE: DIFFERENT}


@dataclass(frozen=True)
class Outcome:
    """One target's row. message: one line; output: all printed text; result: its JSON, if any."""

    target: str
    outcome: str
    message: str = ""
    output: str = ""
    result: Any = None


def read(end: Ended, dry_run: bool = False) -> Outcome:
    """The outcome of one target: from its exit code, its JSON if it printed any, and its output."""
    if end.code is None:
        return Outcome(end.target, NOT_STARTED)
    result = _parse(end.out)
    output = (end.err if result is not None else f"{end.out}{end.err}").strip("\n")
    outcome = _OF_CODE.get(end.code, FAILURE)
    if outcome == FAILURE and end.interrupted:
        return Outcome(end.target, CUT, "what was finished is recorded, the rest rolled back")
    if outcome == DONE:
        outcome, message = _done(result, output, dry_run)
        return Outcome(end.target, outcome, message, output, result)
    message = _last(output, "✗ ") or f"ended with code {end.code}"
    if outcome == REFUSAL:
        message = message.rpartition(" · ")[2]
    if outcome == DIFFERENCE:
        message = _last(output, "Stale: ")
    return Outcome(end.target, outcome, message, output, result)


def _done(result: Any, output: str, dry_run: bool) -> tuple[str, str]:
    """What was done, as a word and a line: from the JSON of `db.push`, else from the output."""
    if isinstance(result, Mapping):
        ids = [revision["id"] for revision in result.get("revisions", ())]
        if not ids or not (result["applied"] or dry_run):  # another push was faster
            return NOTHING, ""
        named = ", ".join(ids) if len(ids) < 4 else f"{len(ids)} revisions, up to {ids[-1]}"
        return (PLANNED, named) if dry_run else (DONE, f"pushed {named}")
    message = _last(output, "✓ ")
    if message.startswith(_NOTHING):
        return NOTHING, ""
    return (PLANNED if dry_run else DONE), message


def _parse(text: str) -> Any:
    """The JSON object at the end; a migration may have printed something before it."""
    try:
        return json.loads(text[text.rfind("\n{\n") + 1 :])
    except ValueError:
        return None


def _last(output: str, mark: str) -> str:
    """The last line that begins with the mark, without it."""
    lines = [line for line in output.splitlines() if line.startswith(mark)]
    return lines[-1].removeprefix(mark) if lines else ""


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """0: all is done; else the most serious: an error, a refusal, a difference."""
    found = {outcome.outcome for outcome in outcomes}
    return next((code for outcome, code in _CODES.items() if outcome in found), 0)


def alike(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Output → the targets that had it."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.output or outcome.message, []).append(outcome.target)
    return groups


def warnings(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Warning → the targets that printed it."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        for line in outcome.output.splitlines():
            if line.startswith("! "):
                groups.setdefault(line.removeprefix("! "), []).append(outcome.target)
    return groups


def tally(outcomes: Sequence[Outcome]) -> str:
    """`5 targets: 3 done, 1 refused, 1 not started`."""
    counts = Counter(outcome.outcome for outcome in outcomes)
    words = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return f"{len(outcomes)} target{'' if len(outcomes) == 1 else 's'}: {words}"


def table(outcomes: Iterable[Outcome]) -> list[str]:
    return columns(
        [("Target", "Outcome", ""), *((o.target, o.outcome, brief(o)) for o in outcomes)]
    )


def brief(outcome: Outcome) -> str:
    """The message, cut where it would fill more than a line."""
    return shorten(outcome.message, 100, placeholder=" …")


def status_table(outcomes: Iterable[Outcome]) -> list[str]:
    """One row per target: what waits in both lanes, and the next command."""
    head = ("Target", "Postgres", "Revision", "Lane A", "Lane B", "Drift", "Next")
    return columns([head, *map(_status_row, outcomes)])


def _status_row(outcome: Outcome) -> Sequence[str]:
    if not isinstance(found := outcome.result, Mapping):
        return outcome.target, f"{outcome.outcome}: {brief(outcome)}"
    mark = " (protected)" if found["protected"] else ""
    counts = (
        len(found["pending_files"]) + len(found["late_files"]),
        len(found["waiting"]),
        len(found["drift"]) + len(found["app_drift"]),
    )
    step = str(found["next"])
    there = f" --target {outcome.target}" if step.startswith("invoke db.") else ""
    return (
        f"{outcome.target}{mark}",
        str(found["postgres"]),
        str(found["revision"] or "-"),
        *(str(number or "-") for number in counts),
        f"{step}{there}",
    )


def problems(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Problem, in the words of `db.status` → the targets that have it."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        if isinstance(outcome.result, Mapping) and outcome.result["problem"]:
            groups.setdefault(outcome.result["problem"], []).append(outcome.target)
    return groups


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell; a row's last cell may be wider."""
    clean = [[clean_line(cell) for cell in row] for row in rows]
    padded = zip_longest(*(row[:-1] for row in clean), fillvalue="")
    widths = [max(map(len, column)) for column in padded]
    return [
        "  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip()  # rows may be short
        for row in clean
    ]


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """`[{"target", "outcome", "message", "output", "result"}]`: result is what the command prints
    with `--json` for one target, null where it printed none."""
    return [dict(vars(outcome)) for outcome in outcomes]


def status_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The report of `db.status --json` for each target, and `error`: null, or the reason why the
    target has no report but only its name."""
    return [
        {**outcome.result, "error": None}
        if isinstance(outcome.result, Mapping)
        else {"target": outcome.target, "error": f"{outcome.outcome}: {outcome.message}"}
        for outcome in outcomes
    ]
