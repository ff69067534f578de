"""Steps of the tests of `db.check`: a repo alone, revisions by hand, findings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from service import Service

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
Findings = list[dict[str, Any]]
REVISION = '''"""{title}"""

from alembic import op

revision = "{id}"
down_revision = {down!r}


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down_body}
'''


def alone(origin: Service, server_url: str, folder: Path) -> Service:
    """The same repo again; its database can't be reached."""
    shutil.copytree(origin.folder, folder)
    return Service(
        folder, {"DATABASE_URL": NOWHERE, "SHADOW_DATABASE_URL": server_url, "CI": "true"}
    )


def add_revision(service: Service, number: int, up: str, down: str = "pass") -> str:
    """A revision on top of the one before it, with these bodies; its file's name."""
    name = f"{number:02}_revision.py"
    before = f"r{number - 1}" if number > 1 else None
    text = REVISION.format(
        title=f"revision {number}", id=f"r{number}", down=before, up=up, down_body=down
    )
    service.write(f"migrations/versions/{name}", text)
    return name


def report(service: Service, code: int) -> dict[str, Any]:
    """What a check says that ends with this exit code."""
    result: dict[str, Any] = json.loads(service.invoke("db.check", "--json", code=code).out)
    return result


def found(service: Service, code: int) -> Findings:
    findings: Findings = report(service, code)["findings"]
    return findings


def of(findings: Findings, check: str) -> dict[str, dict[str, Any]]:
    """The findings of one check, by what they are about."""
    return {finding["subject"]: finding for finding in findings if finding["check"] == check}
