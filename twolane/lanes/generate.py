"""Lane B: the app's models into a revision, revisions into the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from twolane import files
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.lanes import app_changes
from twolane.migrations import app_models, formatting, generation, renames, safely
from twolane.migrations.alterations import Casts
from twolane.migrations.comparable import Comparison
from twolane.migrations.renames import Likely
from twolane.repo import revisions
from twolane.repo.contents import Repo
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state import rehearsal
from twolane.state.plan import Plan
from twolane.state.rehearsal import Steps
from twolane.state.stand import Stand
from twolane.telling import Working


@dataclass(frozen=True)
class Generated:
    """A new revision: its file, its plan, and pairs that may be meant as renames.

    unseen: changes that `app.py` declares and that the revision does not make.
    """

    path: Path
    title: str
    plan: Plan
    renames: Sequence[Likely] = ()
    unseen: Sequence[Change] = ()

    @property
    def changes(self) -> Sequence[Change]:
        """What it changes."""
        return self.plan.changes


def generate(
    repo: Repo,
    title: str | None,
    working: Working,
    renamed: Sequence[str] = (),
    there: frozenset[str] = frozenset(),
    is_plain: bool = False,
) -> list[Generated]:
    """Compares the models with the shadow at head and writes a revision; none when they agree.

    What has a safe way on a large table follows in an online revision, unless it is to be plain.
    Each is written into `migrations/versions` after a trial, up and down; one that a guard
    refuses never gets there. renamed: see `renames.read`. there: see `generation.Goal`.

    Raises:
        Failure: no title, or the models can't be imported or compared. Refused: G04 or G05.
    """
    if not title:
        if app_changes.has_changes(repo, working):
            raise Failure("A revision needs a title.", 'invoke db.gen -m "add …"')
        return []
    if not renamed and app_changes.look(repo).exists():
        return []
    app_models.app_schema(repo.config)  # what is wrong with app.py is told at the first import
    with files.alone(repo.config):
        if not is_plain:
            with suppress(Failure, safely.Unfit), _draft(repo) as draft:
                return _placed(repo, _written(draft, title, working, renamed, there, True))
        with _draft(repo) as draft:
            return _placed(repo, _written(draft, title, working, renamed, there, False))


def _written(
    draft: Repo,
    title: str,
    working: Working,
    renamed: Sequence[str],
    there: frozenset[str],
    is_split: bool,
) -> list[Generated]:
    """The revisions, tried: one, with an online one after it where something is left to that.

    Raises:
        Unfit: a rename may be meant, and that is for a person to say first.
    """
    found = app_changes.compare(draft, title, working, renamed, there=there, is_split=is_split)
    if found is None:
        return []
    if found.rest is not None and renames.chosen(renames.likely(found.comparison), renamed):
        raise safely.Unfit
    made = []
    if found.path is not None:
        made.append(_settled(draft, title, working, renamed, found, there, is_split))
    if found.rest is not None:
        own = f"{title}, online" if made else title
        made.append(_online(draft.config, own, working, found.rest))
    return made


def _online(config: Config, title: str, working: Working, bare: frozenset[str]) -> Generated:
    """The online revision that makes the rest.

    Raises:
        Unfit: part of the rest has no safe way.
        Failure: it does not run on the shadow, or does not end where `app.py` does.
    """
    from twolane.migrations import compare
    from twolane.repo.contents import read_repo

    repo = read_repo(config)
    replays = Replays(repo, working)
    base, head = app_changes.lane_a(replays), replays.at(repo.revisions)
    with shadow.connect(config, head.database) as connection:
        declared = app_models.declared(connection, config, base, head.facts)
        casts = generation.casting(connection)
        rest = Comparison(base, head.facts, declared, replays.base().facts.keys() - base.keys())
        back = compare.statements(rest.new, rest.old, casts)
    up = safely.upgrade(rest, bare)
    path = generation.write_online(config, title, up, safely.downgrade(back))
    formatting.format_revision(path)
    made, more = _try_out(config, path, working, rest)
    if any(more) or made.unseen:
        raise safely.Unfit
    return made


def write_empty(repo: Repo, title: str | None, working: Working) -> Generated:
    """Writes a revision that does nothing yet, for what has to be written by hand.

    Raises:
        Failure: no title.
    """
    if not title:
        raise Failure("A revision needs a title.", 'invoke db.gen --empty -m "add …"')
    with files.alone(repo.config), _draft(repo) as draft:
        path = generation.write_empty(draft.config, title)
        formatting.format_revision(path, keep_imports=True)
        return _placed(repo, [_try_out(draft.config, path, working)[0]])[0]


def merge(repo: Repo, title: str | None) -> Path:
    """Writes a revision that does nothing and builds on every head.

    Raises:
        Failure: there is one head.
    """
    several = revisions.heads(repo.revisions)
    if len(several) < 2:
        raise Failure("There is one head: nothing to merge.", "invoke db.status")
    with files.alone(repo.config), _draft(repo) as draft:
        path = generation.merge(draft.config, title or f"merge {' and '.join(several)}")
        formatting.format_revision(path, keep_imports=True)
        place = repo.config.migrations / "versions" / path.name
        files.write({place: path.read_text(encoding="utf-8")})
        return place


def by_hand(repo: Repo, drift: Sequence[Change], working: Working) -> frozenset[str]:
    """The columns among the drift that `app.py` declares just so: a revision may make them, too."""
    added = [c for c in drift if c.before is None and identities.kind(c.identity) == "column"]
    if not added:
        return frozenset()
    replays = Replays(repo, working)
    base, head = replays.base(), replays.at(repo.revisions)
    with shadow.connect(repo.config, head.database) as connection:
        declared = app_models.declared(connection, repo.config, base.facts, head.facts)
    return frozenset(c.identity for c in added if declared.get(c.identity) == c.after)


def likely_renames(repo: Repo, working: Working, renamed: Sequence[str]) -> Sequence[Likely]:
    """Pairs of what goes and what comes that may be renames, and are in none that was asked for."""
    if app_changes.look(repo).exists():
        return ()
    found = app_changes.compare(repo, None, working, renamed)
    return renames.chosen(renames.likely(found.comparison), renamed) if found else ()


def _placed(repo: Repo, made: Sequence[Generated]) -> list[Generated]:
    folder = repo.config.migrations / "versions"
    files.write({folder / each.path.name: each.path.read_text(encoding="utf-8") for each in made})
    return [replace(each, path=folder / each.path.name) for each in made]


def _settled(
    draft: Repo,
    title: str,
    working: Working,
    renamed: Sequence[str],
    found: generation.Found,
    there: frozenset[str],
    is_split: bool,
) -> Generated:
    """The revision after a trial; what it leaves undone, up or down, is added once as SQL."""
    assert found.path is not None
    made, more = _trial(draft.config, found, working)
    if any(more):
        found.path.unlink()
        again = app_changes.compare(draft, title, working, renamed, more, there, is_split)
        if again is not None and again.path is not None:
            made, _ = _trial(draft.config, again, working)
    likely = renames.likely(found.comparison)
    return replace(made, renames=renames.chosen(likely, renamed))


def _trial(
    config: Config, found: generation.Found, working: Working
) -> tuple[Generated, tuple[Sequence[str], Sequence[str]]]:
    assert found.path is not None
    try:
        return _try_out(config, found.path, working, found.comparison)
    except Failure as failure:
        raise Failure(
            f"{failure.message}\n  It does not run on the shadow, and was taken away.",
            f"Change app.py, or write it by hand: invoke db.gen --empty. {failure.first}",
        ) from failure


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


def _try_out(
    config: Config, path: Path, working: Working, comparison: Comparison | None = None
) -> tuple[Generated, tuple[Sequence[str], Sequence[str]]]:
    """The revision's plan, and the SQL that it lacks to reach `app.py`, and to lead back."""
    from twolane.repo.contents import read_repo

    repo = read_repo(config)
    last = repo.revisions[-1]
    below = revisions.up_to(repo.revisions, last.down[0] if last.down else None)
    stand = Stand(repo.order.before, below, (), ())
    plan = rehearsal.rehearse(repo, stand, Steps((last,)), working).plan
    refuse(guards.session(plan), guards.baseline(plan), guards.sql_only(plan))
    made = Generated(path, plan.revisions[-1].title, plan)
    if comparison is None:
        return made, ((), ())
    after = Comparison(comparison.base, plan.after, comparison.after)
    with shadow.connect(config, Replays(repo, working).at(below).database) as connection:
        down = (
            _undone_online(config, Replays(repo, working), last, plan.before)
            if last.online
            else generation.undone(connection, config, last, plan.before)
        )
        casts = generation.casting(connection)
        back = Comparison(comparison.base, down, plan.before)
        more = _lacking(after, casts), _lacking(back, casts)
    return replace(made, unseen=after.changes), more


def _undone_online(
    config: Config, replays: Replays, revision: revisions.Revision, before: Snapshot
) -> Snapshot:
    """The facts after the online revision went up and down again, on a copy."""
    from twolane.migrations import online

    end = replays.at(revisions.up_to(replays.repo.revisions, revision.id))
    with shadow.open_clone(config, end.database) as connection:
        try:
            online.downgrade(connection, config, revision.down[0] if revision.down else "base")
        except Failure:
            return before
        return catalog.read(connection)


def _lacking(comparison: Comparison, casts: Casts) -> list[str]:
    from twolane.migrations import compare

    return compare.statements(comparison.old, comparison.new, casts) if comparison.changes else []
