"""What a user sees: results on standard output; progress, refusals and errors on standard error."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from twolane import hints
from twolane.errors import Failure
from twolane.text import clean, clean_line, shortened

if TYPE_CHECKING:
    from pathlib import Path

    from twolane.config import Config

NO_CHANGES = "No schema changes."
# What a sync ends in that wrote changes down: the next one has none.
LEVEL = "The mirror is now level with the database."


# Seconds after which a step is named to the person who waits.
PATIENCE = 1.0
_NO_END = sys.maxsize

_COLORS = {"red": 31, "green": 32, "yellow": 33, "dim": 2, "bold": 1}


@contextmanager
def about(target: str | None) -> Iterator[None]:
    """While it is open, hints carry this target, as `--target` has it; several give none."""
    from twolane.config import is_many

    _targets.append(None if is_many(target) or "://" in (target or "") else target)
    try:
        yield
    finally:
        _targets.pop()


_targets: list[str | None] = []


def pasted(text: str) -> str:
    """Text fit for a terminal, in which each command can be pasted as it is."""
    return clean(hints.on(text, _meant()) if "invoke db." in text else text)


def _meant() -> str | None:
    """The target that hints name: the one that the command has, unless it is the default."""
    from twolane import config

    target = _targets[-1] if _targets else None
    try:
        return None if target is None or target == config.load().default else target
    except Failure:
        return target


def say(text: str = "", color: str = "", before: str = "") -> None:
    """A line of the result. before: an indent, or a sign that has its colour already."""
    print(f"{before}{paint(pasted(text), color) if color else pasted(text)}")


def done(text: str) -> None:
    print(f"{paint('✓', 'green')} {pasted(text)}")


def warn(text: str) -> None:
    print(f"{paint('!', 'yellow')} {pasted(text)}")


def is_asked() -> bool:
    """Whether somebody can answer: standard input is a terminal."""
    return sys.stdin.isatty()


def confirm(question: str) -> bool:
    """Asks on a terminal; without one the answer is no."""
    return is_asked() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def suggest(
    root: Path, paths: Sequence[Path], message: str, commit: bool, what: Sequence[str] = ()
) -> None:
    """Prints the commit message, or commits these paths alone.

    what: lines that say what changed, for the commit's body.
    """
    from twolane import git

    if commit:
        done(git.commit(root, paths, message, "\n".join(map(clean_line, shortened(what)))))
    else:
        print(clean(f"Commit:  {message}"))


def suggest_revisions(
    config: Config, titles: Sequence[str], commit: bool, what: Sequence[str] = ()
) -> None:
    """Suggests the commit of the revisions with these titles; with `commit`, makes it."""
    paths = [config.migrations, config.schema / "app.py"]
    suggest(config.root, paths, feat(titles), commit, what)


def feat(titles: Sequence[str]) -> str:
    """The commit message of lane B's revisions."""
    return f"feat(db): {', '.join(titles)} via Alembic migration"


def room(a_line_each: bool = False) -> int:
    """The columns that a table may take: those of the terminal, or as `COLUMNS` says.

    a_line_each: whether its rows stay whole where no terminal shows them, for whoever reads them.
    """
    if a_line_each and not sys.stdout.isatty():
        return _NO_END
    return shutil.get_terminal_size((_NO_END, 1)).columns


def note(text: str) -> None:
    """Progress, for the person who waits; never part of a result."""
    print(paint(f"· {pasted(text)}", "dim", sys.stderr), file=sys.stderr, flush=True)


@contextmanager
def working(label: str) -> Iterator[None]:
    """Prints the label if the work takes longer than `PATIENCE`."""
    timer = threading.Timer(PATIENCE, note, [f"{label} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def take_any_text() -> None:
    """Makes standard output and error take any text: one that is closed swallows it, one whose
    encoding lacks a character, as on Windows in a pipe, gets its escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def error(message: str, first: str = "") -> None:
    sys.stdout.flush()
    print(f"{paint('✗', 'red', sys.stderr)} {pasted(message)}", file=sys.stderr)
    if first:
        print(f"  {paint('First:', 'bold', sys.stderr)}  {pasted(first)}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Prints a report; its hints carry the target, as those on a screen do."""
    told = hints.in_report(value, _meant())
    say_json(json.dumps(told, ensure_ascii=False, indent=2))


def say_json(text: str) -> None:
    """Prints a JSON text; control characters, which only strings have, become escapes, as what
    the output's encoding lacks does."""
    stream = _only_json[-1].stream if _only_json else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    escaped = re.sub(r"[^\n -~]", lambda found: _json_escape(found[0], encoding), text)
    if _only_json:
        _only_json[-1].has_any = True
    print(escaped, file=stream)


class OnlyJson:
    """While it is open, standard output has JSON alone: what else is printed, by a migration for
    example, goes to standard error. has_any: whether JSON was printed."""

    def __init__(self) -> None:
        self.stream = sys.stdout
        self.has_any = False
        self._redirected = redirect_stdout(sys.stderr)

    def __enter__(self) -> None:
        self._redirected.__enter__()
        _only_json.append(self)

    def __exit__(self, *problem: Any) -> None:
        _only_json.pop()
        self._redirected.__exit__(*problem)


_only_json: list[OnlyJson] = []


def _json_escape(letter: str, encoding: str) -> str:
    if letter.isprintable() and letter.encode(encoding, "ignore"):
        return letter
    return re.sub("(....)", r"\\u\1", letter.encode("utf-16-be").hex())


def paint(text: str, color: str, stream: Any = None) -> str:
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m"
