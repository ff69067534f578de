"""Two sources side by side: what one has and the other lacks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Change
from twolane.facts.identities import RELATION_KINDS
from twolane.page.source import Source
from twolane.text import counted

MANY = 300
"""With more differences than that, the parts of what one lacks as a whole are counted."""


def compare(source: Source, other: Source) -> dict[str, Any]:
    """`count` of facts; `changes`: object, sign, fact, what `source` has, what `other` has."""
    changes = catalog.diff(source.facts, other.facts)
    ordered = sorted(changes, key=lambda change: differences.object_of(change.identity))
    told: list[list[Any]] = []
    for name, group in groupby(ordered, lambda change: differences.object_of(change.identity)):
        members = sorted(group, key=lambda c: identities.kind(c.identity) not in RELATION_KINDS)
        rows = _whole(members) if len(changes) > MANY else None
        rows = rows or [differences.side_by_side(change) for change in members]
        told += [[name, c.sign, *row] for c, row in zip(members, rows, strict=False)]
    return {"with": other.name, "count": len(changes), "changes": told}


def _whole(changes: Sequence[Change]) -> list[tuple[str, str, str]] | None:
    """One row for a table or view that one of them lacks; None for other changes."""
    itself = changes[0]
    kind = identities.kind(itself.identity)
    if kind not in RELATION_KINDS or itself.sign == "~":
        return None
    counts = Counter(identities.kind(change.identity) for change in changes[1:])
    words = ", ".join(counted(n, word) for word, n in counts.items())
    return [(kind, words, "") if itself.sign == "-" else (kind, "", words)]
