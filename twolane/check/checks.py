"""The checks of `db.check`, in their order: all checks that need only the repo's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from twolane.check import mirror, replayed
from twolane.check.replayed import Ground
from twolane.errors import Failure
from twolane.guards import conventions, exposed, findings, locks
from twolane.guards.findings import ERROR, Finding, from_failure, placed
from twolane.repo.contents import Repo
from twolane.repo.locations import Place


@dataclass(frozen=True)
class Check:
    """One check. needs: checks that must find no error first, or its result means nothing."""

    name: str
    does: str
    find: Callable[[Ground], Iterator[Finding]]
    code: str = ""
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}".strip()


Result = findings.Result[Check]


def _conventions(ground: Ground) -> Iterator[Finding]:
    for finding in conventions.find(ground.whole.facts, ground.repo.config.tenant_column):
        yield placed(finding, _place(ground, finding))


def _exposed(ground: Ground) -> Iterator[Finding]:
    tenant = ground.repo.config.tenant_column
    for finding in exposed.find(ground.whole.facts, ground.app.keys(), tenant):
        yield placed(finding, _place(ground, finding))


def _place(ground: Ground, finding: Finding) -> Place | None:
    return ground.places.get(finding.subject.partition("(")[0])


def _locks(ground: Ground) -> Iterator[Finding]:
    files = [locks.of_file(file) for file in ground.repo.order.files]
    revisions = [
        locks.of_revision(trip.revision, [(s.line, s.text) for s in trip.statements])
        for trip in ground.trips
    ]
    return locks.find(ground.repo.config.root, [*files, *revisions])


CHECKS = (
    Check("order", "bootstrap.txt names every SQL file", replayed.order, "G09"),
    Check("history", "the revisions have one head", replayed.history, "G11"),
    Check("scope", "no table is in both lanes", mirror.scope, "G04"),
    Check("replay", "files and migrations run, from nothing", replayed.replay),
    Check("idempotent", "each SQL file may run again", replayed.idempotent, "G08", ("replay",)),
    Check("baseline", "migrations leave lane A alone", replayed.baseline, "G05", ("replay",)),
    Check(
        "sql-only",
        "migrations leave RLS and grants to SQL files",
        replayed.sql_only,
        "G07",
        ("replay",),
    ),
    Check("reversible", "migrations go down and up again", replayed.undone, "", ("replay",)),
    Check(
        "app",
        "app.py is what the revisions make",
        mirror.app,
        "",
        ("history", "scope", "replay"),
    ),
    Check(
        "mirror",
        "lock and models are what the files make",
        mirror.mirror,
        "",
        ("replay", "baseline"),
    ),
    Check("conventions", "names, keys, times, tenant column", _conventions, "G12", ("replay",)),
    Check("exposed", "row level security holds", _exposed, "G13", ("replay",)),
    Check("locks", "nothing holds up a busy table", _locks, "G14", ("replay",)),
)


def run(repo: Repo, working: Callable[[str], AbstractContextManager[Any]]) -> Iterator[Result]:
    """Each check's result as it comes; last the entries of `ignore` that match no finding."""
    ground = Ground(repo, working)
    failed: set[str] = set()
    judged: set[str] = set()
    ignored = list(repo.config.ignore)
    idle = set(ignored)
    for check in CHECKS:
        result = _result(check, ground, failed)
        if not result.skipped:
            judged.add(check.code)
        left, unused = findings.without_ignored(result.findings, ignored)
        idle &= set(unused)
        result = Result(check, tuple(left), result.skipped)
        if result.status == "failed":
            failed.add(check.name)
        yield result
    if stray := [entry for entry in ignored if entry in idle and _is_judged(entry, judged)]:
        yield Result(IGNORE, tuple(map(findings.idle_entry, stray)))


IGNORE = Check("ignore", "entries of [tool.twolane.check] ignore", lambda ground: iter(()))


def _is_judged(entry: str, judged: set[str]) -> bool:
    """Whether its guard's check ran: if it was skipped, the entry may still be needed."""
    code = entry.partition(":")[0]
    return code in judged or code not in findings.IGNORABLE


def _result(check: Check, ground: Ground, failed: set[str]) -> Result:
    lacking = [name for name in check.needs if name in failed]
    if lacking:
        return Result(check, skipped=f"after {' and '.join(lacking)}")
    if check.name == "locks" and locks.program() is None:
        return Result(check, skipped="squawk is not installed: pip install -e '.[dev]'")
    try:
        with ground.working(f"checking that {check.does}"):
            return Result(check, tuple(check.find(ground)))
    except Failure as failure:
        return Result(check, (from_failure(failure, check.name, check.name),))


def report_json(results: Sequence[Result]) -> dict[str, Any]:
    """`{"errors", "warnings", "checks": [{"check", "code", "status", "reason"}], "findings"}`.

    status: see `Result.status`; reason: why it was skipped, or null. A finding is `{"check",
    "code", "level", "subject", "message", "details", "first", "file", "line"}`: code is the guard's
    or null, level "error" or "warning", details lines of text, first the next step; file (from the
    service's folder) and line are null if they are not known. Entries of `ignore` that match no
    finding are findings of a check named "ignore", which is listed only then.
    """
    found = [finding for result in results for finding in result.findings]
    errors = sum(finding.level == ERROR for finding in found)
    return {
        "errors": errors,
        "warnings": len(found) - errors,
        "checks": [
            {
                "check": result.check.name,
                "code": result.check.code or None,
                "status": result.status,
                "reason": result.skipped or None,
            }
            for result in results
        ],
        "findings": [findings.as_json(finding) for finding in found],
    }
