"""The service's own files: written whole or not at all, by one command at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from twolane.config import Config
from twolane.errors import Failure


@contextmanager
def alone(config: Config) -> Iterator[None]:
    """Waits until no other command writes files of this checkout. The lock ends with its process.

    Raises:
        OSError: there is no place to put the lock.
    """
    from filelock import FileLock

    folder = config.home
    folder.mkdir(mode=0o700, exist_ok=True)
    with FileLock(folder / "files.lock"):
        yield


def expect_own(config: Config, path: Path) -> None:
    """Expects a file of the repo, where there is anything.

    Raises:
        OSError: it is a pipe, a device or a folder, or a link that leads out of the repo.
    """
    if path.exists() and not path.is_file():
        raise OSError("it is no file")
    if not path.resolve().is_relative_to(_repo(config)):
        raise OSError(f"it is a link out of the repo, to {path.resolve()}")


def _repo(config: Config) -> Path:
    """The folder of the git repo; without one, the service's."""
    root = config.root.resolve()
    return next((each for each in (root, *root.parents) if (each / ".git").exists()), root)


def read(config: Config, path: Path) -> str:
    """The text of one of the service's Python files.

    Raises:
        Failure: it is missing, may not be read, or is no UTF-8. `db.sync` makes the models of lane
            A anew, git has the others.
    """
    shown = path.relative_to(config.root).as_posix()
    is_made = path == config.introspected
    first = "invoke db.sync" if is_made else f"git checkout -- {shown}"
    try:
        expect_own(config, path)
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Failure(f"{shown} is missing.", first) from error
    except UnicodeDecodeError as error:
        other = first if is_made else f"Save it as UTF-8, or {first}"
        raise Failure(f"{shown} is no UTF-8: {error}", other) from error
    except OSError as error:
        raise Failure(f"{shown} can't be read: {error.strerror or error}", first) from error


def with_line_ends(text: str, like: str | bytes) -> str:
    r"""The text with the line ends of another: `\r\n` where that has any."""
    is_crlf = b"\r\n" in like if isinstance(like, bytes) else "\r\n" in like
    return text.replace("\r\n", "\n").replace("\n", "\r\n" if is_crlf else "\n")


def write(texts: Mapping[Path, str]) -> None:
    """Writes the files beside their places, then renames them in this order. Call within `alone`.

    Raises:
        OSError: no space, no rights; unless the renaming itself fails, no file has changed.
    """
    drafts = {path: path.with_name(f".{path.name}.draft") for path in texts}
    try:
        for path, draft in drafts.items():
            draft.write_bytes(texts[path].encode())
        for path, draft in drafts.items():
            draft.replace(path)
    except BaseException:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise
