"""What `db.status` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twolane.config import Unread
from twolane.facts import differences
from twolane.facts.catalog import Change
from twolane.lanes.status import ADOPT, CAPTURE, DEPLOY, NOTHING, Report
from twolane.tasks.console import say, warn
from twolane.tasks.screens import show_changes
from twolane.text import meant, shortened


def show(report: Report) -> None:
    compared = "revisions" if report.ungenerated is None else "app.py, revisions"
    _target(report)
    _lane(
        "Lane A",
        [
            f"{name}: {'changed since it ran' if name in report.edited else 'not applied'}"
            for name in (*report.pending_files, *report.late_files)
        ],
        "every SQL file is applied",
    )
    if report.bootstrapped or not report.pending_files:
        _facts("Mirror", report.drift, report.mirror, "stale")
    else:
        say("Mirror   not compared: this database was never bootstrapped")
    if report.unmade:
        way = report.next if report.next in (ADOPT, DEPLOY) else CAPTURE
        _facts("Unmade", report.unmade, "", f"not what the SQL files make; {way}")
    _lane(
        "Lane B",
        [
            *(f"{title}: waits to be pushed" for title in report.waiting),
            *(["app.py has changes without a revision"] if report.ungenerated else []),
        ],
        f"{compared} and database agree ({report.revision or 'no revision yet'})",
    )
    if report.app_drift:
        _facts("Drift", report.app_drift, "", "the app's tables were changed by hand")
    if report.closed:
        _lane("Closed", _closed(report.closed), "")
    if report.problem:
        warn(report.problem)
    rest = ", but for what is closed" if report.closed and report.next == NOTHING else ""
    say(f"Next     {report.next}{rest}")


def _closed(tables: Mapping[str, str]) -> list[str]:
    """The tables that are closed to users, those with the same way in as one."""
    ways: dict[str, list[str]] = {}
    for table, way in tables.items():
        ways.setdefault(way, []).append(table)
    return [
        line
        for way, names in ways.items()
        for line in (f"{', '.join(shortened(names, 4))}: no policy opens it to users", f"  {way}")
    ]


def show_unread(keys: Sequence[Unread]) -> None:
    """Warns of settings that nothing reads: a misspelt one has no effect."""
    for found in keys:
        warn(f"pyproject.toml: {found.message} {meant(found.key, found.known)}".rstrip())


def show_problem(report: Report) -> None:
    """Shows the problem alone: until it is solved, nothing else that could be said is true."""
    _target(report)
    warn(report.problem or "")
    say(f"Next     {report.next}")


def _target(report: Report) -> None:
    mark = ", protected" if report.protected else ""
    whose = f", branch {report.branch}" if report.branch else ""
    say(f"Target   {report.target}{whose} (Postgres {report.postgres}{mark})")


def _lane(title: str, lines: Sequence[str], otherwise: str) -> None:
    for head, line in zip([title, *[""] * len(lines)], lines or [otherwise], strict=False):
        say(f"{head:<9}{line}")


def _facts(title: str, changes: Sequence[Change], fresh: str, otherwise: str) -> None:
    say(f"{title:<9}{f'{otherwise}: {differences.count(changes)}' if changes else fresh}")
    show_changes(changes, limit=8)
