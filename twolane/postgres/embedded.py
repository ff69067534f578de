"""The embedded Postgres: data in `.postgres/<major>`; it outlives the command that starts it.

It listens on loopback TCP alone and asks for a password. As on Supabase, its superuser is
`supabase_admin`, who serves twolane and runs nothing that somebody else wrote; everything else is
done by `postgres`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.postgres import cluster, place, programs, standins

LOCAL_DATABASE = "local"
ROLE, ADMINISTRATOR = cluster.ROLE, cluster.ADMINISTRATOR
PATIENCE = 60.0
HOST = "127.0.0.1"


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
    """The parameters of a connection as `postgres`, without a database name.

    Starts the server if necessary.
    """
    parameters, path = _look(config) or start(config)
    if path is not None and path != (wanted := _standins(config, path)):
        standins.offer(_as(config, parameters, ADMINISTRATOR), wanted)
    return parameters


def administrator(config: Config, parameters: dict[str, Any]) -> dict[str, Any]:
    """`server`'s parameters for the superuser, who runs nothing that somebody else wrote."""
    return _as(config, parameters, ADMINISTRATOR)


def administrator_of(config: Config, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """The same database as the superuser, if the parameters lead to the embedded server."""
    found = _postmaster(data(config))
    place_of_it = (HOST, str(found.port)) if found else None
    if (parameters.get("host"), str(parameters.get("port"))) != place_of_it:
        return None
    return _as(config, parameters, ADMINISTRATOR)


def running(config: Config) -> dict[str, Any] | None:
    """Connection parameters of the server if it accepts connections, else None."""
    found = _look(config)
    return found[0] if found else None


def data(config: Config) -> Path:
    """The folder of the server's data."""
    return place.data(config, major(config))


def _as(config: Config, parameters: dict[str, Any], role: str) -> dict[str, Any]:
    return parameters | {"user": role, "password": place.password(config, role)}


def _look(config: Config) -> tuple[dict[str, Any], str | None] | None:
    """The running server's parameters and its `extension_control_path`."""
    import psycopg

    found = _postmaster(data(config))
    if found is None:
        return None
    if not place.has_password(config, ROLE):
        raise Failure(
            f"The passwords of the running embedded Postgres are gone from {config.home}.",
            "invoke db.down, then run the same command again: it makes new ones.",
        )
    parameters = _as(config, {"host": HOST, "port": found.port}, ROLE)
    try:
        return parameters, _search_path(parameters)
    except psycopg.OperationalError:
        pass
    try:
        _admit(config, parameters)
        return parameters, _search_path(parameters)
    except psycopg.OperationalError:
        return None


def admit(config: Config) -> None:
    """Gives `postgres` back what it had at first: see `cluster.admit`. Starts the server if
    necessary."""
    _admit(config, server(config))


def _admit(config: Config, parameters: dict[str, Any]) -> None:
    cluster.admit(_as(config, parameters, ADMINISTRATOR), place.password(config, ROLE))


def _search_path(parameters: dict[str, Any]) -> str | None:
    import psycopg

    with psycopg.connect(
        **parameters, dbname="postgres", connect_timeout=5, autocommit=True
    ) as connection:
        row = connection.execute(standins.SETTING).fetchone()
    return row[0] if row else None


def _postmaster(folder: Path) -> cluster.Postmaster | None:
    """The server of this data folder, if it is ready; a copied folder names another one's."""
    found = cluster.postmaster(folder)
    is_up = found and found.is_ready and found.is_of(folder) and found.lives_in(folder)
    return found if is_up else None


def _standins(config: Config, path: str) -> str:
    """The value that `extension_control_path` must have, where it is `path` now.

    The machine's own Postgres may use the data of the bundled one of that major version, and these
    data contain the setting.
    """
    folder = place.without_separator(data(config).parent)
    ours = standins.search_path(folder)
    if has_standins(config):
        standins.install(folder)
        return ours
    return standins.SYSTEM if path == ours else path


def start(config: Config) -> tuple[dict[str, Any], str | None]:
    """Starts the server, initialising its data on the first start.

    Raises:
        Failure: it does not start; the data are another kind of cluster's.
    """
    from filelock import FileLock

    place.make(config, major(config))
    with FileLock(config.home / "lock"):
        _await(data(config))
        if found := _look(config):
            return found
        try:
            _start(config)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            log = data(config) / "log"
            tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
            raise Failure(
                "\n  ".join(["The embedded Postgres did not start.", *tail]),
                f"Read {log}, or move {log.parent} away and run the same command again."
                if tail
                else "See what it says: invoke --debug db.up",
            ) from error
        found = _look(config)
    if found is None:
        raise Failure(
            "The embedded Postgres started but accepts no connection.",
            f"Read {data(config) / 'log'}.",
        )
    return found


def _start(config: Config) -> None:
    folder, binaries = data(config), _programs(config)
    cluster.forget_foreign(folder)
    cluster.forget_ended(folder)
    if cluster.is_open(folder):
        old = folder.with_name(f"{folder.name}-before")
        raise Failure(
            f"The data in {folder} are of an earlier twolane: their superuser is `postgres`, and "
            "every user of this machine may log in as that.",
            f"mv {shlex.quote(str(folder))} {shlex.quote(str(old))} && invoke db.bootstrap   (the "
            "rows stay in the old folder)",
        )
    place.hand_over(folder)
    is_known = place.has_password(config, ADMINISTRATOR)
    secret = place.password(config, ADMINISTRATOR)
    if not (folder / "PG_VERSION").exists():
        cluster.initialise(binaries, folder, secret)
    elif not is_known:
        cluster.reset_password(binaries, folder, secret)
    port = place.port(config, folder)
    _run(binaries, folder, port)
    administrator = {"host": HOST, "port": port, "user": ADMINISTRATOR, "password": secret}
    cluster.make_role(administrator, place.password(config, ROLE))


def _await(folder: Path) -> None:
    """Waits for a server that an earlier command left while it was starting."""
    deadline = time.monotonic() + PATIENCE
    while (found := cluster.postmaster(folder)) and found.is_of(folder):
        if found.is_ready or not found.lives_in(folder) or time.monotonic() > deadline:
            return
        time.sleep(0.05)


def _run(binaries: Path, folder: Path, port: int) -> None:
    """Starts the server as a process of its own and waits until it takes connections.

    Raises:
        RuntimeError: it ended, or takes none within a minute.
    """
    options = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": "",
        **cluster.SAME_EVERYWHERE,
        **cluster.size_of_log(folder),
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with cluster.log(folder) as log:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", folder, *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            **cluster.as_server_user(),
            **_detached(),
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"Postgres ended with {process.returncode}")
        if (found := _postmaster(folder)) and found.pid == process.pid:
            process.returncode = 0  # it outlives this process: nobody waits for it
            return
        time.sleep(0.01)
    process.terminate()
    raise RuntimeError("Postgres takes no connections")


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def remarks(config: Config) -> list[str]:
    """What a user should know of servers that run in spite of the settings, named since."""
    try:
        wanted = major(config)
    except Failure:
        return []  # the command that needs the server says so
    told = []
    for each, folder in _running(config):
        if each != wanted:
            told.append(
                f"The embedded Postgres {each} still runs beside {wanted}, with a database of its "
                "own.  First:  invoke db.down   (it stops both; the data stay)"
            )
        elif (program := cluster.program(folder)) and not _is_wanted(config, program):
            told.append(
                f"The embedded server still runs {program}, not what is named or installed since."
                "  First:  invoke db.down   (the next command starts the other; the data stay)"
            )
    return told


def _running(config: Config) -> Iterator[tuple[int, Path]]:
    """The majors whose servers run in this service's folders, and their data."""
    for path in sorted(config.home.glob("[0-9]*")):
        if path.name.isdecimal() and _postmaster(folder := place.data(config, int(path.name))):
            yield int(path.name), folder


def _is_wanted(config: Config, program: Path) -> bool:
    try:
        return program.resolve().parent == _programs(config).resolve()
    except Failure:
        return True


def stop(config: Config) -> bool:
    """Stops the server, and those of other majors that ran before; False if none was running."""
    found = list(_running(config))
    for _, folder in found:
        _stop(config, folder)
    return bool(found)


def _stop(config: Config, folder: Path) -> None:
    found = _postmaster(folder)
    if found is None:
        return
    if sys.platform == "win32":
        pg_ctl = _programs(config) / "pg_ctl"
        subprocess.run([pg_ctl, "-w", "-D", folder, "stop"], check=True, capture_output=True)
        return
    os.kill(found.pid, signal.SIGINT)  # a fast shutdown: sessions are ended
    deadline = time.monotonic() + PATIENCE
    while (folder / "postmaster.pid").exists():
        if time.monotonic() > deadline:
            raise Failure("The embedded Postgres does not stop.", f"Read {folder / 'log'}.")
        time.sleep(0.01)


def program(config: Config, name: str) -> Path:
    """A client program (`psql`, `pg_dump`) of the embedded server, else the machine's own.

    Raises:
        Failure: neither has it.
    """
    found = shutil.which(name, path=str(_programs(config))) or shutil.which(name)
    if found is None:
        raise Failure(f"There is no {name} on this machine.", "Install Postgres's client programs.")
    return Path(found)


def _programs(config: Config) -> Path:
    return (
        config.postgres if isinstance(config.postgres, Path) else programs.bundled(config.postgres)
    )
