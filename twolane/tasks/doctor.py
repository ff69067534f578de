"""The command for when something is wrong: it looks at everything and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done, paint, say
from twolane.tasks.options import JSON, TARGET

if TYPE_CHECKING:
    from twolane.doctor.checks import Result

_SIGNS = {
    "passed": ("✓", "green"),
    "noted": ("·", "dim"),
    "warned": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}


@command("db.doctor", help={"target": TARGET, "json": JSON})
def doctor(c: Context, target: str | None = None, json: bool = False) -> None:
    """Find what is wrong, and how to mend it: settings, URL, network, rights, files, locks."""
    from twolane.doctor import checks

    results = []
    for result in checks.run(target, console.working):
        results.append(result)
        if not json:
            _show(result)
    report = checks.report_json(target, results)
    console.print_json(report) if json else _summarise(report)
    if code := checks.exit_code(results):
        raise Exit(code=code)


def _show(result: Result) -> None:
    """Prints one line per check, and its findings below."""
    from twolane.guards import findings
    from twolane.guards.findings import ERROR, INFO, WARNING

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
