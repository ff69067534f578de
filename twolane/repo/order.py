"""The order of the SQL files, `supabase/bootstrap.txt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twolane.config import Config
from twolane.errors import Failure
from twolane.repo.sqlfiles import SqlFile, of_text

MARK = "@migrations"


@dataclass(frozen=True)
class Order:
    """The content of `bootstrap.txt`, compared with the folder: the files, and the mismatches."""

    files: tuple[SqlFile, ...]
    unlisted: tuple[str, ...]
    missing: tuple[str, ...]
    repeated: tuple[str, ...]

    @property
    def before(self) -> tuple[SqlFile, ...]:
        return tuple(file for file in self.files if not file.after_migrations)

    @property
    def after(self) -> tuple[SqlFile, ...]:
        return tuple(file for file in self.files if file.after_migrations)


def read_order(config: Config) -> Order:
    """The SQL files in the order of `bootstrap.txt`; those after `@migrations` build on lane B.

    Raises:
        Failure: `bootstrap.txt` or a file it lists can't be read.
    """
    lines = [line.partition("#")[0].strip() for line in _read(config.order_file).splitlines()]
    listed = [line for line in lines if line]
    mark = listed.index(MARK) if MARK in listed else len(listed)
    present = {path.name for path in config.sql.glob("*.sql")}
    names = [name for name in dict.fromkeys(listed) if name != MARK]
    return Order(
        files=tuple(
            of_text(name, _read(config.sql / name), listed.index(name) > mark)
            for name in names
            if name in present
        ),
        unlisted=tuple(sorted(present - set(names))),
        missing=tuple(name for name in names if name not in present),
        repeated=tuple(name for name in dict.fromkeys(listed) if listed.count(name) > 1),
    )


def _read(path: Any) -> str:
    try:
        return str(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"{path} can't be read: {error}", "Restore it (git checkout), as UTF-8."
        ) from error
