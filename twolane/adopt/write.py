"""Writes an adoption: finds the existing files, writes the new ones, and their ledger rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twolane import files
from twolane.adopt import platform
from twolane.adopt.files import is_adopted
from twolane.adopt.prepare import Adoption
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog
from twolane.guards.refusal import Refusal
from twolane.lanes import mirror
from twolane.postgres import transactions
from twolane.repo import entries, ledger, ledger_tables, order, sqlfiles
from twolane.repo import record as facts
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.sqlfiles import SqlFile
from twolane.repo.starter import STARTER
from twolane.state.connected import Work
from twolane.text import shortened


@dataclass(frozen=True)
class Present:
    """The SQL files that exist before an adoption, whether or not `bootstrap.txt` lists them.

    starter: those that the service began with; adopted: of an earlier adoption; own: all others.
    """

    starter: tuple[SqlFile, ...]
    adopted: tuple[SqlFile, ...]
    own: tuple[SqlFile, ...]


def present(config: Config) -> Present:
    """The SQL files in the service's folder.

    Raises:
        OSError, UnicodeDecodeError: a file can't be read.
    """
    found = [
        sqlfiles.of_text(path.name, path.read_text(encoding="utf-8-sig"))
        for path in sorted(config.sql.glob("*.sql"))
    ]
    adopted = [file for file in found if is_adopted(file)]
    starter = [file for file in found if file.name in STARTER]
    own = [file for file in found if file not in adopted and file not in starter]
    return Present(tuple(starter), tuple(adopted), tuple(own))


def begun(repo: Repo, ledger: Ledger, present: Present) -> Refusal | None:
    """The refusal (G11) of `db.adopt` if the service has a history: an adoption begins one.

    Adopted files of which the database ran only some are no history: `db.apply` stopped at one that
    the role may not run, such as a function of another owner.
    """
    own = present.own
    adopted = {file.name for file in (*present.adopted, *present.starter)}
    ran = sorted(ledger.applied)
    if set(ran) < adopted and any(file.name not in ran for file in present.adopted):
        ran = []
    lived = [
        *(f"{name}: run by the database" for name in ran),
        *(f"revision {id}: pushed into the database" for id in ledger.pushed),
    ]
    found = [
        *lived,
        *(f"migrations/versions/{revision.path.name}" for revision in repo.revisions),
        *(f"supabase/sql/{file.name}" for file in own),
    ]
    if not found:
        return None
    return Refusal(
        "G11",
        "history",
        "The service has a history, and an adoption would begin another:",
        "invoke db.sync, then invoke db.capture for what no SQL file makes"
        if lived
        else "invoke db.adopt --record, where the database lost its record; else move these files "
        "away, or adopt in a fresh service; an Alembic chain from before stays in a folder of its "
        "own",
        details=shortened(found),
    )


def write(adoption: Adoption, before: Present) -> None:
    """Writes SQL files, their order, models and lock; moves away files the database never ran.

    If it is interrupted at any point, the same command finishes it: it recognizes existing files by
    name and by mark, not by `bootstrap.txt`.

    Raises:
        Failure: the package has no folder for the models.
    """
    config = adoption.state.repo.config
    if not config.schema.is_dir():
        raise Failure(
            f"There is no folder {config.schema} to write the models into.",
            "Check `package` in [tool.twolane] of pyproject.toml.",
        )
    texts = {config.sql / file.name: file.text for file in adoption.files}
    if adoption.later:
        later(config).mkdir(exist_ok=True)
        texts |= {later(config) / file.name: file.text for file in adoption.later}
    names = [file.name for file in adoption.files]
    texts |= {config.order_file: order.with_only(order.read_text(config), names)}
    texts |= mirror.read(adoption.state).texts
    project = config.root / "pyproject.toml"
    settings = project.read_text(encoding="utf-8")
    if (wanted := platform.with_setting(settings, config.own_schemas)) != settings:
        texts[project] = files.with_line_ends(wanted, like=project.read_bytes())
    gone = [
        config.sql / file.name
        for file in (*before.adopted, *adoption.later)
        if config.sql / file.name not in texts
    ]
    with files.alone(config):
        files.write(texts)
        for path in gone:
            path.unlink(missing_ok=True)


def paths(config: Config) -> list[Path]:
    """The paths that an adoption writes, for a commit."""
    found = [config.sql, later(config), config.order_file, config.lock, config.introspected]
    found += [config.root / "pyproject.toml"] if config.own_schemas else []
    return [path for path in found if path.exists()]


def later(config: Config) -> Path:
    """The folder for starter files that the database never ran; no command reads it."""
    return config.sql.parent / "later"


def record(work: Work, adoption: Adoption) -> None:
    """Writes ledger rows as if the database had run the files: it has what they make."""

    def work_once() -> None:
        with transactions.transaction(work.connection):
            transactions.exclusive(work.connection, work.tell.note)
            ledger_tables.prepare(work.connection)
            done = ledger.read(work.connection)
            for file in adoption.files:
                if done.applied.get(file.name) != file.digest:
                    entries.record_file(work.connection, file, 0)
            facts.write(work.connection, done, facts.STOOD, catalog.read(work.connection))
            if work.target.protected:
                entries.label(work.connection, work.target.name)

    transactions.retry_locks(work_once, work.connection, work.tell.note)
