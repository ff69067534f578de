"""A table changes its lane: what both directions share.

The move stands in the chain of revisions, in one that does nothing to the database, so each
database learns of it with its next push or deploy.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from twolane import files
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import differences, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.lock import dump_lock
from twolane.guards.refusal import Refusal, Refused
from twolane.lanes import app_changes
from twolane.migrations import app_models, formatting, generation
from twolane.migrations.session import imported_anew
from twolane.models import render
from twolane.repo import revisions
from twolane.repo.contents import Repo
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow.stages import Replays
from twolane.state.state import State
from twolane.text import shortened

OWNS, DISOWNS = "owns", "disowns"


@dataclass(frozen=True)
class Move:
    """Tables that change their lane, as `schema.name` in facts, and the files that say so.

    notes: what the owner should know.
    """

    tables: Sequence[str]
    title: str
    texts: Mapping[Path, str]
    notes: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        return [short(table) for table in self.tables]


def short(table: str) -> str:
    """`public.contacts` → `contacts`, without quotes."""
    return identities.plain(table).removeprefix("public.")


def unfinished(repo: Repo, working: Callable[[str], Any]) -> Refusal | None:
    """G02: a move is no way to change a table; what `app.py` says is in a revision first.

    A class for a table that is to be moved is no such change.
    """
    try:
        changes = app_changes.changes(repo, working)
    except Refused as refused:
        if refused.refusal.code == "G04":
            return None
        raise
    if not changes:
        return None
    reason = "Lane B has unfinished work; app.py says what no revision makes:"
    return Refusal("G02", "one-lane", reason, 'invoke db.gen -m "…"', changes)


class Unlike(Failure):
    """The models would not say what the database has."""

    def __init__(self, message: str, first: str, changes: Sequence[Change]) -> None:
        super().__init__(message, first)
        self.changes = changes


@dataclass(frozen=True)
class Draft:
    """The repo as it will be, in a folder of its own: migrations and package are copies."""

    repo: Repo
    revision: Path

    def final(self, repo: Repo, path: Path) -> Path:
        """Where a file of the draft will be."""
        config = self.repo.config
        for here, there in (
            (config.migrations, repo.config.migrations),
            (config.source, repo.config.source),
        ):
            if path.is_relative_to(here):
                return there / path.relative_to(here)
        return path


@contextmanager
def draft(repo: Repo, title: str, marker: str, tables: Sequence[str]) -> Iterator[Draft]:
    """The repo with a revision more, which moves the tables and does nothing else."""
    folder = repo.config.home / "move"
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed command
    code = folder / "src"
    no_cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        repo.config.source / repo.config.package, code / repo.config.package, ignore=no_cache
    )
    shutil.copytree(repo.config.migrations, folder / "migrations", ignore=no_cache)
    config = replace(repo.config, migrations=folder / "migrations", code=code)
    try:
        path = generation.write_empty(config, title)
        path.write_text(_marked(path.read_text(encoding="utf-8"), marker, tables), "utf-8")
        formatting.format_revision(path)
        yield Draft(replace(repo, config=config, revisions=revisions.read(config.migrations)), path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _marked(text: str, marker: str, tables: Sequence[str]) -> str:
    """The revision with its marker, below what Alembic says of it."""
    end = max(
        node.end_lineno or 0
        for node in ast.parse(text).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
    )
    lines = text.splitlines()
    names = "".join(f"{table!r}, " for table in tables)
    new = ["", f"# {_MEANING[marker]}", f"{marker} = ({names})"]
    return "\n".join([*lines[:end], *new, *lines[end:]]) + "\n"


_MEANING = {
    OWNS: "From here on these tables are the app's. Their SQL file stays what first makes them.",
    DISOWNS: "From here on these tables are the SQL files'. The revisions below first make them.",
}


def settled(draft: Draft, state: State, working: Callable[[str], Any]) -> tuple[Repo, Snapshot]:
    """The draft's repo with the mirror that it will have; the facts that are the app's then."""
    repo = draft.repo
    app = Replays(repo, working).app(repo.revisions)
    lock = replace(state, repo=repo, app=app, applied_app=app).intended
    config = repo.config
    config.introspected.write_bytes(render.render_models(lock).encode())
    return replace(repo, lock=lock), app


def prove(draft: Draft, repo: Repo, working: Callable[[str], Any], is_ours: bool = True) -> None:
    """Expects that the models of the draft can be used, and say what its revisions make.

    is_ours: whether twolane wrote the classes; what the owner wrote may differ, for `db.gen`.

    Raises:
        Failure: they can't be imported, or differ from the revisions.
    """
    try:
        with imported_anew(repo.config):
            app_models.configure(repo.config)
            changes = app_changes.changes(repo, working)
    except Failure as failure:
        home = repo.config.source.parent.relative_to(repo.config.root).as_posix()
        failure.message = failure.message.replace(f"{home}/", "")
        raise
    if changes and is_ours:
        lines = "\n".join(f"    {line}" for line in shortened(differences.flat(changes)))
        raise Unlike(
            f"app.py would not say what the database has; nothing was written:\n{lines}",
            "let the SQL file, or app.py, say what the database has; then run the same command",
            changes,
        )


def texts(draft: Draft, before: Repo, after: Repo, app_py: str) -> dict[Path, str]:
    """The files that a move writes, by their places; the lock comes last."""
    config = before.config
    return {
        draft.final(before, draft.revision): draft.revision.read_text(encoding="utf-8"),
        config.schema / "app.py": app_py,
        config.introspected: after.config.introspected.read_bytes().decode(),
        config.lock: dump_lock(after.lock),
    }


def write(config: Config, texts: Mapping[Path, str]) -> list[Path]:
    """Writes the files, all or none."""
    with files.alone(config):
        files.write(texts)
    return list(texts)


def find(name: str, known: Collection[str], why_not: Callable[[str], str]) -> str:
    """The table among those known, `schema.name` in facts; a name without a schema is in `public`.

    Raises:
        Failure: there is no such table; with the reason that `why_not` gives, or the nearest name.
    """
    plain = {identities.plain(each): each for each in known}
    wanted = name if "." in name else f"public.{name}"
    if wanted in plain:
        return plain[wanted]
    if name in known:
        return name
    if reason := why_not(wanted):
        raise Failure(reason)
    near = get_close_matches(short(wanted), map(short, plain.values()), 1)
    hint = f"Is {near[0]} meant?" if near else "invoke db.status"
    raise Failure(f"There is no table {name} there to move.", hint)


def file_of(files: Sequence[SqlFile], table: str) -> str:
    """The file that creates the table, if it shows."""
    from twolane.repo.locations import of_files

    place = of_files(files).get(identities.plain(table))
    return place.file if place else "an SQL file after @migrations"
