"""`db.disown`: tables of the app become the SQL lane's, with an SQL file that makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twolane.capture import capture, trial
from twolane.ddl import render
from twolane.ddl.render import Rank
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities, ownership
from twolane.facts.catalog import Change, Snapshot
from twolane.models import app_file
from twolane.models.relations import read_relations
from twolane.moves import formatted, move
from twolane.moves.move import Move, short
from twolane.repo import order, sqlfiles
from twolane.repo.contents import Repo
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state.state import State
from twolane.text import shortened

_LEFT_OUT = ("owner", "grant")
"""Kinds that the database chooses for a new table, and that other files may have changed."""


def plan(state: State, owner: str, names: Sequence[str], working: Callable[[str], Any]) -> Move:
    """What `db.disown` writes: a revision that moves the tables, an SQL file, the mirror, and
    `app.py` without their classes.

    owner: the database's owner.

    Raises:
        Failure: other code of `app.py` needs a class as it is, or no SQL makes a table so.
    """
    repo = state.repo
    replays = Replays(repo, working)
    app = replays.app(repo.revisions)
    tables = _chosen(state, app, names)
    title = f"disown {', '.join(map(short, tables))}"
    if not tables:
        return Move((), title, {})
    moved = [*tables, *ownership.enums(app, tables)]
    new = _files(replays, tables, moved, app, owner, working)
    with move.draft(repo, title, move.DISOWNS, moved) as draft:
        files = (*repo.order.files, *new)
        listed = replace(draft.repo, order=replace(repo.order, files=files))
        after, _ = move.settled(replace(draft, repo=listed), state, working)
        text, notes = _app_py(repo, after, tables)
        path = after.config.schema / "app.py"
        formatted.write(path, text, like=repo.config.schema / "app.py")
        move.prove(draft, after, working)
        _expect_nothing_new(repo, after, working)
        made = move.texts(draft, repo, after, path.read_bytes().decode())
    config = repo.config
    sql = {config.sql / file.name: file.text for file in new}
    if new:
        listed_names = [file.name for file in new]
        sql[config.order_file] = order.with_files(order.read_text(config), after=listed_names)
    return Move(tables, title, {**sql, **made}, notes)


def _chosen(state: State, app: Snapshot, names: Sequence[str]) -> list[str]:
    own = [i.removeprefix("table ") for i in app if identities.kind(i) == "table"]
    others = [
        i.removeprefix("table ")
        for i in state.repo.lock
        if identities.kind(i) == "table" and i not in app
    ]
    found = [move.find(name, [*own, *others], lambda table: "") for name in names]
    return list(dict.fromkeys(table for table in found if table in own))


def _files(
    replays: Replays,
    tables: Sequence[str],
    moved: Sequence[str],
    app: Snapshot,
    owner: str,
    working: Callable[[str], Any],
) -> Sequence[SqlFile]:
    """The SQL that makes the tables as the revisions do, found by making them anew.

    moved: the tables, and the enums that go along. None where files before the mark make just that:
    the revisions have changed nothing.

    Raises:
        Failure: a part of them has no words in SQL that may run twice.
    """
    repo = replays.repo
    base, head = replays.base().facts, replays.at(repo.revisions)
    wanted = {
        i
        for i in app.keys() - ownership.app(app, {}, (), moved).keys()
        if identities.kind(i) not in _LEFT_OUT
    } | ownership.structure(head.facts, moved)

    if all(base.get(identity) == head.facts[identity] for identity in wanted):
        return ()

    def lacking(facts: Snapshot) -> list[Change]:
        return [c for c in catalog.diff(facts, head.facts) if c.identity in wanted]

    with (
        working("making it anew on the shadow"),
        shadow.open_clone(repo.config, head.database) as connection,
    ):
        for identity in sorted(wanted, key=lambda i: (identities.kind(i) != "table", i)):
            kind = {"table": "table", "enum": "type"}.get(identities.kind(identity))
            if kind:  # a partition goes with its table
                name = identity.partition(" ")[2]
                connection.execute(f"drop {kind} if exists {name} cascade".encode())
        done = trial.bring_about(connection, lacking, head.facts, owner)
        left = lacking(catalog.read(connection))
    if left:
        lines = "\n".join(f"    {line}" for line in shortened(differences.flat(left)))
        raise Failure(f"No statement that may run twice makes this:\n{lines}")
    ran = [s for s in done.ran if s.rank not in (Rank.RIGHTS, Rank.COLUMN_RIGHTS)]
    names = ", ".join(map(short, tables))
    title = f"{names}, as the revisions first made it; what is to change comes below."
    stem = capture.free_stem(repo, f"60_{'_'.join(map(_word, tables[:3]))}")
    return (sqlfiles.of_text(f"{stem}.sql", render.text(ran, title), after=True),)


def _word(table: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in short(table)).lower()


def _app_py(repo: Repo, after: Repo, tables: Sequence[str]) -> tuple[str, list[str]]:
    relations, _, _ = read_relations(after.lock)
    mirrored = {each.identity: each.class_name for each in relations}
    text = (repo.config.schema / "app.py").read_bytes().decode()
    gone = {identities.plain(table): mirrored[table] for table in tables}
    classes = app_file.tables(text)
    try:
        new = app_file.without_tables(text, gone)
    except app_file.Unfit as unfit:
        raise Failure(
            f"{unfit}.",
            "Say it there without that class (a foreign key as ForeignKey(Class.id), a "
            "relationship without back_populates), then run the same command again.",
        ) from unfit
    renamed = [
        f"{classes[table]} of app.py is {name} in introspected.py"
        for table, name in gone.items()
        if table in classes and classes[table] != name
    ]
    return new, renamed


def _expect_nothing_new(repo: Repo, after: Repo, working: Callable[[str], Any]) -> None:
    """Expects that all files make what they made before."""
    before, then = Replays(repo, working).whole().facts, Replays(after, working).whole().facts
    if changes := catalog.diff(before, then):
        lines = "\n".join(f"    {line}" for line in shortened(differences.flat(changes)))
        raise Failure(f"The SQL file would change something; nothing was written:\n{lines}")
