"""The commits that brought what stands in the service's files, as git tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from twolane import git
from twolane.repo.locations import Place


@dataclass(frozen=True)
class Commit:
    """id: short. day: as `2026-03-01`, in UTC. title: the first line of its message."""

    id: str
    day: str
    author: str
    title: str


@dataclass(frozen=True)
class Commits:
    """Of the repo at `root`; without git, or for what is not committed, there is no commit."""

    root: Path

    def of(self, place: Place, last: int | None) -> Commit | None:
        """The commit that last changed these lines, or the file if the place has no line."""
        if place.line is None:
            return self._newest(place.file)
        lines = _blamed(self.root, place.file)[place.line - 1 : last or place.line]
        committed = [line for line in lines if line]
        if not committed or len(committed) < len(lines):
            return None
        return max(committed, key=lambda line: line[0])[1]

    def first(self, file: str) -> Commit | None:
        """The commit that brought the file."""
        told = git.line(self.root, "log", "--format=%H", "--diff-filter=A", "--", file)
        return self._named(told.splitlines()[-1] if told else None)

    def _newest(self, file: str) -> Commit | None:
        if git.line(self.root, "status", "--porcelain", "--", file):
            return None
        return self._named(git.line(self.root, "log", "-1", "--format=%H", "--", file))

    def _named(self, commit: str | None) -> Commit | None:
        return _read(self.root, commit) if commit else None


@cache
def _read(root: Path, commit: str) -> Commit | None:
    told = git.line(root, "show", "--no-patch", "--format=%H%x00%at%x00%an%x00%s", commit)
    if told is None or told.count("\0") != 3:
        return None
    id_, seconds, author, title = told.split("\0")
    return _commit(id_, int(seconds), author, title)


def _commit(id_: str, seconds: int, author: str, title: str) -> Commit:
    return Commit(id_[:7], datetime.fromtimestamp(seconds, UTC).date().isoformat(), author, title)


@cache
def _blamed(root: Path, file: str) -> Sequence[tuple[int, Commit] | None]:
    """For each line of the file, when it was committed and by what; None for what is not."""
    told = git.line(root, "blame", "--porcelain", "--", file) or ""
    heads: dict[str, dict[str, str]] = {}
    order: list[str] = []
    for line in told.split("\n"):
        if not line or line.startswith("\t"):
            continue
        word, _, rest = line.partition(" ")
        if re.fullmatch(r"[0-9a-f]{40,64}", word):
            order.append(word)
            heads.setdefault(word, {})
        else:
            heads[order[-1]][word] = rest
    made = {
        id_: (
            int(head["author-time"]),
            _commit(id_, int(head["author-time"]), head["author"], head.get("summary", "")),
        )
        for id_, head in heads.items()
        if id_.strip("0")
    }
    return [made.get(id_) for id_ in order]
