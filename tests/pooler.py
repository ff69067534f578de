"""A real PgBouncer in transaction mode with one server connection, in front of a database."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

# One server connection for everybody: what a transaction leaves behind meets the next client.
# `any` lets everyone in as the user named beside the database.
SETTINGS = """
[databases]
{dbname} = host={host} port={port} dbname={dbname} user=postgres

[pgbouncer]
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 1
query_wait_timeout = 120
server_login_retry = 1
"""


def find_pgbouncer() -> str:
    """The program; skips the test where there is none."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    return program


@contextmanager
def transaction_pooler(host: str, port: int, dbname: str) -> Iterator[str]:
    """The URL of a pooler in front of `dbname`, on a Unix socket; ended on leaving."""
    program = find_pgbouncer()
    with tempfile.TemporaryDirectory(prefix="pooler") as folder:
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(SETTINGS.format(host=host, port=port, dbname=dbname, folder=folder))
        url = f"postgresql://postgres@/{dbname}?host={quote(folder, safe='')}&port=6432"
        user = None
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            user = Path(host).owner() if host.startswith("/") else "nobody"
            shutil.chown(folder, user)
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen([program, settings], stderr=log, user=user) as process,
        ):
            try:
                _wait(url, process, Path(log.name))
                yield url
            finally:
                process.kill()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer does not answer: {log.read_text()}") from error
            time.sleep(0.02)
