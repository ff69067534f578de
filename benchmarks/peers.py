"""The tools to compare with (peers), installed into their own folder, which git ignores."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import progress

NPM_PACKAGES = ("supabase", "drizzle-kit", "drizzle-orm", "pg")
# A peer must not spend time on reports to its maker.
QUIET = {"SUPABASE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1", "NO_UPDATE_NOTIFIER": "1"}


@dataclass
class Peers:
    """The path and version of each peer's program, or why it is missing; by name.

    npm: the folder where Node finds the packages.
    """

    npm: Path
    programs: dict[str, Path] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """A folder for the files that the peers read and write, below that of their packages."""
        return self.npm / "work"


def install(folder: Path) -> Peers:
    """Installs the missing peers. A peer that can't be installed is noted; that is not an error."""
    found = Peers(folder / "npm")
    _node_peers(found)
    _sqlacodegen(found, folder / "sqlacodegen")
    return found


def _node_peers(found: Peers) -> None:
    names = ("supabase", "drizzle-kit")
    npm = shutil.which("npm")
    if npm is None:
        found.missing.update(dict.fromkeys(names, "no npm"))
        return
    found.npm.mkdir(parents=True, exist_ok=True)
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    found.versions["node"] = asked.stdout.strip().removeprefix("v")
    problem = ""
    if not all((found.npm / "node_modules" / name).is_dir() for name in NPM_PACKAGES):
        (found.npm / "package.json").write_text('{"private": true}\n')
        command = [npm, "install", "--no-audit", "--no-fund", *NPM_PACKAGES]
        problem = _install("npm packages", command, found.npm)
    for name in names:
        program = found.npm / "node_modules/.bin" / name
        if problem or not program.exists():
            found.missing[name] = problem or "not installed"
            continue
        manifest = found.npm / "node_modules" / name / "package.json"
        found.programs[name] = program
        found.versions[name] = json.loads(manifest.read_text(encoding="utf-8"))["version"]


def _sqlacodegen(found: Peers, folder: Path) -> None:
    """Installs sqlacodegen into a venv, because it needs its own version of SQLAlchemy."""
    name, problem = "sqlacodegen", ""
    program = folder / "bin" / name
    if not program.exists():
        problem = _install(
            "a venv", [sys.executable, "-m", "venv", "--clear", folder], folder.parent
        ) or _install(
            name,
            [folder / "bin/python", "-m", "pip", "install", "-q", name, "psycopg[binary]"],
            folder.parent,
        )
    if problem or not program.exists():
        found.missing[name] = problem or "not installed"
        return
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found.programs[name], found.versions[name] = program, asked.stdout.strip()


def _install(what: str, command: Sequence[str | Path], folder: Path) -> str:
    """Runs an install command; returns why it failed, or ""."""
    with progress.working(f"installing {what}"):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    progress.note(f"{what}: {done.stderr.strip()[-500:]}")
    return f"{what} could not be installed"
