"""Where the embedded server's data, passwords and programs lie, and who may read them.

Everything is in `.postgres/`, its owner's alone. Under root Postgres runs as another user; where
that user may not enter a folder above, the data lie elsewhere. No permission of a folder that is
not twolane's is changed.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from twolane.config import Config
from twolane.errors import Failure
from twolane.text import clean_line

# Who runs Postgres under root. The name of old: there are data that belong to it.
SERVER_USER = "pgserver"
# Root's data, where the server's user may not reach the service's folder.
ELSEWHERE = Path("/var/lib/twolane")
# Beside data that lie elsewhere: the link that leads there.
_LINK = "link"
# Below the ports that systems hand out by themselves (from 32768 on Linux, 49152 elsewhere).
_PORTS = range(20_000, 32_000)


class User(NamedTuple):
    """A user of the system: `uid`, `gid`."""

    uid: int
    gid: int


@lru_cache(maxsize=1)
def server_user() -> User | None:
    """Who runs Postgres instead of root; None if the current user does. Made if it is missing.

    Raises:
        Failure: there is no `useradd`, or it made no user.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    found = _known_user()
    if found is None:
        import fcntl

        with Path("/etc/passwd").open() as passwords:  # of commands at once, one makes it
            fcntl.flock(passwords, fcntl.LOCK_EX)
            found = _known_user() or _make_user()
    return found


def _known_user() -> User | None:
    import pwd

    try:
        found = pwd.getpwnam(SERVER_USER)
    except KeyError:
        return None
    return User(found.pw_uid, found.pw_gid)


def _make_user() -> User:
    # The PATH often lacks the folders of root's programs.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    useradd = shutil.which("useradd", path=path)
    if useradd is None:
        raise Failure(
            "Postgres can't run as root, and there is no useradd to make a user for it.",
            "Install useradd (in the package passwd or shadow-utils), or work as another user.",
        )
    done = subprocess.run(
        [useradd, "--system", "--shell", "/bin/false", SERVER_USER],
        capture_output=True,
        text=True,
        check=False,
    )
    made = _known_user()
    if done.returncode or made is None:
        raise Failure(
            "Postgres can't run as root, and useradd made no user for it: "
            f"{clean_line(done.stderr.strip())}",
            f"Make the user {SERVER_USER} by hand, or work as another user.",
        )
    return made


def data(config: Config, major: int) -> Path:
    """The folder of the data of that major version, made or not: `.postgres/<major>`.

    Where the server's user may not enter that, it is a link to a folder elsewhere.
    """
    link = config.home / str(major)
    if link.is_symlink() and _is_copied(link):
        return link.with_name(f"{major}-of-another-service")  # until `make` lays data of its own
    return link.resolve()


def named(folder: Path) -> Path:
    """The data folder as its service names it, where it lies elsewhere."""
    try:
        return Path((folder.parent / _LINK).read_text(encoding="utf-8").strip())
    except OSError:
        return folder


def make(config: Config, major: int) -> None:
    """Makes `.postgres/` and what the server's user needs, each for one user alone.

    Raises:
        Failure: somebody else made one of the folders beforehand.
    """
    user, home, link = server_user(), config.home, config.home / str(major)
    home.mkdir(mode=0o700, exist_ok=True)
    if user is None or (may_enter(home.resolve().parent, user) and not link.is_symlink()):
        _private(home, user)
        return
    _private(home, None)
    if not link.is_symlink() or _is_copied(link):
        _lay_elsewhere(config, link, user)
    _private(link.resolve().parent, user)
    (link.resolve().parent / _LINK).write_text(f"{link}\n", encoding="utf-8")


def hand_over(folder: Path) -> None:
    """Gives a data folder that root copied to the server's user."""
    user = server_user()
    if user and folder.exists() and folder.stat().st_uid != user.uid:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _lay_elsewhere(config: Config, link: Path, user: User) -> None:
    ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    check_own(ELSEWHERE, None)
    place = Path(tempfile.mkdtemp(prefix=f"{config.root.name}-", dir=ELSEWHERE))
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        shutil.move(link, place / link.name)
    link.symlink_to(place / link.name, target_is_directory=True)


def _is_copied(link: Path) -> bool:
    """Whether the folder behind the link belongs to the service of which this one is a copy."""
    try:
        original = Path((link.resolve().parent / _LINK).read_text(encoding="utf-8").strip())
    except OSError:
        return True
    return original != link and original.is_symlink() and original.resolve() == link.resolve()


def _private(path: Path, user: User | None) -> None:
    """Gives a folder of twolane's to its one user."""
    check_own(path, user)
    if stat.S_IMODE(path.stat().st_mode) != 0o700:
        path.chmod(0o700)
    if user and path.stat().st_uid != user.uid:
        os.chown(path, user.uid, user.gid)


def check_own(path: Path, user: User | None) -> None:
    if not hasattr(os, "geteuid"):
        return
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid in {
        os.geteuid(),
        *([user.uid] if user else []),
    }:
        return
    raise Failure(
        f"{path} is not a folder of {getpass.getuser()}'s: somebody else made it.",
        f"Look who did (ls -ld {path}), move it away, then run the same command again.",
    )


def may_enter(path: Path, user: User) -> bool:
    """Whether the user may go into the folder and into all above it."""
    for each in (path, *path.parents):
        found = each.stat()
        bits = {user.uid: stat.S_IXUSR}.get(found.st_uid, stat.S_IXOTH)
        if found.st_uid != user.uid and found.st_gid == user.gid:
            bits = stat.S_IXGRP
        if not found.st_mode & bits:
            return False
    return True


def has_password(config: Config, role: str) -> bool:
    """Whether the role's password was made."""
    return (config.home / f"{role}.password").exists()


def password(config: Config, role: str) -> str:
    """The role's password on the embedded server, made at its first use; the file is 0600."""
    path = config.home / f"{role}.password"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    config.home.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    write_secret(draft, secrets.token_urlsafe(24))
    try:
        os.link(draft, path)  # unlike a rename, it leaves the file of a faster command
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def is_password(config: Config, password: object) -> bool:
    """Whether it is the password of a role of this service's embedded server."""
    known = [path.read_text(encoding="ascii").strip() for path in config.home.glob("*.password")]
    return password in known


def write_secret(path: Path, secret: str) -> None:
    """Makes a file that its owner alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")


def port(config: Config, data: Path) -> int:
    """A free port on loopback: the one that this data folder had before, if nobody took it.

    A copy of the folder gets a port of its own, as the original may want its own back.
    """
    path = config.home / f"port.{data.name}"
    try:
        before, owner = path.read_text(encoding="utf-8").rstrip("\n").split(" ", 1)
        is_copy = Path(owner) != data and Path(owner).exists()
        if not is_copy and _is_free(int(before)):
            if Path(owner) != data:
                _write_port(path, int(before), data)
            return int(before)
    except (OSError, ValueError):
        pass
    found = next(port for port in iter(lambda: secrets.choice(_PORTS), 0) if _is_free(port))
    _write_port(path, found, data)
    return found


def _write_port(path: Path, port: int, data: Path) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(f"{port} {data}\n", encoding="utf-8")
    draft.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        if os.name == "posix":  # as Postgres does; connections that just ended are no obstacle
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def without_separator(folder: Path) -> Path:
    """The folder, or a link to it if its path has what separates folders in a setting."""
    if not re.search(rf"[{re.escape(os.pathsep)}\n]", str(folder)):
        return folder
    links = Path(tempfile.gettempdir()) / f"twolane-{getpass.getuser()}"
    links.mkdir(mode=0o700, exist_ok=True)
    _private(links, server_user())
    link = links / sha256(str(folder).encode()).hexdigest()[:12]
    if not link.is_symlink() or link.readlink() != folder:
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
    return link
