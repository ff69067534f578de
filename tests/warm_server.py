"""Imports what commands import, then forks a process for each order that comes from `warm.py`.

Of each order come two processes: one does what is ordered; the other, its parent, tells whoever
ordered it the number and then the exit status.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import warm

LARGEST = 1 << 18
BACKSLASHES = "backslashreplace"  # for what the error stream's encoding lacks
# Not Copier itself: plumbum, by which it runs git, keeps the variables and folder of its import.
MODULES = """
    alembic.autogenerate alembic.command alembic.config alembic.context alembic.op alembic.script
    dotenv filelock invoke.main pglast pgvector.sqlalchemy psycopg
    psycopg.types.json sqlalchemy.dialects.postgresql.psycopg sqlalchemy.orm
    dunamai jinja2.nativetypes jinja2.sandbox pathspec pydantic.dataclasses pydantic.types
    pygments.lexers.data questionary.prompts.common yaml
"""


def import_all() -> None:
    """What commands import, and all modules of the engine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs: XDG_RUNTIME_DIR is not set
        for name in MODULES.split():
            importlib.import_module(name)
        package = importlib.import_module("twolane")
        for module in pkgutil.walk_packages(package.__path__, "twolane."):
            if module.name != "twolane.testing":  # which is pytest's
                importlib.import_module(module.name)


def next_order(path: str) -> dict[str, Any]:
    """Takes orders until the standard input ends; returns in a new process, once for each order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        ready = select.select([listener, sys.stdin], [], [])[0]
        if listener not in ready:
            os._exit(0)
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            order, streams = _take(line)
            _stand(order, streams)
            return order
        line.close()


def _take(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The order and the standard streams, in the process that is to do it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(line, LARGEST, 3)
    child = os.fork()
    if child == 0:
        line.close()
        return json.loads(text), streams
    for stream in streams:
        os.close(stream)
    with suppress(OSError):  # nobody waits for it
        line.send(warm.NUMBER.pack(child))
        line.send(warm.NUMBER.pack(os.waitpid(child, 0)[1]))
    os._exit(0)


def _stand(order: dict[str, Any], streams: list[int]) -> None:
    """Makes this process what the order wants: streams, session, variables, folder."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if order["session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["variables"])
    os.chdir(order["folder"])
    if encoding := os.environ.get(warm.ENCODING):
        for file, errors in ((sys.stdin, None), (sys.stdout, None), (sys.stderr, BACKSLASHES)):
            file.reconfigure(encoding=encoding, errors=errors)  # type: ignore[union-attr]


def run(kind: str, what: str, *arguments: str) -> None:
    """What `python -m WHAT ARGUMENTS…` and `python -c WHAT ARGUMENTS…` do."""
    sys.argv[:] = [kind, *arguments]
    if kind == "-m":
        sys.path[0] = str(Path.cwd())
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = ""
        exec(what, {"__name__": "__main__"})


def leave(code: int) -> None:
    """Ends as Python does, but takes no module apart, which would take longer than the rest."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        file.flush()
    os._exit(code)


if __name__ == "__main__":
    import_all()
    gc.freeze()  # else a collection in a child would copy every page
    warm.known_place = sys.argv[1]
    with warm.forked_children():
        order = next_order(warm.known_place)
        try:
            run(*order["words"])
        except SystemExit as end:
            if end.code is not None and not isinstance(end.code, int):
                raise
            leave(end.code or 0)
        leave(0)
