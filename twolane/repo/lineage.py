"""The revisions that a database has, as the repo and the database's own record know them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger, Pushed
from twolane.repo.revisions import up_to

BASE = "base"
"""Before the first revision, as Alembic calls it."""


@dataclass(frozen=True)
class Had:
    """A revision that a database has. down: what it builds on, None where nobody knows.

    is_here: the repo has its file. has_undo: the record has the SQL that takes it back. commit: the
    one that was checked out when it was pushed. digest: of its code. online: it runs step by step.
    """

    id: str
    title: str
    down: tuple[str, ...] | None
    is_here: bool
    has_undo: bool = False
    commit: str | None = None
    digest: str = ""
    online: bool = False


def of(repo: Repo, ledger: Ledger) -> tuple[Had, ...]:
    """The database's revisions, newest first, as far as they are known."""
    known = {revision.id for revision in repo.revisions}
    found, tip = [], ledger.revision
    while tip is not None and tip not in known:
        record = ledger.chain.get(tip, Pushed(""))
        found.append(
            Had(
                tip,
                record.title or "",
                record.down,
                False,
                record.has_undo,
                record.commit,
                record.digest,
                record.online,
            )
        )
        tip = record.down[0] if record.down else None
    here = reversed(up_to(repo.revisions, tip))
    return (
        *found,
        *(Had(r.id, r.title, r.down, True, digest=r.digest, online=r.online) for r in here),
    )


def foreign(repo: Repo, ledger: Ledger) -> tuple[Had, ...]:
    """Those of them that the repo does not have."""
    return tuple(had for had in of(repo, ledger) if not had.is_here)


def common(repo: Repo, ledger: Ledger) -> str | None:
    """The newest revision that both have, or `BASE`; None where no record has the way back."""
    lost = foreign(repo, ledger)
    if not lost or not all(had.has_undo and had.down is not None for had in lost):
        return None
    below = lost[-1].down
    return below[0] if below else BASE
