"""The repo's own files as a whole, and what of them a database lacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from twolane import git
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import identities
from twolane.facts.catalog import Snapshot
from twolane.facts.lock import load_lock
from twolane.files import expect_own
from twolane.repo import revisions
from twolane.repo.ledger import Ledger
from twolane.repo.order import Order, read_order
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile


@dataclass(frozen=True)
class Repo:
    """The content of the service's files."""

    config: Config
    order: Order
    revisions: tuple[Revision, ...]
    lock: Snapshot

    @property
    def heads(self) -> tuple[str, ...]:
        return revisions.heads(self.revisions)


def pending(files: Sequence[SqlFile], ledger: Ledger) -> tuple[SqlFile, ...]:
    """The SQL files that are new, or changed since the database ran them."""
    return tuple(
        file
        for file in files
        if ledger.applied.get(file.name) != file.digest and not is_older(file, ledger)
    )


def is_older(file: SqlFile, ledger: Ledger) -> bool:
    """Whether the database has run this text before, and replaced it by a newer one since."""
    return file.digest in ledger.earlier.get(file.name, ())


def waiting(repo: Repo, ledger: Ledger) -> tuple[Revision, ...]:
    """The revisions that the database lacks; none if its revision is not in the repo."""
    if ledger.revision and all(r.id != ledger.revision for r in repo.revisions):
        return ()
    done = {r.id for r in revisions.up_to(repo.revisions, ledger.revision)}
    return tuple(r for r in repo.revisions if r.id not in done)


def read_repo(config: Config) -> Repo:
    """Reads the service's files.

    Raises:
        Failure: one of them can't be read.
    """
    return Repo(config, read_order(config), revisions.read(config.migrations), read_lock(config))


def read_lock(config: Config) -> Snapshot:
    """The mirror; empty before the first sync."""
    if not config.lock.exists():
        return {}
    text, shown = "", config.lock.relative_to(config.root).as_posix()
    try:
        expect_own(config, config.lock)
        text = config.lock.read_text(encoding="utf-8-sig")
        lock = load_lock(text)
        for identity in lock:
            if not identities.is_fact(identity):
                raise ValueError(f"{json.dumps(identity)} is no fact")
        return lock
    except (OSError, ValueError) as error:
        is_damaged = isinstance(error, OSError | UnicodeDecodeError | json.JSONDecodeError)
        first = f"{_one_side(config)}then: invoke db.sync"
        if is_damaged and "<<<<<<< " not in text:
            first = f"git checkout -- {shown}"
        raise Failure(f"{shown} can't be read: {error}", first) from error


def _one_side(config: Config) -> str:
    """How the lock gets the text of one side of a merge, which git may have committed."""
    path = config.lock.relative_to(config.root).as_posix()
    for commit in ("HEAD", "HEAD~1"):
        try:
            load_lock(git.run(config.root, "show", f"{commit}:./{path}").decode())
        except (Failure, ValueError):
            continue
        return f"git checkout {commit} -- {path}   (the sync brings the other side's), "
    return "keep one of the two lines, "
