"""Lane B's revision files, read without importing them or Alembic."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twolane.errors import Failure
from twolane.repo import digests
from twolane.repo.sqlfiles import FileFailure


@dataclass(frozen=True)
class Revision:
    """One migration script. `down`: the revisions it builds on; `digest`: a hash of its code.

    owns, disowns: what it moves to the app or away from it: tables as `schema.name` in facts,
    enums as `enum schema.name`.
    online: whether its steps run one by one, and no transaction holds them all.
    older_digest: the hash of its code that a record may have in place of `digest`.
    """

    id: str
    down: tuple[str, ...]
    title: str
    path: Path
    digest: str
    owns: tuple[str, ...] = ()
    disowns: tuple[str, ...] = ()
    online: bool = False
    older_digest: str = ""

    def is_recorded_as(self, digest: str) -> bool:
        """Whether a record with this digest is of this code."""
        return digest in (self.digest, self.older_digest)


def read(folder: Path) -> tuple[Revision, ...]:
    """The revisions in `versions/`, oldest first.

    Raises:
        Failure: a file is not Python, names no revision, or builds on a missing revision.
    """
    found: dict[str, Revision] = {}
    for path in sorted((folder / "versions").glob("*.py")):
        revision = _read(path)
        if twin := found.get(revision.id):
            raise Failure(
                f"{twin.path.name} and {path.name} are both revision {revision.id}.",
                "Delete one of them, or give it an id and a down_revision of its own.",
            )
        found[revision.id] = revision
    ordered: dict[str, Revision] = {}
    waiting = list(found.values())
    while waiting:
        ready = [r for r in waiting if all(down in ordered for down in r.down)]
        if not ready:
            lost = waiting[0]
            raise Failure(
                f"{lost.path.name} builds on {', '.join(lost.down)}, which no file defines.",
                "Restore the missing revision file (git log -- migrations/versions).",
            )
        ordered |= {r.id: r for r in ready}
        waiting = [r for r in waiting if r.id not in ordered]
    return tuple(ordered.values())


def code(folder: Path, planned: Sequence[Revision]) -> dict[str, str]:
    """What runs with these revisions, as the files say now, by name; without comments.

    Raises:
        Failure: a file can't be read.
    """
    paths = [*sorted(folder.glob("*.py")), *(revision.path for revision in planned)]
    try:
        return {path.name: ast.unparse(ast.parse(path.read_bytes())) for path in paths}
    except (OSError, SyntaxError, ValueError) as error:
        raise Failure(f"A migration can't be read: {error}", "Restore it.") from error


def expect_unedited(
    folder: Path, planned: Sequence[Revision], before: Mapping[str, str] | None = None
) -> None:
    """Expects that the files say what was planned: the digests of the revisions, the code before.

    Raises:
        Failure: somebody edited one of them meanwhile.
    """
    now = {revision.id: revision.digest for revision in read(folder)}
    edited = {r.path.name for r in planned if now.get(r.id) != r.digest}
    if before is not None:
        current = code(folder, planned)
        names = before.keys() | current.keys()
        edited |= {name for name in names if before.get(name) != current.get(name)}
    if edited:
        raise Failure(
            f"{', '.join(sorted(edited))}: edited while the command was at work.",
            "Run the same command again: it plans anew. Nothing was applied.",
        )


def heads(revisions: Sequence[Revision]) -> tuple[str, ...]:
    """The revisions that no other revision builds on; a linear history has one."""
    built_on = {down for r in revisions for down in r.down}
    return tuple(r.id for r in revisions if r.id not in built_on)


def up_to(revisions: Sequence[Revision], revision: str | None) -> tuple[Revision, ...]:
    """The revisions that a database at `revision` has, oldest first; none for None."""
    wanted = {revision}
    for r in reversed(revisions):
        if r.id in wanted:
            wanted |= set(r.down)
    return tuple(r for r in revisions if r.id in wanted)


def beside(revisions: Sequence[Revision], revision: Revision) -> tuple[Revision, ...]:
    """The revisions of other branches: neither builds on the other."""
    below = set(up_to(revisions, revision.id))
    return tuple(r for r in revisions if r not in below and revision not in up_to(revisions, r.id))


def below_the_mark(failure: FileFailure, later: Sequence[Revision]) -> str | None:
    """What to do with a file that lacks a table of the app's; None if it lacks none.

    later: the revisions that run after the file.
    """
    found = re.search(r'(?:relation|table) "(?:\w+\.)?(\w+)" does not exist', failure.message)
    made = found and re.compile(rf"""["']{found[1]}["']""")
    if not made or not any(made.search(r.path.read_text(encoding="utf-8")) for r in later):
        return None
    return (
        f"Put {failure.file.name} below the line @migrations in supabase/bootstrap.txt: a revision "
        "makes what it needs. Then run the same command again."
    )


def moves(history: Sequence[Revision]) -> tuple[frozenset[str], frozenset[str]]:
    """The tables and enums that this history has moved to the app, and those it has moved away."""
    owns: set[str] = set()
    disowns: set[str] = set()
    for r in history:
        owns, disowns = owns | set(r.owns), disowns - set(r.owns)
        owns, disowns = owns - set(r.disowns), disowns | set(r.disowns)
    return frozenset(owns), frozenset(disowns)


def stages(revisions: Sequence[Revision]) -> list[tuple[Revision, ...]]:
    """The revisions as they run: an online one alone, those between in one transaction."""
    found: list[tuple[Revision, ...]] = []
    for revision in revisions:
        if found and not revision.online and not found[-1][0].online:
            found[-1] += (revision,)
        else:
            found.append((revision,))
    return found


_LITERALS = ("revision", "down_revision", "owns", "disowns", "online")


def _read(path: Path) -> Revision:
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=path.name)
        names = {
            target.id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id in _LITERALS
        }
        down = names["down_revision"]
        return Revision(
            id=str(names["revision"]),
            down=(down,) if isinstance(down, str) else tuple(down or ()),
            title=(ast.get_docstring(tree) or path.stem).splitlines()[0],
            path=path,
            digest=digests.of(tree),
            owns=_tables(names.get("owns", ())),
            disowns=_tables(names.get("disowns", ())),
            online=_truth(names.get("online", False)),
            older_digest=digests.as_recorded_before(tree),
        )
    except SyntaxError as error:
        raise Failure(
            f"{path.name}:{error.lineno}: {error.msg}\n    {(error.text or '').rstrip()}",
            "Correct the migration, then run the same command again.",
        ) from error
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"{path.name} is no revision file: it needs literal `revision` and `down_revision`, "
            "and literals where it says `owns`, `disowns` or `online`.",
            "Make revisions with `invoke db.gen`.",
        ) from error


def _tables(names: object) -> tuple[str, ...]:
    """The names of a move.

    Raises:
        TypeError: it is no list of names.
    """
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise TypeError(names)
    return tuple(names)


def _truth(value: object) -> bool:
    """The value of a marker.

    Raises:
        TypeError: it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TypeError(value)
    return value
