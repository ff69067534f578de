"""A revision is written: what `app.py` declares against what the revisions make."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations.app_models import app_metadata
from twolane.migrations.comparable import Comparison
from twolane.migrations.session import run, session
from twolane.migrations.wording import ways
from twolane.postgres import transactions
from twolane.repo import ledger_tables
from twolane.repo.revisions import Revision

if TYPE_CHECKING:
    from alembic.operations.ops import MigrationScript
    from psycopg import Connection

    from twolane.migrations.alterations import Casts
    from twolane.migrations.compare import Renaming


@dataclass(frozen=True)
class Goal:
    """What a revision is to reach: the facts that `app.py` declares, beside those of `base`.

    head: what all revisions so far make, which the database has before the new one is written.
    renames: as `db.gen --rename` takes them. more: what a trial of the revision found lacking.
    there: facts that somebody made by hand in the target already, just as `app.py` declares them.
    shared: see `Comparison`. is_split: whether what has a safe way on a large table is left to an
    online revision.
    """

    base: Snapshot
    head: Snapshot
    declared: Snapshot
    renames: Sequence[str] = ()
    more: tuple[Sequence[str], Sequence[str]] = ((), ())
    there: frozenset[str] = frozenset()
    shared: Collection[str] = ()
    is_split: bool = False

    def comparison(self, facts: Snapshot) -> Comparison:
        """What differs between these facts and what is to be."""
        return Comparison(self.base, facts, self.declared, self.shared)


@dataclass(frozen=True)
class Found:
    """What differs, whether Alembic was given the app's metadata, and the revision, if written.

    is_renamed: whether keys, indexes or checks have other names, which `comparison` does not show.
    rest: where part of it waits for an online revision, what of new columns waits; else None.
    """

    comparison: Comparison
    is_app_metadata: bool
    path: Path | None
    is_renamed: bool = False
    rest: frozenset[str] | None = None


def generate(connection: Connection[Any], config: Config, title: str | None, goal: Goal) -> Found:
    """Compares `app.py` with the database; with a title, writes what differs as a revision.

    Renames are made first, and taken back at the end with all else.

    Raises:
        Failure: `app.py` can't be imported or compared, or a rename does not fit.
    """
    from psycopg import Rollback

    from twolane.migrations import compare, safely

    seen: list[bool] = []
    path: Path | None = None
    rest: frozenset[str] | None = None

    def keep(context: Any, _: Any, scripts: list[MigrationScript]) -> None:
        """Replaces what Alembic found; it writes no script that is removed from the list."""
        seen.append(context.opts["target_metadata"] is app_metadata(config))
        if title is None or not seen[0] or not (comparison.changes or renaming.is_change):
            scripts.clear()
            return
        more = compare.More(*goal.more, goal.there, rest or frozenset())
        casts = casting(connection), casting(connection, is_back=True)
        compare.write(scripts[0], comparison, casts, renaming, more)

    with (
        session(connection) as (alchemy, _),
        transactions.transaction(connection),
        transactions.theirs(connection),
    ):
        renaming, comparison = _renamed(connection, goal)
        if goal.is_split:
            split = safely.Split(comparison, volatile(connection))
            if split.is_needed:
                comparison, rest = split.first, split.bare
        script = run(
            config,
            alchemy,
            lambda command, settings: command.revision(
                settings, message=title, autogenerate=True, process_revision_directives=keep
            ),
            app_tables=_tables(comparison),
        )
        if script and not isinstance(script, list):
            path = Path(script.path)
        raise Rollback
    return Found(comparison, seen[0], path, renaming.is_change, rest)


def _renamed(connection: Connection[Any], goal: Goal) -> tuple[Renaming, Comparison]:
    """Makes the renames in the database; what they are, and what differs then."""
    from twolane.migrations import renames
    from twolane.migrations.compare import Renaming

    asked = renames.read(goal.renames, goal.head, goal.declared)
    for statement in (sql for rename in asked for sql in rename.statements):
        connection.execute(statement.encode())
    comparison = goal.comparison(catalog.read(connection) if asked else goal.head)
    following = renames.followers(comparison)
    for statement, _ in following:
        connection.execute(statement.encode())
    if following:
        comparison = goal.comparison(catalog.read(connection))
    return Renaming(asked, following), comparison


def casting(connection: Connection[Any], is_back: bool = False) -> Casts:
    """Finds how Postgres makes one type of another, by trying it on an empty table.

    is_back: see `ways`.
    """
    from psycopg import Error, Rollback

    def casts(old: str, new: str) -> str:
        for using in ways(old, new, is_back):
            words = f" using {using.format('c')}" if using else ""
            try:
                with connection.transaction():
                    connection.execute(f"create temporary table trial (c {old})".encode())
                    connection.execute(f"alter table trial alter c type {new}{words}".encode())
                    raise Rollback
            except Error:
                continue
            else:
                return using
        return f"{{0}}::text::{new}"

    return casts


def volatile(connection: Connection[Any]) -> Callable[[str, str], bool]:
    """Finds whether a new column is written row by row, by trying it on an empty table."""
    from psycopg import Error, Rollback

    def is_volatile(kind: str, default: str) -> bool:
        file = "select pg_catalog.pg_relation_filenode('pg_temp.trial')"
        before = after = None
        try:
            with connection.transaction():
                connection.execute("create temporary table trial (c int)")
                before = connection.execute(file).fetchone()
                add = f"alter table pg_temp.trial add column d {kind} default {default}"
                connection.execute(add.encode())
                after = connection.execute(file).fetchone()
                raise Rollback
        except Error:
            return False
        return before != after

    return is_volatile


_MARKER = (
    "\n\n# Its steps run one by one: see docs/large-tables.md of the guide.\nonline = True\n\n\n"
)


def write_online(config: Config, title: str, up: Sequence[str], down: Sequence[str]) -> Path:
    """Writes an online revision of these lines of Python.

    Raises:
        Failure: the service's own `script.py.mako` has no place for them.
    """
    path = write_empty(config, title)
    text = path.read_text(encoding="utf-8")

    def put(words: str, place: str, lacking: str) -> None:
        """Puts the words behind what the pattern's group matches, in place of the rest."""
        nonlocal text
        text, found = re.subn(place, lambda at: at[1] + words, text, count=1, flags=re.MULTILINE)
        if not found:
            raise Failure(f"{path.name} has no {lacking}: script.py.mako makes it so.")

    for name, lines in (("upgrade", up), ("downgrade", down)):
        body = "".join(f"    {line}\n" for line in lines) or "    pass\n"
        put(body, rf"(def {name}\(\)[^\n]*:\n)    pass\n", f"empty {name}() to be written into")
    used = [name for name in ("backfill", "set_not_null") if any(f"{name}(" in x for x in up)]
    if used:
        imported = f"from twolane.migrations.operations import {', '.join(used)}\n"
        put(imported, r"()^(?=from alembic import )", "from alembic import op")
    put(_MARKER, r"()\n+(?=def upgrade\()", "upgrade()")
    path.write_text(text, encoding="utf-8")
    return path


def _tables(comparison: Comparison) -> frozenset[tuple[str, str]]:
    """The tables that Alembic is to reflect: the app's, without partitions."""
    names = {i for i in comparison.before if identities.kind(i) == "table"} - comparison.base.keys()
    shown = {i.removeprefix("table ") for i in names}
    return frozenset(
        (identities.unquote(schema), identities.unquote(name))
        for schema, name in map(
            identities.split_name, shown & (comparison.tables | comparison.dropped)
        )
    )


def write_empty(config: Config, title: str) -> Path:
    """Writes a revision that does nothing yet, for what has to be written by hand."""
    script = run(config, None, lambda command, settings: command.revision(settings, message=title))
    return Path(script.path)


def merge(config: Config, title: str) -> Path:
    """Writes a revision that does nothing and builds on every head."""
    script = run(
        config, None, lambda command, settings: command.merge(settings, "heads", message=title)
    )
    return Path(script.path)


def undone(
    connection: Connection[Any], config: Config, revision: Revision, before: Snapshot
) -> Snapshot:
    """The facts after the revision went up and down again; all of it is rolled back.

    A downgrade that can't be made, or not in the upgrade's own transaction, gives the facts before.
    """
    from psycopg import Error, Rollback

    facts = before
    base = revision.down[0] if revision.down else "base"
    with session(connection) as (alchemy, _), transactions.transaction(connection):
        ledger_tables.prepare(connection)
        try:
            with transactions.theirs(connection):
                run(config, alchemy, lambda command, at: command.upgrade(at, revision.id))
                run(config, alchemy, lambda command, at: command.downgrade(at, base))
            transactions.reset(connection)
            facts = catalog.read(connection)
        except (Failure, Error):
            pass
        raise Rollback
    return facts
