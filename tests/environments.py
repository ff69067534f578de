"""Virtual environments, as `python -m venv` makes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sharing import made_once


def new_environment(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """Makes an environment with nothing but pip in the folder, and returns the folder.

    It is a copy of the first one, because pip takes seconds to install. Programs name their
    environment in the first line.
    """
    first = made_once(tmp_path_factory, "environment", _make)
    shutil.copytree(first, folder, symlinks=True)
    for program in (folder / "bin").glob("pip*"):
        first_line, rest = program.read_text().split("\n", 1)
        assert first_line.startswith("#!")
        program.write_text(f"#!{folder}/bin/python\n{rest}")
    return folder


def _make(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
