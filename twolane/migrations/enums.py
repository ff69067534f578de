"""The app's enums: what changes in place, and what takes a new type. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

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
    words = (word for text in changed for word in catalog.texts(catalog.definition(text)))
    return any(label in added for word in words for label in _used(word, name))


def with_new_labels(before: Snapshot, after: Snapshot) -> Snapshot:
    """The facts before, where Postgres prints the new word of each label that is renamed."""
    renamed = {
        name: dict(zip(labels(before, name), labels(after, name), strict=True))
        for name in names(before)
        if f"enum {name}" in after and is_renamed(labels(before, name), labels(after, name))
    }
    if not renamed:
        return before
    return {
        i: text if identities.kind(i) == "enum" else _with_words(text, renamed)
        for i, text in before.items()
    }


def _with_words(text: str, renamed: Mapping[str, Mapping[str, str]]) -> str:
    """A definition with the new words of these types' labels."""
    for name, words in renamed.items():
        if f"::{catalog.encode(name)[1:-1]}" in text:

            def anew(value: str, name: str = name, words: Mapping[str, str] = words) -> str:
                return _literals(name).sub(lambda found: _anew(found, words), value)

            parts = catalog.definition(text)
            new = catalog.mapped(parts, anew)
            text = catalog.as_text(new) if new != parts else text
    return text


def _anew(found: re.Match[str], words: Mapping[str, str]) -> str:
    if not found["type"]:
        return found[0]
    label = found["label"].replace("''", "'")
    if found["array"]:
        new = _ELEMENT.sub(lambda each: _as_element(words, _label(each)), label)
    else:
        new = words.get(label, label)
    return f"{literal(new)}{found['type']}"


def _used(words: str, name: str) -> Iterator[str]:
    """The labels of this type that Postgres's words name, alone or in an array."""
    for found in _literals(name).finditer(words) if name in words else ():
        label = (found["label"] or "").replace("''", "'")
        if found["array"]:
            yield from map(_label, _ELEMENT.finditer(label))
        elif found["type"]:
            yield label


@cache
def _literals(name: str) -> re.Pattern[str]:
    """Finds texts and quoted names; the `type` of those texts that are labels of the enum."""
    kind = rf"(?P<type>::{re.escape(name)}(?P<array>\[\])?(?![\w\"$]))?"
    return re.compile(rf"""'(?P<label>(?:[^']|'')*)'{kind}|"(?:[^"]|"")*\"""")


# The elements of an array as Postgres prints them (manual, 8.15.6).
_ELEMENT = re.compile(r""""(?P<quoted>(?:[^"\\]|\\.)*)"|[^{},"]+""")
_NEEDS_QUOTES = re.compile(r"""[\s"\\{},]|^(null)?$""", re.IGNORECASE)


def _label(element: re.Match[str]) -> str:
    quoted = element["quoted"]
    return element[0] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _as_element(words: Mapping[str, str], label: str) -> str:
    new = words.get(label, label)
    escaped = re.sub(r'(["\\])', r"\\\1", new)
    return f'"{escaped}"' if _NEEDS_QUOTES.search(new) else new
