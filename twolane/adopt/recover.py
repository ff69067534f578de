"""The record of a database that lost it, found anew: restored without the schema `twolane`, say.

It stands where some commit of the repo stood: the one whose lock and revisions are what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twolane import git
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog
from twolane.facts.catalog import Change, Snapshot, structure
from twolane.facts.lock import load_lock
from twolane.postgres import transactions
from twolane.repo import entries, ledger, ledger_tables, order, record, versions
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.revisions import Revision, heads, up_to
from twolane.repo.sqlfiles import SqlFile, of_text
from twolane.shadow.stages import Replays
from twolane.state.connected import Work
from twolane.state.state import State

COMMITS = 200
"""How many commits are looked at, the newest first."""


@dataclass(frozen=True)
class Past:
    """What the repo was, at a commit or as it lies here. name: the commit's short hash and title.

    revisions: those that it had, oldest first. lock: the facts of the SQL lane.
    """

    name: str
    revisions: tuple[Revision, ...]
    lock: Snapshot


@dataclass(frozen=True)
class Recovered:
    """Where a database stands. files: the SQL files that it ran, in their texts of then. different:
    what it has otherwise; by hand, then.

    unseen: its revisions of which nothing in the database tells that they ran.
    """

    past: Past
    files: Sequence[SqlFile]
    different: Sequence[Change]
    unseen: Sequence[Revision]


def is_due(repo: Repo, done: Ledger) -> bool:
    """Whether the repo has revisions, and the database's record none."""
    return bool(repo.revisions) and done.revision is None


def find(work: Work, state: State) -> Recovered:
    """Where the database stands: at the newest of the commits that it resembles most.

    Raises:
        Failure: it resembles none.
    """
    replays = Replays(work.repo, work.tell.working)
    apps = {r.id: replays.app(up_to(work.repo.revisions, r.id)) for r in work.repo.revisions}
    live = structure(state.live)
    best: tuple[int, Past, list[Change]] | None = None
    for past in _pasts(work.repo):
        app = apps[past.revisions[-1].id] if past.revisions else {}
        different = catalog.diff(structure({**past.lock, **app}), live)
        if best is None or len(different) < best[0]:
            best = (len(different), past, different)
        if not different:
            break
    if best is None or best[0] > len(live) / 2:
        beside = f"invoke db.deploy --confirm {work.contact.protected_as or work.target.name}"
        if state.unrecorded:
            named = ", ".join(state.unrecorded)
            beside = f"rename {named} (invoke db.psql), which revisions make; {beside}"
        raise Failure(
            f"The database of target {work.target.name} is like no commit of this repo.",
            f"correct the URL, or name the right --target; to build beside what is there: {beside}",
        )
    _, past, different = best
    return Recovered(past, _files(work.repo, past), different, _unseen(past, apps))


def _pasts(repo: Repo) -> Iterator[Past]:
    """The repo as it lies here, then as it was at its commits, the newest first."""
    if len(heads(repo.revisions)) == 1:
        yield Past("", repo.revisions, repo.lock)
    root, limit = repo.config.root, f"--max-count={COMMITS}"
    told = git.line(root, "log", limit, "--format=%h %s", "--", *map(str, _folders(repo.config)))
    for line in (told or "").splitlines():
        if past := _at(repo, line):
            yield past


def _folders(config: Config) -> tuple[Path, Path]:
    return config.order_file.parent, config.migrations


def _at(repo: Repo, line: str) -> Past | None:
    """The repo at a commit; None where it had no lock, or revisions that this checkout lacks."""
    commit, config = line.split()[0], repo.config
    lock = _text(config, commit, config.lock)
    names = git.line(
        config.root,
        "ls-tree",
        "--name-only",
        commit,
        f"{_path(config, config.migrations)}/versions/",
    )
    here = {revision.path.name: revision for revision in repo.revisions}
    had = [Path(name).name for name in (names or "").splitlines() if name.endswith(".py")]
    if lock is None or not here.keys() >= set(had):
        return None
    revisions = tuple(revision for name, revision in here.items() if name in had)
    if len(heads(revisions)) > 1:
        return None
    try:
        return Past(line, revisions, load_lock(lock))
    except ValueError:
        return None


def _files(repo: Repo, past: Past) -> tuple[SqlFile, ...]:
    if not past.name:
        return repo.order.files
    commit, config = past.name.split()[0], repo.config
    texts = {
        (name, after): _text(config, commit, config.sql / name)
        for name, after in order.listed(_text(config, commit, config.order_file) or "")
    }
    return tuple(
        of_text(name, text, after) for (name, after), text in texts.items() if text is not None
    )


def _text(config: Config, commit: str, path: Path) -> str | None:
    try:
        return git.run(config.root, "show", f"{commit}:./{_path(config, path)}").decode("utf-8-sig")
    except (Failure, UnicodeDecodeError):
        return None


def _path(config: Config, path: Path) -> str:
    return path.relative_to(config.root).as_posix()


def _unseen(past: Past, apps: Mapping[str, Snapshot]) -> list[Revision]:
    before: Snapshot = {}
    found = []
    for revision in past.revisions:
        if apps[revision.id] == before:
            found.append(revision)
        before = apps[revision.id]
    return found


def write(work: Work, state: State, found: Recovered) -> None:
    """Records that the database ran the files and has the revisions, and what is otherwise there
    as changed by hand. What its record says already stays."""
    stood = dict(state.printed)
    for change in found.different:
        if change.before is None:
            del stood[change.identity]
        else:
            stood[change.identity] = change.before

    def work_once() -> None:
        with transactions.transaction(work.connection):
            transactions.exclusive(work.connection, work.tell.note)
            ledger_tables.prepare(work.connection)
            done = ledger.read(work.connection)
            for file in found.files:
                if file.name not in done.applied:
                    entries.record_file(work.connection, file, 0)
            for revision in found.past.revisions:
                if revision.id not in done.pushed:
                    entries.record_push(work.connection, revision, None, 0)
            versions.prepare(work.connection)
            head = found.past.revisions[-1].id if found.past.revisions else None
            versions.replace(work.connection, head)
            if not record.has(done, record.STOOD):
                record.write(work.connection, done, record.STOOD, dict(sorted(stood.items())))
            if work.target.protected:
                entries.label(work.connection, work.target.name)

    transactions.retry_locks(work_once, work.connection, work.tell.note)
