"""The state of the repo and of one database. Guards and commands share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from twolane.config import Target
from twolane.errors import Failure
from twolane.facts import catalog, identities, views
from twolane.facts.catalog import Change, Snapshot, default_grants, structure
from twolane.facts.identities import grantee
from twolane.repo import ledger, revisions, sqlfiles
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.ledger import Ledger
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays

if TYPE_CHECKING:
    from psycopg import Connection

# The parts of a table; if someone changes one by hand on an app's table, it is lane B's drift.
STRUCTURE = ("table", "column", "constraint", "index", "rls")


@dataclass(frozen=True)
class State:
    """The repo and one database.

    applied_app: the facts that the repo's migrations make, up to the database's revision. app: the
    same, plus the facts of the waiting migrations; a table that they drop is the app's until a
    push. replayed: all facts that the repo's files make; None if they don't run, with the reason in
    `replay_error`. If two views mean the same, all these fields use the mirror's text, whatever the
    server printed. printed: the live facts as the server printed them.
    """

    repo: Repo
    target: Target
    ledger: Ledger
    live: Snapshot
    app: Snapshot
    applied_app: Snapshot
    replayed: Snapshot | None
    printed: Snapshot
    replay_error: Failure | None = None

    @property
    def pending_before(self) -> tuple[SqlFile, ...]:
        return pending(self.repo.order.before, self.ledger)

    @property
    def pending_after(self) -> tuple[SqlFile, ...]:
        return pending(self.repo.order.after, self.ledger)

    @property
    def waiting(self) -> tuple[Revision, ...]:
        """Revisions that the database does not have yet, oldest first."""
        return waiting(self.repo, self.ledger)

    @cached_property
    def sql_lane(self) -> Snapshot:
        """The live facts that lane B does not own."""
        return {i: text for i, text in self.live.items() if not self._is_app(i, text)}

    @cached_property
    def app_lane(self) -> Snapshot:
        return {i: text for i, text in self.live.items() if i not in self.sql_lane}

    @cached_property
    def drift(self) -> list[Change]:
        """The differences between mirror and live SQL lane that no pending SQL file explains."""
        explained = (self.replayed or {}).keys() if self.pending_after else ()
        return [
            change
            for change in catalog.diff(self.repo.lock, self.sql_lane)
            if not (
                change.after is None
                and change.identity in explained
                and self._on_app_table(change.identity)
            )
        ]

    @cached_property
    def app_drift(self) -> list[Change]:
        """The differences between the live app lane and the facts of revisions plus SQL files.

        While files or revisions wait, a fact may still be as the applied revisions alone make it,
        or already as the waiting ones will make it.
        """
        made = self.replayed or {}
        expected = structure(self.applied_app)
        if not self.waiting and not self.pending_after:
            expected = {identity: made.get(identity, text) for identity, text in expected.items()}
        return [
            change
            for change in catalog.diff(expected, structure(self.app_lane))
            if not _is_foreseen(change, made)
        ]

    @cached_property
    def uncaptured(self) -> list[Change]:
        """The differences between the live SQL lane and the facts of the repo's SQL files.

        Missing facts count only after every file is applied. Owners don't count, because they
        depend on who connects; nor do extensions that the shadow can't have.
        """
        if self.replayed is None:
            return []
        made = {i: text for i, text in self.replayed.items() if not self._is_app(i, text)}
        unfinished = bool(self.pending_before or self.pending_after)
        return [
            change
            for change in catalog.diff(made, self.sql_lane)
            if not (change.after is None and unfinished)
            and identities.kind(change.identity) != "owner"
            and not self.is_out_of_reach(change.identity)
        ]

    def is_out_of_reach(self, identity: str) -> bool:
        """Whether it is an extension that a file creates, but that the shadow's server lacks."""
        if identities.kind(identity) != "extension" or identity in (self.replayed or {}):
            return False
        name = identities.unquote(identity.removeprefix("extension "))
        return sqlfiles.creates_extension(self.repo.order.files, name)

    def _is_app(self, identity: str, text: str) -> bool:
        kind = identities.kind(identity)
        if identity in self.app:
            return kind != "grant" or self.app[identity] == text
        if kind == "owner":
            return identities.about(identity) in self.app
        if kind == "grant":
            return (
                identities.about(identity) in self.app
                and (grantee(identity), text) in self._defaults
            )
        if not self._on_app_table(identity):
            return False
        return kind in STRUCTURE and identity not in (self.replayed or {})

    @cached_property
    def _defaults(self) -> frozenset[tuple[str, str]]:
        """The default privileges of the database: (role, text of the grant)."""
        return default_grants(self.live)

    def _on_app_table(self, identity: str) -> bool:
        return f"table {identities.relation(identity)}" in self.app


def _is_foreseen(change: Change, made: Snapshot) -> bool:
    """Whether the fact is as files and revisions make it; False for a new table or column.

    A new index or constraint counts: someone may build an index by hand first, so that the push
    blocks nobody; see G16.
    """
    if change.before is None and identities.kind(change.identity) not in ("index", "constraint"):
        return False
    return change.after == made.get(change.identity, change.before)


def read_state(
    repo: Repo, target: Target, connection: Connection[Any], working: Callable[[str], Any]
) -> State:
    """Reads the database, and replays on the shadow the files that the comparison needs.

    If a file or a waiting migration doesn't run, the other files decide the ownership, so that lane
    A can continue.
    """
    done, printed = ledger.read(connection), catalog.read(connection)
    replays = Replays(repo, working)
    history = revisions.up_to(repo.revisions, done.revision)
    standing, problem = replays.runnable(history)
    applied_app = replays.app(history, standing)
    app, whole = applied_app, None
    if not problem:
        try:
            app = {**applied_app, **replays.app(repo.revisions)}
            whole = replays.whole()
        except Failure as failure:
            problem = failure
    last = whole or replays.at(history, before=standing)
    connect = partial(shadow.connect, repo.config, last.database)
    live = views.settle(views.settle(printed, last.facts, connect), repo.lock, connect)
    replayed = views.settle(whole.facts, live, connect) if whole else None
    return State(repo, target, done, live, app, applied_app, replayed, printed, problem)
