"""The checks of `db.check`, in their order: all checks that need only the repo's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from twolane.check import exports, mirror, replayed
from twolane.check.replayed import Replayed
from twolane.guards import checks, conventions, exposed, findings, locks
from twolane.guards.checks import Check, Result, Skip, examines
from twolane.guards.findings import ERROR, WARNING, Finding, placed
from twolane.repo.contents import Repo
from twolane.repo.locations import Place


@examines("conventions", "names, keys, times, tenant column", code="G12", needs=("replay",))
def _conventions(ground: Replayed) -> Iterator[Finding]:
    for finding in conventions.find(ground.whole.facts, ground.repo.config.tenant_column):
        yield placed(finding, _place(ground, finding))


@examines("exposed", "row level security holds", code="G13", needs=("replay",))
def _exposed(ground: Replayed) -> Iterator[Finding]:
    tenant = ground.repo.config.tenant_column
    for finding in exposed.find(ground.whole.facts, ground.app.keys(), tenant):
        yield placed(finding, _place(ground, finding))


def _place(ground: Replayed, finding: Finding) -> Place | None:
    return ground.places.get(finding.subject.partition("(")[0])


@examines("locks", "nothing holds up a busy table", code="G14", needs=("replay",))
def _locks(ground: Replayed) -> Iterator[Finding]:
    if locks.program() is None:
        raise Skip("squawk is not installed: pip install -e '.[dev]'")
    files = [locks.of_file(file) for file in ground.files]
    revisions = [
        locks.of_revision(
            trip.revision,
            [(s.line, s.text) for s in trip.statements],
            trip.light,
        )
        for trip in ground.trips
    ]
    return locks.find(ground.repo.config.root, [*files, *revisions])


CHECKS = (
    replayed.order,
    replayed.history,
    mirror.scope,
    replayed.replay,
    replayed.idempotent,
    replayed.baseline,
    replayed.sql_only,
    replayed.undone,
    mirror.app,
    mirror.mirror,
    _conventions,
    _exposed,
    _locks,
)
IGNORE = Check(iter, "ignore", "entries of [tool.twolane.check] ignore")


def run(
    repo: Repo,
    working: Callable[[str], AbstractContextManager[Any]],
    changed: Set[str] | None = None,
) -> Iterator[Result]:
    """Each check's result as it comes; last the entries of `ignore` that match no finding, unless
    `changed` names the files to look at alone.
    """
    ground = Replayed(repo, working, changed)
    judged: set[str] = set()
    ignored = list(repo.config.ignore)
    idle = set(ignored)
    every = (*CHECKS, exports.export) if exports.are_there(repo.config) else CHECKS
    keys: list[str] = []
    for result in checks.run(
        every, lambda check: check(ground), lambda check: working(f"checking that {check.about}")
    ):
        if not result.skipped:
            judged.add(result.check.code)
        keys += [found.key for found in result.findings]
        left, unused = findings.without_ignored(result.findings, ignored)
        idle &= set(unused)
        yield replace(result, findings=tuple(left))
    if changed is not None:
        return
    if stray := [entry for entry in ignored if entry in idle and _is_judged(entry, judged)]:
        yield Result(IGNORE, tuple(findings.idle_entry(entry, keys) for entry in stray))


def _is_judged(entry: str, judged: set[str]) -> bool:
    """Whether its guard's check ran: if it was skipped, the entry may still be needed."""
    code = entry.partition(":")[0]
    return code in judged or code not in findings.IGNORABLE


def report_json(results: Sequence[Result]) -> dict[str, Any]:
    """`{"errors", "warnings", "checks": [{"check", "code", "status", "reason"}], "findings"}`.

    status: see `Result.status`; reason: why it was skipped, or null. A finding is `{"check",
    "code", "level", "subject", "message", "details", "first", "file", "line"}`: code is the guard's
    or null, level "error" or "warning", details lines of text, first the next step; file (from the
    service's folder) and line are null if they are not known. Entries of `ignore` that match no
    finding are findings of a check named "ignore", which is listed only then.
    """
    return checks.report_json(results, (ERROR, WARNING), lambda check: {"code": check.code or None})
