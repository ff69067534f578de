"""The facts that a picture shows, of the repo alone or of a database, and whose lane they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from twolane.facts.catalog import Snapshot
from twolane.repo.contents import Repo
from twolane.shadow.stages import Replays
from twolane.state.state import State
from twolane.telling import Working


@dataclass(frozen=True)
class Source:
    """name: of the target, or "repo". app: the identities of the app lane's facts."""

    name: str
    facts: Snapshot
    app: Collection[str]


def of_repo(repo: Repo, working: Working) -> Source:
    """What the repo's files make.

    Raises:
        Failure: one of them doesn't run.
    """
    replays = Replays(repo, working)
    return Source("repo", replays.whole().facts, replays.app(repo.revisions))


def of_target(state: State) -> Source:
    """What the target has."""
    return Source(state.target.name, state.live, state.app_lane)
