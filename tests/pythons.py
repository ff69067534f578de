"""The other Pythons of this machine, which run modules that need no library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASK = "import sys; print(*sys.version_info[:2])"


def _programs() -> Iterator[str]:
    for minor in range(11, 20):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    home = Path.home()
    for folder, pattern in (
        (os.environ.get("RUNNER_TOOL_CACHE", home / "hostedtoolcache"), "Python/3.*/*/bin/python3"),
        (os.environ.get("PYENV_ROOT", home / ".pyenv"), "versions/3.1[1-9]*/bin/python3"),
        (home / ".local/share/uv/python", "cpython-3.1[1-9]*/bin/python3"),
    ):
        yield from map(str, Path(folder).glob(pattern))


@cache
def others() -> dict[int, str]:
    """Minor version → program of Python, for each since 3.11 but the one that runs this."""
    found: dict[int, str] = {}
    for program in _programs():
        said = subprocess.run([program, "-c", ASK], capture_output=True, text=True).stdout.split()
        if said and said[0] == "3" and int(said[1]) >= 11:
            found.setdefault(int(said[1]), program)
    found.pop(sys.version_info[1], None)
    return found


def expect_agreement(program: str, given: str) -> None:
    """Expects that all print the same when they run this with that on their standard input."""
    if not others():
        pytest.skip("no other Python since 3.11 is on this machine")
    env = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    said = {}
    for python in (sys.executable, *others().values()):
        done = subprocess.run(
            [python, "-c", program], input=given, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said[python] = done.stdout
    here = said.pop(sys.executable)
    for python, other in said.items():
        assert other == here, python
