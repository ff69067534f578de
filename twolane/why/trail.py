"""The steps by which the repo's files make their facts: which file or revision changed which.

Each step runs on a copy of the empty platform, and the facts are read after it. Of an SQL file the
statement is found by running it in parts. What was found is kept beside the shadow.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.facts import catalog
from twolane.facts.catalog import Change, Snapshot
from twolane.repo.contents import Repo
from twolane.repo.locations import Place, path_of
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.shadow.steps import files_step, migrations_step
from twolane.telling import Working
from twolane.why import parts
from twolane.why.reader import Reader

if TYPE_CHECKING:
    from psycopg import Connection

KEEP = 8
FORMAT = "1"
# Facts times statements up to which it is soon done to look for the statement of every fact.
AFFORDABLE = 400_000


@dataclass(frozen=True)
class Event:
    """A change of one fact, and the place that makes it.

    place: with a line where it is a statement. last: the statement's last line; 0 at the end of a
    file and in a revision; None in a file whose statements were not looked at for it. revision: its
    id, None for a file.
    """

    change: Change
    place: Place
    last: int | None = None
    revision: str | None = None


@dataclass(frozen=True)
class Trail:
    """The changes in the order of the replay, and the facts at its end."""

    events: Sequence[Event]
    facts: Snapshot

    def of(self, identities: Collection[str]) -> list[Event]:
        """The changes of these facts."""
        return [event for event in self.events if event.change.identity in identities]

    @property
    def known(self) -> frozenset[str]:
        """Every fact that there is or was on the way."""
        return frozenset(event.change.identity for event in self.events)


def read(repo: Repo, working: Working) -> Trail:
    """The whole trail, to the file; to the statement where `exact` found it before.

    Raises:
        Failure: a file or a revision doesn't run.
    """
    found = known(repo, working)
    if found is None:
        with working("replaying the repo's files step by step"):
            found = Trail(list(_steps(repo, working)), Replays(repo, working).whole().facts)
        _save(repo, working, found)
    return found


def known(repo: Repo, working: Working) -> Trail | None:
    """The trail as far as it was found before; None if it was not, or the files changed."""
    whole = Replays(repo, working).whole()
    return _load(_path(repo, whole), whole.facts)


def exact(
    repo: Repo, working: Working, found: Trail, chosen: Collection[str] | None = None
) -> Trail:
    """The trail, to the statement for the chosen facts; for all without them."""
    facts = None if chosen is None else frozenset(chosen)
    files_ = {
        event.place.file
        for event in found.events
        if event.last is None and (facts is None or event.change.identity in facts)
    }
    if not files_:
        return found
    with working("looking for the statements"):
        statements = _in_statements(repo, working, files_, facts)
    trail = Trail(_replaced(found.events, statements, facts), found.facts)
    _save(repo, working, trail)
    return trail


def is_affordable(repo: Repo, working: Working) -> bool:
    """Whether the statement of every fact is found soon enough."""
    facts = Replays(repo, working).whole().facts
    return len(facts) * sum(file.text.count(";") for file in repo.order.files) <= AFFORDABLE


def _replaced(
    events: Sequence[Event], found: Mapping[str, Sequence[Event]], chosen: frozenset[str] | None
) -> list[Event]:
    """The trail with what was found in the files in place of what was known of the same facts."""
    done: list[Event] = []
    entered: set[str] = set()
    for event in events:
        name = event.place.file
        if name not in found or (chosen is not None and event.change.identity not in chosen):
            done.append(event)
        elif name not in entered:
            entered.add(name)
            done += found[name]
    return done


@contextmanager
def _empty(repo: Repo, working: Working) -> Iterator[tuple[Connection[Any], Snapshot]]:
    """A connection to a copy of the platform without anything of the repo, and its facts."""
    root = shadow.replay(repo.config, [], working)
    with shadow.open_clone(repo.config, root.database) as connection:
        yield connection, root.facts


def replayed(repo: Repo) -> list[SqlFile | Revision]:
    """The steps of the replay, in order."""
    return [*repo.order.before, *repo.revisions, *repo.order.after]


def _run(repo: Repo, connection: Connection[Any], step: SqlFile | Revision) -> None:
    one = files_step([step]) if isinstance(step, SqlFile) else migrations_step(repo.config, [step])
    assert one is not None
    one.run(connection)


def _steps(repo: Repo, working: Working) -> Iterator[Event]:
    with _empty(repo, working) as (connection, before):
        read = Reader(connection)
        for step in replayed(repo):
            _run(repo, connection, step)
            after = read()
            place = Place(path_of(step))
            last, revision = (0, step.id) if isinstance(step, Revision) else (None, None)
            for change in catalog.diff(before, after):
                yield Event(change, place, last, revision)
            before = after


def _in_statements(
    repo: Repo, working: Working, names: Collection[str], chosen: frozenset[str] | None
) -> Mapping[str, list[Event]]:
    """File → the changes of the chosen facts, each with the statement that makes it."""
    found: dict[str, list[Event]] = {}
    with _empty(repo, working) as (connection, _):
        for step in replayed(repo):
            if len(found) == len(names):
                break
            if isinstance(step, SqlFile) and path_of(step) in names:
                found[path_of(step)] = _of_file(connection, step, chosen)
            else:
                _run(repo, connection, step)
    return found


def _of_file(
    connection: Connection[Any], file: SqlFile, chosen: frozenset[str] | None
) -> list[Event]:
    path = path_of(file)
    found, end = parts.run(connection, file, chosen)
    events = [
        Event(change, Place(path, statement.line), statement.last_line)
        for statement, changes in found
        for change in changes
    ]
    return [*events, *(Event(change, Place(path), 0) for change in end)]


def _path(repo: Repo, whole: shadow.Replay) -> Path:
    return repo.config.home / "why" / f"{whole.database}.{FORMAT}.json"


def _load(path: Path, facts: Snapshot) -> Trail | None:
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    events = [
        Event(Change(identity, before, after), Place(file, line), last, revision)
        for identity, before, after, file, line, last, revision in rows
    ]
    return Trail(events, facts)


def _save(repo: Repo, working: Working, trail: Trail) -> None:
    """Keeps the trail, and the newest others; where it can't, it does not."""
    rows = [
        (
            *(e.change.identity, e.change.before, e.change.after),
            *(e.place.file, e.place.line, e.last, e.revision),
        )
        for e in trail.events
    ]
    path = _path(repo, Replays(repo, working).whole())
    with suppress(OSError), files.alone(repo.config):
        path.parent.mkdir(exist_ok=True)
        files.write({path: json.dumps(rows, ensure_ascii=False)})
        others = sorted(path.parent.glob("*.json"), key=lambda each: -each.stat().st_mtime)
        for old in others[KEEP:]:
            old.unlink(missing_ok=True)
