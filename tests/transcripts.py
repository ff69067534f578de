"""Pages of the guide with transcripts: read, carried out step by step, written anew.

What a reader does stands in fenced blocks, in order:

- `console`: commands, `$ …`, each with what it prints, both streams: `invoke` and `git`, and no
  more of the shell than `| tail -3` and `| grep -A3 WORD`.
- `sql` or `python` whose first line is a comment that names a file: the text is added to that file,
  or the file is made; `-- in the dashboard`: the SQL runs in the live database.
- `toml` or `text` whose first line names a file: the same.
- `python` whose first line is `# in upgrade() of the newest revision` or `# below down_revision of
  the newest revision`: the text goes there.
- `diff` whose first line is `--- FILE`: its lines replace others in that file.

A block without such a line is only to be read.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service import Service

_BLOCK = re.compile(r"^```(console|sql|python|toml|text|diff)\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"(?:--|#|---) ((?:src|supabase)/\S+|pyproject\.toml)\n")
DASHBOARD = "-- in the dashboard\n"
UPGRADE = "# in upgrade() of the newest revision\n"
BELOW = "# below down_revision of the newest revision\n"

# What differs from run to run, and how the guide writes it.
_VARYING = (
    (re.compile(r"\b20\d{12}_"), "20260504093000_"),
    (re.compile(r"\b\d{4}_\d\d_\d\d_\d{4}_[0-9a-f]{12}_"), "2026_05_04_0930_3f8a2c61d0b7_"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "3f8a2c61d0b7"),
    (re.compile(r"\b[0-9a-f]{7,10}\b"), "3f8a2c6"),
    (re.compile(r"(\[\S+) [0-9a-f]{7,12}\]"), r"\1 3f8a2c6]"),
    (re.compile(r"\b\d{4}_\d\d_\d\d\b(?!_0930)"), "2026_05_04"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "2026-05-04"),
    (re.compile(r"\b\d+(\.\d+)? m?s\b"), "0.1 s"),
    (re.compile(r"\[(main|master) "), "[main "),
    (re.compile(r"Postgres \d+(\.\d+)?\b"), "Postgres 18.4"),
)
_STEP = re.compile(r"^· .* …\n", re.M)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; start: where its text begins."""

    kind: str
    text: str
    start: int


def blocks(page: str) -> list[Block]:
    return [Block(found[1], found[2], found.start(2)) for found in _BLOCK.finditer(page)]


def has_commands(path: Path) -> bool:
    return any(block.kind == "console" for block in blocks(path.read_text("utf-8")))


def play(page: str, service: Service) -> str:
    """The page as it should be: each block carried out, what commands print in its place."""
    done, end = [], 0
    for block in blocks(page):
        done += [page[end : block.start], _carry_out(block, service)]
        end = block.start + len(block.text)
    return "".join([*done, page[end:]])


def _carry_out(block: Block, service: Service) -> str:
    if block.kind == "console":
        return "\n".join(_commands(block.text, service))
    if block.text.startswith(DASHBOARD):
        service.sql(block.text)
    elif block.text.startswith(UPGRADE):
        service.edit_revision(block.text.removeprefix(UPGRADE))
    elif block.text.startswith(BELOW):
        _add_below_down_revision(block.text.removeprefix(BELOW), service.revisions()[-1])
    elif found := _FILE.match(block.text):
        change: Callable[[str, str], str] = _replaced if block.kind == "diff" else _added
        path = service.folder / found[1]
        old = path.read_text("utf-8") if path.exists() else ""
        path.write_text(change(old, block.text[found.end() :]), "utf-8")
    return block.text


def _add_below_down_revision(lines: str, path: Path) -> None:
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"^down_revision.*\n", rf"\g<0>{lines}", text, flags=re.M), "utf-8")


def _commands(text: str, service: Service) -> Iterator[str]:
    """The block's commands, each with what it prints now; one blank line between two."""
    for line in text.splitlines():
        if line.startswith("$ "):
            command, _, rest = line[2:].partition(" | ")
            printed = plain(_printed(service, shlex.split(command, comments=True)))
            yield f"{line}\n{''.join(_chosen(printed.splitlines(keepends=True), rest))}"


def _chosen(lines: list[str], rest: str) -> list[str]:
    """What the rest of the pipe leaves of the lines: `tail -3`, or `grep -A3 WORD` with one hit."""
    match shlex.split(rest):
        case ["tail", number]:
            return lines[int(number) :]
        case ["grep", *after, word]:
            (first,) = (n for n, line in enumerate(lines) if word in line)
            return lines[first : first + 1 + sum(int(n.removeprefix("-A")) for n in after)]
    return lines


def _printed(service: Service, words: list[str]) -> str:
    if words[0] == "invoke":
        return service.invoke(*words[1:], code=None, COLUMNS="100").text
    assert words[0] == "git", words
    done = subprocess.run(
        words,
        cwd=service.folder,
        env=os.environ | {"GIT_EDITOR": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def _added(old: str, new: str) -> str:
    return f"{old.rstrip()}\n{new}" if old.strip() else new.lstrip("\n")


def _replaced(old: str, changes: str) -> str:
    """The text with each run of `-` lines replaced by the `+` lines after it."""
    for run in re.findall(r"(?:^-.*\n)+(?:^\+.*\n)*", changes, re.M):
        gone, come = (
            "\n" + "".join(f"{line[1:]}\n" for line in run.splitlines() if line[0] == sign)
            for sign in "-+"
        )
        assert old.count(gone) == 1, gone
        old = old.replace(gone, come)
    return old


def plain(printed: str) -> str:
    """What a command printed, without what differs from run to run."""
    text = _STEP.sub("", _COLOURS.sub("", printed))
    for pattern, words in _VARYING:
        text = pattern.sub(words, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n" if text else ""
