"""Where a downgrade ends: what the revisions that stay make, with the SQL files that still run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twolane.deploy.route import Route
from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.postgres import transactions
from twolane.repo import sqlfiles
from twolane.repo.revisions import up_to
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state.stand import Stand


@dataclass(frozen=True)
class Ending:
    """start: the facts where the database stands. facts: those of the end. app: identities of what
    lane B owns before or after. by_late: identities of what SQL files after the mark made.

    not_run: the SQL files that have to run again, because what they made is gone or another form of
    them is the repo's. is_complete: whether all else is there already.
    """

    start: Snapshot
    facts: Snapshot
    app: frozenset[str]
    by_late: frozenset[str]
    not_run: frozenset[str]
    is_complete: bool

    def changes(self, facts: Snapshot) -> list[Change]:
        """What is still to change; what a file will make as it runs again is left to it."""
        return [
            change
            for change in catalog.diff(facts, self.facts)
            if identities.kind(change.identity) != "owner"
            and (self.is_complete or change.identity in self.start or change.identity in self.app)
        ]

    def by_files(self, facts: Snapshot) -> list[Change]:
        """Of these, what SQL files made on the app's tables and that goes, or becomes another."""
        return [c for c in self.changes(facts) if c.before and c.identity not in self.app]

    def tables(self) -> set[str]:
        """Lane B's tables that change, as `schema.name`."""
        changes = catalog.diff(self.start, self.facts)
        found = (identities.relation(c.identity) for c in changes if c.identity in self.app)
        return {name for name in found if name}


def find(replays: Replays, stand: Stand, route: Route) -> Ending:
    """The end of the route from that stand, replayed; a file that no longer runs is left out.

    One that runs in the repo's form of it stays as such.

    Raises:
        Failure: the shadow is out of reach.
    """
    below = _below(replays, stand, route)
    listed = {file.name: file for file in replays.repo.order.after}
    files = list(below.after)
    while True:
        try:
            made = replays.at(below.history, files, below.before, below.foreign)
            break
        except FileFailure as failure:
            files = _without(files, failure.file, listed)
    before = replays.app(stand.history, stand.before, stand.foreign)
    after = replays.app(below.history, below.before, below.foreign)
    newest = {file.name: file for file in stand.after}.values()
    kept = [file for file in newest if file in files]
    unfinished = {file.name for file in files if file not in stand.after}
    gone = {file.name for file in newest if file not in kept}
    gone |= _making_less(replays, stand, kept, made.facts)
    alone = replays.at(stand.history, (), stand.before, stand.foreign).facts
    start = replays.at(stand.history, stand.after, stand.before, stand.foreign).facts
    return Ending(
        start,
        made.facts,
        frozenset(before.keys() | after.keys()),
        frozenset(start.keys() - alone.keys()),
        frozenset(gone),
        not unfinished,
    )


def _below(replays: Replays, stand: Stand, route: Route) -> Stand:
    """Where the database stands afterwards, if all its files still run."""
    stays = {had.id for had in route.stays}
    here = next((had.id for had in route.stays if had.is_here), None)
    return Stand(
        stand.before,
        up_to(replays.repo.revisions, here),
        tuple(recorded for recorded in stand.foreign if recorded.id in stays),
        stand.after,
    )


def _without(
    files: Sequence[SqlFile], lost: SqlFile, listed: Mapping[str, SqlFile]
) -> list[SqlFile]:
    """The files without this one, or with the repo's form of it; an earlier text goes alone."""
    if lost != {file.name: file for file in files}[lost.name]:
        return [file for file in files if file != lost]
    other = listed.get(lost.name, lost)
    forms = [] if other.digest == lost.digest else [other]
    return [
        form
        for file in files
        for form in (forms if file == lost else [] if file.name == lost.name else [file])
    ]


def _making_less(
    replays: Replays, stand: Stand, files: Sequence[SqlFile], end: Snapshot
) -> set[str]:
    """Those of the files that made what is not at the end: such a file asks what it finds."""
    alone = replays.at(stand.history, (), stand.before, stand.foreign)
    whole = replays.at(stand.history, stand.after, stand.before, stand.foreign).facts
    if not files or end.keys() >= whole.keys() - alone.facts.keys():
        return set()
    found, facts = set(), alone.facts
    with shadow.open_clone(replays.repo.config, alone.database) as connection:
        for file in stand.after:
            with transactions.transaction(connection):
                sqlfiles.run(connection, file)
            before, facts = facts, catalog.read(connection)
            if file in files and facts.keys() - before.keys() - end.keys():
                found.add(file.name)
    return found
