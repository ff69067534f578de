"""Lane B: what `app.py` declares, compared with what the revisions make on the shadow."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from twolane import files
from twolane.errors import Failure
from twolane.facts import identities
from twolane.facts.catalog import Change, Snapshot
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.migrations import app_models, formatting, generation
from twolane.repo.contents import Repo
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.telling import Working, silently


def has_changes(repo: Repo, working: Working = silently) -> bool:
    """Whether `app.py` declares something that no revision makes."""
    return bool(changes(repo, working))


def changes(repo: Repo, working: Working = silently) -> Sequence[Change]:
    """What `app.py` declares and no revision makes."""
    found = compare(repo, None, working)
    return found.comparison.changes if found else ()


def compare(
    repo: Repo,
    title: str | None,
    working: Working,
    renamed: Sequence[str] = (),
    more: tuple[Sequence[str], Sequence[str]] = ((), ()),
    there: frozenset[str] = frozenset(),
    is_split: bool = False,
) -> generation.Found | None:
    """What differs between models and revisions; with a title, in a new revision. None: nothing.

    It compares once for each state of the files.
    """
    seen = look(repo)
    if seen.exists() and not renamed:
        return None
    replays = Replays(repo, working)
    base, head = lane_a(replays), replays.at(repo.revisions)
    _check_scope(repo, head.facts)
    with (
        working("comparing app.py with the shadow"),
        shadow.connect(repo.config, head.database) as connection,
    ):
        declared = app_models.declared(connection, repo.config, base, head.facts)
        shared = replays.base().facts.keys() - base.keys()
        goal = generation.Goal(base, head.facts, declared, renamed, more, there, shared, is_split)
        found = generation.generate(connection, repo.config, title, goal)
    refuse(guards.metadata(found.is_app_metadata))
    if found.path:
        formatting.format_revision(found.path)
    if found.comparison.changes or found.is_renamed or found.path or found.rest is not None:
        return found
    seen.touch()
    return None


def lane_a(replays: Replays) -> Snapshot:
    """The facts of the files before the mark, with the tables that were moved to the SQL lane, and
    without those that were moved to the app."""
    history = replays.repo.revisions
    made = {**replays.base().facts, **replays.at(history).facts}
    app = replays.app(history)
    return {i: text for i, text in made.items() if i not in app}


def look(repo: Repo) -> Path:
    """A mark that exists if exactly these models, files and revisions were compared and agreed."""
    code = repo.config.source / repo.config.package
    own = [*sorted(code.rglob("*.py")), *sorted(repo.config.migrations.glob("*.py"))]
    parts = [files.read(repo.config, path) for path in own]
    parts += [version(name) for name in ("alembic", "sqlalchemy")]
    parts += [file.digest for file in repo.order.before] + [r.digest for r in repo.revisions]
    parts += [
        path.read_text(encoding="utf-8")
        for path in sorted(Path(generation.__file__).parent.glob("*.py"))
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
