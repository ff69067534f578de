"""The effect of the waiting revisions: runs them on the shadow, then rolls back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.migrations import effects
from twolane.migrations.effects import Effects
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.ledger import Ledger
from twolane.repo.revisions import Revision, up_to
from twolane.shadow import shadow
from twolane.shadow.stages import Replays


@dataclass(frozen=True)
class Plan:
    """The waiting revisions, their statements, the facts before and after them, other effects.

    owned: identities of the facts that lane B owned before. needs_session: names the statement that
    can't run in a transaction, if there is one; the other fields then show no change.
    """

    revisions: tuple[Revision, ...]
    statements: tuple[str, ...]
    before: Snapshot
    after: Snapshot
    owned: frozenset[str]
    effects: Effects = effects.NONE
    needs_session: str = ""

    @cached_property
    def changes(self) -> list[Change]:
        return catalog.diff(self.before, self.after)

    @cached_property
    def dropped(self) -> frozenset[str]:
        """Lane B's tables that are dropped, as `schema.name`; their columns, … go with them.

        A renamed table is listed under its old name.
        """
        return frozenset(
            str(identities.relation(identity))
            for identity in self.owned - self.after.keys()
            if identities.kind(identity) == "table"
        )

    @cached_property
    def app(self) -> Snapshot:
        """The facts that lane B owns afterwards."""
        return {i: t for i, t in self.after.items() if i in self.owned or i not in self.before}


def make(repo: Repo, ledger: Ledger, working: Callable[[str], Any], to: str | None = None) -> Plan:
    """Runs the waiting revisions (up to `to`, if it is given) on the shadow, and rolls back.

    The shadow starts in the state of the database: the SQL files before the mark, the revisions
    that the database has, and the files after the mark that it has in their present form.

    Raises:
        Failure: a revision, or a file before it, doesn't run; `to` is not a revision of the repo.
    """
    from twolane.migrations import runner, session

    config, todo = repo.config, _up_to(waiting(repo, ledger), to, repo.revisions)
    replays, history = Replays(repo, working), up_to(repo.revisions, ledger.revision)
    owned = frozenset(replays.app(history))
    late = pending(repo.order.after, ledger)
    stand = replays.at(history, [file for file in repo.order.after if file not in late])
    if not todo:
        return Plan((), (), stand.facts, stand.facts, owned)
    try:
        with shadow.connect(config, stand.database) as connection:
            done = runner.rehearse(connection, config, todo[-1].id)
    except session.NeedsSession as failure:
        return Plan(todo, (), stand.facts, stand.facts, owned, needs_session=failure.message)
    except runner.TransactionEnded:
        shadow.discard(config, stand.database)
        raise
    return Plan(todo, tuple(done.statements), stand.facts, done.facts, owned, done.effects)


def _up_to(
    todo: tuple[Revision, ...], to: str | None, known: tuple[Revision, ...]
) -> tuple[Revision, ...]:
    """The revisions in `todo` up to `to`; none if the database already has `to`."""
    if to is None:
        return todo
    ids = [revision.id for revision in todo]
    if to not in ids and any(revision.id == to for revision in known):
        return ()
    if to not in ids:
        raise Failure(
            f"No revision {to} waits to be pushed; there wait: {', '.join(ids) or 'none'}.",
            "invoke db.status",
        )
    return todo[: ids.index(to) + 1]
