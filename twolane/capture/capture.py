"""Turns changes made by hand into SQL files of lane A, proven on the shadow before writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.capture import renamed, trial
from twolane.capture.trial import Trial
from twolane.config import Config
from twolane.ddl import render
from twolane.ddl.render import Left, Rank, Statement
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities, views
from twolane.facts.catalog import Change, Snapshot
from twolane.migrations.renames import Rename
from twolane.postgres.transactions import ask, transaction
from twolane.repo import order, sqlfiles
from twolane.repo.contents import Repo
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state.state import State

if TYPE_CHECKING:
    from psycopg import Connection

NO_REASON = "no statement alone brings it about"
_EXTENSIONS = "an extension brought it, which a superuser made: no other role gives or takes there"


@dataclass(frozen=True)
class Captured:
    """SQL files that repeat changes made by hand.

    made: the changes that they make. left: the changes that they don't make, and why. loses: what
    another database loses if it has it and runs them. undone: SQL file → the changes that it undoes
    when it runs again, one line per fact, or its error message. reordered: tables that have the
    same columns in another order where the files make them.
    """

    files: tuple[SqlFile, ...]
    made: Sequence[Change]
    left: Sequence[Left]
    loses: Sequence[str]
    undone: Mapping[str, Sequence[str]]
    reordered: Sequence[str] = ()


Columns = Mapping[str, Sequence[str]]
_COLUMNS = """
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
    pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) order by a.attnum)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
group by c.oid, n.nspname, c.relname
"""


def columns(connection: Connection[Any]) -> Columns:
    """Each table's columns in their order, which is no fact: a captured table keeps it."""
    return dict(ask(connection, _COLUMNS).fetchall())


def read(
    state: State,
    owner: str,
    placed: Columns,
    stem: str,
    working: Callable[[str], Any],
    renames: Sequence[Rename] = (),
) -> Captured:
    """The files for all changes that lane A's files don't make, `state.uncaptured`. Writes nothing.

    Changes that don't concern an app table come before the mark, so that app tables can use them;
    the rest comes after it. owner: the live database's owner. placed: its tables' columns in order.
    stem: the start of the files' names. renames: what goes and comes as one.

    Raises:
        Failure: the shadow's server is out of reach.
    """
    with working("trying the changes on the shadow"):
        first = _before_the_mark(state, owner, placed, working, renames)
        early = _files(first.ran, stem, after=False)
        try:
            whole = _whole(state, early, working)
        except Failure:  # a later file fails after these changes
            early, whole = [], _whole(state, [], working)
        then = _after_the_mark(state, owner, placed, whole, renames)
        made = [*early, *_files(then.ran, f"{stem}_app" if early else stem, after=True)]
        whole = _whole(state, made, working)
        left = [
            Left(c, then.reasons.get(c.identity, no_reason(c, state.live, whole.facts)))
            for c in _uncaptured(state, whole)
        ]
        still = {each.change.identity for each in left}
        settled = [change for change in state.uncaptured if change.identity not in still]
        ran = [*(first.ran if early else ()), *then.ran]
        return Captured(
            tuple(made),
            settled,
            left,
            [statement.loses for statement in ran if statement.loses],
            dict(_undone(state, made, whole, {change.identity for change in state.uncaptured})),
            _reordered(state, whole, settled, placed),
        )


def _reordered(
    state: State, whole: shadow.Replay, made: Sequence[Change], placed: Columns
) -> list[str]:
    """The tables of these changes whose columns stand in another order on the shadow."""
    tables = {str(identities.relation(change.identity)) for change in made}
    with shadow.connect(state.repo.config, whole.database) as connection:
        there = columns(connection)
    return sorted(
        table
        for table in tables & placed.keys() & there.keys()
        if placed[table] != there[table] and set(placed[table]) == set(there[table])
    )


def _before_the_mark(
    state: State,
    owner: str,
    placed: Columns,
    working: Callable[[str], Any],
    renames: Sequence[Rename],
) -> Trial:
    base = Replays(state.repo, working).base()
    first = {
        change.identity
        for change in state.uncaptured
        if not _is_about_app(change.identity, state)
        and base.facts.get(change.identity) == change.before
    }

    def changes(facts: Snapshot) -> list[Change]:
        """The changes to make, and those that undo their side effects."""
        return [
            change
            for change in catalog.diff(facts, state.live)
            if change.identity in first
            or facts.get(change.identity) != base.facts.get(change.identity)
        ]

    if not first:
        return Trial((), {})
    asked = list(renamed.statements(renames, base.facts))
    return _try(state, base, changes, owner, placed, asked)


def _after_the_mark(
    state: State, owner: str, placed: Columns, whole: shadow.Replay, renames: Sequence[Rename]
) -> Trial:
    def changes(facts: Snapshot) -> list[Change]:
        return replace(state, replayed=facts).uncaptured

    if not _uncaptured(state, whole):
        return Trial((), {})
    asked = list(renamed.statements(renames, whole.facts))
    return _try(state, whole, changes, owner, placed, asked)


def _try(
    state: State,
    base: shadow.Replay,
    changes: Callable[[Snapshot], Sequence[Change]],
    owner: str,
    placed: Columns,
    first: Sequence[Statement],
) -> Trial:
    with shadow.open_clone(state.repo.config, base.database) as connection:
        return trial.bring_about(connection, changes, state.live, owner, placed, first)


def no_reason(change: Change, *sides: Snapshot) -> str:
    """Why a fact of the database stays as it is, where Postgres gave no reason.

    sides: the facts of the database and those of the files; what an extension brought is in none.
    """
    about = identities.about(change.identity)
    if about is None or identities.kind(about) == "sequence" or any(about in s for s in sides):
        return NO_REASON
    return _EXTENSIONS if identities.kind(change.identity) == "grant" else NO_REASON


def _is_about_app(identity: str, state: State) -> bool:
    """Whether a fact is about an object that the app's revisions make."""
    about = identities.about(identity) or identity
    return about in state.app or f"table {identities.relation(identity)}" in state.app


def _whole(state: State, made: Sequence[SqlFile], working: Callable[[str], Any]) -> shadow.Replay:
    """The shadow made from all of the repo's files and these files."""
    listed = state.repo.order
    early, late = ([f for f in made if f.after_migrations is after] for after in (False, True))
    every = (*listed.before, *early, *listed.after, *late)
    repo = replace(state.repo, order=replace(listed, files=every))
    return Replays(repo, working).whole()


def _uncaptured(state: State, whole: shadow.Replay) -> list[Change]:
    """The changes by which the live SQL lane differs from this replay."""
    connect = partial(shadow.connect, state.repo.config, whole.database)
    return replace(state, replayed=views.settle(whole.facts, state.live, connect)).uncaptured


def _files(ran: Sequence[Statement], stem: str, after: bool) -> list[SqlFile]:
    """A file, and before it one for new enum values: they can be used after its transaction."""
    values = [statement for statement in ran if statement.rank is Rank.VALUE]
    rest = [statement for statement in ran if statement.rank is not Rank.VALUE]
    groups = [(f"{stem}_values", values), (stem, rest)] if values and rest else [(stem, ran)]
    return [_file(name, statements, after) for name, statements in groups if statements]


def _file(stem: str, statements: Sequence[Statement], after: bool) -> SqlFile:
    text = render.text(statements, "Changes that were made by hand, captured by db.capture.")
    return sqlfiles.of_text(f"{stem}.sql", text, after)


def _undone(
    state: State, made: Sequence[SqlFile], whole: shadow.Replay, captured: set[str]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Runs each file once more; yields the captured facts that it undoes (G08), or its error."""
    from psycopg import Rollback

    with shadow.connect(state.repo.config, whole.database) as connection:
        for file in (*state.repo.order.files, *made):
            try:
                with transaction(connection):
                    sqlfiles.run(connection, file)
                    after = catalog.read(connection)
                    raise Rollback
            except FileFailure as failure:
                yield file.name, failure.message.splitlines()
                continue
            undone = [c for c in catalog.diff(whole.facts, after) if c.identity in captured]
            if undone:
                yield file.name, differences.flat(undone)


def free_stem(repo: Repo, wanted: str) -> str:
    """`wanted`, with a number appended if a file of that name exists already."""
    taken = {path.name for path in repo.config.sql.iterdir()}
    numbers = (f"{wanted}_{number}" for number in range(2, len(taken) + 3))
    return next(
        stem
        for stem in (wanted, *numbers)
        if not any(name.startswith(f"{stem}.") or name.startswith(f"{stem}_") for name in taken)
    )


def write(config: Config, made: Sequence[SqlFile]) -> list[Path]:
    """Writes the files and lists them in `bootstrap.txt`, whose lines stay as they are.

    Raises:
        Failure: one of them is there already; nothing is written then.
    """
    texts = {config.sql / file.name: file.text for file in made}
    with files.alone(config):
        if there := [path.name for path in texts if path.exists()]:
            raise Failure(
                f"{there[0]} exists already in supabase/sql; it is yours.",
                "invoke db.capture --name ANOTHER",
            )
        early, late = ([f.name for f in made if f.after_migrations is x] for x in (False, True))
        listed = order.with_files(order.read_text(config), early, late)
        files.write({**texts, config.order_file: listed})
    return [*texts, config.order_file]
