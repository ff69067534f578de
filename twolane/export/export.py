"""Both lanes as migrations of the Supabase CLI: what those that are there lack of the repo.

The migrations are replayed on the shadow, as the CLI runs them. The database that they make says by
its own record where it stands, so what it lacks is found as for a deploy, and is proven likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane import files, git
from twolane.config import Config, Target
from twolane.deploy.deployment import Deployment
from twolane.errors import Failure, from_postgres
from twolane.export import parts, text, trial
from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Snapshot
from twolane.postgres import transactions
from twolane.repo import identity, ledger, supabase_migrations
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.supabase_migrations import FOLDER, Migration
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.shadow.steps import Step, digest, whole
from twolane.state.connected import Work
from twolane.state.hazards import Hazard
from twolane.state.state import State
from twolane.telling import Tell
from twolane.text import shortened

if TYPE_CHECKING:
    from psycopg import Connection

AGAIN = "and then: invoke db.export"


@dataclass(frozen=True)
class Written:
    """What there is to write. titles: of the parts. hazards: what a database with rows loses.

    asking: the revisions that read rows in Python. rows: what writes rows past Alembic.
    """

    migrations: Sequence[Migration]
    titles: Sequence[str]
    hazards: Sequence[Hazard] = ()
    asking: Sequence[str] = ()
    rows: Sequence[str] = ()


def expect_ours(there: Sequence[Migration], root: Path) -> None:
    """Expects that `db.export` wrote the migrations, and that nobody changed them since.

    Raises:
        Failure: it did not, or somebody did.
    """
    foreign = [migration for migration in there if not migration.is_ours]
    if foreign:
        listed = "".join(f"\n    {name}" for name in shortened([each.path for each in foreign]))
        raise Failure(
            f"These migrations are not from db.export:{listed}\n"
            "  What SQL files make already (db.adopt, db.capture) goes aside; what they don't make "
            "is one\n  from now on: in supabase/sql/, listed in bootstrap.txt.",
            f"mkdir -p {FOLDER}_before && mv {FOLDER}/*.sql {FOLDER}_before/"
            if len(foreign) == len(there)
            else f"mv {' '.join(each.path for each in foreign)} supabase/sql/",
        )
    edited = [migration.path for migration in there if migration.is_edited]
    if edited:
        raise Failure(
            f"{', '.join(edited)}: edited since db.export wrote it; what a database makes of it "
            "would no longer be what the repo says.",
            f"{_undone(root, edited)}   (put the change into an SQL file or a revision, {AGAIN})",
        )


def _undone(root: Path, edited: Sequence[str]) -> str:
    by_hand = f"rm {' '.join(edited)}   (if no database has run it; else restore its text)"
    return git.way_back(root, edited) or by_hand


@contextmanager
def standing(repo: Repo, there: Sequence[Migration], tell: Tell) -> Iterator[Work]:
    """The database that the migrations make, on the shadow, as a command's work.

    Raises:
        Failure: they don't run one after the other.
    """
    made = _replay(repo.config, there, tell)
    # On a copy, so that nobody else waits for the database that is kept.
    with shadow.open_clone(repo.config, made.database) as connection:
        yield Work(repo, Target(FOLDER, None), connection, ledger.read(connection), tell)


def state_of(work: Work) -> State:
    """Where the migrations leave a database. An older form of a file is one that is meant."""
    state = work.state()
    return replace(state, ledger=replace(state.ledger, earlier={}))


def _replay(config: Config, migrations: Sequence[Migration], tell: Tell) -> shadow.Replay:
    steps = [whole([_step(migration) for migration in migrations])] if migrations else []
    return shadow.replay(config, steps, tell.working)


def _step(migration: Migration) -> Step:
    def run(connection: Connection[Any]) -> None:
        import psycopg

        try:
            with transactions.transaction(connection):
                with transactions.theirs(connection):
                    trial.execute(connection, migration.text)
                transactions.reset(connection)
        except psycopg.Error as error:
            found = from_postgres(error, f"{migration.path} no longer runs after those before it")
            raise Failure(
                found.message,
                "Two branches have exported, or an older migration is gone. If no database that "
                f"stays has run it: git rm {migration.path}, {AGAIN}",
            ) from error

    return Step(digest("migration", migration.name, migration.text), run)


def write(
    work: Work, found: Deployment, there: Sequence[Migration], message: str | None
) -> Written:
    """The migrations that bring what is lacking, proven on the shadow; nothing is written yet.

    Raises:
        Failure: a database that ran them would differ from what the repo makes.
    """
    units = parts.of(found)
    begin = _replay(work.config, there, work.tell)
    with (
        work.tell.working("trying the migration on the shadow"),
        shadow.open_clone(work.config, begin.database) as connection,
    ):
        done = trial.run(connection, units)
    hazards = [each for each in found.hazards if each.needs_consent] if there else []
    new = _migrations(work, [*there], done, message, hazards)
    rows = _proven(work, [*there, *new])
    every = [part for unit in units for part in unit]
    return Written(
        new,
        [part.title for part in every],
        hazards,
        [part.title for part in every if parts.asks(part)],
        rows,
    )


def _migrations(
    work: Work,
    there: list[Migration],
    groups: Sequence[Sequence[trial.Done]],
    message: str | None,
    hazards: Sequence[Hazard],
) -> list[Migration]:
    versions = supabase_migrations.versions(there, len(groups), datetime.now(UTC))
    service, first = identity.of_repo(work.config), len(there)
    lost = [f"{each.key}  {each.text}" for each in hazards]
    record = work.ledger
    for version, done in zip(versions, groups, strict=True):
        place = text.Place(tuple(there), record, service)
        words = message or (_words(done) if there else "twolane")
        body = text.body(version, done, place, lost)
        there.append(supabase_migrations.of_body(version, supabase_migrations.slug(words), body))
        if len(groups) > 1:
            made = _replay(work.config, there, work.tell)
            with shadow.connect(work.config, made.database) as connection:
                record = ledger.read(connection)
    return there[first:]


def _words(done: Sequence[trial.Done]) -> str:
    """What the parts are about, in a few words for a file's name."""
    return " ".join([each.part.words for each in done if each.part.words][:3])


def _proven(work: Work, migrations: Sequence[Migration]) -> list[str]:
    """Expects that the migrations make what the repo makes; the tables whose rows differ."""
    made = _replay(work.config, migrations, work.tell)
    meant = Replays(work.repo, work.tell.working).whole()
    wrong = [
        change
        for change in catalog.diff(meant.facts, made.facts)
        if identities.kind(change.identity) != "owner"
    ]
    with (
        shadow.connect(work.config, made.database) as connection,
        shadow.connect(work.config, meant.database) as other,
    ):
        record = ledger.read(connection)
        lacks = [file.name for file in pending(work.repo.order.files, record)]
        lacks += [revision.id for revision in waiting(work.repo, record)]
        rows = _rows(other, connection, meant.facts)
    if wrong or lacks:
        lines = [*differences.flat(wrong), *(f"not in the record: {name}" for name in lacks)]
        listed = "\n".join(f"    {line}" for line in shortened(lines))
        raise Failure(
            f"Run as migrations, the repo's files would end in another schema:\n{listed}",
            "See whether a file leaves settings or temporary tables to the next one. Nothing was "
            "written.",
        )
    return rows


def _rows(meant: Connection[Any], made: Connection[Any], facts: Snapshot) -> list[str]:
    """The tables that don't have as many rows, said in words."""
    tables = [i.removeprefix("table ") for i in facts if identities.kind(i) == "table"]
    if not tables:
        return []
    count = " union all ".join(
        f"select {place}, pg_catalog.count(*) from {name}" for place, name in enumerate(tables)
    )
    with transactions.transaction(meant), transactions.transaction(made):
        one, other = (dict(each.execute(count.encode()).fetchall()) for each in (meant, made))
    return [
        f"{name}: {one[place]} rows after the repo's files, {other[place]} after the migrations"
        for place, name in enumerate(tables)
        if one[place] != other[place]
    ]


def save(config: Config, migrations: Sequence[Migration]) -> None:
    """Writes the migrations into their folder."""
    folder = supabase_migrations.folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    with files.alone(config):
        files.write({folder / each.name: each.text for each in migrations})
