"""Partitions and the tables that they are parts of, out of facts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from twolane.facts import identities
from twolane.facts.catalog import Snapshot, definition


def of(tables: Collection[str], snapshots: Iterable[Snapshot]) -> frozenset[str]:
    """The partitions of these tables in any of the snapshots, and theirs; as `schema.name`."""
    parents: dict[str, set[str]] = {}
    for facts in snapshots:
        for identity, text in facts.items():
            if '"bound":' in text and identities.kind(identity) in ("table", "foreign table"):
                name = identity.removeprefix(f"{identities.kind(identity)} ")
                parents.setdefault(name, set()).update(definition(text).get("inherits") or ())
    found: set[str] = set()
    while more := {n for n, of in parents.items() if of & {*tables, *found}} - found:
        found |= more
    return frozenset(found)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a table is meant by one of the patterns, which may leave out `public.`."""
    plain = identities.plain(name)
    words = (plain, plain.removeprefix("public."))
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)
