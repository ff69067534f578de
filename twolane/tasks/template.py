"""The service and its template: what of it is as rendered, and how it comes to a newer version."""

from __future__ import annotations

import json as json_module
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit

from twolane import exit_codes
from twolane.errors import Failure
from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import Different, command
from twolane.tasks.console import done, say
from twolane.tasks.options import JSON

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

    from twolane.template.changelog import Section
    from twolane.template.origin import Origin


@command("template.check", help={"json": JSON})
def check(c: Context, json: bool = False) -> None:
    """Compare the managed files with what their version rendered; look for a newer version."""
    from twolane import config
    from twolane.tasks import template_screen
    from twolane.template import managed, origin
    from twolane.template import report as template_report

    root = config.load().root
    record = origin.read(root)
    with console.working(f"reading the template at {record.shown}"):
        releases = origin.releases(record)
        rendered = origin.render(record)
    present = {path: (root / path).read_bytes() for path in rendered if (root / path).is_file()}
    newest, current = origin.newest(releases), origin.version(record, releases)
    found = template_report.Check(
        record=record,
        managed=sum(map(managed.is_managed, rendered)),
        deviations=managed.deviations(rendered, present),
        conflicts=managed.conflicting(present),
        newest=newest,
        newer=newest is not None and (current is None or newest > current),
    )
    if json:
        console.print_json(template_report.check_json(found))
    else:
        template_screen.show_check(found)
    if found.deviations or found.conflicts or found.newer:
        raise Different


@command(
    "template.update",
    iterable=["data"],
    help={
        "to": "The version to come to; without it, the newest.",
        "data": "An answer to change, KEY=VALUE: project_name, ci; may be repeated.",
        "json": "Print what was done, and what db.check finds, as JSON.",
    },
)
def update(
    c: Context, to: str | None = None, data: Sequence[str] | None = None, json: bool = False
) -> None:
    """Merge a newer version of the template into the service, then run db.check."""
    from copier.errors import UnsafeTemplateError

    # The update changes the files of `tasks/`; import all modules that run after it now.
    from twolane import config
    from twolane.tasks import template_screen
    from twolane.template import installed, origin
    from twolane.template import report as template_report
    from twolane.template import update as updating

    root = config.load().root
    answers = _answers(data or ())
    record = origin.read(root)
    updating.expect_changeable(record, answers)
    refuse(updating.uncommitted(root))
    with console.working(f"reading the template at {record.shown}"):
        releases = origin.releases(record)
        tag = _goal(record, releases, to)
        notes = _notes(record, releases, tag)
    if tag == record.commit and not answers:
        if json:
            console.print_json(template_report.nothing_json(record))
        else:
            done(f"Nothing to update: the service is at {record.commit}, and none is newer.")
        return
    try:
        with console.working(f"merging version {tag} into the service"):
            made = updating.update(record, tag, answers)
    except UnsafeTemplateError as unsafe:
        refuse(updating.runs_commands(tag, unsafe, notes))
        raise
    lacking = installed.lacking(root) if "pyproject.toml" in made.changed else []
    if not json:
        template_screen.show_update(record, made, notes, lacking)
    ready = not made.conflicts and not made.kept and not lacking
    report, code = _run_check(root, json) if ready else (None, exit_codes.DIFFERENT)
    if json:
        console.print_json(template_report.update_json(record, made, notes, lacking, report))
    if code:
        raise Exit(code=code)


def _answers(data: Sequence[str]) -> Mapping[str, str]:
    if wrong := [entry for entry in data if "=" not in entry]:
        raise Failure(f"--data takes KEY=VALUE, not {wrong[0]!r}.", "For instance --data ci=false")
    return dict(entry.split("=", 1) for entry in data)


def _goal(record: Origin, releases: Mapping[Version, str], to: str | None) -> str:
    """The tag to update to; if no version is newer, the service's current commit."""
    from twolane.template import changelog, origin

    current = origin.version(record, releases)
    wanted = changelog.version(to) if to else origin.newest(releases)
    if to and (wanted is None or wanted not in releases):
        last = ", ".join(map(str, sorted(releases)[-5:])) or "none"
        raise Failure(f"The template has no version {to}.", f"Its newest: {last}.")
    if to and current and wanted and wanted < current:
        raise Failure(
            f"The service is at {record.commit}; an update can't go back to {to}.",
            "Undo the update's commit: git revert",
        )
    if wanted is None or (current is not None and wanted <= current):
        return record.commit
    return releases[wanted]


def _notes(record: Origin, releases: Mapping[Version, str], tag: str) -> list[Section]:
    """The sections of the template's CHANGELOG.md between the current version and this tag."""
    from twolane.template import changelog, origin

    if tag == record.commit:
        return []
    current = origin.version(record, releases)
    return changelog.between(origin.notes(record, tag), current, changelog.version(tag))


def _run_check(root: Path, json: bool) -> tuple[Any, int]:
    """Runs `db.check` in a new process, because its modules changed; returns JSON and exit code."""
    if not json:
        say("db.check, of what the service is now:")
    sys.stdout.flush()
    words = [sys.executable, "-m", "invoke", "db.check", *(["--json"] if json else [])]
    ran = subprocess.run(words, cwd=root, stdout=subprocess.PIPE if json else None, check=False)
    try:
        return (json_module.loads(ran.stdout) if json else None), ran.returncode
    except ValueError:
        return None, ran.returncode
