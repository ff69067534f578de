"""Lane B: the app's models into a revision, revisions into the database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import catalog, console, databases, embedded, git, guards, ledger, migrations, shadow
from .catalog import Change, Snapshot
from .config import Config
from .errors import Failure
from .plan import Plan, make
from .state import Repo, State, structure

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Generated:
    """A new revision: its file, what it changes, and the pairs that may be meant as renames."""

    path: Path
    title: str
    changes: Sequence[Change]
    renames: Sequence[str]


def generate(repo: Repo, title: str | None) -> Generated | None:
    """Compares the models with the shadow at head and writes a revision; None when they agree.

    A revision that a guard refuses is taken away again.

    Raises:
        Failure: no title, or the models can't be imported or compared. Refused: G04 or G05.
    """
    found = _compare(repo, title)
    if not found:
        return None
    if not title:
        raise Failure(
            "app.py has changes for a revision, which needs a title.", 'invoke db.gen -m "add …"'
        )
    path = Path(found)
    try:
        return _try_out(repo.config, path)
    except BaseException:
        path.unlink()
        raise


def has_changes(repo: Repo) -> bool:
    """Whether `app.py` says something that no revision does."""
    return bool(_compare(repo, None))


def _compare(repo: Repo, title: str | None) -> Path | None:
    """The revision written, or without a title the one to be; None if models and revisions agree.

    Compared once for each state of the files.
    """
    seen = _look(repo)
    if seen.exists():
        return None
    before = shadow.files_step(repo.order.before)
    history = shadow.migrations_step(repo.config, repo.revisions)
    base = shadow.replay(repo.config, [before], console.working).facts
    head = shadow.replay(repo.config, [before, history], console.working)
    _check_scope(repo, head.facts)
    owned = [identity for identity in head.facts if identity not in base]
    with (
        console.working("comparing app.py with the shadow"),
        shadow.connect(repo.config, head.database) as connection,
    ):
        comparison, path = migrations.generate(connection, repo.config, title, owned)
    console.refuse(guards.metadata(comparison.is_app_metadata))
    if not comparison.differs:
        seen.touch()
        return None
    return path or repo.config.migrations


def _try_out(config: Config, path: Path) -> Generated:
    from .state import read_repo

    _format(path)
    repo = read_repo(config)
    known = ledger.Ledger(revision=repo.revisions[-1].down[0] if repo.revisions[-1].down else None)
    plan = make(repo, known, console.working)
    console.refuse(guards.baseline(plan))
    return Generated(path, plan.revisions[-1].title, plan.changes, renames(plan.changes))


def _look(repo: Repo) -> Path:
    """A mark that these very models, files and revisions were compared before, and agreed."""
    parts = [path.read_text(encoding="utf-8") for path in sorted(repo.config.schema.glob("*.py"))]
    parts += [file.digest for file in repo.order.before] + [r.digest for r in repo.revisions]
    parts += [
        path.read_text(encoding="utf-8") for path in sorted(repo.config.migrations.glob("*.py"))
    ]
    folder = embedded.home(repo.config) / "looks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / sha256("\0".join(parts).encode()).hexdigest()


def _check_scope(repo: Repo, facts: Snapshot) -> None:
    """G04, and foreign keys to what the shadow lacks."""
    schema = migrations.app_schema(repo.config)
    mirrored, made = relations(repo.lock), relations(facts)
    console.refuse(guards.scope(schema.tables, mirrored))
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
    names = (catalog.relation(i) for i in facts if catalog.kind(i) in catalog.RELATION_KINDS)
    return frozenset(catalog.plain(name) for name in names if name)


def _format(path: Path) -> None:
    """As the service's own linter would have it, where ruff is installed."""
    if find_spec("ruff"):
        for arguments in (("check", "--fix-only"), ("format",)):
            command = [sys.executable, "-m", "ruff", *arguments, "--quiet", str(path)]
            subprocess.run(command, check=False)


def renames(changes: Sequence[Change]) -> list[str]:
    """What looks like a rename, said as what it is: a drop and an add."""
    found = []
    for kind in ("table", "column"):
        dropped = [
            c.identity for c in changes if c.sign == "-" and catalog.kind(c.identity) == kind
        ]
        added = [c.identity for c in changes if c.sign == "+" and catalog.kind(c.identity) == kind]
        for old in dropped:
            for new in added:
                if kind == "table" or catalog.relation(old) == catalog.relation(new):
                    found.append(
                        f"{old} is dropped and {new} added: the data of the first are lost"
                    )
    return found


def push(connection: Connection[Any], state: State, plan: Plan) -> bool:
    """Applies the plan in one transaction, verified before it ends; False if another push did it.

    Where the database has no event trigger that enables RLS on a new table, the push does it.

    Raises:
        Failure: the database moved on meanwhile, or ends up otherwise than the shadow.
    """
    from psycopg import Rollback

    start = time.monotonic()
    mine = True

    def prepare(connection: Connection[Any]) -> None:
        nonlocal mine
        databases.exclusive(connection, console.note)
        ledger.prepare(connection)
        now = ledger.read(connection).revision
        mine = now == state.ledger.revision
        if now == plan.revisions[-1].id:
            raise Rollback
        if not mine:
            raise Failure(
                "Another push changed the database meanwhile.", "Run the same command again."
            )

    def finish(connection: Connection[Any]) -> None:
        after = catalog.read(connection)
        if opened := [i for i in plan.app if catalog.kind(i) == "rls" and i not in after]:
            for identity in opened:
                table = catalog.relation(identity)
                connection.execute(f"alter table {table} enable row level security".encode())
                console.note(
                    f"enabled RLS on {table}: this database has no event trigger that does"
                )
            after = catalog.read(connection)
        if wrong := unexpected(state, plan, after):
            lines = "\n".join(f"    {line}" for line in console.change_lines(wrong, sys.stderr, 12))
            raise Failure(
                f"The database would end up otherwise than the shadow; nothing applied:\n{lines}",
                "Run invoke db.status; with a fresh mirror, it is this server that acts otherwise.",
            )
        spent = round(1000 * (time.monotonic() - start))
        for revision in plan.revisions:
            ledger.record_push(connection, revision, git.commit_id(state.repo.config.root), spent)
        if state.target.protected:
            ledger.label(connection, state.target.name)

    def work() -> None:
        migrations.upgrade(connection, state.repo.config, plan.revisions[-1].id, prepare, finish)

    with console.working("applying"):
        databases.retry_locks(work, connection, console.note)
    return mine


def unexpected(state: State, plan: Plan, after: Snapshot) -> list[Change]:
    """Where the database differs from the shadow (app lane) or from before (all else).

    Who owns the new tables and what the database grants on them by itself is its own affair.
    """
    made = structure({i: t for i, t in after.items() if i in plan.app})
    others = {i: t for i, t in state.live.items() if i not in plan.app and i not in plan.owned}
    rest = {
        i: t
        for i, t in after.items()
        if i not in plan.app
        and i not in plan.owned
        and not (
            i not in others
            and catalog.kind(i) in ("owner", "grant")
            and f"table {catalog.relation(i)}" in plan.app
        )
    }
    return catalog.diff(structure(plan.app), made) + catalog.diff(others, rest)
