"""G14 locks: statements that are unsafe on a busy table, as squawk finds them.

It checks the SQL files as they are, and the statements that each migration runs on the shadow. A
table made in the same file or revision is empty, so statements on it are safe. A table made by
`create table if not exists` may exist already if the file was edited, so errors count there, and
warnings don't. It leaves out what another check covers or nobody needs: timeouts (twolane sets
them), `if not exists` (G08), drops and renames (G06), taste in types. It does not see what a DO
block runs.

A statement is an error if readers wait for it in proportion to the table's size, or if it fails on
a table with rows. It is a warning if only writers wait, or if anybody waits only for a moment.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from twolane.errors import Failure
from twolane.guards.findings import ERROR, WARNING, Finding
from twolane.repo import consents
from twolane.repo.locations import FOLDER, Place, in_folder
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import readable_statements
from twolane.state.hazards import Hazard

_UNIQUE = "create unique index concurrently, in an online revision; then add it using index"
_LATER = "add it not valid, and validate it in a later file or revision"
_QUIET = (
    "do it in a quiet hour; for a large table concurrently, in an online revision, or by hand "
    "(invoke db.psql -c)"
)

# Rule of squawk → level, the safe way. Names: squawkhq.com/docs/rules.
RULES = {
    "adding-field-with-default": (ERROR, "add it without, fill it in parts, then set the default"),
    "adding-foreign-key-constraint": (WARNING, _LATER),
    "adding-not-nullable-field": (
        ERROR,
        "add check (… is not null) not valid, validate it later, then set not null",
    ),
    "adding-required-field": (ERROR, "give it a default; or add it nullable, fill it, then this"),
    "adding-serial-primary-key-field": (ERROR, _UNIQUE),
    "ban-truncate-cascade": (ERROR, "name every table that is meant"),
    "changing-column-type": (
        ERROR,
        "add a column of the new type, fill it, use it, then drop the old one",
    ),
    "constraint-missing-not-valid": (WARNING, _LATER),
    "disallowed-unique-constraint": (ERROR, _UNIQUE),
    "require-concurrent-index-creation": (WARNING, _QUIET),
    "require-concurrent-index-deletion": (WARNING, _QUIET),
    "require-concurrent-partition-detach": (WARNING, _QUIET),
    "require-concurrent-reindex": (
        ERROR,
        "reindex concurrently, in an online revision or by hand (invoke db.psql -c)",
    ),
}
# They fear that rows are written anew, which the rehearsal of a migration shows.
_REWRITING = ("changing-column-type", "adding-field-with-default")
# The general rule repeats what the rules for some constraints say.
_GENERAL = "constraint-missing-not-valid"
_CONSTRAINTS = (
    "adding-foreign-key-constraint",
    "adding-serial-primary-key-field",
    "disallowed-unique-constraint",
)


@dataclass(frozen=True)
class Text:
    """SQL to lint. file: its file; mark: how to say there that a statement is meant.

    parts: pieces of SQL, each with the line of `file` that it comes from. An SQL file is one piece
    with the same lines. meant: the tables for which somebody consented at a push, as `schema.name`.
    light: those of which a migration, as its rehearsal shows, writes no row anew.
    """

    file: str
    mark: str
    parts: Sequence[tuple[int, str]]
    is_file: bool
    meant: frozenset[str] = frozenset()
    light: frozenset[str] = frozenset()

    @property
    def sql(self) -> str:
        return "\n".join(part for _, part in self.parts)

    def line(self, number: int) -> int:
        """The line in `file` of a line of `sql`, counted from 0."""
        if self.is_file:
            return number + 1
        begun = [start for start, _ in self._placed()]
        return self.parts[max(0, bisect_right(begun, number) - 1)][0]

    def excused(self, rule: str) -> Iterator[tuple[range, str]]:
        """The lines of each statement that may hold up its table, and the level it excuses.

        The text makes the table, or somebody consented, or it holds up nobody as the rule fears.

        Postgres's parser finds them; a piece that it can't read (a migration's with parameters in
        it) excuses nothing.
        """
        known: dict[str, bool] = {}
        free = self._free(rule)
        for lines, node in self._statements:
            name = _table(node)
            if type(node).__name__ == "CreateStmt":
                known.setdefault(name, bool(node.if_not_exists))
            elif name in known or name in free:
                yield lines, WARNING if known.get(name) else ERROR

    @cached_property
    def _statements(self) -> list[tuple[range, Any]]:
        """The lines of each statement, and its tree: parsed once for all findings."""
        return [
            (range(start + each.line - 1, start + each.last_line), each.node)
            for start, part in self._placed()
            for each in readable_statements(part)
        ]

    def _free(self, rule: str) -> frozenset[str]:
        return self.meant | self.light if rule in _REWRITING else self.meant

    def _placed(self) -> Iterator[tuple[int, str]]:
        """The number of each piece's first line in `sql`, and the piece."""
        start = 0
        for _, part in self.parts:
            yield start, part
            start += part.count("\n") + 1


def of_file(file: SqlFile) -> Text:
    mark = 'put "-- squawk-ignore {rule}" above it'
    return Text(f"{FOLDER}{file.name}", mark, [(1, file.text)], is_file=True)


def of_revision(
    revision: Revision,
    statements: Iterable[tuple[int, str]],
    light: frozenset[str] = frozenset(),
) -> Text:
    """The statements of a revision, one after the other, each with its line in the file."""
    meant = consents.tables(revision.path) if revision.path.exists() else frozenset()
    mark = f'add "G14:{revision.path.name}" to [tool.twolane.check] ignore'
    parts = [(line, f"{text.rstrip().rstrip(';')};") for line, text in statements]
    return Text(in_folder(revision), mark, parts, False, meant, light)


def of_statements(statements: Sequence[str]) -> Text:
    """The statements that a plan would run."""
    parts = [(n, f"{text.rstrip().rstrip(';')};") for n, text in enumerate(statements, 1)]
    return Text("", "", parts, is_file=False)


def hazards(root: Path, statements: Sequence[str]) -> list[Hazard]:
    """What squawk finds in a plan's statements; nothing where it is not installed."""
    if not statements or program() is None:
        return []
    lines: dict[tuple[str, str], list[int]] = {}
    for _, rule, line, message in _found(root, [of_statements(statements)]):
        if rule in _REWRITING:
            continue  # the plan says what it writes anew
        lines.setdefault((rule, message), []).append(line)
    return [
        Hazard("squawk", rule, f"{_statements(places)}: {message}; {RULES[rule][1]}")
        for (rule, message), places in lines.items()
    ]


def _statements(numbers: Sequence[int]) -> str:
    words = ", ".join(map(str, sorted(set(numbers))))
    return f"statement {words}" if len(set(numbers)) == 1 else f"statements {words}"


def _table(statement: Any) -> str:
    """The table that a statement makes, alters or indexes, as `schema.name`; else nothing."""
    relation = getattr(statement, "relation", None)
    name = getattr(relation, "relname", None)
    return f"{relation.schemaname or 'public'}.{name}" if relation and name else ""


def find(root: Path, texts: Sequence[Text]) -> Iterator[Finding]:
    """squawk's findings in the texts; the service's own `.squawk.toml` counts as well.

    Raises:
        Failure: squawk is not installed, or breaks.
    """
    return itertools.starmap(_finding, _found(root, texts))


def _found(root: Path, texts: Sequence[Text]) -> Iterator[tuple[Text, str, int, str]]:
    """For each finding: text, rule, line and message."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {f"{number}.sql": text for number, text in enumerate(texts)}
        for name, text in paths.items():
            (Path(folder) / name).write_text(text.sql, encoding="utf-8")
        found = _squawk(root, [str(Path(folder) / name) for name in paths])
    excused: dict[tuple[str, str], list[tuple[range, str]]] = {}
    for entry in _chosen(found):
        name, rule, line = Path(entry["file"]).name, entry["rule_name"], entry["line"]
        if (name, rule) not in excused:
            excused[name, rule] = list(paths[name].excused(rule))
        levels = [level for lines, level in excused[name, rule] if line in lines]
        if ERROR in levels or RULES[rule][0] in levels:
            continue
        message = entry["message"].partition(". ")[0].rstrip(".")
        yield paths[name], rule, paths[name].line(line), message


def program() -> str | None:
    """squawk beside this Python, else on the path."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("squawk", path=beside) or shutil.which("squawk")


def _squawk(root: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    squawk = program()
    if squawk is None:
        raise Failure("squawk is not installed.", "pip install -e '.[dev]'")
    if not paths:
        return []
    options = ["--reporter", "json"]
    done = subprocess.run(
        [squawk, *options, *paths],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    try:
        entries: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError as error:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise Failure(f"squawk broke: {said}", "Look through .squawk.toml, if there is one.") from (
            error
        )
    return entries


def _chosen(entries: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The findings that count, only one for each constraint."""
    known = [entry for entry in entries if entry["rule_name"] in RULES]
    special = {(e["file"], e["line"]) for e in known if e["rule_name"] in _CONSTRAINTS}
    for entry in known:
        if entry["rule_name"] != _GENERAL or (entry["file"], entry["line"]) not in special:
            yield entry


def _finding(text: Text, rule: str, line: int, message: str) -> Finding:
    level, advice = RULES[rule]
    return Finding(
        "locks",
        Path(text.file).name,
        f"{message} ({rule}).",
        f"{advice}. If it is meant, {text.mark.format(rule=rule)}",
        "G14",
        level,
        place=Place(text.file, line),
    )
