"""Compares what pyproject.toml requires with what is installed here."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement


def lacking(root: Path) -> list[str]:
    """The requirements of the service, those for development included, that are not met here.

    Nothing where pyproject.toml can't be read: other commands say that better.
    """
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    except (OSError, ValueError, KeyError):
        return []
    return [text for text in asked if not _is_met(text)]


def _is_met(text: str) -> bool:
    try:
        needed = Requirement(text)
        if needed.marker and not needed.marker.evaluate():
            return True
        return needed.specifier.contains(metadata.version(needed.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False
    except InvalidRequirement:
        return True
