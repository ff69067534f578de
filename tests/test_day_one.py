"""A fresh, untouched service is green: its own workflow's steps, in an environment of its own.

Nothing of the environment that runs this test gets in: the service installs what its files name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from environments import new_environment
from own_folders import open_folder
from service import ROOT, Service, clean_environment, owned

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the steps are bash's"),
    pytest.mark.xdist_group("day one"),
]

PARTS = ("copier.yml", "template", "twolane", "pyproject.toml", "README.md", "LICENSE")
WORKFLOW = ".github/workflows/db.yml"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template and its engine as they stand, in a plain folder, at which the pin points."""
    folder = tmp_path_factory.mktemp("day-one") / "twolane"
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(part, folder / name, ignore=ignored)
        else:
            shutil.copy(part, folder)
    return folder


@pytest.fixture
def fresh(
    template: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Service]:
    """A service of that starter, with an empty virtual environment outside of it."""
    with open_folder("twolane-day-one-") as home:
        new_environment(tmp_path_factory, home / "python")
        yield make(template, home, request.param)


def make(template: Path, home: Path, starter: str) -> Service:
    data = ["--data", "project_name=CRM", "--data", f"starter={starter}"]
    copier = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", *data]
    subprocess.run([*copier, template, home / "crm"], check=True, capture_output=True)
    return owned(home / "crm")


def run(service: Service, script: str, paths: list[Path]) -> subprocess.CompletedProcess[str]:
    """Runs a step as GitHub's runner does, with these folders first on the PATH."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "NO_COLOR")
    env = {name: value for name, value in clean_environment().items() if name not in ours}
    path = os.pathsep.join([*map(str, paths), "/usr/local/bin", "/usr/bin", "/bin"])
    told = service.folder.with_name("github-path")
    told.touch()
    env |= {"PATH": path, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_PATH": str(told)}
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=service.folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    paths[:0] = map(Path, told.read_text().split())
    told.unlink()
    return done


@pytest.mark.parametrize(
    ("fresh", "locked"), [("omnicrm", False), ("minimal", True)], indirect=["fresh"]
)
def test_each_step_of_the_workflow_passes_in_a_fresh_service(fresh: Service, locked: bool) -> None:
    """One starter is installed by pip, the other as `uv.lock` says."""
    paths = [fresh.folder.with_name("python") / "bin"]
    if run(fresh, "pip download --quiet --no-deps --dest ../away iniconfig", paths).returncode:
        pytest.skip("no package index is reachable")
    if locked:
        assert run(fresh, "pip install --quiet uv && uv lock --quiet", paths).returncode == 0
        fresh.commit()
    steps = yaml.safe_load(fresh.read(WORKFLOW))["jobs"]["check"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 7
    try:
        for script in scripts:
            done = run(fresh, script, paths)
            assert done.returncode == 0, f"{script}\n{done.stdout}"
        assert (fresh.folder / ".venv").exists() == locked
        assert fresh.git("status", "--short") == ""
    finally:
        run(fresh, "invoke db.down", paths)
