"""The doctor's check of pyproject.toml: what a service needs there beside its own settings.

A fresh copy has it all. Copied into a repo that was there before, a service has the pyproject.toml
of that repo, and what is missing in it was left to be done by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from twolane import config, pin
from twolane.config import Config
from twolane.doctor.findings import info, warning
from twolane.guards.findings import Finding

# What `session.py` and the models import.
NEEDED = ("pgvector", "psycopg", "python-dotenv", "sqlalchemy")


def declared(settings: Config) -> Iterator[Finding]:
    """Reports what pyproject.toml lacks for the service and its commands to run elsewhere."""
    found = config.document(settings.root)
    project = found.get("project", {})
    if "dependencies" in project and (missing := _missing(project)):
        yield warning(
            "dependencies",
            f"[project] dependencies has no {', '.join(missing)}, which the service imports.",
            f"Add {'it' if len(missing) == 1 else 'them'} there, as a fresh copy has them",
        )
    if not pin.read(found) and not _has_source(found):
        yield warning(
            "twolane",
            "pyproject.toml names no engine: who installs the project lacks these commands.",
            "Take over the extra `twolane` of a fresh copy: copier copy … into an empty folder",
        )
    if "alembic" not in found["tool"]:
        yield info(
            "alembic",
            "pyproject.toml has no [tool.alembic]: alembic by itself does not find the migrations.",
            "Take that table over from a fresh copy",
        )


def _missing(project: Mapping[str, Any]) -> list[str]:
    """Those of `NEEDED` that no dependency of the project names."""
    named = set()
    for line in project["dependencies"]:
        try:
            named.add(canonicalize_name(Requirement(line).name))
        except InvalidRequirement:
            continue
    return [name for name in NEEDED if name not in named]


def _has_source(found: Mapping[str, Any]) -> bool:
    """Whether uv takes the engine from where `[tool.uv.sources]` says."""
    return "twolane" in found["tool"].get("uv", {}).get("sources", {})
