"""What the repo's files make on the shadow, and the checks of the files themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from twolane.check import reversible, roles
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.guards import guards
from twolane.guards.checks import examines
from twolane.guards.findings import WARNING, Finding, from_failure, from_refusal
from twolane.postgres import transactions
from twolane.repo import sqlfiles
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.locations import FOLDER, Place, in_folder, line_of, of_files
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow import shadow
from twolane.shadow.shadow import Replay
from twolane.shadow.stages import Replays
from twolane.state import losses

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Replayed:
    """The repo, and what its files make; each part is computed on first use.

    changed: the files to look at one by one, as paths from the service's folder; None for all.

    Every part that replays raises `Failure` if a file or a migration doesn't run.
    """

    repo: Repo
    working: Callable[[str], Any]
    changed: Set[str] | None = None

    @cached_property
    def replays(self) -> Replays:
        return Replays(self.repo, self.working)

    @cached_property
    def whole(self) -> Replay:
        """The replay of everything in the repo, from an empty database."""
        return self.replays.whole()

    @cached_property
    def base(self) -> Snapshot:
        """The facts that the files before the mark make alone."""
        return self.replays.base().facts

    @cached_property
    def app(self) -> Snapshot:
        """The facts that the migrations add."""
        return self.replays.app(self.repo.revisions)

    @property
    def files(self) -> list[SqlFile]:
        """The SQL files to look at."""
        files = self.repo.order.files
        return [file for file in files if self._is_meant(f"{FOLDER}{file.name}")]

    @cached_property
    def trips(self) -> tuple[reversible.RoundTrip, ...]:
        """Every revision from the first to look at on, up and down and up again."""
        revisions = self.repo.revisions
        meant = (n for n, each in enumerate(revisions) if self._is_meant(in_folder(each)))
        first = next(meant, len(revisions))
        return tuple(reversible.trips(self.repo.config, revisions, self.replays.at, first))

    def _is_meant(self, path: str) -> bool:
        return self.changed is None or path in self.changed

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Where tables, views, functions and types are made, by plain name."""
        found = dict(of_files(self.repo.order.files))
        for trip in self.trips:
            for identity in trip.added:
                if name := identities.relation(identity):
                    plain = identities.plain(name)
                    found.setdefault(plain, reversible.place_of(trip, plain))
        return found


@examines("order", "bootstrap.txt names every SQL file", code="G09")
def order(ground: Replayed) -> Iterator[Finding]:
    """Guard G09: `bootstrap.txt` and the folder agree."""
    if refusal := guards.order(ground.repo):
        place = Place("supabase/bootstrap.txt")
        yield from_refusal(refusal, "bootstrap.txt", place)


@examines("history", "the revisions have one head", code="G11")
def history(ground: Replayed) -> Iterator[Finding]:
    """Guard G11, as far as files show it: several heads."""
    if refusal := guards.history(ground.repo, Ledger()):
        last = ground.repo.revisions[-1]
        yield from_refusal(refusal, last.path.name, Place(in_folder(last)))


@examines("replay", "files and migrations run, from nothing")
def replay(ground: Replayed) -> Iterator[Finding]:
    """Every file that Postgres's parser refuses; without one, the first that doesn't run."""
    broken = False
    for file in ground.repo.order.files:
        try:
            sqlfiles.check(file)
        except Failure as failure:
            broken = True
            yield from_failure(failure, "replay", file.name, FOLDER)
    if broken:
        return
    try:
        _ = ground.whole
    except FileFailure as failure:
        yield from_failure(failure, "replay", failure.file.name, FOLDER)
    except Failure as failure:
        yield from_failure(failure, "replay", "migrations")
    else:
        yield from _roles(ground)


def _roles(ground: Replayed) -> Iterator[Finding]:
    """The roles that this machine has, and a fresh one would not."""
    texts = (revision.path.read_text(encoding="utf-8") for revision in ground.repo.revisions)
    found = roles.missing(ground.repo.order.files, texts, ground.whole.facts)
    for name, place in found.items():
        yield Finding(
            "replay",
            name,
            f"No file makes the role {name}; that this server has it, another machine doesn't.",
            "make it in an SQL file, if it is not there (select from pg_roles); or take it out",
            place=place,
        )


_TWICE = "write it so that it may run twice: if not exists, create or replace, drop … if exists"


@examines("idempotent", "each SQL file may run again", code="G08", needs=("replay",))
def idempotent(ground: Replayed) -> Iterator[Finding]:
    """Guard G08: every file can run again, and changes nothing then.

    Each runs in the state that all files and migrations make, in its own transaction, which is
    rolled back. `db.apply` runs an edited file again in the same state: what it undoes of a later
    file then stays undone, because the later file does not run.
    """
    with shadow.connect(ground.repo.config, ground.whole.database) as connection:
        for file in ground.files:
            try:
                yield from _again(ground, connection, file)
            except FileFailure as failure:
                found = from_failure(failure, "idempotent", file.name, FOLDER)
                yield _not_idempotent(
                    file, f"Run again, it fails: {found.message}", found.details, found.place
                )


def _again(ground: Replayed, connection: Connection[Any], file: SqlFile) -> Iterator[Finding]:
    from psycopg import Rollback

    with transactions.transaction(connection):
        before = losses.look(connection)
        sqlfiles.run(connection, file)
        found = losses.find(connection, file, before)
        changes = catalog.diff(ground.whole.facts, catalog.read(connection))
        raise Rollback
    lost = [*found.lost, *(found.written if found.deletes else ())]
    place = _place(ground, file, [change.identity for change in changes] or lost)
    if changes:
        message = "Run again, it changes the schema:"
        first = _of_the_app(ground, changes) or _TWICE
        yield _not_idempotent(file, message, differences.flat(changes), place, first)
    elif lost:
        yield _not_idempotent(file, "Run again, it loses rows or writes them anew:", lost, place)
    elif found.written:
        message = "Run again, it may change rows that others have changed since:"
        done = _not_idempotent(file, message, found.written, place, _ONCE)
        yield replace(done, level=WARNING)


_ONCE = "let it change those rows alone that lack it, or write it as a migration, which runs once"


def _of_the_app(ground: Replayed, changes: Sequence[Change]) -> str:
    """What to do where a file makes again what revisions have changed of a table moved to the app.

    Empty where it changes something else.
    """
    tables = {str(identities.relation(change.identity)) for change in changes}
    if not any(ground.base.get(f"table {t}") and f"table {t}" in ground.app for t in tables):
        return ""
    names = ", ".join(identities.plain(table).removeprefix("public.") for table in sorted(tables))
    return (
        f"the app owns {names}, and a revision has changed this: take the statement out of the "
        "file, then: invoke db.apply"
    )


def _place(ground: Replayed, file: SqlFile, made: Sequence[str]) -> Place | None:
    """The place where the file makes one of these objects: the first that it makes, if any."""
    names = (identities.relation(i) or i.partition(" ")[2].partition("(")[0] for i in made)
    found = (ground.places.get(identities.plain(name)) for name in names)
    path = f"{FOLDER}{file.name}"
    return next((place for place in found if place and place.file == path), None)


def _not_idempotent(
    file: SqlFile,
    message: str,
    details: Sequence[str],
    place: Place | None = None,
    first: str = _TWICE,
) -> Finding:
    return Finding(
        "idempotent",
        file.name,
        message,
        first,
        "G08",
        place=place or Place(f"{FOLDER}{file.name}"),
        details=tuple(details),
    )


@examines("baseline", "migrations leave lane A alone", code="G05", needs=("replay",))
def baseline(ground: Replayed) -> Iterator[Finding]:
    """Guard G05, revision by revision."""
    return _refused(ground, "G05")


@examines("sql-only", "migrations leave RLS and grants to SQL files", code="G07", needs=("replay",))
def sql_only(ground: Replayed) -> Iterator[Finding]:
    """Guard G07, revision by revision."""
    return _refused(ground, "G07")


def _refused(ground: Replayed, code: str) -> Iterator[Finding]:
    for trip in ground.trips:
        path = trip.revision.path
        line = line_of(path, "def upgrade")
        for refusal in trip.refusals:
            if refusal.code == code:
                place = Place(in_folder(trip.revision), line)
                yield from_refusal(refusal, path.name, place)


@examines("reversible", "migrations go down and up again", needs=("replay",))
def undone(ground: Replayed) -> Iterator[Finding]:
    """Every revision can be reverted, or says why not."""
    for trip in ground.trips:
        if trip.finding:
            yield trip.finding
