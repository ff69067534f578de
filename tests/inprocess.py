"""`invoke …` inside this process, as `python -m invoke …` would be in one of its own.

A command pays for the imports once a test run instead of once a command. It gets its own
environment, folder, streams (also those that its children inherit), logging and warnings, and
leaves nothing of the service behind: no module, no path, no cache.
"""

from __future__ import annotations

import functools
import gc
import linecache
import logging
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO
from unittest.mock import patch

import invoke
from invoke.program import Program
from invoke.tasks import Task
from warm import READ_AT_START, forked_children

from twolane import sql

LIMIT = 300
PROGRAM = str(Path(invoke.__file__).with_name("__main__.py"))
URLS = {"DATABASE_URL", "SHADOW_DATABASE_URL"}
# Module of the engine → its caches, but for that of syntax trees, which depend on a text alone.
_caches: dict[str, list[functools._lru_cache_wrapper[Any]]] = {}
DEFAULT_FILTERS: tuple[tuple[str, type[Warning], str], ...] = (
    ("default", DeprecationWarning, "__main__"),
    ("ignore", DeprecationWarning, ""),
    ("ignore", PendingDeprecationWarning, ""),
    ("ignore", ImportWarning, ""),
    ("ignore", ResourceWarning, ""),
)


def needs_process(arguments: Sequence[str], own: Mapping[str, str]) -> bool:
    """Whether a command with these variables of its own is only itself in a process of its own.

    Without both URLs it works on an embedded server, which is to outlive the process that starts
    it; `--debug` sets up logging for good; Python reads some variables when it starts.
    """
    return (
        not own.keys() >= URLS
        or bool({"--debug", "-d"} & set(arguments))
        or any(name.startswith(READ_AT_START) for name in own)
        or threading.current_thread() is not threading.main_thread()
    )


def run(
    folder: Path, environment: Mapping[str, str], arguments: Sequence[str]
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `invoke ARGUMENTS…` in the folder."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with ExitStack() as stack:
            stack.enter_context(_forgotten(folder))
            stack.enter_context(_help_kept())
            stack.enter_context(forked_children())
            stack.enter_context(_variables(environment))
            stack.enter_context(_inside(folder))
            stack.enter_context(_streams(out.fileno(), err.fileno()))
            stack.enter_context(_quiet_logging())
            stack.enter_context(_default_warnings())
            stack.enter_context(_limit(LIMIT))
            code = _call(arguments)
        return code, _text(out), _text(err)


def _call(arguments: Sequence[str]) -> int:
    program = Program(
        name="Invoke",
        binary="inv[oke]",
        binary_names=["invoke", "inv"],
        version=invoke.__version__,
    )
    try:
        program.run([PROGRAM, *arguments])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _forgotten(folder: Path) -> Iterator[None]:
    """The modules that are loaded from the folder, the module path, and every cache of the engine.

    No bytecode is written: a module that a test writes again within the second, in as many letters,
    would be taken for the one before.
    """
    path, modules, writes = sys.path[:], sys.modules.copy(), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        sys.path[:] = path
        places = (str(folder), str(folder.resolve()))
        for name, module in list(sys.modules.items()):
            if module is not modules.get(name) and _place(module).startswith(places):
                _dispose(module)
                del sys.modules[name]
                if name in modules:
                    sys.modules[name] = modules[name]
        for place in list(sys.path_importer_cache):
            if place.startswith(places):
                del sys.path_importer_cache[place]
        linecache.checkcache()
        _clear_caches()
        # A command leaves the collector off: what it left behind is all in the first generation,
        # and may hold a connection open.
        gc.enable()
        gc.collect(0)


def _dispose(module: ModuleType) -> None:
    """Takes away the mappers of its classes: a command imports some of a service's classes alone,
    and SQLAlchemy configures all that it has met together."""
    from sqlalchemy.orm import DeclarativeBase

    for value in vars(module).values():
        if DeclarativeBase in getattr(value, "__bases__", ()):
            value.registry.dispose(cascade=True)


def _place(module: ModuleType) -> str:
    """The file of a module, the folder of a package without one; else nothing."""
    if file := getattr(module, "__file__", None):
        return str(file)
    return next(iter(getattr(module, "__path__", ())), "")


def _clear_caches() -> None:
    for name in [name for name in sys.modules if name.startswith("twolane.")]:
        if name not in _caches:
            values = list(vars(sys.modules[name]).values())
            caches = [v for v in values if isinstance(v, functools._lru_cache_wrapper)]
            _caches[name] = [cache for cache in caches if cache is not sql._kept]
        for cache in _caches[name]:
            cache.cache_clear()


@contextmanager
def _help_kept() -> Iterator[None]:
    """Invoke takes the texts about options out of a task as it reads them: for one command."""
    read = Task.get_arguments

    def get_arguments(task: Any, ignore_unknown_help: bool | None = None) -> Any:
        kept = dict(task.help)
        try:
            return read(task, ignore_unknown_help)
        finally:
            task.help = kept

    with patch.object(Task, "get_arguments", get_arguments):
        yield


@contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    _set_variables(environment)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _streams(out: int, err: int) -> Iterator[None]:
    """Files in place of the three standard streams, for children as well; no input."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    kept = [os.dup(number) for number in range(3)]
    before = (sys.stdin, sys.stdout, sys.stderr)
    for file in before[1:]:
        file.flush()
    for number, file_number in enumerate((nothing, out, err)):
        os.dup2(file_number, number)
    sys.stdin, sys.stdout, sys.stderr = _opened(0, "r"), _opened(1, "w"), _opened(2, "w")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        yield
    finally:
        for file in (sys.stdout, sys.stderr):
            file.flush()
        sys.stdin, sys.stdout, sys.stderr = before
        for number, file_number in enumerate(kept):
            os.dup2(file_number, number)
            os.close(file_number)
        os.close(nothing)


def _opened(number: int, mode: str) -> Any:
    return open(number, mode, encoding="utf-8", closefd=False)


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """A root logger as a new process has it, without pytest's handlers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _default_warnings() -> Iterator[None]:
    """Warnings as a new process prints them, on its standard error."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for action, category, module in reversed(DEFAULT_FILTERS):
            warnings.filterwarnings(action, category=category, module=module)  # type: ignore[arg-type]
        warnings.showwarning = _show_warning
        yield


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Ends what takes too long, as a process is ended that does."""

    def end(number: int, frame: object) -> None:
        raise TimeoutError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _text(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode().replace("\r\n", "\n")
    return text
