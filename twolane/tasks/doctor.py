"""The command for when something is wrong: it looks at everything and changes nothing."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from twolane.tasks import console, report
from twolane.tasks.command import command
from twolane.tasks.options import JSON, TARGET


@command("db.doctor", help={"target": TARGET, "json": JSON})
def doctor(c: Context, target: str | None = None, json: bool = False) -> None:
    """Trouble: find what is wrong, and how to mend it.

    Settings, URL, network, rights, files, locks. It changes nothing.

    Example:
      invoke db.doctor --target staging
    """
    from twolane.doctor import checks

    results = report.collect(checks.run(target, console.working), None if json else 18)
    told = checks.report_json(target, results)
    console.print_json(told) if json else report.summarise(told)
    if code := checks.exit_code(results):
        raise Exit(code=code)
