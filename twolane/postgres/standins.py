"""Stand-ins for extensions that the embedded Postgres lacks: real extensions of that name, in SQL.

The folder `extension` has a control file and a script for each, and `extension_control_path` (since
Postgres 18) makes the server look there after its own folder, so it prefers the real extension.
The server reads a copy in `.postgres/`, because under root it runs as a user who may have no access
to the service's folder.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from twolane.errors import Failure

SOURCE = Path(__file__).with_name("extension")
# The comment of a stand-in extension begins with this.
COMMENT = "twolane's stand-in for "
# Reads the setting from a server; null before Postgres 18, which has no such setting.
SETTING = "select pg_catalog.current_setting('extension_control_path', true)"
SYSTEM = "$system"


@lru_cache(maxsize=1)
def digest() -> str:
    """The digest of all files of the stand-ins."""
    parts = (name.encode() + b"\0" + content for name, content in sorted(_files(SOURCE).items()))
    return sha256(b"\0".join(parts)).hexdigest()


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The extensions for which there is one."""
    return frozenset(path.stem for path in SOURCE.glob("*.control"))


@lru_cache(maxsize=1)
def install(home: Path) -> None:
    """Puts the copy of `SOURCE` into `home`, for everybody to read."""
    folder = _folder(home)
    wanted, present = _files(SOURCE), _files(folder)
    if wanted == present:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder.parent, folder):
        path.chmod(0o755)
    for name, content in wanted.items():
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_bytes(content)
        draft.chmod(0o644)
        draft.replace(folder / name)
    for name in present.keys() - wanted.keys():
        (folder / name).unlink(missing_ok=True)


def search_path(home: Path) -> str:
    """The value of the setting with which the server finds the copy in `home`.

    `home` must have no `os.pathsep` in it, which the setting can't quote.
    """
    return f"{SYSTEM}{os.pathsep}{_folder(home).parent.as_posix()}"


def offer(parameters: dict[str, Any], path: str) -> None:
    """Sets the server's `extension_control_path`, and waits until new connections have it.

    Raises:
        Failure: they don't get it.
    """
    import psycopg
    from psycopg import sql

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(**parameters, dbname="postgres", autocommit=True)

    statement = sql.SQL("alter system set extension_control_path = {}").format(sql.Literal(path))
    with connect() as connection:
        connection.execute(statement)
        connection.execute("select pg_catalog.pg_reload_conf()")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connect() as connection:
            if connection.execute(SETTING).fetchone() == (path,):
                return
        time.sleep(0.01)
    raise Failure(
        "The embedded Postgres does not take up its settings.",
        "Run invoke db.down, then the same command again.",
    )


def _folder(home: Path) -> Path:
    return home / "standins" / "extension"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*") if path.is_file()}
