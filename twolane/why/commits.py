"""The commits that brought what stands in the service's files, as git tells."""

from __future__ import annotations

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
        span = f"{place.line},{last or place.line}"
        told = git.line(self.root, "blame", "--porcelain", "-L", span, "--", place.file)
        times: dict[str, int] = {}
        current = ""
        for line in (told or "").splitlines():
            word, _, rest = line.partition(" ")
            if len(word) >= 40 and all(letter in "0123456789abcdef" for letter in word):
                current = word
            elif word == "author-time":
                times[current] = int(rest)
        if not times or any(not commit.strip("0") for commit in times):
            return None
        return self.named(max(times, key=lambda commit: times[commit]))

    def first(self, file: str) -> Commit | None:
        """The commit that brought the file."""
        told = git.line(self.root, "log", "--format=%H", "--diff-filter=A", "--", file)
        return self.named(told.splitlines()[-1]) if told else None

    def _newest(self, file: str) -> Commit | None:
        if git.line(self.root, "status", "--porcelain", "--", file):
            return None
        told = git.line(self.root, "log", "-1", "--format=%H", "--", file)
        return self.named(told) if told else None

    def named(self, commit: str) -> Commit | None:
        """The commit of this id, where the repo has it."""
        return _read(self.root, commit)


@cache
def _read(root: Path, commit: str) -> Commit | None:
    told = git.line(root, "show", "--no-patch", "--format=%h%x00%at%x00%an%x00%s", commit)
    if told is None or told.count("\0") != 3:
        return None
    short, seconds, author, title = told.split("\0")
    day = datetime.fromtimestamp(int(seconds), UTC).date().isoformat()
    return Commit(short, day, author, title)
