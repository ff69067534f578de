"""Formats changes of facts for people and for scripts. Pure: the screens add the colours."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from twolane.facts import catalog
from twolane.facts.catalog import Change, Snapshot, as_text, definition
from twolane.facts.identities import RELATION_KINDS, about, kind, relation
from twolane.text import counted

# Of a longer value, only the part that changed is shown.
SHORT = 90
_WORDS = {"+": "added", "-": "removed", "~": "changed"}
_CONTEXT = 24


def without_owners(before: Snapshot, after: Snapshot) -> list[Change]:
    """The changes but those of owners, which depend on who connects."""
    return [c for c in catalog.diff(before, after) if kind(c.identity) != "owner"]


def count(changes: Sequence[Change]) -> str:
    """`1 fact`, `2 facts`."""
    return counted(len(changes), "fact")


def tally(changes: Sequence[Change]) -> str:
    """`3 facts: 1 added, 2 changed`."""
    signs = Counter(change.sign for change in changes)
    words = ", ".join(f"{signs[sign]} {word}" for sign, word in _WORDS.items() if signs[sign])
    return f"{count(changes)}: {words}"


def as_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """`[{"fact", "object", "change", "before", "after"}]`, sorted by fact.

    fact: its identity. object: what it is a part of, see `object_of`. change: "added", "removed" or
    "changed". before, after: the definition's parts by name, or null where there is no such fact.
    """
    return [
        {
            "fact": change.identity,
            "object": object_of(change.identity),
            "change": _WORDS[change.sign],
            "before": definition(change.before) if change.before else None,
            "after": definition(change.after) if change.after else None,
        }
        for change in changes
    ]


def from_json(told: Sequence[Mapping[str, Any]]) -> list[Change]:
    """The changes that `as_json` told."""
    return [
        Change(
            change["fact"],
            as_text(change["before"]) if change["before"] is not None else None,
            as_text(change["after"]) if change["after"] is not None else None,
        )
        for change in told
    ]


def object_of(identity: str) -> str:
    """The object that a fact is a part of: a relation or domain by name, all else by identity.

    `column public.a.b`, `table public.a` → `public.a`; `grant function public.f() to x` →
    `function public.f()`.
    """
    inner = about(identity) or identity
    if kind(inner) == "domain":
        return inner.removeprefix("domain ")
    return relation(inner) or inner


def flat(changes: Sequence[Change]) -> list[str]:
    """One line per change, tables and views first: `+ column public.a.b   text`."""
    ordered = sorted(changes, key=lambda change: kind(change.identity) not in RELATION_KINDS)
    return [f"{c.sign} {c.identity}   {_summary(c)}".rstrip() for c in ordered]


def part(change: Change) -> str:
    """One line, in which the fact is called as in its object: `+ column b   text`."""
    label = _part(change.identity, object_of(change.identity))
    return f"{change.sign} {label}   {_summary(change)}".rstrip()


def side_by_side(change: Change) -> tuple[str, str, str]:
    """What the fact is called in its object, and what it is before and after: of a changed fact,
    the parts that differ; empty where there is no such fact."""
    label = _part(change.identity, object_of(change.identity))
    if change.sign != "~":
        words = _summary(change) or "there"
        return (label, words, "") if change.sign == "-" else (label, "", words)
    parts = [(name, *around_change(old, new)) for name, old, new in _differing(change)]
    before = "; ".join(f"{name}: {old}" for name, old, _ in parts)
    return label, before, "; ".join(f"{name}: {new}" for name, _, new in parts)


def grouped(changes: Sequence[Change]) -> list[str]:
    """Lines by object: the object with its own sign, if it changed itself, then its parts.

    ```
      public.contacts
        + column nickname   text
    ~ view public.people
          definition:
            -  SELECT id
            +  SELECT id, email
    ```
    """
    lines: list[str] = []
    ordered = sorted(changes, key=lambda change: (object_of(change.identity), change.identity))
    for name, group in groupby(ordered, lambda change: object_of(change.identity)):
        members = list(group)
        itself = next((c for c in members if _is_itself(c.identity, name)), None)
        parts = [change for change in members if change is not itself]
        if itself:
            lines += _entry(itself, itself.identity)
        else:
            lines.append(f"  {name}")
        for change in parts:
            lines += [f"    {line}" for line in _entry(change, _part(change.identity, name))]
    return lines


def _is_itself(identity: str, name: str) -> bool:
    return identity == name or (
        kind(identity) in (*RELATION_KINDS, "domain") and identity.endswith(f" {name}")
    )


def _part(identity: str, name: str) -> str:
    """`column public.a.b` in the group of `public.a` → `column b`."""
    words = sorted((*RELATION_KINDS, "domain"), key=len, reverse=True)
    for whole in (*(f" {word} {name}" for word in words), f" {name}"):
        if whole + "." in identity:
            return identity.replace(whole + ".", " ", 1)
        if whole in identity:
            return identity.replace(whole, "", 1)
    return identity


def _entry(change: Change, label: str) -> list[str]:
    """A change in one line, or in several if more than one part changed or one is long."""
    if change.sign != "~":
        return [f"{change.sign} {label}   {_summary(change)}".rstrip()]
    lines = [line for part in _differing(change) for line in _part_change(*part)]
    if len(lines) == 1:
        return [f"~ {label}   {lines[0]}"]
    return [f"~ {label}", *(f"      {line}" for line in lines)]


def _part_change(name: str, before: str, after: str) -> list[str]:
    """`name: before → after` if that is short, else the removed and the added text."""
    if "\n" in before or "\n" in after:
        return [f"{name}:", *(f"  {line}" for line in _line_diff(before, after))]
    old, new = around_change(before, after)
    if len(old) + len(new) <= SHORT:
        return [f"{name}: {old} → {new}"]
    return [f"{name}:", f"  - {old}", f"  + {new}"]


def _line_diff(before: str, after: str) -> Iterator[str]:
    """The lines that differ, with one line of context, and `…` for lines left out."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    for number, line in enumerate(lines):
        if number >= 2:  # the first two name the files
            yield "…" if line.startswith("@@") else f"{line[:1]} {line[1:]}"


def around_change(before: str, after: str) -> tuple[str, str]:
    """Both texts; if they are long, only the part that differs, with a little context."""
    if len(before) + len(after) <= SHORT:
        return before, after
    same = _common(before, after)
    end = _common(before[same:][::-1], after[same:][::-1])
    start = max(0, same - _CONTEXT)

    def cut(text: str) -> str:
        stop = min(len(text), len(text) - end + _CONTEXT)
        return f"{'…' if start else ''}{text[start:stop]}{'…' if stop < len(text) else ''}"

    return cut(before), cut(after)


def _common(one: str, other: str) -> int:
    """The length of the beginning that two texts share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _summary(change: Change) -> str:
    """One line: the definition of an added or removed fact, the changed parts of another."""
    if change.sign != "~":
        return _definition(definition(change.after or change.before or "{}"))
    return "; ".join(
        f"{name}: {' → '.join(map(_shorten, around_change(before, after)))}"
        for name, before, after in _differing(change)
    )


def _differing(change: Change) -> list[tuple[str, str, str]]:
    """The parts of a changed definition that differ: name, before, after."""
    before, after = definition(change.before or "{}"), definition(change.after or "{}")
    return [
        (name, value(before, name), value(after, name))
        for name in before | after
        if before.get(name) != after.get(name)
    ]


def _definition(parts: Mapping[str, Any]) -> str:
    """A text that Postgres wrote, else the parts: `text, not null, default: now()`."""
    words = parts.get("definition") or ", ".join(_named(parts, name) for name in parts)
    return textwrap.shorten(words, 110, placeholder=" …")


def _named(parts: Mapping[str, Any], name: str) -> str:
    if name == "type":
        return value(parts, name)
    words = name.replace("_", " ")
    return words if parts[name] is True else f"{words}: {value(parts, name)}"


def value(parts: Mapping[str, Any], name: str) -> str:
    """`none` for a part that is absent; text as it is, lists with commas."""
    found = parts.get(name, "none")
    if isinstance(found, list):
        return ", ".join(item if isinstance(item, str) else json.dumps(item) for item in found)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _shorten(text: str) -> str:
    return textwrap.shorten(text, SHORT, placeholder=" …")
