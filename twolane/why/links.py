"""The addresses of the service's files on the site that keeps the repo: GitHub and its like."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from twolane import git

_REMOTE = re.compile(
    r"(?:(?P<scheme>https?)|ssh|git)://(?:[^/@]*@)?(?P<host>[\w.-]+)(?P<port>:\d+)?/(?P<path>.+)"
    r"|(?:[\w.-]+@)?(?P<alias>[\w.-]+):(?!/)(?P<rest>.+)"
)
# As the sites document their links to a line of a file at a commit.
_GITHUB = ("blob/{commit}/", "#L")
_GITLAB = ("-/blob/{commit}/", "#L")
_BITBUCKET = ("src/{commit}/", "#lines-")


@dataclass(frozen=True)
class Links:
    """start: what an address begins with, before the file's path. line: what stands before the
    number of a line. files: those that are there as they are here, as paths from the service."""

    start: str
    line: str
    files: Collection[str]

    def file(self, path: str) -> str | None:
        """The file's address; None where the site does not have it as it is here."""
        return f"{self.start}{quote(path)}" if path in self.files else None

    def to(self, path: str, line: int | None) -> str | None:
        """The address of a line of it, or of the whole."""
        found = self.file(path)
        return f"{found}{self.line}{line}" if found and line else found


def of(root: Path) -> Links | None:
    """The links at the newest commit that a remote has too; None without one, or a site we know."""
    remote = _remote(root)
    found = site(remote) if remote else None
    commit = _pushed(root) if found else None
    if not found or not commit:
        return None
    start, (form, line) = found
    told = git.run(root, "ls-tree", "-r", "--name-only", "-z", commit, "--", ".")
    changed = git.run(root, "diff", "--name-only", "--relative", "-z", commit, "--", ".")
    files = frozenset(told.decode().split("\0")) - set(changed.decode().split("\0"))
    return Links(
        f"{start}/{form.format(commit=commit)}{quote(git.folder(root))}", line, files - {""}
    )


def site(remote: str) -> tuple[str, tuple[str, str]] | None:
    """The repo's address in a browser, without a login, and how its site writes a link.

    remote: as git has it, a URL or `git@github.com:acme/crm.git`.
    """
    found = _REMOTE.fullmatch(remote.strip())
    if not found:
        return None
    host = _host(found["host"] or found["alias"])
    form = _form(host)
    path = (found["path"] or found["rest"]).strip("/").removesuffix(".git")
    if form is None or path.count("/") < 1:
        return None
    port = (found["port"] or "") if found["scheme"] else ""
    return f"{found['scheme'] or 'https'}://{host}{port}/{quote(path)}", form


def _host(name: str) -> str:
    """Without what only ssh needs: `ssh.github.com`, and an alias for one of two accounts."""
    name = re.sub(r"^(alt)?ssh\.", "", name.lower())
    return re.sub(r"^((github|gitlab)\.com|bitbucket\.org)-[\w.-]+$", r"\1", name)


def _form(host: str) -> tuple[str, str] | None:
    if host.startswith("github.") or host.endswith(".ghe.com"):
        return _GITHUB
    if "gitlab" in host.split("."):
        return _GITLAB
    return _BITBUCKET if host == "bitbucket.org" else None


def _remote(root: Path) -> str | None:
    """The URL of the remote that the branch follows, else of `origin`, else of the first."""
    names = (git.line(root, "remote") or "").split()
    followed = git.line(root, "config", f"branch.{git.branch(root)}.remote")
    chosen = next((name for name in (followed, "origin", *names) if name in names), None)
    return git.line(root, "remote", "get-url", chosen) if chosen else None


def _pushed(root: Path) -> str | None:
    """The newest commit of what is checked out that a remote has, as far as git knows here."""
    if not (head := git.commit_id(root)):
        return None
    new = git.line(root, "rev-list", "--first-parent", "--boundary", "HEAD", "--not", "--remotes")
    last = new.splitlines()[-1] if new else f"-{head}"
    return last[1:] if last.startswith("-") else None
