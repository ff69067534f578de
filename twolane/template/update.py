"""Updates the service from its template: first in a git worktree, then all files at once.

Copier writes file after file. It also removes files that its new version no longer has, even if the
user edited them. So Copier works on the last commit in a temporary folder. The service then gets
its result as one patch, or not at all.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twolane import git
from twolane.errors import Failure
from twolane.guards.refusal import Refusal
from twolane.template import edits, origin
from twolane.template.changelog import Section
from twolane.template.edits import Files
from twolane.template.origin import Origin
from twolane.text import shortened

# Answers that no update can change, and what a person can do instead.
FIXED = {
    "package_name": "rename src/<package>, the imports and the names in pyproject.toml yourself,"
    " then package_name in .copier-answers.yml",
    "starter": "add or delete files of supabase/sql yourself, and their lines in bootstrap.txt;"
    " the tables live on in the database",
}
_PATCH = ("--binary", "--no-renames", "--no-color", "--no-ext-diff")
# Our checkout must not run hooks that install packages or fetch large files.
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
_PREFIXES = ("--src-prefix=a/", "--dst-prefix=b/")


@dataclass(frozen=True)
class Outcome:
    """The result of an update. Paths are relative to the service's folder.

    changed: path → "added", "changed" or "removed". conflicts: files with conflict markers. kept:
    edited files that the new version no longer has, left as they are. untouched: a README that the
    owner wrote anew. answers: new questions, answered by their defaults.
    """

    commit: str
    changed: Mapping[str, str] = field(default_factory=dict)
    conflicts: Sequence[str] = ()
    kept: Sequence[str] = ()
    untouched: Sequence[str] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)


def uncommitted(root: Path) -> Refusal | None:
    """Refuses if git has uncommitted changes: an update merges into the last commit.

    Changes elsewhere in the repository count, too, because git applies the patch.

    Raises:
        Failure: there is no git, no repository, or no commit yet.
    """
    try:
        git.run(root, "rev-parse", "--verify", "--quiet", "HEAD")
    except git.Absent:
        raise
    except Failure as failure:
        raise Failure(
            "An update merges with what git has of the service, and there is no commit yet.",
            'git init && git add --all && git commit -m "The service as rendered"',
        ) from failure
    lines = git.run(root, "status", "--porcelain").decode(errors="replace").rstrip().splitlines()
    if not lines:
        return None
    return Refusal(
        "",
        "uncommitted",
        "An update merges into what is committed, and this is not:",
        "git commit, or git stash --include-untracked",
        details=shortened(lines),
    )


def runs_commands(tag: str, unsafe: Exception, notes: Sequence[Section]) -> Refusal:
    """The refusal of a version that would run commands here.

    A version of twolane that does so gives the reason in its CHANGELOG.md.
    """
    features = str(unsafe).splitlines()[0].rpartition(": ")[2].rstrip(".")
    why = [line for each in notes for line in each.upgrading.splitlines()]
    return Refusal(
        "",
        "runs-commands",
        f"Version {tag} of the template wants to run code of its own here ({features})."
        + (
            ' Its CHANGELOG.md says under "Upgrading":'
            if why
            else " Its CHANGELOG.md gives no reason."
        ),
        f"read that code in its copier.yml; if you trust it: copier update --trust --vcs-ref {tag}",
        details=why,
    )


def expect_changeable(record: Origin, data: Mapping[str, str]) -> None:
    """Refuses an answer that would change only half of the service.

    Raises:
        Failure: see `FIXED`.
    """
    for name, instead in FIXED.items():
        if name in data and data[name] != str(record.answers.get(name)):
            raise Failure(
                f"An update can't change {name} ({record.answers.get(name)}).",
                f"Keep it. By hand: {instead}.",
            )


def update(record: Origin, tag: str, data: Mapping[str, str]) -> Outcome:
    """Updates the service to that version, with those answers changed.

    Raises:
        Failure: Copier fails, or the service changed meanwhile; the service stays unchanged.
        UnsafeTemplateError: that version of the template would run commands of its own.
    """
    rendered = origin.render(record)
    before = git.run(record.root, "rev-parse", "HEAD")
    with _worktree(record.root) as folder:
        present = _present(folder, rendered)
        untouched = _rewritten(rendered, present)
        _copier(record, folder, tag, data, untouched)
        answered = _answers(record, folder, data)
        kept = edits.given_up(rendered, present, _paths(folder))
        for path in kept:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(present[path])
        unmerged = git.run(folder, "ls-files", "--unmerged", "--full-name", "-z")
        git.run(folder, "add", "--all", "--force", ".")
        outcome = Outcome(
            commit=str(origin.read_answers(folder).get("_commit", tag)),
            changed=(changed := _changed(folder)),
            conflicts=edits.conflicting(_present(folder, changed)),
            kept=kept,
            untouched=untouched,
            answers=answered,
        )
        patch = git.run(folder, "diff", "--cached", *_PATCH, *_PREFIXES, "HEAD")
        if git.run(record.root, "rev-parse", "HEAD") != before or uncommitted(record.root):
            raise Failure("The service changed while its update was made; nothing was done.")
        _bring(_top(record.root), patch, unmerged)
    return outcome


def _copier(
    record: Origin, folder: Path, tag: str, data: Mapping[str, str], untouched: Sequence[str]
) -> None:
    from copier import Settings, run_update

    with origin.told(record):
        run_update(
            folder,
            data=dict(data),
            vcs_ref=tag,
            exclude=[f"/{path}" for path in untouched],
            settings=Settings(),  # ignore the user's own list of trusted templates
            defaults=True,
            overwrite=True,
            quiet=True,
        )


def _rewritten(rendered: Files, present: Files) -> list[str]:
    """The README if the owner rewrote it: a merge would add the template's whole text to it."""
    both = edits.README in rendered.keys() & present.keys()
    own = both and edits.is_rewritten(rendered[edits.README], present[edits.README])
    return [edits.README] if own else []


def _answers(record: Origin, folder: Path, data: Mapping[str, str]) -> Mapping[str, Any]:
    """The answers to new questions.

    Raises:
        Failure: a given answer has no question, or an answer changed that must not change.
    """
    now = {k: v for k, v in origin.read_answers(folder).items() if not k.startswith("_")}
    if unknown := sorted(data.keys() - now.keys()):
        raise Failure(
            f"The template asks no question {unknown[0]!r}.", f"It asks: {', '.join(sorted(now))}."
        )
    for name in FIXED.keys() & record.answers.keys():
        if now.get(name) != record.answers[name]:
            raise Failure(
                f"The new version takes {record.answers[name]!r} for no valid {name}.",
                f"Then stay at {record.commit}. By hand: {FIXED[name]}.",
            )
    return {name: now[name] for name in now if name not in record.answers and name not in data}


@contextmanager
def _worktree(root: Path) -> Iterator[Path]:
    """The service's folder in a second checkout of its last commit, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="twolane-update-") as temporary:
        tree = Path(temporary) / "tree"
        git.run(root, *_NO_HOOKS, "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            yield tree / root.resolve().relative_to(_top(root))
        finally:
            git.run(root, "worktree", "remove", "--force", str(tree))


def _top(root: Path) -> Path:
    return Path(git.run(root, "rev-parse", "--show-toplevel").decode().rstrip("\n")).resolve()


def _bring(top: Path, patch: bytes, unmerged: bytes) -> None:
    """Applies the patch, completely or not at all, and records the conflicts in git's index."""
    with _uninterrupted():
        if patch:
            git.run(top, "apply", "--whitespace=nowarn", "-", text=patch)
        if unmerged:
            entries = unmerged.split(b"\0")[:-1]
            paths = sorted({entry.partition(b"\t")[2] for entry in entries})
            gone = [b"0 " + b"0" * 40 + b"\t" + path for path in paths]
            text = b"".join(line + b"\0" for line in [*gone, *entries])
            git.run(top, "update-index", "-z", "--index-info", text=text)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignores Ctrl-C, here and in git, while files are written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _present(folder: Path, paths: Iterator[str] | Mapping[str, Any]) -> Files:
    return {path: (folder / path).read_bytes() for path in paths if (folder / path).is_file()}


def _paths(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]


def _changed(folder: Path) -> Mapping[str, str]:
    """The staged files below the folder, without Copier's own record; path → state."""
    states = {"A": "added", "D": "removed"}
    staged = ("--cached", "--name-status", "--no-renames", "--relative", "-z")
    fields = git.run(folder, "diff", *staged, "HEAD").decode(errors="surrogateescape").split("\0")
    pairs = zip(fields[::2], fields[1::2], strict=False)
    found = {path: states.get(state, "changed") for state, path in pairs}
    return {path: state for path, state in found.items() if path != origin.ANSWERS}
