"""The template's CHANGELOG.md: its versions, and what each asks of an existing service. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version


@dataclass(frozen=True)
class Section:
    """One `## ` section. title: the heading's first word. upgrading: its upgrade note, or ""."""

    title: str
    text: str
    upgrading: str

    @property
    def version(self) -> Version | None:
        return version(self.title)


def sections(text: str) -> list[Section]:
    """The sections in the file's order, newest first. The note is the paragraph "Upgrading: …",
    with the lists and paragraphs below it, up to the next heading."""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        note = re.search(r"^Upgrading:[ \n]*(.*)", body, flags=re.MULTILINE | re.DOTALL)
        upgrading = note[1].strip() if note else ""
        found.append(Section((head.split() or [""])[0], body.strip(), upgrading))
    return found


def between(text: str, after: Version | None, upto: Version | None) -> list[Section]:
    """The sections of the versions that an update passes, oldest first."""
    passed = [
        (section.version, section)
        for section in sections(text)
        if section.version is not None
        and (after is None or section.version > after)
        and (upto is None or section.version <= upto)
    ]
    return [section for _, section in sorted(passed, key=lambda pair: pair[0])]


def version(text: str) -> Version | None:
    """A PEP 440 version; None for any other text."""
    try:
        return Version(text)
    except InvalidVersion:
        return None
