"""Checks that models, mirror and files agree: app.py, introspected.py, schema.lock.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest

from twolane.check.replayed import Replayed
from twolane.config import LOCAL, Target
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities, views
from twolane.facts.catalog import Change
from twolane.guards import guards
from twolane.guards.checks import examines
from twolane.guards.findings import DIFFERENT, Finding, from_failure, from_refusal, placed
from twolane.guards.refusal import Refused
from twolane.lanes import app_changes
from twolane.migrations import app_models
from twolane.models import render
from twolane.repo.ledger import Ledger
from twolane.repo.locations import Place
from twolane.shadow import shadow
from twolane.state.state import State


@examines("scope", "no table is in both lanes", code="G04")
def scope(ground: Replayed) -> Iterator[Finding]:
    """Guard G04: no table of app.py is in the mirror."""
    app = _app_file(ground)
    try:
        declared = app_models.app_schema(ground.repo.config).tables
    except Failure as failure:
        yield from_failure(failure, "scope", app.file)
        return
    if refusal := guards.scope(declared, app_changes.relations(ground.repo.lock)):
        yield from_refusal(refusal, app.file, app)


@examines("app", "app.py is what the revisions make", needs=("history", "scope", "replay"))
def app(ground: Replayed) -> Iterator[Finding]:
    """app.py says what the revisions make, as `db.gen` compares them."""
    place = _app_file(ground)
    try:
        if app_changes.has_changes(ground.repo, ground.working):
            yield Finding(
                "app",
                place.file,
                "app.py says what no revision makes.",
                'invoke db.gen -m "…"',
                exit=DIFFERENT,
                place=place,
            )
    except Refused as refused:
        yield from_refusal(refused.refusal, place.file, place)
    except Failure as failure:
        found = from_failure(failure, "app", place.file)
        yield placed(replace(found, exit=DIFFERENT), place)


@examines("mirror", "lock and models are what the files make", needs=("replay", "baseline"))
def mirror(ground: Replayed) -> Iterator[Finding]:
    """The lock is what the SQL files make, and introspected.py what the lock makes."""
    config = ground.repo.config
    lock = config.lock.relative_to(config.root).as_posix()
    if changes := stale(ground):
        text = config.lock.read_text(encoding="utf-8") if config.lock.exists() else ""
        only_in_lock = any(change.sign == "-" for change in changes)
        first = "put what only the lock has into an SQL file; then " if only_in_lock else ""
        yield Finding(
            "mirror",
            lock,
            "What the SQL files make is not what the lock says; from lock to files:",
            f"{first}invoke db.bootstrap, and commit",
            exit=DIFFERENT,
            place=Place(lock, _line_of(text, changes)),
            details=tuple(differences.flat(changes)),
        )
    path, wanted = config.introspected, render.render_models(ground.repo.lock)
    found = path.read_bytes().decode(errors="replace") if path.exists() else ""
    if found != wanted:
        name = path.relative_to(config.root).as_posix()
        yield Finding(
            "mirror",
            name,
            "The models are not what the lock makes: they were edited, or one was not committed.",
            "invoke db.sync, and commit both files",
            exit=DIFFERENT,
            place=Place(name, _first_difference(found, wanted)),
        )


def stale(ground: Replayed) -> list[Change]:
    """What a sync would change in the lock, if the shadow were the live database.

    Left out: owners, which depend on who connects, and extensions that the shadow can't have.
    """
    repo, whole = ground.repo, ground.whole
    connect = partial(shadow.connect, repo.config, whole.database)
    facts = views.settle(whole.facts, repo.lock, connect)
    done = Ledger(
        {file.name: file.digest for file in repo.order.files},
        {revision.id: revision.digest for revision in repo.revisions},
        repo.revisions[-1].id if repo.revisions else None,
    )
    standing = State(
        repo,
        Target(LOCAL, None),
        done,
        live=facts,
        app=ground.app,
        applied_app=ground.app,
        replayed=facts,
        standing=facts,
        printed=whole.facts,
    )
    changes = catalog.diff(repo.lock, standing.sql_lane)
    return [
        change
        for change in changes
        if identities.kind(change.identity) != "owner"
        and not standing.is_out_of_reach(change.identity)
    ]


def _app_file(ground: Replayed) -> Place:
    config = ground.repo.config
    return Place((config.schema / "app.py").relative_to(config.root).as_posix())


def _line_of(lock: str, changes: Sequence[Change]) -> int | None:
    """The line of the first fact in the lock that the files make differently or not at all."""
    for change in changes:
        position = lock.find(f"\n    {json.dumps(change.identity, ensure_ascii=False)}: ")
        if position >= 0:
            return lock.count("\n", 0, position + 1) + 1
    return None


def _first_difference(found: str, wanted: str) -> int:
    pairs = zip_longest(found.splitlines(), wanted.splitlines())
    return next((n for n, (one, other) in enumerate(pairs, 1) if one != other), 1)
