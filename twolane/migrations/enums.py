"""The app's enums: what changes in place, and what takes a new type. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.sql import literal


def names(facts: Snapshot) -> list[str]:
    """The enums in a snapshot, as `schema.name`."""
    return [i.removeprefix("enum ") for i in facts if identities.kind(i) == "enum"]


def labels(facts: Snapshot, name: str) -> list[str]:
    return list(catalog.definition(facts[f"enum {name}"])["labels"] or ())


def create(name: str, new: Sequence[str]) -> str:
    return f"create type {name} as enum ({', '.join(map(literal, new))})"


def drop(name: str) -> str:
    return f"drop type {name}"


def changes(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Statements that add or rename labels; nothing where that doesn't lead from old to new."""
    if is_added(old, new):
        for place, label in enumerate(new):
            if label not in old:
                at = f"after {literal(new[place - 1])}" if place else ""
                at = at or (f"before {literal(old[0])}" if old else "")
                yield f"alter type {name} add value {literal(label)} {at}".rstrip()
    elif is_renamed(old, new):
        for one, other in zip(old, new, strict=True):
            if one != other:
                yield f"alter type {name} rename value {literal(one)} to {literal(other)}"


def is_added(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether labels are added alone, in whatever places."""
    return set(old) < set(new) and [label for label in new if label in old] == list(old)


def is_renamed(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether only words differ: the labels stay in their places, so rows keep them."""
    if len(old) != len(new) or list(old) == list(new):
        return False
    return not any(b in old or a in new for a, b in zip(old, new, strict=True) if a != b)


def needs_swap(name: str, before: Snapshot, after: Snapshot) -> bool:
    """Whether only a new type has these labels, or has them in time.

    Postgres takes no label away, moves none, and lets a new one be used once the transaction that
    adds it is over: a default or check of the same revision can't name it.
    """
    old, new = labels(before, name), labels(after, name)
    if old == new or is_renamed(old, new):
        return False
    if not is_added(old, new):
        return True
    added = [label for label in new if label not in old]
    changed = (
        text for i, text in after.items() if before.get(i) != text and identities.kind(i) != "enum"
    )
    words = (str(word) for text in changed for word in catalog.definition(text).values())
    return any(_uses(word, name, label) for word in words for label in added)


def _uses(word: str, name: str, label: str) -> bool:
    return f"{literal(label)}::{name}" in word or (label in word and f"::{name}[]" in word)


def with_new_labels(before: Snapshot, after: Snapshot) -> Snapshot:
    """The facts before, where Postgres prints the new word of each label that is renamed."""
    pairs = {
        f"{literal(old)}::{name}": f"{literal(new)}::{name}"
        for name in names(before)
        if f"enum {name}" in after and is_renamed(labels(before, name), labels(after, name))
        for old, new in zip(labels(before, name), labels(after, name), strict=True)
        if old != new
    }
    if not pairs:
        return before
    found = re.compile("|".join(map(re.escape, pairs)))
    return {
        i: text if identities.kind(i) == "enum" else found.sub(lambda words: pairs[words[0]], text)
        for i, text in before.items()
    }
