"""The command that CI runs, and that is worth running before a commit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from twolane.tasks import console, report
from twolane.tasks.command import command
from twolane.tasks.options import JSON

if TYPE_CHECKING:
    from twolane.config import Config


@command(
    "db.check",
    help={
        "json": JSON,
        "fast": "Try only the SQL files and revisions that differ from the last commit one by one.",
    },
)
def check(c: Context, json: bool = False, fast: bool = False) -> None:
    """Every day: check all that needs no database, as CI does.

    Files, migrations, mirror, conventions, row level security, locks.

    Example:
      invoke db.check --fast
    """
    from twolane import config, git
    from twolane.check import checks
    from twolane.guards import findings
    from twolane.repo import contents, kept

    settings = config.load()
    changed = git.changed(settings.root) if fast else None
    examined = checks.run(contents.read_repo(settings), console.working, changed)
    results = report.collect(examined, None if json else 16)
    found = [finding for result in results for finding in result.findings]
    told = checks.report_json(results)
    kept.keep(settings, kept.CHECK, told)
    console.print_json(told) if json else report.summarise(told, "Nothing found.")
    if settings.environment.get("GITHUB_ACTIONS") == "true":
        for finding in found:
            text = findings.annotation(finding, _folder(settings))
            print(text, file=sys.stderr if json else sys.stdout)
    if code := findings.exit_code(found):
        raise Exit(code=code)


def _folder(settings: Config) -> str:
    """The service's folder in the repository that GitHub has checked out."""
    workspace = settings.environment.get("GITHUB_WORKSPACE")
    if workspace and settings.root.is_relative_to(Path(workspace).resolve()):
        return settings.root.relative_to(Path(workspace).resolve()).as_posix()
    return ""
