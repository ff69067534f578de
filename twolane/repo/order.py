"""The order of the SQL files, `supabase/bootstrap.txt`: its one reader and writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from twolane.config import Config
from twolane.errors import Failure
from twolane.files import expect_own
from twolane.repo.sqlfiles import SqlFile, of_text

MARK = "@migrations"
BOM = "\ufeff"


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
    text = _read(config, config.order_file)
    listed = [entry for line in text.splitlines() if (entry := _entry(line))]
    mark = listed.index(MARK) if MARK in listed else len(listed)
    present = {path.name for path in config.sql.glob("*.sql")}
    names = [name for name in dict.fromkeys(listed) if name != MARK]
    return Order(
        files=tuple(
            of_text(name, _read(config, config.sql / name), listed.index(name) > mark)
            for name in names
            if name in present
        ),
        unlisted=tuple(sorted(present - set(names))),
        missing=tuple(name for name in names if name not in present),
        repeated=tuple(name for name in dict.fromkeys(listed) if listed.count(name) > 1),
    )


def listed(text: str) -> list[tuple[str, bool]]:
    """The files that such a text lists, each with whether it is after the mark."""
    entries = [entry for line in text.splitlines() if (entry := _entry(line))]
    mark = entries.index(MARK) if MARK in entries else len(entries)
    return [(name, place > mark) for place, name in enumerate(entries) if name != MARK]


def read_text(config: Config) -> str:
    """The text of `bootstrap.txt` as it is: with its line ends, and with its byte order mark.

    Raises:
        Failure: it can't be read.
    """
    return _decoded(config, config.order_file)


def with_files(text: str, before: Iterable[str] = (), after: Iterable[str] = ()) -> str:
    """The text with more files: directly before the mark, and at the end, which is after it.

    A file that is listed already stays where it is; so does every line, with its comment.
    """
    bom = BOM if text.startswith(BOM) else ""
    lines = text.removeprefix(BOM).splitlines(keepends=True)
    entries = [_entry(line) for line in lines]
    early = [name for name in before if name not in entries]
    late = [name for name in after if name not in entries]
    if late and MARK not in entries:
        late = [MARK, *late]
    place = entries.index(MARK) if MARK in entries else len(lines)
    end = _line_end(text)
    if lines and not lines[-1].endswith(("\r", "\n")) and (late or place == len(lines)):
        lines[-1] += end
    new_early, new_late = ([f"{name}{end}" for name in names] for names in (early, late))
    return bom + "".join([*lines[:place], *new_early, *lines[place:], *new_late])


def with_only(text: str, names: Sequence[str]) -> str:
    """The text with these files alone, before the mark; comments come first.

    A line that lists one of these files keeps its comment, as the mark does.
    """
    bom = BOM if text.startswith(BOM) else ""
    lines = [line.strip() for line in text.removeprefix(BOM).splitlines()]
    comments = [line for line in lines if line.startswith("#")]
    known = {_entry(line): line for line in reversed(lines)}
    listed = [known.get(name, name) for name in (*names, MARK)]
    end = _line_end(text)
    return bom + "".join(f"{line}{end}" for line in (*comments, *listed))


def _entry(line: str) -> str:
    """The file or the mark that a line lists; empty for a comment."""
    return line.partition("#")[0].strip()


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _read(config: Config, path: Path) -> str:
    text = _decoded(config, path)
    return text.removeprefix(BOM).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(config: Config, path: Path) -> str:
    try:
        if not path.exists():
            raise OSError("there is no such file")
        expect_own(config, path)
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"{path} can't be read: {error}", "Restore it (git checkout), as UTF-8."
        ) from error
