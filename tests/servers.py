"""Servers beside the shared one: of another major version, on TCP, with passwords."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from twolane.errors import Failure
from twolane.postgres import databases, place
from twolane.postgres import programs as bundled

PLATFORM = Path(__file__).parents[1] / "twolane/postgres/platform.sql"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
# Bytes: a server of the tests holds a few hundred megabytes at a time, and there may be several.
PLENTY = 4 << 30
# Nothing on these servers must last, and autovacuum would go round all their databases without end.
NOT_LASTING = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")
# A test's backend runs a few queries with large plans. Their memory glibc would ask of the kernel
# page by page, and give back after each, which takes up to a quarter of the time (its manual,
# "Memory Allocation Tunables"). Another C library does not read the variable.
MEMORY = ":".join(
    f"glibc.malloc.{name}={number}"
    for name, number in {
        "hugetlb": 1,
        "top_pad": 16 << 20,
        "trim_threshold": 256 << 20,
        "mmap_threshold": 256 << 20,
    }.items()
)
# Databases that an interrupted command left: drafts of the shadow, copies of a database.
LEFT_BEHIND = "select datname from pg_database where datname ~ '^clone_|_draft_[0-9]+$'"
VECTOR_15 = Path("/usr/share/postgresql/15/extension/vector.control")


@dataclass(frozen=True)
class Server:
    """A running server."""

    major: int
    port: int
    password: str = ""
    host: str = "127.0.0.1"

    def url(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        login = f"{user}:{password or self.password}"
        return f"postgresql://{login.rstrip(':')}@{self.host}:{self.port}/{database}"

    def new_database(self, platform: bool = True) -> str:
        """The URL of a fresh database, with the stub of Supabase's part."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        if platform:
            with psycopg.connect(self.url(name)) as connection:
                connection.execute(PLATFORM.read_bytes())
        return self.url(name)


def programs(major: int) -> Path:
    """The `bin` folder of that major version; skips the test where the machine has none."""
    if major == 15:
        if not (DEBIAN_15 / "initdb").exists():
            pytest.skip(f"there is no Postgres in {DEBIAN_15}: apt-get install postgresql-15")
        return DEBIAN_15
    try:
        return bundled.bundled(major)
    except Failure as failure:
        pytest.skip(f"{failure.message} {failure.first}")


def has_vector(major: int) -> bool:
    """Whether that server has pgvector."""
    return major in (16, 18) or (major == 15 and VECTOR_15.exists())


@dataclass(frozen=True)
class PostgresServer:
    """A running server on a socket in its data folder, which trusts everybody."""

    bin_path: Path
    pgdata: Path

    def get_uri(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:@/{database}?host={self.pgdata}"


@contextmanager
def running(major: int, password: str = "") -> Iterator[Server]:
    """A server of its own on a free TCP port, until the block ends.

    It trusts everybody, unless `postgres` is given a password.
    """
    with _folder() as folder, _started(programs(major), folder, _on_tcp, password) as settings:
        yield Server(major, settings["port"], password)


def _on_tcp() -> dict[str, Any]:
    return {"listen_addresses": Server.host, "port": free_port()}


@contextmanager
def running_on_a_socket(major: int) -> Iterator[PostgresServer]:
    """A server of its own on a socket, until the block ends."""
    with _folder() as folder:
        server = PostgresServer(programs(major), folder / "data")
        on_socket = {"listen_addresses": "", "unix_socket_directories": server.pgdata}
        with _started(server.bin_path, folder, lambda: on_socket):
            yield server


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="twolane-tests-", dir=fast_folder()))
    try:
        if user := as_user():
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(
    bin_path: Path, folder: Path, settings: Callable[[], Mapping[str, Any]], password: str = ""
) -> Iterator[Mapping[str, Any]]:
    """settings: asked for once more where the server does not start: its port may be taken."""
    data = folder / "data"
    auth = ["--auth=trust"]
    if password:
        (folder / "password").write_text(password)
        auth = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]

    def run(*command: str) -> None:
        subprocess.run(
            [bin_path / command[0], f"--pgdata={data}", *command[1:]],
            user=as_user(),
            cwd=folder,
            env=os.environ | {"GLIBC_TUNABLES": MEMORY},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start() -> Mapping[str, Any]:
        own = settings()
        lasting = dict.fromkeys(NOT_LASTING, "off")
        given = {"unix_socket_directories": folder, **lasting, **own}
        flags = " ".join(f"-c {name}='{value}'" for name, value in given.items())
        run("pg_ctl", "--wait", f"--log={folder / 'log'}", f"--options={flags}", "start")
        return own

    run("initdb", *auth, "--encoding=utf8", "--no-sync", "--username=postgres")
    try:
        try:
            started = start()
        except subprocess.CalledProcessError:
            started = start()
        yield started
    finally:
        with suppress(subprocess.CalledProcessError):
            run("pg_ctl", "--wait", "--mode=immediate", "stop")


def fast_folder() -> Path | None:
    """A folder in memory, where there is plenty of it; databases are copied there in no time."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free >= PLENTY else None


def make_database(maintenance: psycopg.Connection[Any], template: str) -> str:
    """The name of a new database, a copy of the template; `maintenance` leads to another one."""
    name = f"test_{uuid4().hex}"
    maintenance.execute(
        sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        )
    )
    if template != "template1":  # a copy comes without the settings of its template
        maintenance.execute(
            sql.SQL('alter database {} set search_path = "$user", public, extensions').format(
                sql.Identifier(name)
            )
        )
    return name


def shadows(maintenance: psycopg.Connection[Any]) -> set[str]:
    """The databases in which commands replayed files."""
    found = maintenance.execute("select datname from pg_database where datname like 'shadow\\_%'")
    return {name for (name,) in found}


def drop_databases(maintenance: psycopg.Connection[Any], names: Sequence[str]) -> None:
    """Drops the databases, and what commands left behind that were cut short."""
    maintenance.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
        " where application_name = 'twolane'"
    )
    left = maintenance.execute(LEFT_BEHIND).fetchall()
    for name in [*names, *(name for (name,) in left)]:
        databases.drop(maintenance, name)


def as_user() -> str | None:
    """Postgres refuses to run as root; the embedded server has a user for that."""
    return place.SERVER_USER if place.server_user() else None


def free_port() -> int:
    """Below the ranges from which the system, and the embedded server, take theirs."""
    while True:
        port = random.randrange(10_000, 20_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
