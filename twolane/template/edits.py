"""What of a service its owner edited, and what an update left to decide. Pure.

Files that are written once (`app.py`, the generated mirror) no update touches: copier.yml lists
them. The rest belongs to both, and an update merges the template's changes into the owner's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

README = "README.md"
SQL = "supabase/sql/*"
# As `git merge-file` writes them, with the names that Copier gives it.
MARKERS = (b"<<<<<<< before updating", b">>>>>>> after updating")

Files = Mapping[str, bytes]


def is_sql(path: str) -> bool:
    return fnmatchcase(path, SQL)


def given_up(rendered: Files, before: Files, after: Iterable[str]) -> list[str]:
    """Files that an update removed although the owner had changed what the template rendered."""
    left = set(after)
    return [
        path
        for path in sorted(before.keys() & rendered.keys())
        if path not in left and not _same(rendered[path], before[path])
    ]


def conflicting(files: Files) -> list[str]:
    """The files in which an update left its conflict markers."""
    return [
        path
        for path in sorted(files)
        if any(line.rstrip() in MARKERS for line in files[path].splitlines())
    ]


def is_rewritten(rendered: bytes, present: bytes) -> bool:
    """Whether most lines of the rendered text are gone: it is another text, not an edited one."""
    lines = [line for line in rendered.splitlines() if line.strip()]
    kept = set(present.splitlines())
    return sum(line in kept for line in lines) * 2 < len(lines)


def _same(one: bytes, other: bytes) -> bool:
    """Whether both are equal except for line ends, which git may change on a checkout."""
    return one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")
