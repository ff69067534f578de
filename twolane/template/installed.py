"""Compares what pyproject.toml requires with what is installed here."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from twolane import pin


def lacking(root: Path) -> list[str]:
    """The requirements of the service, those for development included, that are not met here.

    Nothing where pyproject.toml can't be read: other commands say that better.
    """
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        asked = [*project["dependencies"], *_extra(project, "dev")]
    except (OSError, ValueError, KeyError):
        return []
    return [text for text in asked if not _is_met(text)]


def remedy(root: Path) -> str:
    """The command that installs what pyproject.toml asks for."""
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return pin.remedy(root)
    stale = pin.stale(document)
    return pin.remedy(root, stale[0] if stale else None)


def _extra(project: Mapping[str, Any], name: str) -> Iterator[str]:
    """An extra's requirements; the project itself with another extra stands for that one's."""
    for text in project["optional-dependencies"][name]:
        own = re.fullmatch(rf"\s*{re.escape(project['name'])}\s*\[(.*)\]\s*", text)
        if own is None:
            yield text
        else:
            for each in own[1].split(","):
                yield from _extra(project, each.strip())


def _is_met(text: str, within: frozenset[str] = frozenset()) -> bool:
    """Whether what a requirement asks for is installed, with the extras that it names.

    within: the requirements whose extras led here.
    """
    if engine := pin.parse(text):
        return (running := pin.installed()) is None or engine.fits(running)
    try:
        needed = Requirement(text)
        if needed.marker and not needed.marker.evaluate():
            return True
        found = metadata.distribution(needed.name)
    except metadata.PackageNotFoundError:
        return False
    except InvalidRequirement:
        return True
    if needed.url and not _is_from(needed.url, found):
        return False
    if not needed.specifier.contains(found.version, prereleases=True):
        return False
    more = set(_of_extras(found, needed.extras)) - within
    return all(_is_met(each, within | more) for each in sorted(more))


def _of_extras(found: metadata.Distribution, extras: Collection[str]) -> Iterator[str]:
    """What these extras of a package add to its requirements."""
    for text in found.requires or () if extras else ():
        added = Requirement(text)
        marker, added.marker = added.marker, None
        if marker and not marker.evaluate({"extra": ""}):
            if any(marker.evaluate({"extra": extra}) for extra in extras):
                yield str(added)


def _is_from(url: str, found: metadata.Distribution) -> bool:
    """Whether a package came from that URL, or from its owner's working copy.

    pip and uv record it: PEP 610. A repository is the same by any protocol and with any login.
    """
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            return True
        came_from, repository = str(origin.get("url", "")), origin.get("vcs_info", {})
        revisions = {repository.get("requested_revision"), repository.get("commit_id")}
    except (ValueError, AttributeError):
        return True
    kind, plus, address = url.partition("#")[0].partition("+")
    if not plus or "/" in kind:
        return not repository and _place(url) == _place(came_from)
    before, at, revision = address.rpartition("@")
    if not at or "/" not in before.partition("://")[2]:  # the @ ends a login
        before, revision = address, ""
    is_there = bool(repository) and _repository(before) == _repository(came_from)
    return is_there and (not revision or unquote(revision) in revisions)


def _place(url: str) -> str:
    """A URL without what does not tell places apart: fragment, login, the spelling of a folder."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host}{unquote(parts.path).rstrip('/')}?{parts.query}"


def _repository(url: str) -> str:
    return _place(url).partition("://")[2].removesuffix("?").removesuffix(".git")
