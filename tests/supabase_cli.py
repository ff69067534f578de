"""The real Supabase CLI, as npm has it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

CLI = Path(__file__).parents[1] / "build/supabase-cli"


@pytest.fixture(scope="session")
def cli() -> Path:
    """The Supabase CLI from npm, kept in `build/`."""
    CLI.mkdir(parents=True, exist_ok=True)
    with FileLock(CLI / "lock"):
        return _installed(CLI / "node_modules/.bin/supabase")


def _installed(program: Path) -> Path:
    if program.exists():
        return program
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on this machine to install the Supabase CLI with")
    command = ["npm", "install", "--no-save", "--no-fund", "--no-audit", f"--prefix={CLI}"]
    done = subprocess.run([*command, "supabase@3"], capture_output=True, text=True, check=False)
    if done.returncode or not program.exists():
        pytest.skip(f"npm could not install the Supabase CLI: {done.stderr.strip()[-300:]}")
    return program
