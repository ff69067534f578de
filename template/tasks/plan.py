"""What the waiting revisions would do, found by doing it on the shadow and rolling back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import catalog, effects, shadow
from .catalog import Change, Snapshot
from .effects import Effects
from .errors import Failure
from .ledger import Ledger
from .revisions import Revision, up_to
from .state import Repo, pending, waiting


@dataclass(frozen=True)
class Plan:
    """The waiting revisions, their statements, the facts before and after them, other effects.

    owned: what lane B owned before, by identity. needs_session: what no transaction may hold, if
    there is such a thing; then the rest is as if nothing waited.
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
        """Tables of lane B that go, as `schema.name`; what hangs on them goes with them.

        One that was renamed goes under its old name.
        """
        return frozenset(
            str(catalog.relation(identity))
            for identity in self.owned - self.after.keys()
            if catalog.kind(identity) == "table"
        )

    @cached_property
    def app(self) -> Snapshot:
        """What lane B owns afterwards."""
        return {i: t for i, t in self.after.items() if i in self.owned or i not in self.before}


def make(repo: Repo, ledger: Ledger, working: Callable[[str], Any], to: str | None = None) -> Plan:
    """Runs the waiting revisions (up to `to`, if it is given) on the shadow, and rolls back.

    The shadow stands where the database stands: the SQL files before the mark, the revisions that
    the database has, and those files after the mark that it has in their present form.

    Raises:
        Failure: a revision, or a file before it, doesn't run; `to` is no waiting revision.
    """
    from . import migrations

    config, todo = repo.config, _up_to(waiting(repo, ledger), to)
    before_step = shadow.files_step(repo.order.before)
    history = shadow.migrations_step(config, up_to(repo.revisions, ledger.revision))
    late = pending(repo.order.after, ledger)
    after_step = shadow.files_step([file for file in repo.order.after if file not in late])
    base = shadow.replay(config, [before_step], working).facts
    made = shadow.replay(config, [before_step, history], working).facts
    stand = shadow.replay(config, [before_step, history, after_step], working)
    owned = frozenset(made.keys() - base.keys())
    if not todo:
        return Plan((), (), stand.facts, stand.facts, owned)
    try:
        with shadow.connect(config, stand.database) as connection:
            done = migrations.rehearse(connection, config, todo[-1].id)
    except migrations.NeedsSession as failure:
        return Plan(todo, (), stand.facts, stand.facts, owned, needs_session=failure.message)
    except migrations.TransactionEnded:
        shadow.discard(config, stand.database)
        raise
    return Plan(todo, tuple(done.statements), stand.facts, done.facts, owned, done.effects)


def _up_to(todo: tuple[Revision, ...], to: str | None) -> tuple[Revision, ...]:
    if to is None:
        return todo
    ids = [revision.id for revision in todo]
    if to not in ids:
        raise Failure(
            f"No revision {to} waits to be pushed; there wait: {', '.join(ids) or 'none'}.",
            "invoke db.status",
        )
    return todo[: ids.index(to) + 1]
