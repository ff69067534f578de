"""The engine that pyproject.toml pins, against the engine that runs.

Only what pip or uv installed from the pin can be stale. An engine that is installed with `-e`, or
found by PYTHONPATH, belongs to a maintainer, who works on engine and service at once; it has no
metadata of an installation beside it. No pin is no mistake, either: its owner took it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import twolane

BY_PIP = "pip install -e '.[dev]'"
BY_UV = "uv sync"
_NAME = re.compile(r"\s*twolane\s*(?:\[[^]]*\])?\s*([@(<>=!~;].*)?", re.IGNORECASE | re.DOTALL)
_RELEASE = re.compile(r"v?(\d+(\.\d+)+((a|b|rc)\d+)?(\.post\d+)?)")
_WHEEL = re.compile(r"/[^-/]+-([^-/]+)-[^/]*\.whl$")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Engine:
    """An installed engine. origin: the record of where it came from, `direct_url.json`."""

    version: str
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.origin.get("url", ""))

    @property
    def commit(self) -> str:
        return str(_table(self.origin, "vcs_info").get("commit_id", ""))

    @property
    def revision(self) -> str:
        """The tag or branch that was asked for."""
        return str(_table(self.origin, "vcs_info").get("requested_revision", ""))


@dataclass(frozen=True)
class Pin:
    """A requirement of the engine. url: where it comes from; demand: versions, where no URL is."""

    url: str = ""
    demand: str = ""

    @property
    def ref(self) -> str:
        """The tag, branch or commit in a repository; "" without one."""
        path = self.url.partition("#")[0].partition("://")[2].partition("/")[2]
        is_repository = self.url.startswith("git+")
        return unquote(path.rpartition("@")[2]) if is_repository and "@" in path else ""

    @property
    def version(self) -> str:
        """The release that the URL names, by a tag or a wheel; "" where it names none."""
        wheel = _WHEEL.search(unquote(self.url.partition("#")[0]))
        release = _RELEASE.fullmatch(wheel[1] if wheel else self.ref)
        return release[1] if release else ""

    @property
    def is_commit(self) -> bool:
        return _COMMIT.fullmatch(self.ref) is not None

    @property
    def shown(self) -> str:
        """The part of the pin that tells it from others."""
        return self.version or self.ref or self.url or self.demand

    def fits(self, engine: Engine) -> bool:
        """Whether that engine is the pinned one, as far as its record tells."""
        if self.ref and self.ref == engine.revision:
            return True
        if self.version:
            return self.version == engine.version
        if self.ref:
            return self.ref == engine.commit
        if self.url.startswith("file:") and engine.url:
            return _folder(self.url) == _folder(engine.url) and not engine.commit
        return bool(self.url) or _allows(self.demand, engine.version)


def read(document: Mapping[str, Any]) -> list[Pin]:
    """The pins of a pyproject.toml, that is every requirement of the engine in it.

    Nothing where uv takes the engine from elsewhere: `[tool.uv.sources]` is the owner's word.
    """
    sources = _table(_table(_table(document, "tool"), "uv"), "sources")
    if "twolane" in sources:
        return []
    return [pin for line in _requirements(document) if (pin := parse(line)) is not None]


def parse(line: str) -> Pin | None:
    """The pin that a requirement is; None for one of another package, or for other machines."""
    found = _NAME.fullmatch(line)
    if found is None:
        return None
    rest = (found[1] or "").strip()
    # A semicolon is part of a URL unless there is a space before it.
    asked, *marker = re.split(r"\s+;" if rest.startswith("@") else ";", rest, maxsplit=1)
    if marker and not _applies(marker[0]):
        return None
    if asked.startswith("@"):
        return Pin(url=asked[1:].strip())
    return Pin(demand=asked.strip(" ()"))


def installed() -> Engine | None:
    """The engine that runs, if it was installed; None for one of a maintainer's."""
    package = Path(twolane.__file__).parent
    metadata = package.parent / f"twolane-{twolane.__version__}.dist-info"
    if not metadata.is_dir():
        return None
    try:
        origin = json.loads((metadata / "direct_url.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        origin = None
    return Engine(twolane.__version__, origin if isinstance(origin, dict) else {})


def stale(document: Mapping[str, Any]) -> tuple[Pin, Engine] | None:
    """A pin with the engine that is installed in its place; None where all is well."""
    pins = read(document)
    if all(pin.version == twolane.__version__ for pin in pins) or (engine := installed()) is None:
        return None
    return next(((pin, engine) for pin in pins if not pin.fits(engine)), None)


def complaint(pin: Pin, engine: Engine) -> str:
    """What is wrong, in one line."""
    there = engine.version
    if pin.ref and not pin.version:
        there = engine.commit or there
    elif pin.url and not pin.version:
        there = f"{engine.url}@{engine.commit}" if engine.commit else engine.url
    return f"pyproject.toml pins twolane {pin.shown}, {there} is installed."


def remedy(root: Path, pin: Pin | None = None) -> str:
    """The command that installs what pyproject.toml asks for.

    pip keeps an engine of the same version number, so one of another commit must go first.
    """
    if (root / "uv.lock").is_file():
        return BY_UV
    if pin is not None and pin.ref and not pin.version:
        return f"pip uninstall --yes twolane && {BY_PIP}"
    return BY_PIP


def _requirements(document: Mapping[str, Any]) -> Iterator[str]:
    project = _table(document, "project")
    groups = (
        project.get("dependencies"),
        *_table(project, "optional-dependencies").values(),
        *_table(document, "dependency-groups").values(),
    )
    for group in groups:
        if isinstance(group, list):
            yield from (line for line in group if isinstance(line, str))


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _folder(url: str) -> str:
    return unquote(url.partition("#")[0]).rstrip("/")


def _applies(marker: str) -> bool:
    """Whether a marker is true here; one that can't be read counts as true."""
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    try:
        return bool(Marker(marker).evaluate())
    except (InvalidMarker, UndefinedEnvironmentName):
        return True


def _allows(demand: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return bool(SpecifierSet(demand).contains(version, prereleases=True))
    except InvalidSpecifier:
        return True
