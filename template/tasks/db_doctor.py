"""The command for when something is wrong: it looks at everything and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoke.context import Context

from . import console
from .console import command, done, paint, say
from .options import JSON, TARGET

if TYPE_CHECKING:
    from .doctor import Result

_SIGNS = {
    "passed": ("✓", "green"),
    "noted": ("·", "dim"),
    "warned": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}


@command(help={"target": TARGET, "json": JSON})
def doctor(c: Context, target: str | None = None, json: bool = False) -> None:
    """Find what is wrong, and how to mend it: settings, URL, network, rights, files, locks."""
    from . import doctor

    results = []
    for result in doctor.run(target, console.working):
        results.append(result)
        if not json:
            _show(result)
    report = doctor.report_json(target, results)
    console.print_json(report) if json else _summarise(report)
    if code := doctor.exit_code(results):
        raise console.Exit(code=code)


def _show(result: Result) -> None:
    """Prints one line per check, and its findings below."""
    from . import findings
    from .findings import ERROR, INFO, WARNING

    sign, color = _SIGNS[result.status]
    skipped = f"   skipped: {result.skipped}" if result.skipped else ""
    check = result.check
    print(f"{paint(sign, color)} {check.name:<18} {check.looks_at}{skipped}", flush=True)
    of_level = {ERROR: "failed", WARNING: "warned"}
    for finding in result.findings:
        sign, color = _SIGNS[of_level.get(finding.level, "noted")]
        head, *details = findings.lines(replace(finding, first=""))
        say(f"    {paint(sign, color)} {head}")
        label = "Note" if finding.level == INFO else "First"
        for line in [*details, *([f"  {label}:  {finding.first}"] if finding.first else [])]:
            say(f"      {line}")


def _summarise(report: dict[str, object]) -> None:
    counts = ", ".join(
        f"{report[f'{noun}s']} {noun}{'' if report[f'{noun}s'] == 1 else 's'}"
        for noun in ("error", "warning", "info")
    )
    say(f"{paint('✗', 'red')} {counts}.") if report["errors"] else done(f"{counts}.")
