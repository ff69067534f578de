"""A cluster of the embedded server: its data folder, who runs it, its two roles."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from twolane.errors import Failure
from twolane.postgres import place, project_role

# As on Supabase: the superuser, and the role of a project.
ADMINISTRATOR, ROLE = "supabase_admin", "postgres"
# initdb takes them from the machine, and what an SQL file means would depend on it: the time in
# `check (at > '2026-01-01')`. Supabase has these.
SAME_EVERYWHERE = {"timezone": "UTC", "datestyle": "ISO, MDY", "lc_messages": "C"}


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` tells: a process, its data folder, its port.

    The file's lines (src/include/utils/pidfile.h): pid, data folder, start time, port, socket
    folder, address, shared memory, status.
    """

    pid: int
    data: Path
    port: int
    is_ready: bool

    def is_of(self, folder: Path) -> bool:
        """Whether it is the server of this data folder, and not that of a folder it is a copy of.

        A server that was moved with its folder still works in it.
        """
        if self.data.resolve() == folder.resolve():
            return True
        try:
            return Path(f"/proc/{self.pid}/cwd").samefile(folder)
        except OSError:
            return False

    def lives_in(self, folder: Path) -> bool:
        """Whether it runs: it has not ended, if only unnoticed by its parent, and is no other
        process that got its number since."""
        if not _lives(self.pid):
            return False
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
            is_ended = stat.rpartition(")")[2].split()[0] in ("Z", "X")
            return not is_ended and Path(f"/proc/{self.pid}/cwd").samefile(folder)
        except OSError:  # no such files on this system, or not for this user
            return True


def postmaster(folder: Path) -> Postmaster | None:
    """The process that the data folder's `postmaster.pid` names, whether or not it lives."""
    try:
        lines = (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return Postmaster(int(lines[0]), Path(lines[1]), int(lines[3]), lines[7].strip() == "ready")
    except (OSError, IndexError, ValueError):
        return None


def program(folder: Path) -> Path | None:
    """The program that the data folder's server was started with, as its `postmaster.opts` says.

    It begins with the program's path, as it is, and then has each option in quotes
    (CreateOptsFile in src/backend/postmaster/postmaster.c).
    """
    try:
        found = (folder / "postmaster.opts").read_text(encoding="utf-8").partition(' "')[0].strip()
    except OSError:
        return None
    return Path(found) if found else None


def forget_foreign(folder: Path) -> None:
    """Removes `postmaster.pid` from a folder that was copied together with it.

    Raises:
        Failure: it may be this folder's own server, from before the folder moved.
    """
    found = postmaster(folder)
    if found is None or found.is_of(folder):
        return
    its_own = postmaster(found.data)
    if _lives(found.pid) and not (its_own and its_own.pid == found.pid):
        raise Failure(
            f"Process {found.pid} may be the server of this folder, from when it was {found.data}.",
            f"End it, if it is a Postgres (kill -INT {found.pid}); else remove "
            f"{folder / 'postmaster.pid'}. Then run the same command again.",
        )
    (folder / "postmaster.pid").unlink(missing_ok=True)


def forget_ended(folder: Path) -> None:
    """Removes `postmaster.pid` where its process has ended and its number is not free.

    Postgres would take whatever has the number for a server (CreateLockFile in
    src/backend/utils/init/miscinit.c). A server's processes work in its folder: while one of them
    is left, the file stays.
    """
    found = postmaster(folder)
    if found is None or found.lives_in(folder) or not _lives(found.pid):
        return
    for process in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if process.samefile(folder):
                return
    (folder / "postmaster.pid").unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def as_server_user() -> dict[str, Any]:
    """What makes `subprocess` run a program as the server's user."""
    user = place.server_user()
    return {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}


def log(folder: Path) -> IO[bytes]:
    """The server's log, open for more."""
    handle = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if user := place.server_user():
        os.fchown(handle, user.uid, user.gid)
    return os.fdopen(handle, "ab")


def is_open(folder: Path) -> bool:
    """Whether the data are of an earlier twolane: everybody was let in, as the superuser."""
    try:
        rules = (folder / "pg_hba.conf").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.split()[-1:] == ["trust"] for line in rules if not line.startswith("#"))


def initialise(programs: Path, folder: Path, secret: str) -> None:
    """Makes the data folder, whole or not at all.

    Raises:
        OSError: there is something in it already. CalledProcessError: initdb fails.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    handed = folder.with_name(f".{folder.name}.{os.getpid()}.password")
    try:
        place.write_secret(handed, secret)
        if user := place.server_user():
            os.chown(handed, user.uid, user.gid)
        _initdb(programs, draft, handed)
        draft.rename(folder)
    finally:
        handed.unlink(missing_ok=True)
        shutil.rmtree(draft, ignore_errors=True)


def _initdb(programs: Path, draft: Path, handed: Path) -> None:
    """Runs initdb with the locale of the environment, or with none if the machine lacks that."""
    command = [
        programs / "initdb",
        f"--pgdata={draft}",
        f"--username={ADMINISTRATOR}",
        f"--pwfile={handed}",
        "--auth=scram-sha-256",
        "--encoding=utf8",
        "--wal-segsize=1",
    ]
    run = partial(
        subprocess.run,
        check=True,
        capture_output=True,
        text=True,
        cwd=draft.parent,
        **as_server_user(),
    )
    try:
        run(command)
    except subprocess.CalledProcessError as error:
        if "locale" not in error.stderr:
            raise
        run([*command, "--no-locale"])


def size_of_log(folder: Path) -> dict[str, str]:
    """Settings that keep the write-ahead log small: nothing here is so large or so busy.

    Data of before have segments of 16 MB, of which Postgres keeps two at least.
    """
    sizes = [path.stat().st_size for path in (folder / "pg_wal").glob("0*") if path.is_file()]
    segment = max(sizes, default=0) >> 20
    return {
        "min_wal_size": f"{max(8, 2 * segment)}MB",
        "max_wal_size": f"{max(24, 3 * segment)}MB",
        "checkpoint_warning": "0",
    }


def reset_password(programs: Path, folder: Path, secret: str) -> None:
    """Gives the superuser of a server that does not run another password."""
    subprocess.run(
        [programs / "postgres", "--single", "-D", folder, "postgres"],
        input=f"alter role {ADMINISTRATOR} password '{secret}'\n",
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        **as_server_user(),
    )


def make_role(administrator: dict[str, Any], secret: str) -> None:
    """Makes the role of the project, with this password; what is there stays."""
    import psycopg

    with psycopg.connect(**administrator, dbname="postgres") as connection:
        if connection.execute("select pg_catalog.to_regrole(%s)", (ROLE,)).fetchone() == (None,):
            project_role.make(connection, ROLE)
        project_role.set_password(connection, ROLE, secret)
        if connection.info.server_version >= 170_000:
            # Nobody's event trigger runs as superuser, nor one for logins.
            connection.execute("alter role supabase_admin set event_triggers = off")


def admit(administrator: dict[str, Any], secret: str) -> None:
    """Lets the role of the project log in again with this password and the settings that it had at
    first, whatever somebody's SQL did to it."""
    import psycopg

    with psycopg.connect(**administrator, dbname="postgres", connect_timeout=5) as connection:
        project_role.restore(connection, ROLE)
        project_role.set_password(connection, ROLE, secret)
