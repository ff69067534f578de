"""The origin of the service: the recorded template, its versions, and a render of a version."""

from __future__ import annotations

import contextlib
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from twolane import git
from twolane.errors import Failure
from twolane.template import changelog
from twolane.template.edits import Files

ANSWERS = ".copier-answers.yml"
CHANGELOG = "CHANGELOG.md"
# A URL, one of Copier's short forms, or a host as scp writes it, which no drive of Windows is.
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+://|git\+|[^/\\:]{2,}:")
_LOGIN = re.compile(r"(?<=://)[^/]+@")
_MOVED = (
    f"If it is elsewhere now: write its URL into _src_path of {ANSWERS} and into the pin in"
    " pyproject.toml, and commit that."
)


@dataclass(frozen=True)
class Origin:
    """The record of a render.

    source: the template's path or URL, as given to Copier. commit: its version, as
    `git describe --tags` prints it. answers: the answers to the template's questions. folder: the
    folder that a relative source starts from.
    """

    root: Path
    source: str
    commit: str
    answers: Mapping[str, Any]
    folder: Path

    @property
    def shown(self) -> str:
        """The source without user name and password."""
        return _LOGIN.sub("", self.source)

    @property
    def url(self) -> str:
        """The source as git understands it; expands Copier's abbreviations."""
        for short, host in (("gh:", "https://github.com/"), ("gl:", "https://gitlab.com/")):
            if self.source.startswith(short):
                return host + self.source.removeprefix(short).lstrip("/")
        if _ELSEWHERE.match(self.source):
            return self.source.removeprefix("git+")
        return str((self.folder / Path(self.source).expanduser()).resolve())


def read(root: Path) -> Origin:
    """The service's record of its template.

    Raises:
        Failure: there is no record, the record is unusable, or the template is missing.
    """
    record = read_answers(root)
    source = record.get("_src_path")
    if not source:
        raise Failure(
            f"{ANSWERS} doesn't say which template made this service (_src_path).",
            f"Bring it back from git: git log -- {ANSWERS}",
        )
    origin = Origin(
        root=root,
        source=str(source),
        commit=str(record.get("_commit", "")),
        answers={name: value for name, value in record.items() if not name.startswith("_")},
        folder=_found_from(root, str(source)),
    )
    if not origin.commit:
        raise Failure(
            f"This service was rendered from {origin.shown} as it stood, not from a version in git:"
            " there is nothing to compare it with.",
            _render_over(origin),
        )
    return origin


def read_answers(root: Path) -> Mapping[str, Any]:
    """The content of the answers file.

    Raises:
        Failure: the file is missing, or is not a YAML table.
    """
    import yaml

    try:
        record = yaml.safe_load((root / ANSWERS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failure(
            f"There is no {ANSWERS}: which template made this service, and with which answers, is"
            " not known.",
            f"Bring it back from git: git log -- {ANSWERS}",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Failure(
            f"{ANSWERS} can't be read: {str(error).splitlines()[0]}",
            f"Bring it back from git: git log -- {ANSWERS}",
        ) from error
    return record if isinstance(record, dict) else {}


def releases(origin: Origin) -> Mapping[Version, str]:
    """The template's versions and their tags; asks the remote once.

    Raises:
        Failure: the remote can't be reached, or is not a git repository.
    """
    try:
        listed = git.run(origin.folder, "ls-remote", "--tags", "--refs", "--", origin.url)
    except Failure as failure:
        raise _unreachable(origin, failure) from failure
    tags = re.findall(r"refs/tags/(.+)", listed.decode(errors="replace"))
    found = ((changelog.version(tag), tag) for tag in tags)
    return {version: tag for version, tag in found if version is not None}


def newest(found: Mapping[Version, str]) -> Version | None:
    """The newest version that is not a pre-release: Copier takes this version by default."""
    return max((version for version in found if not version.is_prerelease), default=None)


def version(origin: Origin, found: Mapping[Version, str]) -> Version | None:
    """The version of the service's commit, or the last version before it; None if there is none.

    `git describe` prints the tag, or `<tag>-<commits since>-g<hash>`, or the bare hash.
    """
    tag = re.sub(r"-\d+-g[0-9a-f]+$", "", origin.commit)
    return next((version for version, name in found.items() if name == tag), None)


def render(origin: Origin) -> Files:
    """Renders the recorded version with the recorded answers; path → content. Runs no tasks of it.

    Raises:
        Failure: the version no longer exists, or doesn't render.
    """
    from copier import Settings, run_copy

    with tempfile.TemporaryDirectory(prefix="twolane-render-") as folder, told(origin):
        run_copy(
            origin.source,
            folder,
            data=dict(origin.answers),
            vcs_ref=origin.commit,
            settings=Settings(),
            defaults=True,
            overwrite=True,
            quiet=True,
            skip_tasks=True,
        )
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in Path(folder).rglob("*")
            if path.is_file()
        }


def notes(origin: Origin, tag: str) -> str:
    """The text of CHANGELOG.md at that tag; "" if the template has no CHANGELOG.md.

    Raises:
        Failure: the template can't be reached.
    """
    with tempfile.TemporaryDirectory(prefix="twolane-notes-") as folder:
        clone = ("clone", "--quiet", "--no-checkout", "--depth", "1", "--branch", tag)
        try:
            git.run(origin.folder, *clone, "--", origin.url, folder)
        except Failure as failure:
            raise _unreachable(origin, failure) from failure
        with contextlib.suppress(Failure):
            return git.run(Path(folder), "show", f"HEAD:{CHANGELOG}").decode(errors="replace")
    return ""


@contextlib.contextmanager
def told(origin: Origin) -> Iterator[None]:
    """Runs the block in the folder that a relative source starts from; translates Copier's errors.

    An `UnsafeTemplateError` passes through.

    Raises:
        Failure: Copier, or the git that it runs, failed.
    """
    from copier.errors import CopierError, UnsafeTemplateError
    from plumbum import ProcessExecutionError

    try:
        with warnings.catch_warnings(), contextlib.chdir(origin.folder):
            warnings.simplefilter("ignore")
            yield
    except UnsafeTemplateError:
        raise
    except (CopierError, ProcessExecutionError, ValueError) as error:
        said = _gist(error, origin)
        if re.search(r"Unknown revision|invalid reference|not a commit", said):
            raise Failure(
                f"The template at {origin.shown} has no commit {origin.commit}. The service was"
                " rendered from changes that were not committed, or the commit is gone.",
                _render_over(origin),
            ) from error
        if question := re.search(r'Question "(\w+)" is required', said):
            raise Failure(
                f"The template has a new question without a default: {question[1]}.",
                f"invoke template.update --data {question[1]}=…",
            ) from error
        raise Failure(f"Copier: {said}") from error


def _found_from(root: Path, source: str) -> Path:
    """The folder that a relative source starts from.

    Copier records a path as the user typed it. The user was in the service itself
    (`copier copy ../template .`), or in the folder above (`copier copy template service`).
    """
    path = Path(source).expanduser()
    if _ELSEWHERE.match(source) or path.is_absolute():
        folder = root
        found = bool(_ELSEWHERE.match(source)) or path.exists()
    else:
        from_here = [folder for folder in (root, root.parent) if _is_template(folder / path)]
        folder, found = (from_here or [root])[0], bool(from_here)
    if not found:
        raise Failure(f"The template that made this service is not at {source}.", _MOVED)
    return folder


def _is_template(path: Path) -> bool:
    return path.is_file() or any((path / name).is_file() for name in ("copier.yml", "copier.yaml"))


def _unreachable(origin: Origin, failure: Failure) -> Failure:
    if isinstance(failure, git.Absent):
        return failure
    said = _gist(failure, origin)
    return Failure(
        f"The template at {origin.shown} can't be reached. {said}",
        f"Check the network, then run the same command again. {_MOVED}",
    )


def _render_over(origin: Origin) -> str:
    return (
        "Render a version over it, in a clean tree:"
        f" copier copy --overwrite --vcs-ref VERSION {origin.shown} ."
        "\n  Then keep what is yours, by git diff, and commit."
    )


def _gist(error: Exception, origin: Origin) -> str:
    """The most informative line of an error, without user name and password."""
    text = str(getattr(error, "stderr", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    fatal = next((line for line in lines if line.startswith("fatal:")), lines[0])
    return _LOGIN.sub("", fatal.replace(origin.source, origin.shown))
