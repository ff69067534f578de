"""The text of the lock file, one fact a line. Pure."""

from __future__ import annotations

import json

from twolane.facts.catalog import Snapshot, as_text, encode

LOCK_FORMAT = 1


def dump_lock(snapshot: Snapshot) -> str:
    """The lock file's text: valid JSON, one fact a line, so that a diff shows one fact a line."""
    lines = [f"    {encode(i)}: {text}" for i, text in snapshot.items()]
    facts = ",\n".join(lines)
    body = f"{{\n{facts}\n  }}" if lines else "{}"
    return f'{{\n  "format": {LOCK_FORMAT},\n  "facts": {body}\n}}\n'


def load_lock(text: str) -> Snapshot:
    """The snapshot in a lock file's text.

    Raises:
        ValueError: the text is no lock file of this format (merge markers, an edit by hand).
    """
    lock = json.loads(text)
    if not isinstance(lock, dict) or lock.get("format") != LOCK_FORMAT:
        raise ValueError(f"not a schema lock of format {LOCK_FORMAT}")
    if not isinstance(lock.get("facts"), dict):
        raise ValueError("a schema lock without facts")
    return {identity: as_text(parts) for identity, parts in lock["facts"].items()}
