"""A release: its obstacles, and its tag. The tag is the template's version (PEP 440)."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml
from packaging.version import Version

from twolane.template import changelog

BRANCH = "main"
ENGINE = "twolane/__init__.py"
WHEEL = "twolane-{}-py3-none-any.whl"
# Keys of copier.yml that make `copier update` ask for --trust.
UNSAFE = ("_tasks", "_migrations", "_jinja_extensions")

_ENGINE_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)


def problems(root: Path, text: str) -> list[str]:
    """All reasons not to release the checked-out commit as this version; changes nothing."""
    checks: tuple[Callable[[Path, str], Iterator[str]], ...] = (
        _version,
        _tree,
        _project,
        _changelog,
        _trust,
    )
    return [problem for check in checks for problem in check(root, text)]


def tag(root: Path, text: str) -> None:
    """Creates an annotated tag on the checked-out commit, with its section of CHANGELOG.md."""
    section = changelog.sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))[0]
    message = f"twolane {text}\n\n{section.text}\n"
    # With another --cleanup, git would drop the lines that begin with "#".
    _git(root, "tag", "--annotate", "--cleanup=verbatim", "--message", message, text)


def wheel_problems(root: Path, text: str) -> list[str]:
    """All reasons not to release the engine that the checked-out commit builds, alone."""
    with tempfile.TemporaryDirectory(prefix="twolane-release-") as folder:
        clone, wheels = Path(folder) / "twolane", Path(folder) / "wheels"
        _git(root, "clone", "--quiet", str(root), str(clone))
        build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir")
        command = [sys.executable, "-m", "pip", *build, str(wheels), str(clone)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return [f"The engine can't be built. {(done.stderr or done.stdout).strip()}"]
        (wheel,) = wheels.iterdir()
        found = [] if wheel.name == WHEEL.format(text) else [f"The engine's wheel is {wheel.name}."]
        with zipfile.ZipFile(wheel) as archive:
            absent = {*_git(root, "ls-files", "twolane").splitlines()} - {*archive.namelist()}
        return [*found, *(f"The engine's wheel lacks {name}." for name in sorted(absent))]


def _version(root: Path, text: str) -> Iterator[str]:
    version = changelog.version(text)
    if version is None:
        yield f"{text} is no version as PEP 440 has it: 1.2.0, or 1.2.0rc1."
        return
    if str(version) != text or version.local:
        yield f"A tag is written as PEP 440 normalises it, without a local part: {version.public}."
    found = (changelog.version(name) for name in _git(root, "tag").splitlines())
    last = max((each for each in found if each is not None), default=Version("0"))
    if version <= last:
        yield f"{text} is not greater than the last tag, {last}."


def _tree(root: Path, text: str) -> Iterator[str]:
    if branch := _git(root, "branch", "--show-current").removeprefix(BRANCH):
        yield f"{branch} is checked out: a release is made from {BRANCH}."
    if changed := _git(root, "status", "--porcelain").splitlines():
        more = f" and {len(changed) - 1} more" if changed[1:] else ""
        yield f"There are changes that are not committed: {changed[0].strip()}{more}."


def _project(root: Path, text: str) -> Iterator[str]:
    found = _ENGINE_VERSION.search((root / ENGINE).read_text(encoding="utf-8"))
    version = found[1] if found else "none"
    if version != text:
        yield f"{ENGINE} says version {version}."


def _changelog(root: Path, text: str) -> Iterator[str]:
    found = changelog.sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if not found or found[0].title != text:
        newest = found[0].title if found else "missing"
        yield f"CHANGELOG.md's newest section is {newest}: it must be “## {text}”."
    elif not found[0].upgrading:
        yield f"CHANGELOG.md's section {text} has no paragraph “Upgrading: …”."


def _trust(root: Path, text: str) -> Iterator[str]:
    asked = yaml.safe_load((root / "copier.yml").read_text(encoding="utf-8")).keys() & UNSAFE
    found = changelog.sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if asked and not (found and re.search(r"--trust\b", found[0].upgrading)):
        yield (
            f"copier.yml has {', '.join(sorted(asked))}: updates then need --trust, and"
            " “Upgrading: …” must say why."
        )


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
