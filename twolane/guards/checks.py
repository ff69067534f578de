"""Checks, as `db.check` and `db.doctor` run them: each examines one thing and yields findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec

from twolane.errors import Failure
from twolane.guards.findings import ERROR, INFO, WARNING, Finding, as_json, from_failure

Parameters = ParamSpec("Parameters")
Working = Callable[[str], AbstractContextManager[Any]]
LEVELS = (ERROR, WARNING, INFO)


class Skip(Exception):
    """A check can't be done here; the message says why."""


@dataclass(frozen=True)
class Check(Generic[Parameters]):
    """One check, which is called as the function that finds what is wrong.

    about: what it examines. code: its guard's, if it has one. of: the names of the subjects that
    the doctor gives it. needs: the checks that must find no error first, or its result means
    nothing.
    """

    find: Callable[Parameters, Iterator[Finding]]
    name: str
    about: str
    of: tuple[str, ...] = ()
    code: str = ""
    needs: tuple[str, ...] = ()

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Iterator[Finding]:
        return self.find(*args, **kwargs)

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}".strip()


def examines(
    name: str, about: str, *of: str, code: str = "", needs: tuple[str, ...] = ()
) -> Callable[[Callable[Parameters, Iterator[Finding]]], Check[Parameters]]:
    """Makes a check of a function that finds what is wrong; see `Check`."""
    return lambda find: Check(find, name, about, of, code, needs)


@dataclass(frozen=True)
class Result:
    """A check's outcome; `skipped` says why it was not done, else it is empty."""

    check: Check[...]
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def status(self) -> str:
        """`passed`, `noted`, `warned`, `failed` or `skipped`."""
        levels = {finding.level for finding in self.findings}
        named = ((ERROR, "failed"), (WARNING, "warned"), (INFO, "noted"))
        found = next((status for level, status in named if level in levels), "passed")
        return "skipped" if self.skipped else found


def run(
    checks: Iterable[Check[...]],
    call: Callable[[Check[...]], Iterable[Finding]],
    working: Callable[[Check[...]], AbstractContextManager[Any]],
    subject: str | None = None,
) -> Iterator[Result]:
    """Each check's result as it comes.

    A check that raises `Failure` has that as its finding, on `subject` or else on its own name. It
    is skipped if an earlier check reported the same failure, or if one that it needs failed.
    """
    failed: set[str] = set()
    told: list[tuple[Failure, str]] = []
    for check in checks:
        with working(check):
            result = _result(check, call, subject, failed, told)
        if result.status == "failed":
            failed.add(check.name)
        yield result


def _result(
    check: Check[...],
    call: Callable[[Check[...]], Iterable[Finding]],
    subject: str | None,
    failed: set[str],
    told: list[tuple[Failure, str]],
) -> Result:
    if lacking := [name for name in check.needs if name in failed]:
        return Result(check, skipped=f"after {' and '.join(lacking)}")
    try:
        return Result(check, tuple(call(check)))
    except Skip as skip:
        return Result(check, skipped=str(skip))
    except Failure as failure:
        if earlier := next((name for known, name in told if known is failure), None):
            return Result(check, skipped=f"after {earlier}")
        told.append((failure, check.name))
        about = check.name if subject is None else subject
        return Result(check, (from_failure(failure, check.name, about),))


def report_json(
    results: Sequence[Result],
    levels: Sequence[str],
    described: Callable[[Check[...]], Mapping[str, object]],
) -> dict[str, Any]:
    """The number of findings of each level, the checks, the findings; for scripts."""
    found = [finding for result in results for finding in result.findings]
    return {
        **{f"{level}s": sum(finding.level == level for finding in found) for level in levels},
        "checks": [
            {
                "check": result.check.name,
                **described(result.check),
                "status": result.status,
                "reason": result.skipped or None,
            }
            for result in results
        ],
        "findings": [as_json(finding) for finding in found],
    }
