"""The few git commands that twolane uses; git may be absent."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from twolane.errors import Failure


class Absent(Failure):
    """There is no git on this machine."""


def commit_id(root: Path) -> str | None:
    """The commit that is checked out; None outside a repo or without git."""
    try:
        found = _git(root, "rev-parse", "HEAD")
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def line(root: Path, *arguments: str) -> str | None:
    """What git prints, without the line's end; None where it fails, or prints nothing."""
    try:
        done = _git(root, *arguments)
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def roots(root: Path) -> list[str]:
    """The first commits of what is checked out; none where the history is not all there."""
    found = line(root, "rev-list", "--max-parents=0", "HEAD") if is_complete(root) else None
    return found.split() if found else []


def is_complete(root: Path) -> bool:
    """Whether it is a repo that has commits, with the whole of its history."""
    has_commits = line(root, "rev-parse", "--verify", "HEAD") is not None
    return has_commits and not is_shallow(root)


def is_shallow(root: Path) -> bool:
    """Whether it is a clone that lacks the older commits."""
    return line(root, "rev-parse", "--is-shallow-repository") == "true"


def has(root: Path, commit: str) -> bool:
    return line(root, "cat-file", "-t", commit) == "commit"


def folder(root: Path) -> str:
    """The folder's path in its repo, with `/` at its end; empty for the repo's own, or without."""
    return line(root, "rev-parse", "--show-prefix") or ""


def branch(root: Path) -> str | None:
    """The branch that is checked out, or that a rebase is at work on; None without one."""
    if found := line(root, "symbolic-ref", "--quiet", "HEAD"):
        return found.removeprefix("refs/heads/")
    for name in ("rebase-merge/head-name", "rebase-apply/head-name"):
        place = line(root, "rev-parse", "--git-path", name)
        if place and (root / place).is_file():
            head = (root / place).read_text(encoding="utf-8").strip()
            return head.removeprefix("refs/heads/") if head.startswith("refs/heads/") else None
    return None


def branches(root: Path) -> list[str]:
    """The names of the branches here, in order.

    Raises:
        Failure: it is no repo, or there is no git.
    """
    listed = run(root, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
    return listed.decode(errors="replace").splitlines()


def reflog(root: Path, ref: str) -> list[tuple[int, str]]:
    """What happened to the ref, newest first: when, in seconds, and git's words for it."""
    told = line(root, "reflog", "show", "--date=unix", "--format=%gd %gs", ref, "--") or ""
    entries = (re.match(r".*?@\{(\d+)\} (.*)", entry) for entry in told.splitlines())
    return [(int(entry[1]), entry[2]) for entry in entries if entry]


def commit(root: Path, paths: Sequence[Path], message: str, body: str = "") -> str:
    """Commits these paths and nothing else; returns git's own summary line.

    Raises:
        Failure: git is missing, or refuses.
    """
    names = [str(path) for path in paths]
    try:
        changed = _git(root, "status", "--porcelain", "--", *names)
        if changed.returncode == 0 and not changed.stdout.strip():
            return "Nothing left to commit."
        said = ["--message", message, *(["--message", body] if body else [])]
        for arguments in (("add", "--", *names), ("commit", *said, "--", *names)):
            done = _git(root, *arguments)
            if done.returncode != 0:
                raise Failure(
                    f"git {arguments[0]}: {(done.stderr or done.stdout).strip()}",
                    f'The work itself is done; commit by hand: git commit -m "{message}"',
                )
    except OSError as error:
        raise Failure(
            f"git can't be run: {error}", "Install git, or commit by other means."
        ) from error
    return done.stdout.strip().splitlines()[0]


def changed(root: Path) -> set[str] | None:
    """The folder's files that differ from the last commit, as paths from there; None without one.

    Raises:
        Failure: git is missing.
    """
    if line(root, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        return None
    known = run(root, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
    new = run(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return set((known + new).decode().split("\0")) - {""}


def way_back(root: Path, paths: Sequence[str]) -> str | None:
    """The command that brings the last commit's texts back; None unless it has others of all.

    Without HEAD, `git checkout` takes the texts that were added to the next commit.
    """
    for path in paths:
        for command in (("diff", "--name-only"), ("ls-tree", "--name-only")):
            if line(root, *command, "HEAD", "--", path) is None:
                return None
    is_added = line(root, "diff", "--cached", "--name-only", "--", *paths) is not None
    return f"git checkout {'HEAD ' if is_added else ''}-- {' '.join(paths)}"


def files_with(root: Path, starts: Sequence[str]) -> list[str]:
    """The files that have a line with one of these starts, whether or not git has them.

    Raises:
        Failure: git is missing, or refuses.
    """
    patterns = [part for start in starts for part in ("-e", f"^{re.escape(start)}")]
    options = ("--no-index", "--exclude-standard", "--files-with-matches", "--null")
    try:
        found = _git(root, "grep", *options, "--extended-regexp", *patterns)
    except OSError as error:
        raise Absent(f"git can't be run: {error}", "Install git.") from error
    if found.returncode not in (0, 1):  # 1: there are none
        raise Failure(f"git: {found.stderr.strip()}")
    return sorted(found.stdout.split("\0")[:-1])


def texts(root: Path, path: Path) -> Iterator[bytes]:
    """The texts that a file has had in any commit, newest first; none outside a repo."""
    try:
        log = _git(root, "log", "--all", "--format=", "--raw", "--no-abbrev", "--", str(path))
    except OSError:
        return
    blobs = [line.split()[3] for line in log.stdout.splitlines() if line.startswith(":")]
    for blob in dict.fromkeys(blobs):
        if blob.strip("0"):
            yield run(root, "cat-file", "blob", blob)


def branches_with(root: Path, part: str) -> list[str]:
    """The branches that have a file whose path contains that; none outside a repo."""
    try:
        listed = _git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads")
        return [
            name
            for name in listed.stdout.split()
            if part in _git(root, "ls-tree", "-r", "--name-only", "--full-tree", name).stdout
        ]
    except OSError:
        return []


def run(root: Path, *arguments: str, text: bytes | None = None) -> bytes:
    """What git prints.

    Raises:
        Failure: git is missing, or refuses.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, input=text, capture_output=True, check=False
        )
    except OSError as error:
        raise Absent(f"git can't be run: {error}", "Install git.") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise Failure(f"git: {said}")
    return done.stdout


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
