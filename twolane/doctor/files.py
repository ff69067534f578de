"""The doctor's checks of the service's files: SQL that runs only once, extensions, models."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from twolane.doctor import repeatable
from twolane.doctor.findings import error, info, warning
from twolane.doctor.locks import Shadow
from twolane.doctor.server import Server
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.guards import guards
from twolane.guards.checks import examines
from twolane.guards.findings import Finding, from_failure, from_refusal
from twolane.lanes import app_changes
from twolane.migrations import app_models
from twolane.postgres import standins
from twolane.repo import sqlfiles
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.locations import FOLDER, Place
from twolane.repo.sqlfiles import SqlFile
from twolane.shadow.shadow_server import VARIABLE

_VECTOR = re.compile(r"(?:\S+\.)?(?:vector|halfvec|sparsevec)(?:\(\d+\))?(?:\[\])?")


@examines("syntax", "each SQL file, parsed", "repo")
def syntax(repo: Repo) -> Iterator[Finding]:
    """Reports SQL files that can't be parsed, before an apply fails on one."""
    for file in repo.order.files:
        try:
            sqlfiles.check(file)
        except Failure as failure:
            yield from_failure(failure, "", file.name, FOLDER)


@examines("files", "SQL files in their order, revisions", "repo")
def order(repo: Repo) -> Iterator[Finding]:
    """Reports SQL files that no command runs, and two heads of the revisions (G09, G11)."""
    if refusal := guards.order(repo):
        yield from_refusal(refusal, "bootstrap.txt", Place("supabase/bootstrap.txt"))
    if refusal := guards.history(repo, Ledger()):
        yield from_refusal(refusal, "migrations")


@examines("repeatable", "statements that run once only", "files")
def once(files: Sequence[SqlFile]) -> Iterator[Finding]:
    """Reports statements that run only once: after an edit, the file fails on existing objects."""
    for file in files:
        for found in repeatable.find(file):
            yield warning(
                file.name,
                f"`create {found.made.title}` fails when the file runs again."
                if found.made.kind not in ("column", "constraint", "value")
                else f"`add {found.made.title}` fails when the file runs again.",
                found.made.fix,
                place=Place(f"{FOLDER}{file.name}", found.line),
            )


def extensions(
    files: Sequence[SqlFile], available: Collection[str], where: str, first: str
) -> Iterator[Finding]:
    """Reports missing extensions: an apply or a replay would fail at `create extension`."""
    for file in files:
        for name, line in repeatable.extensions(file):
            if name not in available:
                yield error(
                    name,
                    f"{file.name} needs the extension {name}, which {where} doesn't have.",
                    first,
                    place=Place(f"{FOLDER}{file.name}", line),
                )


@examines("shadow-extensions", "extensions that the files need there", "files", "shadow")
def shadow_extensions(files: Sequence[SqlFile], found: Shadow) -> Iterator[Finding]:
    """Reports extensions that the shadow's server lacks."""
    first = (
        '[tool.twolane] postgres = "/usr/lib/postgresql/…/bin", a Postgres of this machine that '
        f"has it; or {VARIABLE}, a server elsewhere"
    )
    return extensions(files, found.available, "the shadow's server", first)


@examines("extensions", "extensions that the files need there", "files", "server")
def target_extensions(files: Sequence[SqlFile], server: Server) -> Iterator[Finding]:
    """Reports extensions that the target's server lacks."""
    first = "Install it on the server; on Supabase: Database > Extensions"
    return extensions(files, server.available, f"target {server.target}", first)


@examines("stand-ins", "extensions that are stand-ins", "files", "extension_sources")
def stand_ins(
    files: Sequence[SqlFile], servers: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    """Explains why an extension's function raises an error here and not on Supabase, or why an
    index makes no query faster. servers: name → the extensions that it could install."""
    needed = {name for file in files for name, _ in repeatable.extensions(file)}
    found = {
        (name, comment): [server for server in servers if servers[server].get(name) == comment]
        for available in servers.values()
        for name, comment in available.items()
        if name in needed and comment.startswith(standins.COMMENT)
    }
    old = {each for each in found if each[0] not in standins.names()}
    ways = (
        (
            found.keys() - old,
            "Extensions for which there is a stand-in:",
            '[tool.twolane] postgres = "/usr/lib/postgresql/…/bin", a Postgres of this machine '
            "that has the real ones",
        ),
        (
            old,
            "Stand-ins that an earlier twolane made; this server has the real ones:",
            "invoke db.reset, then invoke db.bootstrap: they are made anew, and so are all rows",
        ),
    )
    for some, what, first in ways:
        if some:
            yield info(
                ", ".join(sorted({name for name, _ in some})),
                what,
                first,
                [
                    f"{comment} ({' and '.join(found[name, comment])})"
                    for name, comment in sorted(some)
                ],
            )


@examines("scope", "tables of app.py and of SQL", "repo")
def scope(repo: Repo) -> Iterator[Finding]:
    """Reports models in app.py for tables of lane A (G04): such a model knows only the columns that
    it declares, so the ORM would drop what SQL made."""
    app = (repo.config.schema / "app.py").relative_to(repo.config.root).as_posix()
    declared = app_models.app_schema(repo.config).tables
    if refusal := guards.scope(declared, app_changes.relations(repo.lock)):
        yield from_refusal(refusal, app, Place(app))


@dataclass(frozen=True)
class Models:
    """The mirror, the text of introspected.py, and whether pgvector's Python package is there."""

    lock: Snapshot
    text: str
    has_pgvector: bool


def models(repo: Repo) -> Models:
    path = repo.config.introspected
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return Models(repo.lock, text, find_spec("pgvector") is not None)


@examines("vectors", "the types of vector columns", "models")
def vectors(found: Models) -> Iterator[Finding]:
    """Reports vectors that come back as text: without their type in the models, a column has the
    type that information_schema gives it, USER-DEFINED."""
    columns = vector_columns(found.lock)
    if not columns:
        return
    names = ", ".join(columns)
    if not found.has_pgvector:
        yield error(
            "pgvector",
            f"The Python package pgvector is not installed, which the models need for {names}.",
            "pip install -e .",
        )
    elif "from pgvector.sqlalchemy import" not in found.text:
        yield warning(
            "introspected.py",
            f"introspected.py has no vector type, and the database has {names}.",
            "invoke db.sync",
        )


def vector_columns(facts: Snapshot) -> Mapping[str, str]:
    """The columns of pgvector's types, `schema.table.column` → type."""
    types = {
        identity.removeprefix("column "): str(catalog.definition(text).get("type", ""))
        for identity, text in facts.items()
        if identities.kind(identity) == "column"
    }
    return {name: kind for name, kind in types.items() if _VECTOR.fullmatch(kind)}
