"""`python -m …` and `python -c …` in a process that begins where its imports are done.

What `warm_server.py` forks is a process of its own: with its own streams, folder, variables and
session, interrupted and killed like any other. It costs a tenth of a Python that starts from
nothing, because commands do little else than import.
"""

from __future__ import annotations

import atexit
import inspect
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from twolane.fleet import children

READ_AT_START = ("PYTHON", "LANG", "LC_", "TZ")
# What a fleet gives its children; the server heeds it.
ENCODING = "PYTHONIOENCODING"
NUMBER = struct.Struct("i")
STARTING = threading.Lock()

known_place = ""


def is_possible(environment: Mapping[str, str]) -> bool:
    """Whether these variables are those with which the server's Python started."""
    if sys.platform == "win32":
        return False

    def read(variables: Mapping[str, str]) -> dict[str, str]:
        return {n: v for n, v in variables.items() if n.startswith(READ_AT_START) and n != ENCODING}

    return read(environment) == read(os.environ)


def popen(words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """`python WORDS…`, which are `-m MODULE …` or `-c CODE …`; forked where it can be."""
    if is_possible(options.get("env") or os.environ):
        return Forked([sys.executable, *words], **options)
    return cold_popen(words, **options)


def run(words: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """The same, ended: what it said, and its exit code."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    with popen(words, text=True, **streams, **options) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def cold_popen(words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """The same, started from nothing."""
    if sys.platform != "win32":
        options["preexec_fn"] = _hear_interrupts
    return subprocess.Popen([sys.executable, *words], **options)


def _hear_interrupts() -> None:
    """A suite that a shell runs in the background has SIGINT ignored, and passes that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Forked(subprocess.Popen[str]):
    """A `Popen` of `[sys.executable, *words]`, forked by the server."""

    def _execute_child(self, *given: Any) -> None:
        """What `Popen` does with its pipes, once they are made."""
        names = list(inspect.signature(subprocess.Popen._execute_child).parameters)[1:]  # type: ignore[attr-defined]
        by_name = dict(zip(names, given, strict=True))
        order = {
            "words": [os.fspath(word) for word in by_name["args"][1:]],
            "folder": os.fspath(by_name["cwd"] or Path.cwd()),
            "variables": dict(os.environ if by_name["env"] is None else by_name["env"]),
            "session": bool(by_name["start_new_session"]),
        }
        streams = [by_name[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if fd == -1 else fd for number, fd in enumerate(streams)]
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.connect(place())
        socket.send_fds(self._line, [json.dumps(order).encode()], streams)
        (self.pid,) = NUMBER.unpack(self._line.recv(NUMBER.size))
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(by_name[name] for name in pipes))  # type: ignore[attr-defined]

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._line], [], [], timeout)[0]:
            (status,) = NUMBER.unpack(self._line.recv(NUMBER.size))
            self.returncode = os.waitstatus_to_exitcode(status)
            self._line.close()
        return self.returncode


def place() -> str:
    """The socket of this process's server."""
    with STARTING:
        return known_place or _start()


def _start() -> str:
    """Starts the server, which ends when this process does."""
    global known_place
    folder = tempfile.TemporaryDirectory(prefix="twolane-warm-")
    atexit.register(folder.cleanup)
    path = str(Path(folder.name) / "socket")
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("warm_server.py"), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # a pipe, too: Python finds out only once whether it can seek
        env={name: value for name, value in os.environ.items() if name != ENCODING},
        cwd="/",
    )
    atexit.register(server.communicate)
    assert server.stdout
    said = []
    for line in server.stdout:
        if line == b"ready\n":
            known_place = path
            return path
        said.append(line)
    raise RuntimeError(b"".join(said).decode())


@contextmanager
def forked_children() -> Iterator[None]:
    """The children of a fleet, which this process has, are forked as well."""
    stand_in = SimpleNamespace(
        Popen=lambda words, **options: popen(words[1:], **options),
        PIPE=subprocess.PIPE,
        DEVNULL=subprocess.DEVNULL,
    )
    with patch.object(children, "subprocess", stand_in):
        yield
