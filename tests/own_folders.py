"""Folders of the tests' own services, and what those leave elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twolane.postgres import place


@contextmanager
def open_folder(prefix: str) -> Iterator[Path]:
    """A folder for services with embedded servers, until the block ends.

    Outside pytest's own folder, which a pytest of root's closes to others when it starts: under
    root Postgres runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            remove_data_of(folder)


def remove_data_of(folder: Path) -> None:
    """Removes the data that services in this folder have elsewhere, as `place` lays them."""
    for own in place.ELSEWHERE.glob("*/"):
        if place.named(own / "data").is_relative_to(folder.resolve()):
            remove(own)


def remove(folder: Path) -> None:
    """Removes a folder with very many files."""
    if rm := shutil.which("rm"):  # several times as fast as Python
        subprocess.run([rm, "-rf", folder], check=False)
    else:
        shutil.rmtree(folder, ignore_errors=True)
