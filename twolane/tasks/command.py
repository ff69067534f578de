"""An Invoke task whose errors are messages and whose exit codes can be trusted."""

from __future__ import annotations

import functools
import gc
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from invoke.exceptions import Exit as Exit
from invoke.tasks import Task

from twolane.errors import Failure, explain
from twolane.exit_codes import DIFFERENT, ERROR, INTERRUPTED, REFUSED
from twolane.facts.differences import as_json
from twolane.guards.refusal import Refusal, Refused
from twolane.tasks.console import OnlyJson, about, error, print_json, take_any_text
from twolane.tasks.flags import with_letters
from twolane.tasks.mistyped import name_the_nearest
from twolane.tasks.screens import show_refusal

name_the_nearest()

_INTERRUPTED = "Interrupted. What was finished is recorded, the rest was rolled back."


class Different(Exception):
    """The command was asked whether there are differences, and there are. Exit code 3."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Spares a command the cyclic garbage collector: nearly all its objects live until its end.

    Measured: 4 % of the CPU time of `db.check` on a starter; of 2,000 tables, 5 % for `db.status`
    and 14 % for `db.introspect`.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def command(name: str, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task whose errors are messages and whose exit codes can be trusted.

    0 done, 1 an error, 2 refused, 3 differences found. `invoke --debug` shows tracebacks. With
    `--json`, a command that ends without a result prints `{"error": …}`, see `_as_json`. Hints
    carry the command's target.
    """

    def decorate(body: Callable[..., None]) -> Any:
        words = inspect.signature(body)

        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> None:
            target = words.bind_partial(*args, **kwargs).arguments.get("target")
            with about(target):
                _obey(name, body, *args, **kwargs)

        return with_letters(Task(run, **options))

    return decorate


def _obey(name: str, body: Callable[..., None], /, *args: Any, **kwargs: Any) -> None:
    """Runs the command's body; its error becomes a message and an exit code."""
    take_any_text()
    only_json = OnlyJson() if kwargs.get("json") else None
    try:
        with without_collector(), only_json or nullcontext():
            body(*args, **kwargs)
        sys.stdout.flush()
        return
    except Refused as refused:
        show_refusal(name, refused.refusal)
        told = _as_json(name, REFUSED, refused.refusal)
    except Different:
        raise Exit(code=DIFFERENT) from None
    except KeyboardInterrupt:
        failure = Failure(_INTERRUPTED)
        error(failure.message)
        told = _as_json(name, INTERRUPTED, failure)
    except BrokenPipeError:
        # The reader of the output is gone; the steps after the output were not done.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Exit(code=ERROR) from None
    except Exit:
        raise
    except Exception as problem:
        if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
            raise
        failure = explain(problem)
        error(failure.message, failure.first)
        told = _as_json(name, ERROR, failure)
    if only_json and not only_json.has_any:
        print_json({"error": told})
    raise Exit(code=told["exit"])


def _as_json(name: str, code: int, reason: Refusal | Failure) -> dict[str, Any]:
    """Why a command ended without a result: `{"command", "exit", "code", "name", "message",
    "changes", "details", "first"}`.

    code, name: the guard's, null for an error. changes: as in `db.diff --json`. first: the next
    step. exit: the exit code.
    """
    refusal = reason if isinstance(reason, Refusal) else None
    return {
        "command": name,
        "exit": code,
        "code": (refusal.code or None) if refusal else None,
        "name": refusal.name if refusal else None,
        "message": reason.message if isinstance(reason, Failure) else reason.reason,
        "changes": as_json(refusal.changes) if refusal else [],
        "details": list(refusal.details) if refusal else [],
        "first": reason.first,
    }
