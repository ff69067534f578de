"""The newest reports of commands that take long, kept for those who look later.

They lie beside the embedded server's data, where git does not see them.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

from twolane import files, git
from twolane.config import Config

CHECK, PROVE = "check", "prove"


def keep(config: Config, name: str, told: Any) -> None:
    """Keeps a report under this name, in place of the one before; where it can't, it does not."""
    folder = config.home / "reports"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {"at": at, "commit": git.commit_id(config.root), "report": told}
    with contextlib.suppress(OSError), files.alone(config):
        folder.mkdir(exist_ok=True)
        files.write({folder / f"{name}.json": json.dumps(kept, ensure_ascii=False)})


def newest(config: Config, name: str) -> dict[str, Any] | None:
    """`{"at", "commit", "report"}` of the newest report of this name; None if there is none."""
    try:
        found: dict[str, Any] = json.loads((config.home / "reports" / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found
