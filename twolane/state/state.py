"""The state of the repo and of one database. Guards and commands share it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from twolane.config import Target
from twolane.errors import Failure
from twolane.facts import catalog, identities, partitions
from twolane.facts.catalog import Change, Snapshot, default_grants, structure
from twolane.facts.identities import grantee
from twolane.repo import numbering, record, sqlfiles
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.ledger import Ledger
from twolane.repo.numbering import Renamed
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.state import intent
from twolane.state.stand import Stand

# The parts of a table; if someone changes one by hand on an app's table, it is lane B's drift.
STRUCTURE = ("table", "column", "constraint", "index", "rls")


@dataclass(frozen=True)
class State:
    """The repo and one database.

    applied_app: the facts that the database's revisions make. app: the same, plus the facts of the
    waiting ones; a table that they drop is the app's until a push. replayed: all facts that the
    repo's files make; None if they don't run, with the reason in `replay_error`. standing: the
    facts that the database's own files and revisions make, in the texts that it ran. base: the
    facts as twolane last left them there, None where no record says. past: of the facts that only
    the mirror has, those that the database once had. stand: the files and revisions that make
    `standing`. renamed: what of the tables was renamed by hand, as the record's numbers tell. If
    two views mean the same, all these fields use the mirror's text, whatever the server printed.
    printed: the live facts as the server printed them.
    """

    repo: Repo
    target: Target
    ledger: Ledger
    live: Snapshot
    app: Snapshot
    applied_app: Snapshot
    replayed: Snapshot | None
    standing: Snapshot
    printed: Snapshot
    replay_error: Failure | None = None
    base: Snapshot | None = None
    past: frozenset[str] = frozenset()
    stand: Stand | None = None
    renamed: Renamed = numbering.NOTHING

    @property
    def has_numbers(self) -> bool:
        """Whether the record would know what of the tables was renamed by hand."""
        return record.has(self.ledger, record.NUMBERS)

    @cached_property
    def renamed_uncaptured(self) -> dict[str, str]:
        """What was renamed by hand in lane A, and no SQL file makes yet: old → new."""
        made = self.replayed or {}
        return {
            old: new
            for old, new in self.renamed.pairs.items()
            if f"table {identities.relation(new)}" not in self.app
            and old in made
            and new in self.live
            and new not in made
        }

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
    def unrecorded(self) -> tuple[str, ...]:
        """The app's tables that a database has of whose revisions its record says nothing.

        One that the record does not know was made by hand.
        """
        if self.ledger.revision is not None:
            return ()
        known = self.live if self.base is None else self.base
        return tuple(
            identity.removeprefix("table ")
            for identity in self.app
            if identities.kind(identity) == "table"
            and identity in self.live
            and identity in known
            and identity not in self.standing
        )

    @cached_property
    def sql_lane(self) -> Snapshot:
        """The live facts that lane B does not own."""
        return {i: text for i, text in self.live.items() if not self._is_app(i, text)}

    @cached_property
    def app_lane(self) -> Snapshot:
        return {i: text for i, text in self.live.items() if i not in self.sql_lane}

    @cached_property
    def intended(self) -> Snapshot:
        """What the mirror should say: what the repo makes, with the drift on top.

        Of a database that twolane was never in, just what it has.
        """
        if self.ledger.is_empty:
            return self.sql_lane
        return intent.intended(self._sides)

    @cached_property
    def is_behind(self) -> bool:
        """Whether both lanes wait, and the mirror knows already what the files will make."""
        files = self.pending_before or self.pending_after
        return bool(files and self.waiting) and self.is_mirrored

    @cached_property
    def is_mirrored(self) -> bool:
        """Whether the mirror knows all but what was changed by hand here."""
        drifted = {change.identity for change in self.drift}
        changes = catalog.diff(self.repo.lock, self.intended)
        return all(change.identity in drifted for change in changes)

    @cached_property
    def drift(self) -> list[Change]:
        """What somebody changed by hand in the SQL lane, and the mirror does not know."""
        return [c for c in intent.drift(self._sides) if self.repo.lock.get(c.identity) != c.after]

    @cached_property
    def contested(self) -> list[Change]:
        """The drift at facts that a pending file or revision changes as well."""
        return [c for c in self.drift if intent.is_pending(c.identity, self._sides)]

    @cached_property
    def unsynced(self) -> list[Change]:
        """What applied SQL files made or took away and the mirror does not show yet."""
        sides = self._sides
        return [
            change
            for change in catalog.diff(self.repo.lock, self.intended)
            if sides.made is not None
            and change.after == sides.made.get(change.identity) == sides.live.get(change.identity)
            and identities.kind(change.identity) != "owner"
        ]

    @cached_property
    def as_left(self) -> Snapshot:
        """The facts as twolane left the database, as the server prints them."""
        facts = dict(self.printed)
        if self.ledger.is_empty:
            return facts
        for change in (*intent.drift(self._sides), *self.app_drift):
            if change.before is None:
                facts.pop(change.identity, None)
            else:
                facts[change.identity] = change.before
        return dict(sorted(facts.items()))

    @cached_property
    def elsewhere(self) -> list[str]:
        """The facts that the mirror has of another database, where they were made by hand."""
        if self.replayed is None or self.ledger.is_empty:
            return []
        known = self.live.keys() | self.replayed.keys()
        return sorted(self.intended.keys() - known)

    @cached_property
    def _sides(self) -> intent.Sides:
        sql = self._sql_part
        return intent.Sides(
            lock=sql(self.repo.lock),
            live=self.sql_lane,
            base=None if self.base is None else sql(self.base),
            made=None if self.replayed is None else sql(self.replayed),
            standing=sql(self.standing),
            past=self.past,
        )

    def _sql_part(self, facts: Snapshot) -> Snapshot:
        live, sql = self.live, self.sql_lane
        return {
            i: text
            for i, text in facts.items()
            if (i in sql if live.get(i) == text else not self._is_app(i, text))
        }

    @cached_property
    def app_drift(self) -> list[Change]:
        """What somebody changed by hand in the structure of the app's tables.

        While revisions wait, a fact may also be already as the waiting ones will make it.
        """
        made, now = self.replayed or {}, structure(self.app_lane)
        if self.base is not None:
            was = structure({i: t for i, t in self.base.items() if self._is_app(i, t)})
            return [
                change
                for change in catalog.diff(was, now)
                if self.live.get(change.identity) != self.base.get(change.identity)
                and not self._is_expected(change, made)
            ]
        moved = {i: text for i, text in self.standing.items() if i in self.app}
        expected = structure({**moved, **self.applied_app})
        if not self.waiting and not self.pending_after:
            expected = {identity: made.get(identity, text) for identity, text in expected.items()}
        return [
            change for change in catalog.diff(expected, now) if not self._is_expected(change, made)
        ]

    def _is_expected(self, change: Change, made: Snapshot) -> bool:
        """Whether it is as files and revisions make it, or on a partition that comes and goes."""
        if self._is_half_done(change):
            return True
        table = str(identities.relation(change.identity))
        if table in self.partitions and (
            change.after == made.get(change.identity)
            or partitions.matches(table, self.repo.config.partitions)
        ):
            return True
        return _is_foreseen(change, made)

    def _is_half_done(self, change: Change) -> bool:
        """Whether it is the doing of an online revision's step that was cut short."""
        half = self.ledger.half
        if half is None:
            return False
        is_index = identities.kind(change.identity) == "index"
        invalid = change.after is not None and "invalid" in catalog.definition(change.after)
        return change.identity in half.touches or (is_index and invalid)

    @cached_property
    def uncaptured(self) -> list[Change]:
        """The differences between the live SQL lane and the facts of the repo's SQL files.

        What is still to come does not count. Nor do owners, because they depend on who connects,
        nor extensions that the shadow can't have.
        """
        if self.replayed is None:
            return []
        sides = self._sides
        unfinished = bool(self.pending_before or self.pending_after)
        return [
            change
            for change in catalog.diff(sides.made or {}, self.sql_lane)
            if not (change.after is None and unfinished and change.identity not in sides.standing)
            and not intent.is_still_to_come(change.identity, sides)
            and identities.kind(change.identity) != "owner"
            and not self.is_out_of_reach(change.identity)
        ]

    @cached_property
    def left_over(self) -> list[Change]:
        """What older files, or older texts of files, made so, and nothing of the repo makes so."""
        if self.replayed is None or self.waiting:
            return []
        unfinished = bool(self.pending_before or self.pending_after)
        return [
            Change(c.identity, c.after, c.before)
            for c in catalog.diff(self.standing, self.replayed)
            if self.live.get(c.identity) == c.before
            and (not unfinished or (c.after is None and self._is_of_a_lost_file))
            and identities.kind(c.identity) != "owner"
            and not self.is_out_of_reach(c.identity)
        ]

    @property
    def _is_of_a_lost_file(self) -> bool:
        listed = {file.name for file in self.repo.order.files}
        return bool(self.ledger.applied.keys() - listed)

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
        if self._on_partition(identity):
            table = str(identities.relation(identity))
            comes_and_goes = partitions.matches(table, self.repo.config.partitions)
            return comes_and_goes or kind == "owner" or kind in STRUCTURE
        if kind == "owner":
            return identities.about(identity) in self.app
        if kind == "grant":
            return (
                identities.about(identity) in self.app
                and (grantee(identity), text) in self._defaults
            )
        if kind not in STRUCTURE or identity in (self.replayed or {}):
            return False
        return self._on_app_table(identity)

    @cached_property
    def _defaults(self) -> frozenset[tuple[str, str]]:
        """The default privileges of the database: (role, text of the grant)."""
        return default_grants(self.live)

    @cached_property
    def partitions(self) -> frozenset[str]:
        """The partitions of the app's tables, whoever made them: they follow their parents."""
        tables = {i.removeprefix("table ") for i in self.app if identities.kind(i) == "table"}
        sides = (self.live, self.base, self.replayed, self.standing)
        return partitions.of(tables, [facts for facts in sides if facts])

    def _on_partition(self, identity: str) -> bool:
        return bool(self.partitions) and identities.relation(identity) in self.partitions

    def _on_app_table(self, identity: str) -> bool:
        return f"table {identities.relation(identity)}" in self.app


def _is_foreseen(change: Change, made: Snapshot) -> bool:
    """Whether the fact is as files and revisions make it; False for a new table.

    A new index counts: someone may build it by hand first, so that the push blocks nobody; see G16.
    So does a new column: a revision that `db.gen` writes then makes it only where it is absent.
    """
    found = identities.kind(change.identity)
    if change.before is None and found not in ("index", "constraint", "column"):
        return False
    return change.after == made.get(change.identity, change.before)
