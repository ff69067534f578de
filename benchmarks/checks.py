"""Checks that a run did its work: each function returns a complaint, "" if there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .measure import Run


def exited(run: Run, code: int) -> str:
    return "" if run.code == code else f"it should have ended with exit code {code}"


def succeeded(run: Run) -> str:
    return exited(run, 0)


def reads(text: str, expected: str) -> str:
    return "" if text == expected else f"it should have said {expected or 'nothing'!r}"


def says(run: Run, *parts: str) -> str:
    """Searches stdout and stderr, because drizzle-kit writes to both."""
    absent = [part for part in parts if part not in run.out + run.err]
    return f"it should have said {absent[0]!r}" if absent else ""


def counts(text: str, part: str, size: int) -> str:
    found = text.count(part)
    return "" if found == size else f"{found} tables in place of {size}"


def wrote(path: Path, start: str, tables: int) -> Callable[[Run], str]:
    """Checks that the run wrote a file with every table in it; deletes the file."""

    def check(run: Run) -> str:
        if complaint := succeeded(run):
            return complaint
        if not path.exists():
            return f"it wrote no {path.name}"
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return counts(text, f"{start}bench_", tables)

    return check
