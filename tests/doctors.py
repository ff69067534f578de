"""What `db.doctor` says of a service."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from service import Service

from twolane.guards.findings import Finding

SECRET = "hunter2"


def doctor(service: Service, *options: str, **env: str) -> dict[str, Any]:
    """The report; whatever it says, it has no password in it."""
    done = service.invoke("db.doctor", "--json", *options, code=None, **env)
    assert SECRET not in done.text
    report: dict[str, Any] = json.loads(done.out)
    assert done.code == (1 if report["errors"] else 0), done.text
    return report


def found(report: dict[str, Any], check: str) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["check"] == check]


def subjects(report: dict[str, Any], check: str) -> list[tuple[str, str]]:
    """Level and subject of what a check found."""
    return [(finding["level"], finding["subject"]) for finding in found(report, check)]


def only(report: dict[str, Any], check: str, level: str) -> dict[str, Any]:
    """The one finding of that check; nothing else in the report is as bad."""
    (finding,) = found(report, check)
    assert finding["level"] == level, finding
    if level != "info":
        others = [f for f in report["findings"] if f["check"] != check]
        assert {f["level"] for f in others} <= {"info"}, others
    return finding


def status(report: dict[str, Any], check: str) -> str:
    return next(str(c["status"]) for c in report["checks"] if c["check"] == check)


def levels(findings: Iterable[Finding]) -> list[str]:
    found = list(findings)
    assert all(f.message and f.first and SECRET not in str(f) for f in found)
    return [finding.level for finding in found]


def message(findings: Iterable[Finding]) -> str:
    (found,) = findings
    return f"{found.message} {found.first}"
