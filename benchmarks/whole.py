"""The workloads of commands that go through all of a service or all of its database."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping

from . import schema, service
from .checks import says, succeeded
from .measure import Run, Subject
from .peers import QUIET
from .service import Service
from .workloads import LIVE, SAME, Aim, Site, Workload, absent, measured, place_of

BARE, PLAIN, COPY = "bare", "plain", "copy"


def deploy(site: Site) -> Workload:
    """Nothing is to be deployed; the peer finds its only migration in a copy of the database."""

    def idle(run: Run) -> str:
        return succeeded(run) or says(run, "Nothing to deploy")

    subjects, peer = [measured(site, ["db.deploy"], idle)], "supabase db push"
    if program := site.peers.programs.get("supabase"):
        place = place_of(site, "deploy")
        migrations = place / "supabase/migrations"
        migrations.mkdir(parents=True, exist_ok=True)
        (migrations / "20260101000000_nothing.sql").write_text("select 1;\n")
        remote = f"--remote={site.server.url(SAME)}"
        command = [str(program), "db", "push", "--workdir", ".", "--yes", remote]
        subjects.append(Subject(peer, command, place, succeeded, QUIET, limit=site.limit))
    return Workload("db.deploy, nothing to do", subjects, missing=absent(site, {"supabase": peer}))


def check(site: Site) -> Workload:
    """The floor is psql, which runs each SQL file once on a new database; ours runs them twice."""

    def fine(run: Run) -> str:
        return succeeded(run) or says(run, "0 errors")

    def renew() -> None:
        site.server.drop(BARE)
        site.server.create(BARE)

    files = [f"--file=supabase/sql/{name}" for name in site.service.files]
    command = [str(site.server.programs / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", *files]
    floor = Subject(
        "psql, the files once",
        [*command, site.server.url(BARE)],
        site.service.folder,
        succeeded,
        before=renew,
        limit=site.limit,
    )
    subjects = [measured(site, ["db.check"], fine), floor]
    return Workload("db.check", subjects, after=lambda: site.server.drop(BARE))


def page(site: Site) -> Workload:
    def drawn(run: Run) -> str:
        return succeeded(run) or says(run, "schema.html")

    return Workload("db.page", [measured(site, ["db.page"], drawn), dump(site)])


def prove(site: Site) -> Workload:
    """The floor is a copy of the database, which ours works on."""

    def proven(run: Run) -> str:
        return succeeded(run) or says(run, "Tenancy holds")

    psql = [str(site.server.programs / "psql"), "--quiet", site.server.url()]
    words = [f"drop database if exists {COPY}", f"create database {COPY} template {LIVE}"]
    command = [*psql, *(f"--command={each}" for each in words)]
    floor = Subject("a copy of the database", command, site.service.folder, succeeded)
    return Workload(
        "db.prove",
        [measured(site, ["db.prove"], proven), floor],
        after=lambda: site.server.drop(COPY),
    )


def adopt(site: Site) -> Workload:
    """A service that was just rendered takes in a database with the same tables."""
    site.server.create(PLAIN)
    for text in schema.sql_files(site.size).values():
        site.server.run(text, PLAIN)
    site.server.settle(PLAIN)
    place = site.service.folder.with_name(f"adopting-{site.size}")
    service.render(site.source, place)
    service.commit(place)
    adopting = Service(place, {"DATABASE_URL": site.server.url(PLAIN), **service.ENGINE})

    def renew() -> None:
        adopting.invoke("db.down", "--prune")
        service.execute(["git", "checkout", "--quiet", "."], place)
        service.execute(["git", "clean", "--quiet", "--force", "-d"], place)

    def identical(run: Run) -> str:
        return succeeded(run) or says(run, "✓ Identical")

    def clear() -> None:
        adopting.invoke("db.down")
        shutil.rmtree(place)
        site.server.drop(PLAIN)

    command = [*service.invoke(), "db.adopt"]
    ours = Subject("invoke", command, place, identical, adopting.env, renew)
    return Workload("db.adopt", [ours, dump(site, PLAIN)], after=clear)


def push(site: Site) -> Workload:
    """Each of our pushes applies a revision with one table. It comes last: `app.py` lacks it.

    This function writes the revisions itself, which avoids a `db.gen` before each. The peer is the
    same push that does not look at what facts don't show.
    """
    versions = site.service.folder / "migrations/versions"
    (first,) = versions.glob("*.py")
    found = re.search(r'^revision.* = "(\w+)"$', first.read_text(encoding="utf-8"), re.MULTILINE)
    head, pushes = found[1] if found else "", 0

    def add() -> None:
        nonlocal head, pushes
        pushes += 1
        head, text = schema.revision(pushes, head)
        (versions / f"{head}.py").write_text(text)

    def pushed(run: Run) -> str:
        return succeeded(run) or says(run, f"✓ Pushed {head} ")

    ours, peer = measured(site, ["db.push"], pushed, add), "db.push without the looks"
    blind = [sys.executable, "-c", _BLIND, "db.push"]
    other = Subject(peer, blind, ours.folder, pushed, ours.env, add, site.limit)
    return Workload("db.push, one table", [ours, other], {peer: Aim(1.2)})


# Invoke, with an engine that sees nothing but facts.
_BLIND = """
import sys
from invoke.main import program
from twolane.facts.traces import Look
from twolane.postgres import traces
nothing = Look({}, frozenset(), frozenset(), frozenset(), {})
traces.look = lambda *_, **options: nothing
program.run(["invoke", *sys.argv[1:]])
"""


def dump(site: Site, database: str = LIVE) -> Subject:
    """`pg_dump --schema-only`, which reads the same catalogs."""
    command = [str(site.server.programs / "pg_dump"), "--schema-only", site.server.url(database)]
    return Subject("pg_dump", command, site.service.folder, succeeded)


AT_EACH_SIZE: Mapping[str, Callable[[Site], Workload]] = {
    "db.deploy, nothing to do": deploy,
    "db.page": page,
    "db.prove": prove,
    "db.check": check,
    "db.adopt": adopt,
    "db.push, one table": push,
}
"""In this order: after a push, `app.py` lacks what its revision made."""
