"""How `db.check` and `db.doctor` show what their checks find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from twolane.tasks.console import done, paint, say

if TYPE_CHECKING:
    from twolane.guards.checks import Result

_SIGNS = {
    "passed": ("✓", "green"),
    "noted": ("·", "dim"),
    "warned": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}
_OF_LEVEL = {"error": "failed", "warning": "warned", "info": "noted"}


def collect(results: Iterable[Result], width: int | None) -> list[Result]:
    """All results; shows each as it comes, its title padded to `width`, unless that is None."""
    found = []
    for result in results:
        found.append(result)
        if width is not None:
            _show(result, width)
    return found


def _show(result: Result, width: int) -> None:
    """Prints one line per check, and its findings below."""
    from twolane.guards import findings

    check = result.check
    skipped = f"   skipped: {result.skipped}" if result.skipped else ""
    sign = paint(*_SIGNS[result.status])
    print(f"{sign} {check.title:<{width}} {check.about}{skipped}", flush=True)
    for finding in result.findings:
        head, *rest = findings.lines(finding)
        say(head, before=f"    {paint(*_SIGNS[_OF_LEVEL[finding.level]])} ")
        for line in rest:
            say(f"      {line}")


def summarise(report: Mapping[str, int], nothing: str = "") -> None:
    """Prints the number of findings of each level, or `nothing` if there is none."""
    numbers = {level: report[f"{level}s"] for level in _OF_LEVEL if f"{level}s" in report}
    counts = ", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in numbers.items())
    if report["errors"]:
        say(f"{counts}.", before=f"{paint('✗', 'red')} ")
    else:
        done(f"{counts}." if any(numbers.values()) or not nothing else nothing)
