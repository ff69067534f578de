"""What a user sees: results on standard output; progress, refusals and errors on standard error."""

from __future__ import annotations

import functools
import gc
import json
import logging
import os
import re
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit as Exit
from invoke.tasks import task

from .catalog import Change, kind, relation
from .differences import as_json, flat, grouped
from .errors import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from .guards import Refusal
    from .hazards import Hazard
    from .plan import Plan

NO_CHANGES = "No schema changes."
NOTHING_TO_APPLY, NOTHING_TO_PUSH = "Nothing to apply", "Nothing to push"
ERROR, REFUSED, DIFFERENT, INTERRUPTED = 1, 2, 3, 130
_COLORS = {"red": 31, "green": 32, "yellow": 33, "dim": 2, "bold": 1}


class Refused(Exception):
    """A guard refused the command. Exit code 2."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Different(Exception):
    """The command was asked whether there are differences, and there are. Exit code 3."""


def command(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task whose errors are messages and whose exit codes can be trusted.

    0 done, 1 an error, 2 refused, 3 differences found. `invoke --debug` shows tracebacks.
    """

    def decorate(body: Callable[..., None]) -> Any:
        # A module is a namespace, or a part of one: `db_check` holds `db.check`.
        name = f"{body.__module__.rpartition('.')[2].partition('_')[0]}.{body.__name__}"

        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> None:
            # Invoke turns bytecode off; Python would compile a command's imports each time.
            sys.dont_write_bytecode = False
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


def explain(problem: Exception) -> Failure:
    """Any exception as one message; an unexpected one asks for the traceback."""
    if isinstance(problem, Failure):
        return problem
    import psycopg

    from .errors import from_postgres

    if isinstance(problem, psycopg.Error):
        return from_postgres(problem, "The database refused")
    if isinstance(problem, OSError):
        return Failure(
            str(problem), "Check the path, its permissions and the free space on the disk."
        )
    if isinstance(problem, ModuleNotFoundError):
        return Failure(str(problem), "Install the service's dependencies: pip install -e '.[dev]'")
    if isinstance(problem, EOFError) and "marshal" in str(problem):
        return Failure(
            "A compiled module was cut short, by a full disk perhaps.",
            "Delete the folders __pycache__, then run the same command again.",
        )
    return Failure(f"{type(problem).__name__}: {problem}", "See the traceback: invoke --debug …")


def refuse(*refusals: Refusal | None) -> None:
    """Raises `Refused` with the first refusal, if there is one."""
    for refusal in refusals:
        if refusal:
            raise Refused(refusal)


def say(text: str = "") -> None:
    print(clean(text))


def done(text: str) -> None:
    print(f"{paint('✓', 'green')} {clean(text)}")


def warn(text: str) -> None:
    print(f"{paint('!', 'yellow')} {clean(text)}")


def confirm(question: str) -> bool:
    """Asks on a terminal; without one the answer is no."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def suggest(root: Path, paths: Sequence[Path], message: str, commit: bool) -> None:
    """Prints the commit message, or commits these paths alone."""
    from . import git

    if commit:
        done(git.commit(root, paths, message))
    else:
        say(f"Commit:  {message}")


def feat(titles: Sequence[str]) -> str:
    """The commit message of lane B's revisions."""
    return f"feat(db): {', '.join(titles)} via Alembic migration"


def note(text: str) -> None:
    """Progress, for the person who waits; never part of a result."""
    print(paint(f"· {clean(text)}", "dim", sys.stderr), file=sys.stderr, flush=True)


@contextmanager
def working(label: str) -> Iterator[None]:
    """Prints the label if the work takes longer than a second."""
    timer = threading.Timer(1.0, note, [f"{label} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def error(message: str, first: str = "") -> None:
    sys.stdout.flush()
    print(f"{paint('✗', 'red', sys.stderr)} {clean(message)}", file=sys.stderr)
    if first:
        print(f"  {paint('First:', 'bold', sys.stderr)}  {clean(first)}", file=sys.stderr)


def show_refusal(name: str, refusal: Refusal) -> None:
    """Prints one screen: what was refused, the facts concerned, and the one next command."""
    sys.stdout.flush()
    head = f"{name} refused · {refusal.code} {refusal.name}".replace("·  ", "· ")
    lines = [
        f"{paint('✗', 'red', sys.stderr)} {paint(head, 'bold', sys.stderr)}",
        f"  {clean(refusal.reason)}",
    ]
    lines += [f"    {line}" for line in change_lines(refusal.changes, sys.stderr, limit=12)]
    lines += [f"    {clean_line(detail)}" for detail in refusal.details]
    lines += [f"  {paint('First:', 'bold', sys.stderr)}  {clean(refusal.first)}"]
    print("\n".join(lines), file=sys.stderr)


def show_changes(changes: Sequence[Change], limit: int) -> None:
    for line in change_lines(changes, sys.stdout, limit):
        print(f"  {line}")


def show_objects(changes: Sequence[Change], limit: int | None = 60) -> None:
    """Prints the changes by object; of a long definition, only the part that changed."""
    for line in _limited([_paint_change(line, sys.stdout) for line in grouped(changes)], limit):
        print(line)


def show_plan(plan: Plan, found: Sequence[Hazard]) -> None:
    """Prints the revisions, their statements, the facts that they change, and the hazards."""
    for revision in plan.revisions:
        say(f"Revision {revision.id}  {revision.title}")
    for statement in plan.statements:
        print(textwrap.indent(clean(statement), "    "))
    say("The facts it changes:" if plan.changes else "It changes no fact.")
    show_objects(plan.changes)
    for old, new in plan.effects.renamed.items():
        if kind(old) == "table" or relation(new) == relation(old):
            say(clean_line(f"Renamed: {old} → {new}; its data stay."))
    for hazard in found:
        consent = f"; needs --allow {hazard.key}" if hazard.needs_consent else ""
        warn(clean_line(f"{hazard.key}   {hazard.text}{consent}"))


def plan_json(plan: Plan, found: Sequence[Hazard]) -> dict[str, Any]:
    """`{"revisions": [{"id", "title"}], "statements": [sql], "changes": […], "hazards": […]}`.

    changes: see `as_json`. A hazard is `{"key", "text", "needs_consent"}`.
    """
    return {
        "revisions": [{"id": r.id, "title": r.title} for r in plan.revisions],
        "statements": list(plan.statements),
        "changes": as_json(plan.changes),
        "hazards": [
            {"key": hazard.key, "text": hazard.text, "needs_consent": hazard.needs_consent}
            for hazard in found
        ],
    }


def change_lines(changes: Sequence[Change], stream: Any, limit: int) -> list[str]:
    """One coloured line per change; a long list ends with the number of lines left out."""
    return _limited([_paint_change(line, stream) for line in flat(changes)], limit)


def _limited(lines: list[str], limit: int | None) -> list[str]:
    if limit is None or len(lines) <= limit:
        return lines
    return [*lines[:limit], f"… and {len(lines) - limit} more"]


def _paint_change(line: str, stream: Any) -> str:
    color = {"+": "green", "-": "red", "~": "yellow"}.get(line.lstrip()[:1])
    return paint(clean_line(line), color, stream) if color else clean_line(line)


def print_json(value: Any) -> None:
    say_json(json.dumps(value, ensure_ascii=False, indent=2))


def say_json(text: str) -> None:
    """Prints a JSON text; control characters, which only strings have, become escapes."""
    print(re.sub(r"[^\n -~]", lambda found: _json_escape(found[0]), text))


def _json_escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    return re.sub("(....)", r"\\u\1", letter.encode("utf-16-be").hex())


def clean(text: str) -> str:
    """Text fit for a terminal: control characters are made visible."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter == "\n"
        else letter.encode("unicode_escape").decode()
        for letter in text.expandtabs(4)
    )


def clean_line(text: str) -> str:
    """`clean` text on one line, so that a name can't begin a line that looks like ours."""
    return clean(text).replace("\n", "\\n")


def paint(text: str, color: str, stream: Any = None) -> str:
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m"
