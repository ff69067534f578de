"""Looks at a service and its template, without a render: the engine, conflicts, a newer version."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

import twolane
from twolane import git, pin
from twolane.pin import Engine, Pin
from twolane.template import edits, origin
from twolane.template.origin import Origin


@dataclass(frozen=True)
class Check:
    """The findings of `template.check`.

    pins: the requirements of the engine. engine: the installed one; None for one of a maintainer's.
    problems: what is wrong with the engine → what to do. conflicts: files with conflict markers.
    newest: the template's newest release. newer: whether the service is older.
    """

    record: Origin
    pins: Sequence[Pin]
    engine: Engine | None
    problems: Mapping[str, str]
    conflicts: Sequence[str]
    newest: Version | None
    newer: bool

    @property
    def is_fine(self) -> bool:
        return not (self.problems or self.conflicts or self.newer)


def look(record: Origin, document: Mapping[str, Any]) -> Check:
    """Compares pyproject.toml's pin with the record and with what is installed; asks the template.

    Raises:
        Failure: the template can't be reached.
    """
    releases = origin.releases(record)
    newest, current = origin.newest(releases), origin.version(record, releases)
    pins = pin.read(document)
    return Check(
        record=record,
        pins=pins,
        engine=pin.installed(),
        problems=_problems(record, pins, document),
        conflicts=git.files_with(record.root, [text.decode() for text in edits.MARKERS]),
        newest=newest,
        newer=newest is not None and (current is None or newest > current),
    )


def _problems(
    record: Origin, pins: Sequence[Pin], document: Mapping[str, Any]
) -> Mapping[str, str]:
    found = {
        f"pyproject.toml pins twolane {each.shown}, and the service is of version"
        f" {record.commit} of its template.": f"Pin that version: git log -p -- {origin.ANSWERS}"
        for each in pins
        if not _is_of(each, record.commit)
    }
    if stale := pin.stale(document):
        found[pin.complaint(*stale)] = pin.remedy(record.root, stale[0])
    return found


def _is_of(pinned: Pin, commit: str) -> bool:
    """Whether a pin may be of that version of the template, as `git describe` prints it."""
    after_a_release = re.search(r"-\d+-g([0-9a-f]+)$", commit)
    if pinned.version:
        return pinned.version == commit
    if after_a_release and pinned.is_commit:
        return pinned.ref.startswith(after_a_release[1])
    return True


def as_json(found: Check) -> dict[str, Any]:
    """`{"template", "commit", "pinned", "installed", "problems", "newest", "newer", "conflicts"}`.

    pinned: the engine that pyproject.toml pins, or null. installed: the version that runs. problems:
    what is wrong with the two. newest: the template's newest version, or null. newer: whether the
    service is older. conflicts: files with conflict markers.
    """
    return {
        "template": found.record.shown,
        "commit": found.record.commit,
        "pinned": found.pins[0].shown if found.pins else None,
        "installed": twolane.__version__,
        "problems": list(found.problems),
        "newest": str(found.newest) if found.newest else None,
        "newer": found.newer,
        "conflicts": list(found.conflicts),
    }
