"""`invoke bench`: runs the workloads one by one, for each size."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import (
    machine,
    once,
    peers,
    progress,
    queries,
    report,
    schema,
    server,
    service,
    whole,
    workloads,
)
from .measure import in_turns
from .peers import Peers
from .report import Row
from .server import Server
from .workloads import LIVE, OTHER, SAME, Site, Workload

BUILD = service.ROOT / "build/bench"
AT_EACH_SIZE = {**workloads.AT_EACH_SIZE, **whole.AT_EACH_SIZE}


@dataclass
class Bench:
    """One run of the benchmark: its options, and its results.

    given_up: peer and workload that took longer than the limit, and the number of tables.
    """

    sizes: Sequence[int]
    repeats: int
    limit: float
    only: str
    server: Server | None = None
    rows: list[Row] = field(default_factory=list)
    queries: list[queries.Query] = field(default_factory=list)
    given_up: dict[tuple[str, str], int] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        return bool(re.search(self.only, name))

    def measure(self, workload: Workload, size: int | None = None) -> None:
        """Adds the rows of one workload; skips peers that were too slow at a smaller size."""
        given_up = {
            s.name: f"> {self.limit:g} s at {self.given_up[s.name, workload.name]:,}"
            for s in workload.subjects
            if (s.name, workload.name) in self.given_up
        }
        subjects = [s for s in workload.subjects if s.name not in given_up]
        asked: list[queries.Query] = []
        if size and self.server:
            subjects[0] = queries.watched(workload.name, size, subjects[0], self.server, asked)
        workload = replace(workload, subjects=subjects, missing={**workload.missing, **given_up})
        tables = f", {size:,} tables" if size else ""
        progress.note(f"{workload.name}{tables}")
        try:
            data = self.server.data if self.server else None
            results = in_turns(workload.subjects, self.repeats, data)
        finally:
            workload.after()
        for result in results:
            if result.over_limit and size:
                self.given_up[result.name, workload.name] = size
        self.rows += report.rows(workload, size, results)
        self.queries += asked


def run(sizes: Sequence[int], repeats: int, limit: float, only: str, out: Path) -> bool:
    """Measures, prints the table and writes the result to `out`; False if a peer broke.

    Raises:
        Broken: one of our commands failed, or did not do its work.
    """
    bench = Bench(sizes, repeats, limit, only)
    service.compile_engine()
    note = machine.note()
    found = peers.install(BUILD)
    settings = {"sizes": list(sizes), "repeats": repeats, "limit": limit, "only": only}
    with tempfile.TemporaryDirectory(prefix="twolane-bench-") as name, server.running() as running:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded server runs as another user if we are root
        bench.server = running
        head = {
            "commit": service.state(),
            "machine": {**note, **_versions(running, found)},
            "settings": settings,
        }
        source = service.template(folder / "template")
        _without_size(bench, source, folder)
        _write(out, head, bench)
        for size in sizes:
            chosen = [make for name, make in AT_EACH_SIZE.items() if bench.wants(name)]
            if not chosen:
                continue
            with _site(running, found, source, folder, size, limit) as site:
                for make in chosen:
                    bench.measure(make(site), size)
            _write(out, head, bench)
    print(report.table(bench.rows))
    print(f"\n{report.growth_lines(report.growth(bench.rows))}")
    print(f"\n{queries.table(bench.queries)}")
    return not any(row.peer and row.peer.broken for row in bench.rows)


def _without_size(bench: Bench, source: Path, folder: Path) -> None:
    if bench.wants("invoke --list"):
        bare = folder / "bare"
        bare.mkdir()
        with service.rendered(source, folder / "listed", {}) as listed:
            bench.measure(once.listing(listed, bare))
    if bench.wants("template.update"):
        bench.measure(once.updating(source, folder))
    if bench.wants("empty folder"):
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if uv is None:
            progress.note("empty folder → service: left out, there is no uv")
        else:
            bench.measure(once.beginning(uv, source, folder / "service"))


@contextmanager
def _site(
    running: Server, found: Peers, source: Path, folder: Path, size: int, limit: float
) -> Iterator[Site]:
    """The service and the databases of one size; drops them after the block."""
    shutil.rmtree(found.work, ignore_errors=True)
    running.create(LIVE)
    env = {"DATABASE_URL": running.url(LIVE)}
    try:
        with service.rendered(source, folder / f"service-{size}", env) as rendered:
            service.bootstrap(rendered, size)
            with progress.working("copying the database twice"):
                for copy in (SAME, OTHER):
                    running.copy(LIVE, copy)
                running.run(schema.change(), OTHER)
                for database in (LIVE, SAME, OTHER):
                    running.settle(database)
            yield Site(rendered, running, size, found, limit, source)
    finally:
        running.drop(LIVE, SAME, OTHER)


def _versions(running: Server, found: Peers) -> dict[str, str]:
    asked = [str(running.programs / "postgres"), "--version"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return {"postgres": text.split()[-1], **found.versions}


def _write(out: Path, head: dict[str, Any], bench: Bench) -> None:
    """Writes the results; called after each size, so that a long run that breaks keeps them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    found = {**report.as_json(bench.rows), "queries": queries.as_json(bench.queries)}
    text = json.dumps({**head, **found}, ensure_ascii=False, indent=1)
    out.write_text(f"{text}\n", encoding="utf-8")
