"""The files beside the server's data with the facts of each kept shadow."""

from __future__ import annotations

import json
import time
from functools import lru_cache
from pathlib import Path

from twolane.config import Config
from twolane.facts.catalog import Snapshot

FORMAT = "2"
"""The format of such a file; shadows of another one are made anew."""


def path(config: Config, database: str) -> Path:
    """The file of a shadow, which has its name."""
    return config.home / "shadow" / f"{database}.json"


def of_all(config: Config) -> list[Path]:
    """The files of all shadows, the one last used first."""
    found = path(config, "x").parent.glob("*.json")
    return sorted(found, key=lambda each: -each.stat().st_mtime)


@lru_cache(maxsize=8)
def read(file: Path) -> Snapshot:
    """The facts of a step; the digest in the file's name covers all their inputs.

    Raises:
        ValueError: the file is incomplete, for example because the disk was full.
    """
    facts: dict[str, str] = json.loads(file.read_bytes())
    return facts


def write(config: Config, database: str, facts: Snapshot) -> None:
    """Writes the facts of a shadow, all or none."""
    file = path(config, database)
    text = json.dumps(dict(facts), ensure_ascii=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{time.monotonic_ns()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
