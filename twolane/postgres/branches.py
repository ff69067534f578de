"""A local database for each git branch, where `[tool.twolane] branch_databases` asks for it.

The default branch has the database `local`, as does a checkout without a branch (a detached HEAD,
CI) and one without git. Any other branch has one of its own: a copy of the one that the branch came
from, made at first use. While git rebases, the branch is the one that is rebased.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twolane import git
from twolane.config import Config, Target
from twolane.errors import Failure
from twolane.postgres.embedded import LOCAL_DATABASE as LOCAL
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

_OF_A_BRANCH = re.compile(r"branch_.*[0-9a-f]{8}")


def current(config: Config) -> str | None:
    """The branch whose database the embedded one is now; None if the branches share one."""
    return git.branch(config.root) if config.branch_databases else None


def of_target(config: Config, target: Target) -> str | None:
    """The same for a target; None for one with a URL."""
    return current(config) if target.variable is None else None


def as_json(config: Config, target: Target) -> dict[str, str]:
    """`{"branch"}` for reports, where `of_target` has one."""
    branch = of_target(config, target)
    return {"branch": branch} if branch else {}


def database(config: Config) -> str:
    """The name of the embedded database for what is checked out."""
    branch = current(config)
    return _database(branch, _default(config)) if branch else LOCAL


def named(branch: str) -> str:
    """The name of a branch's own database: short, plain, and no other branch's."""
    plain = unicodedata.normalize("NFKD", branch).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", "_", plain).strip("_")[:24].strip("_")
    return "_".join(["branch", *filter(None, [words]), sha256(branch.encode()).hexdigest()[:8]])


def origin(config: Config, exists: Callable[[str], bool]) -> str | None:
    """The database to copy for what is checked out: of the nearest branch that it came from.

    None where there is none yet, or the database is `local`.
    """
    branch = current(config)
    if branch is None or database(config) == LOCAL:
        return None
    default = _default(config)
    for other in _came_from(config, branch, exists):
        if other != branch and exists(found := _database(other, default)):
            return found
    return LOCAL if exists(LOCAL) else None


def gone(config: Config, databases: Iterable[str]) -> list[str]:
    """Those of the databases whose branch is no more.

    Raises:
        Failure: git can't tell which branches there are.
    """
    kept = {named(b) for b in (*git.branches(config.root), current(config)) if b}
    return sorted(n for n in databases if _OF_A_BRANCH.fullmatch(n) and n not in kept)


def in_use(maintenance: Connection[Any], template: str, branch: str | None) -> Failure:
    """Postgres copies no database that somebody is connected to: who that is."""
    rows = ask(
        maintenance,
        "select coalesce(nullif(application_name, ''), 'a program'), pid "
        "from pg_catalog.pg_stat_activity where datname = %s order by pid",
        (template,),
    ).fetchall()
    who = ", ".join(f"{name} (process {pid})" for name, pid in rows) or "somebody"
    return Failure(
        f"The database of branch {branch} is to be a copy of {template}, which is in use by {who}.",
        "Stop that for a moment, then run the same command again.",
    )


def _database(branch: str, default: str | None) -> str:
    return LOCAL if branch == default else named(branch)


def _default(config: Config) -> str | None:
    """The branch that work begins from: as the remote says, or else by its usual names."""
    if told := git.line(config.root, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"):
        return told.removeprefix("refs/remotes/origin/")
    known = git.branches(config.root)
    usual = [git.line(config.root, "config", "init.defaultBranch"), "main", "master"]
    if len(known) < 2:
        return known[0] if known else git.branch(config.root)
    return next((name for name in usual if name in known), None)


def _came_from(config: Config, branch: str, exists: Callable[[str], bool]) -> Iterator[str]:
    """Branches that the branch came from, the likeliest first.

    git keeps no parent of a branch: the reflogs tell where it was created, those of its parent
    where that one was, and so on; then come the branches that lack the fewest of its commits.
    """
    seen: list[str] = []
    parent: str | None = branch
    while parent and parent not in seen:
        seen.append(parent)
        parent = _parent(config, parent)
        if parent:
            yield parent
    others = [b for b in git.branches(config.root) if b not in seen and exists(named(b))]
    yield from sorted(others, key=lambda b: (_lacks(config, b, branch), b))


def _parent(config: Config, branch: str) -> str | None:
    """The branch that this one was created from, or had its name before."""
    log = git.reflog(config.root, f"refs/heads/{branch}")
    for _, told in log:
        if renamed := re.fullmatch(r"Branch: renamed refs/heads/(.+) to refs/heads/.+", told):
            return renamed[1]
    if not log or not log[-1][1].startswith("branch: Created from "):
        return None
    created, told = log[-1]
    start = re.sub(r"^(refs/heads/|refs/remotes/origin/|origin/)", "", told.split(" ", 3)[3])
    if start != "HEAD":
        return start
    for when, moved in reversed(git.reflog(config.root, "HEAD")):
        left = re.fullmatch(r"checkout: moving from (.+) to (.+)", moved)
        if left and when >= created and left[2] == branch:
            return left[1]
    return None


def _lacks(config: Config, other: str, branch: str) -> int:
    counted = git.line(
        config.root, "rev-list", "--count", f"refs/heads/{other}..refs/heads/{branch}", "--"
    )
    return int(counted) if counted else 0
