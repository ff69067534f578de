"""Lane B: the app's models into a revision, revisions into the database."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from twolane import files
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.migrations import app_models, runner
from twolane.repo import revisions
from twolane.repo.contents import Repo
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state import rehearsal
from twolane.state.rehearsal import Steps
from twolane.state.stand import Stand
from twolane.telling import Working, silently
from twolane.text import shortened


@dataclass(frozen=True)
class Generated:
    """A new revision: its file, what it changes, and the pairs that may be meant as renames.

    unseen: changes that `app.py` declares and Alembic doesn't compare, so the revision lacks them.
    """

    path: Path
    title: str
    changes: Sequence[Change]
    renames: Sequence[str]
    unseen: Sequence[Change]


def generate(repo: Repo, title: str | None, empty: bool, working: Working) -> Generated | None:
    """Compares the models with the shadow at head and writes a revision; None when they agree.

    An `empty` revision is written in any case. A revision is written into `migrations/versions`
    after a trial; one that a guard refuses never gets there.

    Raises:
        Failure: no title, or the models can't be imported or compared. Refused: G04 or G05.
    """
    if not title:
        if empty or has_changes(repo, working):
            raise Failure("A revision needs a title.", 'invoke db.gen -m "add …"')
        return None
    if not empty and _look(repo).exists():
        return None
    with files.alone(repo.config), _draft(repo) as draft:
        if empty:
            path = runner.write_empty(draft.config, title)
        elif found := _compare(draft, title, working)[1]:
            path = found
        else:
            return None
        try:
            made = _try_out(draft.config, path, working)
        except Failure as failure:
            raise Failure(
                f"{failure.message}\n  It does not run on the shadow, and was taken away.",
                f"Change app.py, or write it by hand: invoke db.gen --empty. {failure.first}",
            ) from failure
        place = repo.config.migrations / "versions" / path.name
        files.write({place: path.read_text(encoding="utf-8")})
        return replace(made, path=place)


@contextmanager
def _draft(repo: Repo) -> Iterator[Repo]:
    """The repo with a copy of `migrations/` in its place, in which to try out a revision.

    Raises:
        Failure: another `db.gen` wrote a revision since the repo was read.
    """
    if revisions.read(repo.config.migrations) != repo.revisions:
        raise Failure("The revisions changed meanwhile.", "Run the same command again.")
    folder = repo.config.home / "draft"
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed command
    shutil.copytree(repo.config.migrations, folder)
    try:
        yield replace(repo, config=replace(repo.config, migrations=folder))
    except Failure as failure:
        draft = folder.relative_to(repo.config.root).as_posix()
        failure.message = failure.message.replace(draft, "migrations")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def has_changes(repo: Repo, working: Working = silently) -> bool:
    """Whether `app.py` declares something that no revision makes."""
    return _compare(repo, None, working)[0]


def _compare(repo: Repo, title: str | None, working: Working) -> tuple[bool, Path | None]:
    """Whether models and revisions differ; if so, and with a title, the path of the new revision.

    It compares once for each state of the files.
    """
    seen = _look(repo)
    if seen.exists():
        return False, None
    replays = Replays(repo, working)
    base, head = replays.base().facts, replays.at(repo.revisions)
    _check_scope(repo, head.facts)
    owned = [identity for identity in head.facts if identity not in base]
    with (
        working("comparing app.py with the shadow"),
        shadow.connect(repo.config, head.database) as connection,
    ):
        comparison, path = runner.generate(connection, repo.config, title, owned)
    refuse(guards.metadata(comparison.is_app_metadata))
    if path:
        _format(path)
    if comparison.differs:
        return True, path
    if missed := unseen(_declared(repo, working), base, head.facts):
        lines = "\n".join(f"    {line}" for line in shortened(differences.flat(missed)))
        raise Failure(
            f"app.py and the revisions differ in what Alembic does not compare:\n{lines}",
            'write it, under that name, into a revision by hand: invoke db.gen --empty -m "…"',
        )
    seen.touch()
    return False, None


def _declared(repo: Repo, working: Working) -> Snapshot:
    base = Replays(repo, working).base()
    with shadow.connect(repo.config, base.database) as connection:
        return app_models.declared(connection, repo.config)


def unseen(declared: Snapshot, base: Snapshot, made: Snapshot) -> list[Change]:
    """The changes from the app's tables as migrations made them to those that `app.py` declares.

    declared and made both contain the facts of `base`. Only revisions make what models can't
    express (triggers, functions); that is not compared.
    """
    kinds = ("column", "constraint", "index", "enum", "comment")
    wanted = {i: t for i, t in declared.items() if i not in base}
    tables = {identities.relation(i) for i in wanted if identities.kind(i) == "table"}

    def comparable(facts: Snapshot) -> Snapshot:
        return {
            i: text
            for i, text in facts.items()
            if i not in base
            and identities.kind(i) in kinds
            and (identities.relation(i) in tables or i in wanted)
        }

    return catalog.diff(comparable(made), comparable(wanted))


def _try_out(config: Config, path: Path, working: Working) -> Generated:
    from twolane.repo.contents import read_repo

    repo = read_repo(config)
    last = repo.revisions[-1]
    below = revisions.up_to(repo.revisions, last.down[0] if last.down else None)
    stand = Stand(repo.order.before, below, (), ())
    plan = rehearsal.rehearse(repo, stand, Steps((last,)), working).plan
    refuse(guards.session(plan), guards.baseline(plan), guards.sql_only(plan))
    base = Replays(repo, working).base().facts
    missed = unseen(_declared(repo, working), base, plan.after)
    title = plan.revisions[-1].title
    return Generated(path, title, plan.changes, renames(plan.changes), missed)


def _look(repo: Repo) -> Path:
    """A mark that exists if exactly these models, files and revisions were compared and agreed."""
    code = repo.config.root / "src" / repo.config.package
    parts = [path.read_text(encoding="utf-8") for path in sorted(code.rglob("*.py"))]
    parts += [version(name) for name in ("alembic", "sqlalchemy")]
    parts += [file.digest for file in repo.order.before] + [r.digest for r in repo.revisions]
    parts += [
        path.read_text(encoding="utf-8")
        for folder in (repo.config.migrations, Path(runner.__file__).parent)
        for path in sorted(folder.glob("*.py"))
    ]
    folder = repo.config.home / "looks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / sha256("\0".join(parts).encode()).hexdigest()


def _check_scope(repo: Repo, facts: Snapshot) -> None:
    """Checks G04, and that no foreign key refers to a table that the shadow lacks."""
    schema = app_models.app_schema(repo.config)
    mirrored, made = relations(repo.lock), relations(facts)
    refuse(guards.scope(schema.tables, mirrored))
    lost = sorted((schema.referenced - schema.tables) & mirrored - made)
    if lost:
        raise Failure(
            f"app.py has a foreign key to {lost[0]}, a table that only the live database has: no "
            "SQL file makes it, so no other database could take the migration.",
            f"Put the SQL that makes {lost[0]} into a file under supabase/sql/, list it in "
            "bootstrap.txt, then: invoke db.apply",
        )


def relations(facts: Snapshot) -> frozenset[str]:
    """The tables and views in a snapshot, as `schema.name` without quotes."""
    names = (
        identities.relation(i) for i in facts if identities.kind(i) in identities.RELATION_KINDS
    )
    return frozenset(identities.plain(name) for name in names if name)


def _format(path: Path) -> None:
    """Formats the file as the service's own linter demands, where ruff is installed."""
    if find_spec("ruff"):
        for arguments in (("check", "--fix-only"), ("format",)):
            command = [sys.executable, "-m", "ruff", *arguments, "--quiet", str(path)]
            subprocess.run(command, check=False)


def renames(changes: Sequence[Change]) -> list[str]:
    """Messages on what looks like a rename and is a drop and an add."""
    dropped = [change for change in changes if change.sign == "-"]
    added = [change for change in changes if change.sign == "+"]
    return [
        f"{old.identity} is dropped and {new.identity} added: the data of the first are lost"
        for old in dropped
        for new in added
        if _like_a_rename(old, new)
    ]


def _like_a_rename(old: Change, new: Change) -> bool:
    """Whether both are tables, or columns of one table and of one type."""
    kinds = {identities.kind(old.identity), identities.kind(new.identity)}
    if kinds == {"table"}:
        return True
    return (
        kinds == {"column"}
        and identities.relation(old.identity) == identities.relation(new.identity)
        and catalog.definition(old.before or "{}").get("type")
        == catalog.definition(new.after or "{}").get("type")
    )
