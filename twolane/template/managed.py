"""Who a file of the service belongs to: the template, the owner, or both. Pure.

- **Managed**: belongs to the template, the same in every service. An update brings the new version.
- **Own**: written once, then belongs to the owner. An update neither merges nor restores it;
  copier.yml has the same list.
- The rest (SQL files, `bootstrap.txt`, `pyproject.toml`, the README, tests) belongs to both: an
  update merges the template's changes into the owner's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

# Paths from the service's folder; `*` stands for any text, with `/` in it too.
OWN = (
    "tasks/local.py",
    "src/*/db/schema/app.py",
    "src/*/db/schema/introspected.py",
    "supabase/schema.lock.json",
)
MANAGED = (
    "tasks/*",
    "migrations/env.py",
    "migrations/compare.py",
    "migrations/script.py.mako",
    "src/*/db/session.py",
    "src/*/db/schema/__init__.py",
    "src/*/db/schema/base.py",
    ".github/workflows/db.yml",
)
README = "README.md"
SQL = "supabase/sql/*"
# As `git merge-file` writes them, with the names that Copier gives it.
MARKERS = (b"<<<<<<< before updating", b">>>>>>> after updating")

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Deviation:
    """A managed file that differs from what its version rendered. state: "changed" or "missing"."""

    file: str
    state: str


def is_managed(path: str) -> bool:
    return _fits(path, MANAGED) and not _fits(path, OWN)


def is_sql(path: str) -> bool:
    return fnmatchcase(path, SQL)


def deviations(rendered: Files, present: Files) -> list[Deviation]:
    """The managed files of a render that are absent or different in the service, by name."""
    return [
        Deviation(path, "changed" if path in present else "missing")
        for path in sorted(rendered)
        if is_managed(path) and not same(rendered[path], present.get(path))
    ]


def given_up(rendered: Files, before: Files, after: Iterable[str]) -> list[str]:
    """Files that an update removed although the owner had changed what the template rendered."""
    left = set(after)
    return [
        path
        for path in sorted(before.keys() & rendered.keys())
        if path not in left and not same(rendered[path], before[path])
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


def same(one: bytes, other: bytes | None) -> bool:
    """Whether both are equal except for line ends, which git may change on a checkout."""
    return other is not None and _plain(one) == _plain(other)


def _plain(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
