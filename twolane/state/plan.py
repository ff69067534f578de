"""The effect of the waiting revisions, found by running them on a copy of the shadow.

The copy stands where the database stands: the texts of the SQL files that it ran, the revisions
that it has. What is left of it are facts; the copy itself is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from twolane.errors import Failure
from twolane.facts import catalog, identities, partitions
from twolane.facts.catalog import Change, Snapshot
from twolane.migrations import effects
from twolane.migrations.effects import Effects
from twolane.migrations.steps import Step
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.text import meant


@dataclass(frozen=True)
class Plan:
    """The waiting revisions, their statements, the facts before and after them, other effects.

    owned: identities of the facts that lane B owned before. needs_session: names the statement that
    can't run in a transaction, if there is one; the other fields then show no change. drops: the
    statements that first take away what SQL files made on the app's tables and what is in the way;
    again: the files that then make it anew. follows: identities of what files after the mark make
    and what comes out as they make it. broken: function → why its body no longer fits. mentions:
    function → the table or column in its body that is gone. ran, undo: revision → the SQL that
    brings it about, and that takes it back, None if nothing does. code: of the files that were run
    for it, by name. stages: where a revision is online, the plans of what runs one after the other;
    this one is their sum. steps, passing: of an online revision, see `online.Observed`.
    """

    revisions: tuple[Revision, ...]
    before: Snapshot
    after: Snapshot
    owned: frozenset[str]
    effects: Effects = effects.NONE
    needs_session: str = ""
    drops: Sequence[str] = ()
    again: tuple[SqlFile, ...] = ()
    follows: frozenset[str] = frozenset()
    broken: Mapping[str, str] = field(default_factory=dict)
    mentions: Mapping[str, str] = field(default_factory=dict)
    ran: Mapping[str, Sequence[str]] = field(default_factory=dict)
    undo: Mapping[str, Sequence[str] | None] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[Plan, ...] = ()
    steps: tuple[Step, ...] = ()
    passing: frozenset[str] = frozenset()

    @property
    def is_online(self) -> bool:
        """Whether it is the plan of one online revision."""
        return len(self.revisions) == 1 and self.revisions[0].online

    @property
    def in_stages(self) -> tuple[Plan, ...]:
        """What runs one after the other, each recorded."""
        return self.stages or (self,)

    @property
    def statements(self) -> Sequence[str]:
        return [*self.drops, *(text for texts in self.ran.values() for text in texts)]

    @cached_property
    def changes(self) -> list[Change]:
        return catalog.diff(self.before, self.after)

    @cached_property
    def dropped(self) -> frozenset[str]:
        """Lane B's tables that are dropped, as `schema.name`; columns, partitions, … go with them.

        A renamed table is listed under its old name.
        """
        found = frozenset(
            str(identities.relation(identity))
            for identity in self.owned - self.after.keys()
            if identities.kind(identity) == "table"
        )
        return found | partitions.of(found, [self.before])

    @cached_property
    def partitions(self) -> frozenset[str]:
        """The partitions of lane B's tables, whoever made them: they follow their parents."""
        tables = {i.removeprefix("table ") for i in self.owned if identities.kind(i) == "table"}
        return partitions.of(tables, (self.before, self.after))

    def owns(self, table: str) -> bool:
        """Whether a table, as `schema.name` before, is lane B's."""
        kinds = ("table", "foreign table")
        return table in self.partitions or any(f"{kind} {table}" in self.owned for kind in kinds)

    @cached_property
    def app(self) -> Snapshot:
        """The facts that lane B owns afterwards."""
        return {
            i: t
            for i, t in self.after.items()
            if i in self.owned or (i not in self.before and i not in self.follows)
        }

    @cached_property
    def carried(self) -> Snapshot:
        """The facts of what follows the app's tables, afterwards."""
        return {i: t for i, t in self.after.items() if i in self.follows}


def chosen(
    todo: tuple[Revision, ...], to: str | None, known: tuple[Revision, ...]
) -> tuple[Revision, ...]:
    """The revisions in `todo` up to `to`; none if the database already has `to`.

    Raises:
        Failure: `to` does not wait, and is no revision that the database has.
    """
    if to is None:
        return todo
    ids = [revision.id for revision in todo]
    if to not in ids and any(revision.id == to for revision in known):
        return ()
    if to not in ids:
        raise Failure(
            f"No revision {to} waits to be pushed; there wait: {', '.join(ids) or 'none'}. "
            f"{meant(to, ids)}".rstrip(),
            "invoke db.status",
        )
    return todo[: ids.index(to) + 1]
