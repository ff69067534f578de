"""What `template.update` did, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twolane.template import edits
from twolane.template.changelog import Section
from twolane.template.origin import Origin
from twolane.template.update import Outcome

SQL, MERGED = "sql", "merged"


def update_json(
    record: Origin, made: Outcome, notes: Sequence[Section], lacking: Sequence[str]
) -> dict[str, Any]:
    """`{"from", "to", "changed": [{"file", "state", "kind"}], "conflicts", "kept", "untouched",
    "answers", "upgrading": [{"version", "note"}], "install"}`.

    state: "added", "changed", "removed"; kind: "sql" (pending now) or "merged". kept: edited files
    that the new version no longer has. answers: new questions by name. install: requirements that
    are not met here, the new version's engine first of all.
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
    }


def nothing_json(record: Origin) -> dict[str, Any]:
    """The same as `update_json`, for an update with nothing to do."""
    return update_json(record, Outcome(record.commit), (), ())


def kind(path: str) -> str:
    """What an update of the file means: `SQL` is pending then, all else is `MERGED`."""
    return SQL if edits.is_sql(path) else MERGED
