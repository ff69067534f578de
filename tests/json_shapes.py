"""The guide's page on JSON: what it says of each command, held against what the command prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs/json.md"
_KEY = re.compile(r"`([^`]+)`(°?)")
# Where a row says this, the page has the form elsewhere, or names are keys.
_ELSEWHERE = ("[changes](#changes)", "[findings](#findings)", "by name")
_LIKE = {"db.deploy": "db.push", "db.downgrade": "db.push", "db.disown": "db.own"}


@cache
def documented(command: str) -> dict[str, tuple[bool, bool]]:
    """Path of a key → whether it is always there, whether the page has its parts elsewhere."""
    text = PAGE.read_text("utf-8")
    titles = re.split(r"^## (.*)$", text, flags=re.M)
    sections = dict(zip(titles[1::2], titles[2::2], strict=True))
    rows = dict(documented(_LIKE[command])) if command in _LIKE else {}
    for cells in re.findall(r"^\| (`.*?) \| (.*) \|$", sections.get(command, ""), re.M):
        for key, optional in _KEY.findall(cells[0]):
            rows[key] = (not optional, any(words in cells[1] for words in _ELSEWHERE))
    return rows


def commands() -> set[str]:
    return set(re.findall(r"^## ((?:db|template)\..*)$", PAGE.read_text("utf-8"), re.M))


def assert_documented(command: str, value: Any) -> None:
    """Every key of the value is on the page, and every key of the page is in the value.

    A key of entries of which the value has none can't be missed.
    """
    known = documented(command)
    assert known, command
    closed = {path for path, (_, elsewhere) in known.items() if elsewhere}
    found = set(_paths(value, "", closed))
    assert found <= known.keys(), found - known.keys()
    missing = {path for path, (always, _) in known.items() if always} - found
    assert {path for path in missing if _parent(path) in {"", *_whole(value)}} == set()


def _paths(value: Any, path: str, closed: set[str]) -> Iterator[str]:
    """Each key as the page writes it: `hazards[]`, `hazards[].key`, `standing.how`."""
    if path in closed:
        yield path
    elif isinstance(value, dict):
        yield from [path] if path else []
        for key, part in value.items():
            yield from _paths(part, f"{path}.{key}" if path else key, closed)
    elif isinstance(value, list):
        yield from [f"{path}[]"] if path else []
        for part in value if f"{path}[]" not in closed else ():
            for key, deeper in part.items() if isinstance(part, dict) else ():
                yield from _paths(deeper, f"{path}[].{key}", closed)
    else:
        yield path


def _whole(value: Any, path: str = "") -> Iterator[str]:
    """The paths whose keys are all there to see."""
    if isinstance(value, dict):
        yield path
        for key, part in value.items():
            yield from _whole(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for part in value:
            yield from _whole(part, f"{path}[]")


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
