"""The doctor's checks of a command's environment: variables, `.env`, settings, git, the disk."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twolane.config import DEFAULT, Config
from twolane.doctor import project
from twolane.doctor.findings import error, info, warning
from twolane.errors import Failure
from twolane.guards.checks import examines
from twolane.guards.findings import Finding
from twolane.postgres import embedded, place

ENOUGH, ALMOST_NOTHING = 2 * 1024**3, 200 * 1024**2
_MEANT_FOR_GIT = (".example", ".sample", ".template")
_NO_COMMIT = "a push then records no commit"


@dataclass(frozen=True)
class Git:
    """What git reports. version: None without git. problem: why this is no repository, or "".

    head: the branch, or None where it is detached. tracked: `.env` files in the index → whether
    they hold a URL with a password; committed: a commit with a `.env` that is not tracked any more.
    """

    version: str | None
    problem: str = ""
    head: str | None = None
    has_commits: bool = False
    env_ignored: bool = False
    home_ignored: bool = True
    tracked: Mapping[str, bool] | None = None
    committed: str | None = None


def git(root: Path) -> Git:
    """Asks git about the service's folder."""
    version = _git(root, "--version")
    if version is None:
        return Git(None)
    inside = _git(root, "rev-parse", "--is-inside-work-tree")
    assert inside is not None
    if inside.returncode:
        return Git(version.stdout.strip(), problem=(inside.stderr.strip() or "?").splitlines()[0])
    listed = _lines(root, "ls-files", "--", ".env", ".env.*")
    listed = [name for name in listed if not name.endswith(_MEANT_FOR_GIT)]
    history = _lines(root, "log", "--all", "--max-count=1", "--format=%h", "--", ".env")
    return Git(
        version.stdout.strip(),
        head=next(iter(_lines(root, "symbolic-ref", "--short", "--quiet", "HEAD")), None),
        has_commits=bool(_lines(root, "rev-parse", "--verify", "--quiet", "HEAD")),
        env_ignored=bool(_lines(root, "check-ignore", "--no-index", ".env")),
        home_ignored=bool(_lines(root, "check-ignore", "--no-index", ".postgres/")),
        tracked={name: _has_password(_lines(root, "show", f":./{name}")) for name in listed},
        committed=history[0] if history and ".env" not in listed else None,
    )


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except OSError:
        return None


def _lines(root: Path, *arguments: str) -> list[str]:
    """What git prints; nothing where it fails."""
    done = _git(root, *arguments)
    return done.stdout.splitlines() if done and done.returncode == 0 else []


def _has_password(lines: Sequence[str]) -> bool:
    """Whether an assignment among the lines has a URL with a password, as far as one can tell."""
    urls = (line.partition("://")[2] for line in lines if not line.lstrip().startswith("#"))
    return any(":" in rest.rpartition("@")[0] for rest in urls)


@examines("variables", "the variable of each target", "config")
def variables(config: Config) -> Iterator[Finding]:
    """Reports variables that are not set: their target fails only when it is needed, or a command
    works on another database than the one in `.env`."""
    for target in config.targets.values():
        if not target.variable or config.environment.get(target.variable):
            continue
        if target.name != DEFAULT:
            yield warning(
                target.variable,
                f"Target {target.name} takes its URL from {target.variable}, which is not set.",
                f"Set {target.variable} in the environment or in .env, or take the target out of "
                "pyproject.toml",
            )
            continue
        yield info(
            target.variable,
            f"{target.variable} is not set: the commands use the embedded Postgres, and the "
            "service itself has no database.",
            "cp .env.example .env, and set it there; for the embedded one: invoke db.up",
        )


@examines("override", "the environment against .env", "config")
def overridden(config: Config) -> Iterator[Finding]:
    """Reports variables that differ between environment and `.env`: the environment wins."""
    for name, value in dotenv(config).items():
        if value and name in os.environ and os.environ[name] != value:
            yield warning(
                name,
                f"{name} is set in the environment, and otherwise in .env: the environment's "
                "holds.",
                f"unset {name}",
            )


def dotenv(config: Config) -> Mapping[str, str | None]:
    """What `.env` alone says."""
    path = config.root / ".env"
    if not path.exists():
        return {}
    from dotenv import dotenv_values

    return dotenv_values(path)


@examines("secrets", ".env and .postgres/ in git", "git")
def secrets(found: Git) -> Iterator[Finding]:
    """Reports `.env` files in git: everybody with a clone can read their passwords."""
    for name, has_password in (found.tracked or {}).items():
        first = f"git rm --cached {name}, and list it in .gitignore"
        if has_password:
            yield error(
                name,
                f"{name} is in git with a password in it.",
                f"{first}; then change the password, for git keeps what was committed",
            )
        else:
            yield warning(name, f"{name} is in git; the next secret in it will be, too.", first)
    if found.committed:
        yield warning(
            ".env",
            f".env was committed once ({found.committed}), and git keeps it.",
            "Change the passwords that it had",
        )
    if found.version and not found.problem and not found.env_ignored and not found.tracked:
        yield warning(
            ".env",
            "git does not ignore .env: the next `git add` takes its passwords along.",
            "List .env in .gitignore",
        )
    if found.version and not found.problem and not found.home_ignored:
        yield warning(
            ".postgres/",
            "git does not ignore .postgres/, the embedded server's data and passwords.",
            "List .postgres/ in .gitignore",
        )


@examines("settings", "pyproject.toml, .env", "config")
def settings(config: Config) -> Iterator[Finding]:
    """Reports keys that nothing reads, which have no effect, and what pyproject.toml lacks."""
    for found in config.unread:
        like = difflib.get_close_matches(found.key, found.known, 1)
        may = ", ".join(found.known)
        first = f"Write it `{like[0]}`" if like else f"Take it out; it may hold: {may}"
        yield warning(found.key, found.message, first)
    yield from project.declared(config)


@examines("git", "the repository", "git")
def history(found: Git) -> Iterator[Finding]:
    """Explains why a push records no commit, or why a commit seems lost."""
    if found.version is None:
        yield info("git", f"There is no git on this machine: {_NO_COMMIT}.", "Install git")
    elif found.problem:
        yield info(
            "git",
            f"The service's folder is no git repository that git would use: {_NO_COMMIT}.",
            "git init, or what git says",
            [found.problem],
        )
    elif not found.has_commits:
        yield info("git", f"The repository has no commit yet: {_NO_COMMIT}.", "git commit")
    elif found.head is None:
        yield info(
            "git",
            "HEAD is detached: a push records the commit, but what you commit here is on no "
            "branch, and lost with the next checkout.",
            "git switch BRANCH",
        )


@dataclass(frozen=True)
class Disk:
    """The disk with `.postgres/` on it, in bytes."""

    free: int
    total: int


def disk(config: Config) -> Disk:
    folder = config.home
    usage = shutil.disk_usage(folder if folder.exists() else config.root)
    return Disk(usage.free, usage.total)


@examines("disk", "free space", "disk")
def space(found: Disk) -> Iterator[Finding]:
    """Reports a disk that is nearly full: Postgres would stop, and a sync write half a file."""
    left = f"{found.free / 1024**2:.0f} MiB are left on the disk of .postgres/"
    first = "Free some space; .postgres/ itself is made anew: invoke db.down, and remove it"
    if found.free < ALMOST_NOTHING:
        yield error(".postgres", f"{left}: Postgres will stop.", first)
    elif found.free < ENOUGH:
        yield warning(".postgres", f"{left}.", first)


@dataclass(frozen=True)
class Embedded:
    """The contents of `.postgres/`. owner: the data folder that `postmaster.pid` names, if any."""

    data: Path
    owner: Path | None
    running: bool
    others: Sequence[str]


def embedded_state(config: Config) -> Embedded | None:
    """The embedded server's folder; None where there is none yet."""
    home = config.home
    try:
        data = home / str(embedded.major(config))
    except Failure:
        return None
    if not home.exists():
        return None
    try:
        owner = Path((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[1])
    except (OSError, IndexError):
        owner = None
    others = [
        path.name for path in home.iterdir() if path.name.isdecimal() and path.name != data.name
    ]
    return Embedded(data, owner, embedded.running(config) is not None, sorted(others))


@examines("embedded", ".postgres/", "embedded")
def leftovers(found: Embedded | None) -> Iterator[Finding]:
    """Reports a folder that was copied while its server ran, and explains other
    leftovers of an embedded server."""
    if found is None:
        return
    if found.owner and found.owner.resolve() != found.data.resolve():
        yield error(
            ".postgres",
            f"This .postgres/ was copied while the server of {place.named(found.owner)} ran: it is "
            "a database of its own, and some of its rows may be lost.",
            "Stop the original (invoke db.down there) and copy it again, or: invoke db.reset",
        )
    elif found.owner and not found.running:
        yield info(
            ".postgres",
            "The embedded server was not stopped properly; it recovers with the next command.",
            "invoke db.up",
        )
    for name in found.others:
        yield info(
            ".postgres",
            f".postgres/{name} holds data of Postgres {name}, which [tool.twolane] postgres no "
            "longer names.",
            f"Remove .postgres/{name} if nothing in it is needed",
        )
