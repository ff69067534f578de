"""Compares what pyproject.toml requires with what is installed here."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from twolane import pin
from twolane.pin import Engine, Pin


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


def _is_met(text: str) -> bool:
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
    if needed.url:
        return _is_from(needed.url, found)
    return needed.specifier.contains(found.version, prereleases=True)


def _is_from(url: str, found: metadata.Distribution) -> bool:
    """Whether a package came from that URL, or from its owner's working copy."""
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        is_editable = bool(origin.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return True
    return is_editable or Pin(url).fits(Engine(found.version, origin))
