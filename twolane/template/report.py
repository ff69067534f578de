"""What `template.check` and `template.update` found and did, also as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import Version

from twolane.template import managed
from twolane.template.changelog import Section
from twolane.template.managed import Deviation
from twolane.template.origin import Origin
from twolane.template.update import Outcome

MANAGED, SQL, MERGED = "managed", "sql", "merged"


@dataclass(frozen=True)
class Check:
    """The findings of `template.check`. managed: the number of compared files."""

    record: Origin
    managed: int
    deviations: Sequence[Deviation]
    conflicts: Sequence[str]
    newest: Version | None
    newer: bool


def check_json(found: Check) -> dict[str, Any]:
    """`{"template", "commit", "newest", "newer", "managed": [{"file", "state"}], "conflicts"}`.

    newest: the newest version, or null. newer: whether the service is older. managed: files that
    differ from the render, state "changed" or "missing". conflicts: files with conflict markers.
    """
    return {
        "template": found.record.shown,
        "commit": found.record.commit,
        "newest": str(found.newest) if found.newest else None,
        "newer": found.newer,
        "managed": [{"file": each.file, "state": each.state} for each in found.deviations],
        "conflicts": list(found.conflicts),
    }


def update_json(
    record: Origin, made: Outcome, notes: Sequence[Section], lacking: Sequence[str], check: Any
) -> dict[str, Any]:
    """`{"from", "to", "changed": [{"file", "state", "kind"}], "conflicts", "kept", "untouched",
    "answers", "upgrading": [{"version", "note"}], "install", "check"}`.

    state: "added", "changed", "removed"; kind: "managed", "sql" (pending now) or "merged". kept:
    edited files that the new version no longer has. answers: new questions by name. install:
    missing requirements. check: the output of `db.check --json`, or null if there is a conflict, a
    kept file or a missing requirement.
    """
    return {
        "from": record.commit,
        "to": made.commit,
        "changed": [
            {"file": path, "state": state, "kind": kind(path)}
            for path, state in made.changed.items()
        ],
        "conflicts": list(made.conflicts),
        "kept": list(made.kept),
        "untouched": list(made.untouched),
        "answers": dict(made.answers),
        "upgrading": [{"version": each.title, "note": each.upgrading} for each in notes],
        "install": list(lacking),
        "check": check,
    }


def nothing_json(record: Origin) -> dict[str, Any]:
    """The same as `update_json`, for an update with nothing to do."""
    return update_json(record, Outcome(record.commit), (), (), None)


def kind(path: str) -> str:
    """Whose file this is: `MANAGED`, `SQL` or `MERGED`."""
    if managed.is_sql(path):
        return SQL
    return MANAGED if managed.is_managed(path) else MERGED
