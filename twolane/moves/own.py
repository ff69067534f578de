"""`db.own`: tables of the SQL lane become the app's, with classes in `app.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twolane.errors import Failure
from twolane.facts import catalog, identities, ownership
from twolane.facts.catalog import Snapshot
from twolane.models import app_class, app_file
from twolane.moves import formatted, move
from twolane.moves.move import Move, short
from twolane.repo.contents import Repo
from twolane.shadow.stages import Replays
from twolane.state.state import State

_OF_OTHER_TOOLS = ("alembic_version", "__drizzle_migrations", "schema_migrations")


@dataclass(frozen=True)
class _Ground:
    """head: what files before the mark and revisions make. whole: what all files make."""

    state: State
    head: Snapshot
    whole: Snapshot
    app: Snapshot

    def why_not(self, table: str) -> str:
        """Why no class of an app can have the table; empty if one can. Plain `schema.name`."""
        name = short(table)
        schema = table.partition(".")[0]
        if schema in _PLATFORM and f"schema {schema}" not in self.state.repo.lock:
            return f"{name} is Supabase's; its facts can't be an app's."
        for kind in ("view", "materialized view", "foreign table"):
            if any(_is(identity, kind, table) for identity in self.state.live):
                return f"{name} is a {kind}: what it is stands in its SQL; an app owns tables."
        return ""

    def hindrance(self, table: str) -> tuple[str, str]:
        """Why the table can't change its lane as it stands, and what to do first; or empty."""
        name, identity = short(table), f"table {table}"
        parts = catalog.definition(self.state.live.get(identity, "{}"))
        if "bound" in parts or "inherits" in parts or "partition_by" in parts:
            return f"{name} is partitioned, or has its columns from another table.", ""
        by_hand = [c for c in self.state.uncaptured if _moves(c.identity, table)]
        if by_hand and (identity not in self.whole or any(c.after for c in by_hand)):
            return f"No SQL file makes {name} as it is.", "invoke db.capture"
        late = _differ(self.head, self.whole, table)
        if late:
            file = move.file_of(self.state.repo.order.after, table)
            return (
                f"{file} makes or changes {name} after the revisions, so none can build on it "
                f"({late}).",
                f"move the line of {file.rpartition('/')[2]} in bootstrap.txt above @migrations, "
                "then: invoke db.check",
            )
        return "", ""


_PLATFORM = ("auth", "storage", "realtime", "extensions", "vault", "cron", "net", "graphql")


def _is(identity: str, kind: str, table: str) -> bool:
    return identities.kind(identity) == kind and (
        identities.plain(identity.removeprefix(f"{kind} ")) == table
    )


def _moves(identity: str, table: str) -> bool:
    return identities.relation(identity) == table and identities.kind(identity) in (
        *("table", "column", "constraint", "index"),
    )


def _differ(head: Snapshot, whole: Snapshot, table: str) -> str:
    """The first fact of the table itself that files after the mark make."""
    for change in catalog.diff(head, whole):
        is_its_own = identities.kind(change.identity) in ("table", "column")
        if is_its_own and identities.relation(change.identity) == table:
            return change.identity
    return ""


def plan(
    state: State, names: Sequence[str], everything: bool, working: Callable[[str], Any]
) -> Move:
    """What `db.own` writes: a revision that moves the tables, their classes, the mirror.

    A table that `app.py` has a class for already keeps it.

    Raises:
        Failure: a table can't be an app's, or its class would not say what the database has.
    """
    repo = state.repo
    replays = Replays(repo, working)
    ground = _Ground(
        state,
        replays.at(repo.revisions).facts,
        replays.whole().facts,
        replays.app(repo.revisions),
    )
    tables, notes = _all(ground) if everything else (_chosen(ground, names), [])
    while tables:
        try:
            return _move(ground, tables, notes, working)
        except move.Unlike as unlike:
            lost = {str(identities.relation(each.identity)) for each in unlike.changes}
            if not everything or not lost & set(tables):
                raise
            notes += [
                f"{short(table)} stays in the SQL lane: no class says it as it is."
                for table in tables
                if table in lost
            ]
            tables = [table for table in tables if table not in lost]
    return Move((), _title(tables), {}, notes=notes)


def _move(
    ground: _Ground, tables: Sequence[str], notes: Sequence[str], working: Callable[[str], Any]
) -> Move:
    state, repo, title = ground.state, ground.state.repo, _title(tables)
    notes = list(notes)
    moved = [*tables, *ownership.enums({**ground.state.live, **ground.whole}, tables)]
    with move.draft(repo, title, move.OWNS, moved) as draft:
        after, app = move.settled(draft, state, working)
        text = _app_py(ground, tables, app)
        path = after.config.schema / "app.py"
        formatted.write(path, text, like=repo.config.schema / "app.py")
        given = set(app_file.tables(_read(repo)))
        ours = [table for table in tables if identities.plain(table) not in given]
        notes += _kept(tables, ours)
        move.prove(draft, after, working, is_ours=not (set(tables) - set(ours)))
        made = move.texts(draft, repo, after, path.read_bytes().decode())
    notes += list(_importers(repo, app_file.tables(made[repo.config.schema / "app.py"]), tables))
    return Move(tables, title, made, notes)


def _title(tables: Sequence[str]) -> str:
    names = [short(table) for table in tables]
    return f"own {', '.join(names) if len(names) < 4 else f'{len(names)} tables'}"


def _chosen(ground: _Ground, names: Sequence[str]) -> list[str]:
    lane_a = _lane_a(ground)
    app = [i.removeprefix("table ") for i in ground.app if identities.kind(i) == "table"]
    found = []
    for name in names:
        table = move.find(name, [*lane_a, *app], ground.why_not)
        if table in app and table not in lane_a:
            continue
        reason, first = ground.hindrance(table)
        if reason:
            raise Failure(reason, first)
        found.append(table)
    return list(dict.fromkeys(found))


def _all(ground: _Ground) -> tuple[list[str], list[str]]:
    found, notes = [], []
    for table in _lane_a(ground):
        name = identities.unquote(identities.split_name(table)[-1])
        reason = "it is another tool's record." if name in _OF_OTHER_TOOLS else ""
        reason = reason or ground.hindrance(table)[0]
        if reason:
            notes.append(f"{short(table)} stays in the SQL lane: {reason}")
        else:
            found.append(table)
    return found, notes


def _lane_a(ground: _Ground) -> list[str]:
    """The tables of the SQL lane."""
    lane = {**ground.state.repo.lock, **ground.state.sql_lane}
    tables = (i for i in lane if identities.kind(i) == "table" and i not in ground.app)
    return sorted(i.removeprefix("table ") for i in tables)


def _read(repo: Repo) -> str:
    """The text of `app.py`.

    Raises:
        Failure: it is no Python.
    """
    path = repo.config.schema / "app.py"
    try:
        text = path.read_bytes().decode()
        compile(text, str(path), "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError) as error:
        raise Failure(f"app.py can't be read: {error}", "Correct it first.") from error
    return text


def _app_py(ground: _Ground, tables: Sequence[str], app: Snapshot) -> str:
    """`app.py` with the classes that it lacks."""
    text = _read(ground.state.repo)
    known = app_file.tables(text)
    new = [table for table in tables if identities.plain(table) not in known]
    if not new:
        return text
    own = set(ownership.structure(ground.head, new))
    lock = ground.state.repo.lock
    facts = {i: t for i, t in lock.items() if str(identities.relation(i)) not in tables}
    facts |= {i: t for i, t in ground.head.items() if i in app or i in own}
    classes = {table: known[identities.plain(table)] for table in _tables(app, known)}
    try:
        made = app_class.render(facts, new, app, classes)
        return app_file.with_classes(text, made)
    except app_class.Unsaid as unsaid:
        raise Failure(f"No class can have it: {unsaid}.") from unsaid
    except app_file.Unfit as unfit:
        raise Failure(f"{unfit}.", "Rename that in app.py, then run the same command again.") from (
            unfit
        )


def _tables(app: Snapshot, known: Mapping[str, str]) -> Iterator[str]:
    for identity in app:
        table = identity.removeprefix("table ")
        if identities.kind(identity) == "table" and identities.plain(table) in known:
            yield table


def _kept(tables: Sequence[str], ours: Sequence[str]) -> list[str]:
    kept = [short(table) for table in tables if table not in ours]
    return [f"app.py has a class for {', '.join(kept)} already: it stays as it is"] if kept else []


def _importers(repo: Repo, classes: Mapping[str, str], tables: Sequence[str]) -> Iterator[str]:
    """Files of the service that import a moved class from the module which no longer has it."""
    names = {classes.get(identities.plain(table), "") for table in tables} - {""}
    wanted = re.compile(r"^\s*from \S*introspected import ([^\n(]+|\([^)]*\))", re.M)
    for folder in (repo.config.source, repo.config.root / "tests"):
        for path in sorted(folder.rglob("*.py")):
            if path.parent == repo.config.schema:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            words = {w for found in wanted.findall(text) for w in re.findall(r"\w+", found)}
            if names & words:
                name = path.relative_to(repo.config.root).as_posix()
                listed = ", ".join(sorted(names & words))
                yield f"{name} imports {listed} from introspected; it is in the package now"
