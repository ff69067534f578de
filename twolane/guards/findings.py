"""What a check finds: one thing wrong at one place, for people, for scripts and for GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from twolane import exit_codes
from twolane.facts import differences
from twolane.repo.locations import Place
from twolane.text import MOST, meant, shortened

if TYPE_CHECKING:
    from twolane.errors import Failure
    from twolane.guards.refusal import Refusal

# Only the doctor uses INFO.
ERROR, WARNING, INFO = "error", "warning", "info"
# Exit codes by what an error means; the command exits with the lowest of those found.
BROKEN, REFUSED, DIFFERENT = exit_codes.ERROR, exit_codes.REFUSED, exit_codes.DIFFERENT
# Codes whose findings can be switched off by name. Others have their own way of saying "meant".
IGNORABLE = ("G12", "G13", "G14")
_OF_NAMES = {"conventions": "G12", "exposed": "G13", "locks": "G14"}


@dataclass(frozen=True)
class Finding:
    """One finding. subject: the object or file that it is about; first: the next step.

    exit: the exit code that it stands for, if it is an error.
    """

    check: str
    subject: str
    message: str
    first: str
    code: str = ""
    level: str = ERROR
    exit: int = REFUSED
    place: Place | None = None
    details: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What `[tool.twolane.check] ignore` calls it: `G12:public.notes`."""
        return f"{self.code}:{self.subject}"


def from_refusal(refusal: Refusal, subject: str, place: Place | None = None) -> Finding:
    """A finding on what a guard would refuse."""
    details = (*differences.flat(refusal.changes), *refusal.details)
    return Finding(
        refusal.name,
        subject,
        refusal.reason,
        refusal.first,
        refusal.code,
        place=place,
        details=details,
    )


def from_failure(failure: Failure, check: str, subject: str, folder: str = "") -> Finding:
    """A finding on what doesn't run; its place is the message's first `file:line`, if it has one.

    `folder` is the subject's folder, where messages name a file without it.
    """
    found = re.search(r"([\w./+-]+\.(?:py|sql)):(\d+)\b", failure.message)
    place = Place(f"{folder}{found[1]}", int(found[2])) if found else None
    if place is None and folder:
        place = Place(f"{folder}{subject}")
    message, *details = failure.message.splitlines()
    return Finding(
        check,
        subject,
        re.sub(r"^(On the shadow, )?\S+\.(py|sql):\d+(:\d+)?: ", "", message),
        failure.first,
        exit=BROKEN,
        place=place,
        details=tuple(details),
    )


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if something doesn't run, else 2 if a guard refuses, else 3 if things differ, else 0."""
    return min((f.exit for f in findings if f.level == ERROR), default=0)


def without_ignored(
    findings: Sequence[Finding], ignored: Sequence[str]
) -> tuple[list[Finding], list[str]]:
    """The findings that no entry names, and the entries that name no finding.

    An entry is a finding's key, in which `*` stands for any text: `G12:legacy.*`.
    """

    def names(entry: str, finding: Finding) -> bool:
        return finding.code in IGNORABLE and fnmatchcase(finding.key, entry)

    left = [f for f in findings if not any(names(entry, f) for entry in ignored)]
    idle = [entry for entry in ignored if not any(names(entry, f) for f in findings)]
    return left, idle


def idle_entry(entry: str, keys: Iterable[str] = ()) -> Finding:
    """An entry of `ignore` that names no finding: it is out of date, or misspelt.

    keys: what the findings are called.
    """
    guard, _, subject = entry.partition(":")
    spelled = f"{_OF_NAMES.get(guard.lower(), guard.upper())}:{subject}"
    near = meant(spelled, keys)
    reason = (
        "fits no finding any more."
        if guard in IGNORABLE
        else f"is none of those that can be switched off: {', '.join(IGNORABLE)}."
    )
    return Finding(
        "ignore",
        entry,
        f'The entry "{entry}" {reason}',
        f"{near}{'Else take' if near else 'take'} it out of [tool.twolane.check] ignore in "
        "pyproject.toml",
        exit=BROKEN,
        place=Place("pyproject.toml"),
    )


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding's parts by name; see `check.checks.report_json`."""
    return {
        "check": finding.check,
        "code": finding.code or None,
        "level": finding.level,
        "subject": finding.subject,
        "message": finding.message,
        "details": list(finding.details),
        "first": finding.first,
        "file": finding.place.file if finding.place else None,
        "line": finding.place.line if finding.place else None,
    }


def lines(finding: Finding) -> list[str]:
    """The finding for a person: place and message, some details, the next step."""
    place = finding.place
    where = f"{place.file}{f':{place.line}' if place.line else ''}: " if place else ""
    label = "Note" if finding.level == INFO else "First"
    return [
        f"{where}{finding.message}",
        *(f"    {detail}" for detail in shortened(finding.details)),
        *([f"  {label}:  {finding.first}"] if finding.first else []),
    ]


def annotation(finding: Finding, prefix: str = "") -> str:
    """A workflow command that marks the place in a pull request.

    `prefix` is the service's folder in the repository. Escaping as in `escapeData` and
    `escapeProperty` of actions/toolkit, packages/core/src/command.ts.
    """
    properties = {}
    if finding.place:
        properties["file"] = str(PurePosixPath(prefix, finding.place.file))
        if finding.place.line:
            properties["line"] = str(finding.place.line)
    properties["title"] = f"{finding.code} {finding.check}".strip()
    details = finding.details[:MOST]
    text = "\n".join([finding.message, *details, f"First:  {finding.first}"])
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{finding.level} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def placed(finding: Finding, place: Place | None) -> Finding:
    """The finding with that place, unless it has one."""
    return finding if finding.place else replace(finding, place=place)
