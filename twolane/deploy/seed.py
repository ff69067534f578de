"""Rows for local work: `supabase/seed.sql`."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from twolane.config import Config
from twolane.errors import Failure
from twolane.postgres import embedded, embedded_databases, urls


def file(config: Config) -> Path | None:
    """The file with the rows; None where it is absent or says nothing."""
    path = config.sql.parent / "seed.sql"
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    says = any(line.strip() and not line.lstrip().startswith("--") for line in lines)
    return path if says else None


def run(config: Config, path: Path) -> None:
    """Fills the embedded database, in one transaction. By psql: the file may `copy` rows.

    psql's own commands start programs and read files, so `\\restrict` refuses them, with a key that
    no file can know (manual, psql; in each major since August 2025).

    Raises:
        Failure: a statement fails; no row of the file is kept.
    """
    options = ["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--single-transaction"]
    options += ["--command", f"\\restrict {secrets.token_hex(16)}"]
    done = subprocess.run(
        [embedded.program(config, "psql"), *options, "--file", str(path)],
        env=urls.client_environment(embedded_databases.local(config)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().replace(f"psql:{path}", path.name)
        if "backslash commands are restricted" in said:
            said += ": psql's own commands don't run in a file of the repo"
        raise Failure(
            f"{said}\n  No row of {path.name} was kept.",
            "Correct supabase/seed.sql so that it may run again (on conflict do nothing), then run "
            "the same command again.",
        )
