"""Where one database stands: the SQL files in the texts that it ran, and the revisions it has.

A replay of that makes the database anew, whatever the repo says today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane import git
from twolane.errors import Failure
from twolane.repo import ledger as records
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.revisions import Revision, up_to
from twolane.repo.sqlfiles import FileFailure, SqlFile, of_text
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.shadow.steps import Recorded

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Stand:
    """before, after: the SQL files around the migrations, in the texts that the database ran.

    history: the revisions it has, as far as the repo knows them. foreign: those after them that
    the repo does not have, oldest first.
    """

    before: tuple[SqlFile, ...]
    history: tuple[Revision, ...]
    foreign: tuple[Recorded, ...]
    after: tuple[SqlFile, ...]

    @property
    def files(self) -> tuple[SqlFile, ...]:
        return (*self.before, *self.after)

    def replay(self, replays: Replays) -> tuple[shadow.Replay, Stand]:
        """The database made anew, and the stand without the files that don't run on the shadow."""
        stand = self
        while True:
            try:
                made = replays.at(stand.history, stand.after, stand.before, stand.foreign)
            except FileFailure as failure:
                stand = stand.without(failure.file)
            else:
                return made, stand

    def without(self, lost: SqlFile) -> Stand:
        before, after = (
            tuple(file for file in files if file != lost) for files in (self.before, self.after)
        )
        return Stand(before, self.history, self.foreign, after)


def read(repo: Repo, ledger: Ledger, connection: Connection[Any]) -> Stand:
    """Where the database stands.

    Raises:
        Failure: it has a revision that neither the repo nor its own record knows, or ran a text
            that a shallow clone lacks.
    """
    ran = files(repo, ledger, connection)
    known = {revision.id for revision in repo.revisions}
    foreign, tip = [], ledger.revision
    while tip is not None and tip not in known:
        foreign.append(_recorded(connection, ledger, tip))
        down = ledger.chain[tip].down or ()
        tip = down[0] if down else None
    return Stand(
        before=tuple(file for file in ran if not file.after_migrations),
        history=up_to(repo.revisions, tip),
        foreign=tuple(reversed(foreign)),
        after=tuple(file for file in ran if file.after_migrations),
    )


def _recorded(connection: Connection[Any], ledger: Ledger, revision: str) -> Recorded:
    ran, _ = records.statements(connection, revision)
    record = ledger.chain.get(revision)
    if ran is None or record is None or record.down is None:
        raise Failure(
            f"The database is at revision {revision}, which neither this checkout nor the "
            "database's own record knows.",
            "Check out the branch that has it: git log --all -- migrations/versions",
        )
    return Recorded(revision, tuple(ran), record.online)


def files(repo: Repo, ledger: Ledger, connection: Connection[Any]) -> list[SqlFile]:
    """The files in the texts that the database ran, in the repo's order.

    One that the repo lists no more comes after the file that the database first ran before it.
    """
    listed = {file.name: file for file in repo.order.files}
    lost = {
        name: digest
        for name, digest in ledger.applied.items()
        if name not in listed or listed[name].digest != digest
    }
    texts = records.texts(connection, list(lost.values())) if lost else {}
    found = {
        name: _as_run(repo, name, digest, ledger, listed.get(name), texts)
        for name, digest in ledger.applied.items()
    }
    names = [name for name in listed if name in found]
    runs = list(ledger.applied)
    for place, name in enumerate(runs):
        if name not in listed:
            names.insert(names.index(runs[place - 1]) + 1 if place else 0, name)
    return [file for name in names if (file := found[name])]


def _as_run(
    repo: Repo,
    name: str,
    digest: str,
    ledger: Ledger,
    listed: SqlFile | None,
    texts: Mapping[str, str],
) -> SqlFile | None:
    """The file as the database ran it: from the repo, the record or git; else as the repo has it.

    None where nobody has its text.

    Raises:
        Failure: the text may be in the part of git's history that is not here.
    """
    late = ledger.late.get(name)
    after = bool(listed and listed.after_migrations) if late is None else late
    if listed and listed.digest == digest and after == listed.after_migrations:
        return listed
    text = texts.get(digest)
    if text is None and not (listed and listed.digest == digest):
        text = _from_git(repo, name, digest)
    if text is None and git.is_shallow(repo.config.root):
        raise Failure(
            f"The database ran another form of {name}. Its record is of an earlier version of "
            "twolane and has no text, nor has this shallow clone.",
            "git fetch --unshallow   (in CI: fetch-depth: 0 with actions/checkout), then run the "
            "same command again",
        )
    if text is None:
        return of_text(name, listed.text, after) if listed else None
    return of_text(name, text, after)


def earlier(repo: Repo, ledger: Ledger) -> list[SqlFile]:
    """What the files said at earlier runs, as far as git has it."""
    return [
        file
        for name, digests in ledger.earlier.items()
        if digests
        for text in git.texts(repo.config.root, repo.config.sql / name)
        if (file := _of_bytes(name, text, bool(ledger.late.get(name)))).digest in digests
    ]


def _of_bytes(name: str, text: bytes, after: bool = False) -> SqlFile:
    return of_text(name, text.decode("utf-8", errors="replace").removeprefix("\ufeff"), after)


def _from_git(repo: Repo, name: str, digest: str) -> str | None:
    for text in git.texts(repo.config.root, repo.config.sql / name):
        file = _of_bytes(name, text)
        if file.digest == digest:
            return file.text
    return None
