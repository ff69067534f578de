"""A separate Postgres for the benchmark: nothing else runs on it, and it keeps no data."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from twolane.postgres import place
from twolane.postgres.programs import bundled

MAJOR = 18
PLATFORM = Path(__file__).parents[1] / "twolane/postgres/platform.sql"


@dataclass(frozen=True)
class Server:
    """A running server that trusts everybody on the loopback interface."""

    port: int
    programs: Path
    data: Path

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Runs the benchmark's own SQL, in autocommit."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, database: str) -> None:
        """Creates a database with only the stub of Supabase's objects."""
        self._create(database, "template0")
        self.run(PLATFORM.read_text(encoding="utf-8"), database)

    def copy(self, database: str, copy: str) -> None:
        """Copies a database; nobody may be connected to it."""
        self._create(copy, database)

    def drop(self, *databases: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for database in databases:
                drop = sql.SQL("drop database if exists {} with (force)")
                connection.execute(drop.format(sql.Identifier(database)))

    def settle(self, database: str) -> None:
        """Updates the planner's statistics, and writes the memory to disk.

        Autovacuum would do it later, during a measurement.
        """
        self.run("vacuum analyze", database)
        self.run("checkpoint")

    def _create(self, database: str, template: str) -> None:
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(database), sql.Identifier(template)
        )
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running() -> Iterator[Server]:
    """A server on a free TCP port, until the block ends.

    It has room for the locks that pg_dump holds on ten thousand tables at once.
    """
    programs = bundled(MAJOR)
    user = place.SERVER_USER if place.server_user() else None
    folder = Path(tempfile.mkdtemp(prefix="twolane-bench-server-"))
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "autovacuum": "off",
        "shared_buffers": "256MB",
        "max_locks_per_transaction": 1024,
        "shared_preload_libraries": "pg_stat_statements",
        "pg_stat_statements.track_planning": "on",
    }
    flags = " ".join(f"-c {name}={value}" for name, value in settings.items())

    def run(program: str, *arguments: str | Path) -> None:
        command = [programs / program, "--pgdata", data, *arguments]
        subprocess.run(
            command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120
        )

    try:
        run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--no-sync")
        run("pg_ctl", "--wait", "--log", folder / "log", "--options", flags, "start")
        try:
            found = Server(port, programs, data)
            found.run("create extension pg_stat_statements")
            yield found
        finally:
            run("pg_ctl", "--wait", "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
