"""Reads the state of the repo and of one database."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twolane.config import Target
from twolane.errors import Failure
from twolane.facts import catalog, ownership, views
from twolane.facts.catalog import Snapshot
from twolane.repo import ledger, record
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.revisions import moves
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state import earlier, stand
from twolane.state.state import State

if TYPE_CHECKING:
    from psycopg import Connection


def read_state(
    repo: Repo, target: Target, connection: Connection[Any], working: Callable[[str], Any]
) -> State:
    """Reads the database, and replays on the shadow the files that the comparison needs.

    Raises:
        Failure: the shadow is out of reach, or the database has a revision that nobody knows.
    """
    done, printed = ledger.read(connection), catalog.read(connection)
    replays = Replays(repo, working)
    last, stood = stand.read(repo, done, connection).replay(replays)
    base = record.read(connection, done, printed)
    applied_app = replays.app(stood.history, stood.before, stood.foreign)
    app, whole, problem = applied_app, None, None
    try:
        app = {**_without_moved(applied_app, repo), **replays.app(repo.revisions)}
        whole = replays.whole()
    except Failure as failure:
        problem = failure
    connect = partial(shadow.connect, repo.config, (whole or last).database)
    live = views.settle(views.settle(printed, (whole or last).facts, connect), repo.lock, connect)

    sides = earlier.Sides(base, printed, whole.facts if whole else {}, last.facts)
    fuller = earlier.with_texts(stood, done, connection, sides.unexplained())
    if fuller != stood:
        last, stood = fuller.replay(replays)

    def settled(facts: Snapshot | None) -> Snapshot | None:
        return None if facts is None else views.settle(facts, live, connect)

    return State(
        repo,
        target,
        done,
        live,
        app,
        applied_app,
        settled(whole.facts if whole else None),
        settled(last.facts) or {},
        printed,
        problem,
        settled(base),
        _past(repo, connection, done, printed, whole),
        stood,
        record.renamed(connection, done),
    )


def _without_moved(app: Snapshot, repo: Repo) -> Snapshot:
    """The app's facts without the tables that waiting revisions move to the SQL lane."""
    return ownership.app(app, {}, (), moves(repo.revisions)[1])


def _past(
    repo: Repo,
    connection: Connection[Any],
    done: Ledger,
    printed: Snapshot,
    whole: shadow.Replay | None,
) -> frozenset[str]:
    made = whole.facts if whole else {}
    only_mirrored = repo.lock.keys() - printed.keys() - made.keys()
    return record.past(connection, done, only_mirrored)
