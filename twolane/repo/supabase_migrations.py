"""The files of `supabase/migrations/`, which the Supabase CLI runs in the order of their versions.

Those that `db.export` wrote begin with a line that says so, with a digest of what follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from twolane.config import Config
from twolane.errors import Failure
from twolane.repo.versions import TABLE as VERSIONS
from twolane.sql import literal

FOLDER = "supabase/migrations"
# What the CLI takes for a migration: others it leaves out, and says so.
_NAME = re.compile(r"(\d+)_.*\.sql")
_HEAD = re.compile(r"-- Written by `invoke db\.export`; never edited\. ([0-9a-f]{12})\n")
_STAMP = "%Y%m%d%H%M%S"
_FILE = re.compile(r"^values \('([^']+)', '([0-9a-f]{64}|)', ", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One file. version: the digits of its name. text: with normalized line ends.

    is_ours: whether `db.export` wrote it. is_edited: whether somebody changed it since.
    """

    name: str
    version: str
    text: str
    is_ours: bool = True
    is_edited: bool = False

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.name}"


def folder(config: Config) -> Path:
    return config.root / FOLDER


def read(root: Path) -> tuple[Migration, ...]:
    """The migrations of the service in this folder, in the order in which the CLI runs them.

    Raises:
        Failure: one can't be read.
    """
    found = [
        _read(path, name[1])
        for path in sorted((root / FOLDER).glob("*.sql"))
        if path.is_file() and (name := _NAME.fullmatch(path.name))
    ]
    return tuple(sorted(found, key=lambda migration: (migration.version, migration.name)))


def _read(path: Path, version: str) -> Migration:
    try:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"{FOLDER}/{path.name} can't be read: {error}", "Restore it (git checkout), as UTF-8."
        ) from error
    head = _HEAD.match(text)
    is_edited = head is not None and _digest(text[head.end() :]) != head[1]
    return Migration(path.name, version, text, head is not None, is_edited)


def of_body(version: str, slug: str, body: str) -> Migration:
    """A migration that is to be written."""
    head = f"-- Written by `invoke db.export`; never edited. {_digest(body)}\n"
    return Migration(f"{version}_{slug}.sql", version, head + body)


def versions(there: Sequence[Migration], count: int, now: datetime) -> list[str]:
    """Versions for so many new migrations: a second apart, from now on, after those of `there`."""
    begin = now.astimezone(UTC)
    if there and (last := there[-1].version) >= begin.strftime(_STAMP):
        begin = datetime.strptime(last, _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    return [(begin + timedelta(seconds=n)).strftime(_STAMP) for n in range(count)]


def of_file(name: str, digest: str) -> str:
    """How a migration's record of an SQL file begins; only such a record has it."""
    return f"values ({literal(name)}, {literal(digest)}, "


def at_revision(revision: str) -> str:
    """The statement by which a database is at the revision; only its migration has it."""
    return f"insert into {VERSIONS} (version_num) values ({literal(revision)});"


def lacking(
    there: Sequence[Migration], files: Mapping[str, str], revisions: Sequence[str]
) -> list[str]:
    """Names of what the migrations don't bring, or bring in another form; from their texts alone.

    files: SQL file → its digest. Whether one that is gone has left anything, only a replay tells.
    """
    text = "".join(migration.text for migration in there)
    brought = dict(_FILE.findall(text))
    return [
        *(name for name, digest in files.items() if brought.get(name) != digest),
        *(revision for revision in revisions if at_revision(revision) not in text),
    ]


def slug(words: str) -> str:
    """The words as a part of a file's name."""
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return plain[:60].rstrip("_") or "changes"


def _digest(body: str) -> str:
    return sha256(body.encode()).hexdigest()[:12]
