"""The pin installs: by pip and by uv, from a tag, a commit, an index of wheels.

Without the engine's dependencies, which another test installs with it (a fresh service's workflow).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import copier
import pytest
from environments import new_environment
from service import ROOT, clean_environment
from template_repo import Template

import releasing
from twolane import pin
from twolane.pin import Engine

pytestmark = pytest.mark.xdist_group("install")

FIRST, SECOND = "0.1.0", "0.2.0"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Template and engine as they stand, with two releases and a commit after them."""
    repo = Template(tmp_path_factory.mktemp("installs") / "two lane")
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("template", "twolane"):
        shutil.copytree(ROOT / name, repo.folder / name, ignore=ignored)
    for name in ("copier.yml", "pyproject.toml", "README.md", ".gitignore"):
        shutil.copy(ROOT / name, repo.folder)
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.git("config", "user.name", "Maintainer")
    repo.git("config", "user.email", "maintainer@example.invalid")
    for version in (FIRST, SECOND):
        file = repo.folder / releasing.ENGINE
        file.write_text(re.sub('n__ = ".*"', f'n__ = "{version}"', file.read_text()))
        repo.git("add", "--all")
        repo.git("commit", "--quiet", "--allow-empty", "--message", version)
        repo.git("tag", version)
    repo.edit(releasing.ENGINE, lambda text: f"{text}\n# After the release.\n")
    repo.git("commit", "--quiet", "--all", "--message", "after")
    return repo


@pytest.fixture(scope="module")
def wheels(repo: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for the wheel of the second release."""
    folder = tmp_path_factory.mktemp("wheels")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", str(repo.folder))
    into = ("--wheel-dir", str(folder / SECOND))
    subprocess.run([sys.executable, "-m", "pip", *build, *into], check=True)
    return folder


class Environment:
    """A virtual environment with nothing but pip, or uv in the place of pip."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin/python"
        self.packages = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
        ours = ("PYTHONPATH", "VIRTUAL_ENV")
        kept = {name: value for name, value in clean_environment().items() if name not in ours}
        self.env = kept | {"VIRTUAL_ENV": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
        self.installer = [str(self.python), "-m", "pip"]

    def run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def install(self, *what: str) -> None:
        self.run(*self.installer, "install", "--quiet", *what)

    def engine(self) -> Engine:
        """The engine that is installed, as its own code reads it there."""
        (record,) = self.packages.glob("site-packages/twolane-*.dist-info")
        version = record.name.removeprefix("twolane-").removesuffix(".dist-info")
        return Engine(version, json.loads((record / "direct_url.json").read_text()))


@pytest.fixture(params=["pip of this Python", "newest pip", "uv"])
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Environment:
    made = Environment(new_environment(tmp_path_factory, tmp_path / "python"))
    try:
        if request.param == "newest pip":
            made.install("--upgrade", "pip")
        elif request.param == "uv":
            made.install("uv")
            made.installer = [str(made.python), "-m", "uv", "pip"]
        else:
            made.run(
                *made.installer,
                "download",
                "--quiet",
                "--no-deps",
                "--dest",
                str(tmp_path),
                "hatchling",
            )
    except AssertionError as error:
        pytest.skip(f"no package index is reachable: {error}")
    return made


def pinned(repo: Template, folder: Path, ref: str, **answers: str) -> str:
    source = str(repo.folder)
    copier.run_copy(source, folder, answers, vcs_ref=ref, defaults=True, quiet=True)
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    line: str = project["optional-dependencies"]["twolane"][0]
    return line


def test_every_pin_installs_the_engine_that_it_names(
    repo: Template, wheels: Path, environment: Environment, tmp_path: Path
) -> None:
    lines = {"tag": pinned(repo, tmp_path / "tag", FIRST)}
    index = {"engine_from": "index", "engine_index": f"file://{wheels}/{{version}}"}
    lines["index"] = pinned(repo, tmp_path / "index", SECOND, **index)
    tag = lines["tag"].rpartition("@")[0]
    lines["commit"] = f"{tag}@{repo.git('rev-parse', SECOND)}"
    lines["next commit"] = f"{tag}@{repo.git('rev-parse', 'HEAD')}"

    for name in ("index", "tag", "commit"):
        environment.install("--no-deps", lines[name])
        engine = environment.engine()
        found = {each for each, line in lines.items() if fits(line, engine)}
        assert name in found, (name, engine)
        assert ("tag" in found) == (engine.version == FIRST)
        assert "next commit" not in found

    # Where only the commit differs pip may keep what it has: then the engine is found stale,
    # and the command that is told mends it.
    environment.install("--no-deps", lines["next commit"])
    if not fits(lines["next commit"], environment.engine()):
        assert "pip" in environment.installer[-1]
        environment.run(*environment.installer, "uninstall", "--quiet", "--yes", "twolane")
        environment.install("--no-deps", lines["next commit"])
    assert fits(lines["next commit"], environment.engine())
    assert not fits(lines["commit"], environment.engine())


def fits(line: str, engine: Engine) -> bool:
    found = pin.parse(line)
    assert found is not None
    return found.fits(engine)
