"""The service and its template: whether it has the newest version, and how it comes to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.errors import Failure
from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import Different, command
from twolane.tasks.console import done
from twolane.tasks.options import JSON

if TYPE_CHECKING:
    from packaging.version import Version

    from twolane.template.changelog import Section
    from twolane.template.origin import Origin


@command("template.check", help={"json": JSON})
def check(c: Context, json: bool = False) -> None:
    """Template: is the engine the pinned one, is there a newer?

    Looks for conflict markers, too.

    Example:
      invoke template.check
    """
    from twolane import config
    from twolane.tasks import template_screen
    from twolane.template import check as checking
    from twolane.template import origin

    root = config.find_root()
    record = origin.read(root)
    with console.working(f"reading the template at {record.shown}"):
        found = checking.look(record, config.document(root))
    if json:
        console.print_json(checking.as_json(found))
    else:
        template_screen.show_check(found)
    if not found.is_fine:
        raise Different


@command(
    "template.update",
    iterable=["data"],
    help={
        "to": "The version to come to; without it, the newest.",
        "data": "An answer to change, KEY=VALUE (ci=false); may be repeated.",
        "json": "Print what was done as JSON.",
    },
)
def update(
    c: Context, to: str | None = None, data: Sequence[str] | None = None, json: bool = False
) -> None:
    """Template: merge a newer version into the service.

    The engine of that version is yours to install then.

    Example:
      invoke template.update
    """
    from copier.errors import UnsafeTemplateError

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
    if json:
        console.print_json(template_report.update_json(record, made, notes, lacking))
    else:
        template_screen.show_update(record, made, notes, lacking, installed.remedy(root))
    if made.conflicts or made.kept:
        raise Different


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
