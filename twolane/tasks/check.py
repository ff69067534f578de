"""The command that CI runs, and that is worth running before a commit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done, paint, say
from twolane.tasks.options import JSON

if TYPE_CHECKING:
    from twolane.check.checks import Result
    from twolane.config import Config

_SIGNS = {
    "passed": ("✓", "green"),
    "warned": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}


@command("db.check", help={"json": JSON})
def check(c: Context, json: bool = False) -> None:
    """Check all that needs no database: files, migrations, mirror, conventions, RLS, locks."""
    from twolane import config
    from twolane.check import checks
    from twolane.guards import findings
    from twolane.repo import contents

    settings = config.load()
    results = []
    for result in checks.run(contents.read_repo(settings), console.working):
        results.append(result)
        if not json:
            _show(result)
    found = [finding for result in results for finding in result.findings]
    if json:
        console.print_json(checks.report_json(results))
    else:
        _summarise(checks.report_json(results))
    if settings.environment.get("GITHUB_ACTIONS") == "true":
        for finding in found:
            text = findings.annotation(finding, _folder(settings))
            print(text, file=sys.stderr if json else sys.stdout)
    if code := findings.exit_code(found):
        raise Exit(code=code)


def _show(result: Result) -> None:
    """Prints one line per check, and its findings below."""
    from twolane.guards import findings

    sign, color = _SIGNS[result.status]
    skipped = f"   skipped: {result.skipped}" if result.skipped else ""
    print(f"{paint(sign, color)} {result.check.title:<16} {result.check.does}{skipped}", flush=True)
    for finding in result.findings:
        sign, color = _SIGNS["failed" if finding.level == findings.ERROR else "warned"]
        head, *rest = findings.lines(finding)
        say(f"    {paint(sign, color)} {head}")
        for line in rest:
            say(f"      {line}")


def _summarise(report: dict[str, object]) -> None:
    errors, warnings = report["errors"], report["warnings"]
    counts = f"{errors} error{'' if errors == 1 else 's'}"
    counts += f", {warnings} warning{'' if warnings == 1 else 's'}"
    if errors:
        say(f"{paint('✗', 'red')} {counts}.")
    else:
        done("Nothing found." if not warnings else f"{counts}.")


def _folder(settings: Config) -> str:
    """The service's folder in the repository that GitHub has checked out."""
    workspace = settings.environment.get("GITHUB_WORKSPACE")
    if workspace and settings.root.is_relative_to(Path(workspace).resolve()):
        return settings.root.relative_to(Path(workspace).resolve()).as_posix()
    return ""
