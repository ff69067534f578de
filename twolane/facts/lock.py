"""The text of the lock file, one fact a line. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twolane.facts.catalog import Snapshot, as_text, encode
from twolane.text import escaped

LOCK_FORMAT = 1


def dump_lock(snapshot: Snapshot) -> str:
    """The lock file's text: valid JSON, one fact a line, so that a diff shows one fact a line."""
    lines = [f"    {encode(i)}: {text}" for i, text in snapshot.items()]
    facts = ",\n".join(escaped(line, _escape) for line in lines)
    body = f"{{\n{facts}\n  }}" if lines else "{}"
    return f'{{\n  "format": {LOCK_FORMAT},\n  "facts": {body}\n}}\n'


def _escape(letter: str) -> str:
    """The character as an escape of JSON's: only strings have such."""
    return json.dumps(letter)[1:-1]


def load_lock(text: str) -> Snapshot:
    """The snapshot in a lock file's text, also in one where git joined the lines of two branches.

    Raises:
        ValueError: the text is no lock file of this format (merge markers, an edit by hand), has
            something else than facts, or says two things of one.
    """
    try:
        lock = _parsed(text)
    except ValueError:
        lock = _parsed(_with_commas(text))
    if not isinstance(lock, dict) or lock.get("format") != LOCK_FORMAT:
        raise ValueError(f"not a schema lock of format {LOCK_FORMAT}")
    if not isinstance(lock.get("facts"), dict):
        raise ValueError("a schema lock without facts")
    if text.count('\n    "') != len(lock["facts"]):
        json.loads(_with_commas(text), object_pairs_hook=_once)
    for identity, parts in lock["facts"].items():
        if not isinstance(parts, dict):
            raise ValueError(f"{json.dumps(identity)} is no fact")
    return {identity: as_text(parts) for identity, parts in sorted(lock["facts"].items())}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep for a schema lock") from None


def _with_commas(text: str) -> str:
    """The text with a comma after each fact but the last: two branches may each have had a last."""
    lines = text.removesuffix("\n").split("\n")
    facts = [number for number, line in enumerate(lines) if line.startswith('    "')]
    for number in facts:
        lines[number] = lines[number].rstrip(",") + ("," if number != facts[-1] else "")
    return "\n".join(lines)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object; raises `ValueError` for a key with two values, of which JSON takes the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise ValueError(f"it says two things of {key}")
    return found
