"""An Invoke task whose errors are messages and whose exit codes can be trusted."""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from invoke.exceptions import Exit as Exit
from invoke.tasks import task

from twolane.errors import explain
from twolane.exit_codes import DIFFERENT, ERROR, INTERRUPTED, REFUSED
from twolane.guards.refusal import Refused
from twolane.tasks.console import error
from twolane.tasks.screens import show_refusal


class Different(Exception):
    """The command was asked whether there are differences, and there are. Exit code 3."""


def command(name: str, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task whose errors are messages and whose exit codes can be trusted.

    0 done, 1 an error, 2 refused, 3 differences found. `invoke --debug` shows tracebacks.
    """

    def decorate(body: Callable[..., None]) -> Any:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> None:
            # A command ends soon, and nearly all its objects live until then.
            gc.disable()
            try:
                body(*args, **kwargs)
                sys.stdout.flush()
            except Refused as refused:
                show_refusal(name, refused.refusal)
                raise Exit(code=REFUSED) from None
            except Different:
                raise Exit(code=DIFFERENT) from None
            except KeyboardInterrupt:
                error("Interrupted. What was finished is recorded, the rest was rolled back.")
                raise Exit(code=INTERRUPTED) from None
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
                raise Exit(code=ERROR) from None

        return task(run, **options)

    return decorate
