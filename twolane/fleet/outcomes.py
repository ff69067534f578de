"""The results of a command on several targets: outcomes, the table, the exit code. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from textwrap import shorten
from typing import Any

from twolane import hints
from twolane.exit_codes import DIFFERENT, ERROR, REFUSED
from twolane.fleet.children import Ended
from twolane.text import clean_line

DONE, NOTHING, PLANNED = "done", "nothing to do", "planned"
REFUSAL, FAILURE, DIFFERENCE, CUT = "refused", "failed", "differs", "interrupted"
NOT_STARTED, LEFT_OUT = "not started", "left out"
FAILED = (REFUSAL, FAILURE)
_OF_CODE = {0: DONE, REFUSED: REFUSAL, DIFFERENT: DIFFERENCE}
# The most serious of them is the exit code of the whole command.
_CODES = {FAILURE: ERROR, REFUSAL: REFUSED, DIFFERENCE: DIFFERENT}


@dataclass(frozen=True)
class Outcome:
    """One target's row. message: one line; output: what it printed beside its JSON, for people.

    result: what the command prints with `--json` for one target; None if it printed no JSON.
    """

    target: str
    outcome: str
    message: str = ""
    output: str = ""
    result: Any = None

    @property
    def report(self) -> Mapping[str, Any] | None:
        """The result of a command that came to one."""
        has_one = isinstance(self.result, Mapping) and "error" not in self.result
        return self.result if has_one else None


def read(end: Ended, words: Sequence[str]) -> Outcome:
    """The outcome of one target, from the exit code and the JSON of `invoke WORDS…`."""
    if end.code is None:
        return Outcome(end.target, NOT_STARTED)
    outcome = _OF_CODE.get(end.code, FAILURE)
    if outcome == FAILURE and end.interrupted:
        return Outcome(end.target, CUT, "what was finished is recorded, the rest rolled back")
    try:
        result = json.loads(end.out)
        output = end.err.strip("\n")
    except ValueError:
        result, output = None, f"{end.out}{end.err}".strip("\n")
    found = Outcome(end.target, outcome, "", output, result)
    if outcome in FAILED:
        return replace(found, message=_problem(found) or f"ended with code {end.code}")
    if outcome == DIFFERENCE:
        return replace(
            found, message=f"{', '.join(found.report['files'])}." if found.report else ""
        )
    kind, message = _done(found, words)
    return replace(found, outcome=kind, message=message)


def _problem(found: Outcome) -> str:
    """A guard's name, or the first line of an error; nothing if it printed no JSON."""
    error = found.result.get("error") if isinstance(found.result, Mapping) else None
    if error is None:
        return ""
    if error["name"]:
        return " ".join(filter(None, (error["code"], error["name"])))
    return str(error["message"]).partition("\n")[0]


def _done(found: Outcome, words: Sequence[str]) -> tuple[str, str]:
    """What was done, as a word and a line."""
    report = found.report or {}
    if words[0] == "db.deploy":
        return _deployed(report, "--dry-run" in words)
    if "revisions" in report:
        return _pushed(report, "--dry-run" in words)
    if words[0] == "db.apply":
        names = [ran["file"] for ran in report.get("ran", ())]
        applied = f"Applied to target {found.target}: {', '.join(names)}."
        return (DONE, applied) if names else (NOTHING, "")
    return (NOTHING if words[0] == "db.sync" else DONE), ""


def _pushed(report: Mapping[str, Any], dry_run: bool) -> tuple[str, str]:
    ids = [revision["id"] for revision in report["revisions"]]
    if not ids or not (report["applied"] or dry_run):  # another push was faster
        return NOTHING, ""
    named = ", ".join(ids) if len(ids) < 4 else f"{len(ids)} revisions, up to {ids[-1]}"
    return (PLANNED, named) if dry_run else (DONE, f"pushed {named}")


def _deployed(report: Mapping[str, Any], dry_run: bool) -> tuple[str, str]:
    named = [*report["files"], *(revision["id"] for revision in report["revisions"])]
    if not (named or report["left_over"]):
        return NOTHING, ""
    text = ", ".join(named) if len(named) < 4 else f"{len(named)} files and revisions"
    return (PLANNED, text) if dry_run else (DONE, f"deployed {text or 'what was left over'}")


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """0: all is done; else the most serious: an error, a refusal, a difference."""
    found = {outcome.outcome for outcome in outcomes}
    return next((code for outcome, code in _CODES.items() if outcome in found), 0)


def alike(
    outcomes: Iterable[Outcome], of: Callable[[Outcome], Any]
) -> list[tuple[Any, list[Outcome]]]:
    """What `of` makes of the outcomes, each once, with the outcomes that have it."""
    groups: list[tuple[Any, list[Outcome]]] = []
    for outcome in outcomes:
        same = next((group for told, group in groups if told == of(outcome)), None)
        if same is None:
            groups.append((of(outcome), [outcome]))
        else:
            same.append(outcome)
    return groups


def words(outcome: Outcome) -> str:
    """What a failure says, for people; its hints carry the target."""
    return outcome.output or outcome.message


def words_of_any_target(outcome: Outcome) -> str:
    """The same without the target in its hints: what several targets say alike is said once."""
    return words(outcome).replace(hints.option(outcome.target), "")


def warnings(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """What the server said of an SQL file → the targets where it did."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        for ran in (outcome.report or {}).get("ran", ()):
            for message in ran["messages"]:
                groups.setdefault(f"{ran['file']}: {message}", []).append(outcome.target)
    return groups


def tally(outcomes: Sequence[Outcome]) -> str:
    """`5 targets: 3 done, 1 refused, 1 not started`."""
    counts = Counter(outcome.outcome for outcome in outcomes)
    words = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return f"{len(outcomes)} target{'' if len(outcomes) == 1 else 's'}: {words}"


def table(outcomes: Iterable[Outcome], room: int) -> list[str]:
    rows = ((o.target, o.outcome, brief(o)) for o in outcomes)
    return columns([("Target", "Outcome", ""), *rows], room)


def brief(outcome: Outcome) -> str:
    """The message, cut where it would fill more than a line; nothing where a plan says it all."""
    return "" if outcome.outcome == PLANNED else shorten(outcome.message, 100, placeholder=" …")


def status_table(outcomes: Iterable[Outcome], room: int) -> list[str]:
    """One row per target: what waits in both lanes, and the next command."""
    head = ("Target", "Postgres", "Revision", "Lane A", "Lane B", "Drift", "Next")
    return columns([head, *map(_status_row, outcomes)], room)


def _status_row(outcome: Outcome) -> Sequence[str]:
    if (found := outcome.report) is None:
        return outcome.target, f"{outcome.outcome}: {brief(outcome)}"
    mark = " (protected)" if found["protected"] else ""
    counts = (
        len(found["pending_files"]) + len(found["late_files"]),
        len(found["waiting"]),
        len(found["drift"]) + len(found["app_drift"]),
    )
    return (
        f"{outcome.target}{mark}",
        str(found["postgres"]),
        str(found["revision"] or "-"),
        *(str(number or "-") for number in counts),
        hints.on(str(found["next"]), outcome.target),
    )


def problems(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Problem, in the words of `db.status` → the targets that have it."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.report and outcome.report["problem"]:
            groups.setdefault(outcome.report["problem"], []).append(outcome.target)
    return groups


def columns(rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """The rows as lines, each column as wide as its widest cell; a row's last cell may be wider.

    room: the width of the terminal; where a line has no room, its last cell is below it.
    """
    clean = [[clean_line(cell) for cell in row] for row in rows]
    padded = zip_longest(*(row[:-1] for row in clean), fillvalue="")
    widths = [max(map(len, column)) for column in padded]
    lines = []
    for row in clean:
        line = "  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip()  # rows may be short
        if row[-1] and len(line) > room:
            line = f"{'  '.join(map(str.ljust, row[:-1], widths)).rstrip()}\n    {row[-1]}"
        lines.append(line)
    return lines


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """`[{"target", "outcome", "message", "output", "result"}]`: see `Outcome`."""
    return [dict(vars(outcome)) for outcome in outcomes]


def status_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The report of `db.status --json` for each target, and `error`: null, or the reason why the
    target has no report but only its name."""
    return [
        {**outcome.report, "error": None}
        if outcome.report
        else {"target": outcome.target, "error": f"{outcome.outcome}: {outcome.message}"}
        for outcome in outcomes
    ]
