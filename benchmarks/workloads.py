"""The workloads to measure, each with its peers and its aim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import schema, service
from .checks import counts, exited, reads, says, succeeded, wrote
from .measure import Run, Subject
from .peers import QUIET, Peers
from .server import Server
from .service import NOTHING, Service

LIVE, SAME, OTHER = "live", "same", "other"
DIFFERENT = 3


@dataclass(frozen=True)
class Aim:
    """The largest acceptable ratio of ours to the peer's; for one number of tables, or for any."""

    ratio: float
    size: int | None = None


@dataclass(frozen=True)
class Workload:
    """One workload: our command first, then those of the peers. aims and missing: by peer's name.

    most: the largest number of seconds for ours, if there is no peer. after: undoes the changes of
    the measurement.
    """

    name: str
    subjects: Sequence[Subject]
    aims: Mapping[str, Aim] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    most: float | None = None
    after: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Site:
    """The place to measure one size: a bootstrapped service, and three databases on one server.

    `live` is the service's, `same` a copy of it, `other` a copy with one table changed. source: the
    template that the service was rendered from.
    """

    service: Service
    server: Server
    size: int
    peers: Peers
    limit: float
    source: Path


def snapshot(site: Site) -> Workload:
    def complete(start: str) -> Callable[[Run], str]:
        return lambda run: succeeded(run) or counts(f"\n{run.out}", f"\n{start}", site.size)

    dump = [str(site.server.programs / "pg_dump"), "--schema-only", site.server.url(LIVE)]
    subjects = [
        measured(site, ["db.snapshot"], complete("table public.bench_")),
        Subject("pg_dump", dump, site.service.folder, complete("CREATE TABLE public.bench_")),
    ]
    return Workload("db.snapshot", subjects, {"pg_dump": Aim(2, 1_000)})


def sync_changed(site: Site) -> Workload:
    """Each of our syncs finds one column added or removed; the peers read the same database."""
    is_changed = False

    def flip() -> None:
        nonlocal is_changed
        site.server.run(schema.change(undo=is_changed), LIVE)
        is_changed = not is_changed

    def restore() -> None:
        if is_changed:
            flip()
            site.service.invoke("db.sync")

    def synced(run: Run) -> str:
        sign = "+" if is_changed else "-"
        return succeeded(run) or says(run, *schema.CHANGED, f" {sign} ", "✓ Wrote ")

    subjects = [measured(site, ["db.sync"], synced, flip)]
    if "drizzle-kit" in site.peers.programs:
        folder = place_of(site, "introspect")
        options = ["--dialect", "postgresql", "--url", site.server.url(LIVE), "--out", folder.name]
        subjects.append(
            _drizzle(
                site, "introspect", options, wrote(folder / "schema.ts", 'pgTable("', site.size)
            )
        )
    if program := site.peers.programs.get("sqlacodegen"):
        models = place_of(site, "sqlacodegen") / "models.py"
        url = site.server.url(LIVE).replace("postgresql:", "postgresql+psycopg:")
        subjects.append(
            Subject(
                "sqlacodegen",
                [str(program), "--outfile", str(models), url],
                models.parent,
                wrote(models, "__tablename__ = '", site.size),
                limit=site.limit,
            )
        )
    aims = {"drizzle-kit introspect": Aim(1 / 200, 1_000)}
    missing = absent(site, {"drizzle-kit": "drizzle-kit introspect", "sqlacodegen": ""})
    return Workload("db.sync, one changed", subjects, aims, missing, after=restore)


def sync_unchanged(site: Site) -> Workload:
    def idle(run: Run) -> str:
        return succeeded(run) or reads(run.out.strip(), f"✓ {NOTHING}")

    def equal(run: Run) -> str:
        return succeeded(run) or reads(run.out.strip(), "")

    return _beside_supabase(
        site, "db.sync, none changed", measured(site, ["db.sync"], idle), SAME, equal
    )


def diff(site: Site) -> Workload:
    def found(run: Run) -> str:
        return exited(run, DIFFERENT) or says(run, *schema.CHANGED, "+ ")

    def altered(run: Run) -> str:
        return succeeded(run) or says(run, 'ADD COLUMN "note" text')

    urls = ["--source", site.server.url(LIVE), "--target", site.server.url(OTHER)]
    return _beside_supabase(
        site, "db.diff", measured(site, ["db.diff", *urls], found), OTHER, altered
    )


def gen_seen(site: Site) -> Workload:
    """Nothing changed since the last comparison, which `db.gen` remembers."""

    def idle(run: Run) -> str:
        return succeeded(run) or reads(run.out.strip(), f"✓ {NOTHING}")

    return _beside_drizzle(site, "db.gen, looked before", measured(site, ["db.gen"], idle), Aim(1))


def gen_edited(site: Site) -> Workload:
    """A docstring in `app.py` changed, so `db.gen` compares the models with the shadow again."""
    edits = looks = 0

    def edit() -> None:
        nonlocal edits, looks
        edits, looks = edits + 1, site.service.looks
        text = schema.app_models().replace("The app's tables.", f"The app's tables, {edits}.")
        site.service.app.write_text(text)

    def looked(run: Run) -> str:
        new = site.service.looks - looks
        return (
            succeeded(run)
            or reads(run.out.strip(), f"✓ {NOTHING}")
            or ("" if new == 1 else f"{new} looks were taken, not one")
        )

    return _beside_drizzle(
        site, "db.gen, app.py edited", measured(site, ["db.gen"], looked, edit), Aim(3)
    )


def status(site: Site) -> Workload:
    def idle(run: Run) -> str:
        return succeeded(run) or says(run, "nothing to do")

    return Workload("db.status", [measured(site, ["db.status"], idle)])


AT_EACH_SIZE: Mapping[str, Callable[[Site], Workload]] = {
    "db.snapshot": snapshot,
    "db.sync, one changed": sync_changed,
    "db.sync, none changed": sync_unchanged,
    "db.diff": diff,
    "db.gen, looked before": gen_seen,
    "db.gen, app.py edited": gen_edited,
    "db.status": status,
}
"""In this order. `db.status` has no peer; we measure it for its growth."""


def measured(
    site: Site,
    arguments: Sequence[str],
    check: Callable[[Run], str],
    before: Callable[[], None] = lambda: None,
) -> Subject:
    command = [*service.invoke(), *arguments]
    return Subject("invoke", command, site.service.folder, check, site.service.env, before)


def _beside_supabase(
    site: Site, name: str, ours: Subject, database: str, check: Callable[[Run], str]
) -> Workload:
    """Adds the peer, which compares the live database with another by URL; that needs no Docker."""
    subjects, peer = [ours], "supabase db diff"
    if program := site.peers.programs.get("supabase"):
        urls = ["--from", site.server.url(LIVE), "--to", site.server.url(database)]
        folder = place_of(site, "supabase")
        command = [str(program), "db", "diff", "--workdir", ".", *urls]
        subjects.append(Subject(peer, command, folder, check, QUIET, limit=site.limit))
    return Workload(name, subjects, {peer: Aim(1 / 4, 1_000)}, absent(site, {"supabase": peer}))


def _beside_drizzle(site: Site, name: str, ours: Subject, aim: Aim) -> Workload:
    """Adds the peer, whose schema has the same tables in TypeScript, and a migration for them."""
    subjects, peer = [ours], "drizzle-kit generate"
    if "drizzle-kit" in site.peers.programs:
        folder = place_of(site, "generate")
        (folder / "schema.ts").write_text(schema.drizzle(site.size))
        options = ["--dialect", "postgresql", "--schema", "generate/schema.ts"]
        options += ["--out", "generate/migrations"]

        def prepare() -> None:
            if not (folder / "migrations").exists():
                program = str(site.peers.programs["drizzle-kit"])
                service.execute([program, "generate", *options], folder.parent)

        def idle(run: Run) -> str:
            return succeeded(run) or says(run, "No schema changes, nothing to migrate")

        subjects.append(_drizzle(site, "generate", options, idle, prepare))
    return Workload(name, subjects, {peer: aim}, absent(site, {"drizzle-kit": peer}))


def _drizzle(
    site: Site,
    command: str,
    options: Sequence[str],
    check: Callable[[Run], str],
    before: Callable[[], None] = lambda: None,
) -> Subject:
    """drizzle-kit, run in a folder below the one with its packages, where Node finds them."""
    line = [str(site.peers.programs["drizzle-kit"]), command, *options]
    folder = place_of(site, command).parent
    return Subject(f"drizzle-kit {command}", line, folder, check, QUIET, before, site.limit)


def place_of(site: Site, name: str) -> Path:
    folder = site.peers.work / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def absent(site: Site, names: Mapping[str, str]) -> dict[str, str]:
    """Name in the row (of the peer, or of its command) → why the peer is missing."""
    gone = site.peers.missing
    return {shown or name: gone[name] for name, shown in names.items() if name in gone}
