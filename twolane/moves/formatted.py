"""`app.py` after an edit by twolane: in the layout of the service's own ruff, if it had that."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twolane import files
from twolane.migrations.formatting import ruff


def write(path: Path, text: str, like: Path) -> None:
    """Writes the text; formatted, where the file that it was made from is."""
    path.write_bytes(files.with_line_ends(text, like.read_bytes()).encode())
    if ruff() and _ruff(like, "check", "--select", "I") and _ruff(like, "format", "--check"):
        _ruff(path, "check", "--fix", "--select", "I")
        _ruff(path, "format")


def _ruff(path: Path, *arguments: str) -> bool:
    command = [*ruff(), *arguments, "--quiet", str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
