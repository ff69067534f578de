"""Turns a dump into SQL files of lane A, by concern; each file may run again. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from twolane.adopt import order, rights
from twolane.adopt.blocks import Block, block, render
from twolane.facts.catalog import Snapshot
from twolane.postgres.dump import Entry
from twolane.repo import sqlfiles
from twolane.repo.sqlfiles import SqlFile

MARK = "-- Adopted from the live database by `invoke db.adopt`"
# Blocks per file: each file is one transaction, and a server can hold a few thousand locks.
MOST = 500
_GUARDED = (
    "What exists is left alone: to change it, write what does so below, or into a file of your own."
)
# What each file holds, and what a reader has to know about it.
_ABOUT = {
    "types": f"Roles, schemas, extensions, types. {_GUARDED}",
    "functions": "Functions and what is made of them. Functions are replaced each time.",
    "tables": f"Tables, sequences, defaults. {_GUARDED}",
    "keys": f"Constraints and indexes. {_GUARDED}",
    "functions_on_tables": "Functions that need tables. They are replaced each time.",
    "views": f"Views and rules. {_GUARDED} A materialized view begins unfilled: refresh it.",
    "triggers": f"Triggers. {_GUARDED}",
    "policies": f"Row level security. {_GUARDED}",
    "grants": "Who may do what. What default privileges give is taken back first, for they differ "
    "between Supabase projects.",
    "publications": f"Publications. {_GUARDED}",
    "event_triggers": f"Event triggers, last, so that they don't meet the files above. {_GUARDED}",
    "rest": f"What a dump leaves out: what is on the platform's tables, for one. {_GUARDED}",
}
# Concerns ordered by table, and kinds of entries that need no other entry in their file.
_BY_TABLE = ("keys", "triggers", "policies")
_FREE = ("CHECK CONSTRAINT", "CONSTRAINT", "INDEX", "POLICY", "ROW SECURITY", "TRIGGER")
# A function's body may name objects that are made later, so Postgres must not check it.
_UNCHECKED = "SET LOCAL check_function_bodies = off;"
_FUNCTION = re.compile(r"^\s*create or replace (function|procedure) ", re.IGNORECASE | re.MULTILINE)
# Conditions may compare what Postgres prints, so it must print qualified names.
_IN_FULL = "SET LOCAL search_path = '';"


@dataclass(frozen=True)
class AdoptedFrom:
    """What decides how a dump is written. facts: those of the live database.

    lacking: extensions that the shadow's server lacks and that no object needs. given: roles of the
    live database that default privileges may grant rights to. owner: who owns the database, and
    what the files make.
    """

    facts: Snapshot
    lacking: Collection[str] = ()
    given: Collection[str] = field(default=rights.GIVEN)
    owner: str = "postgres"


def make(
    entries: Sequence[Entry], ground: AdoptedFrom, rest: Sequence[Block] = ()
) -> list[SqlFile]:
    """The files, in their order. entries: the project's own; rest: the last file's blocks."""
    parts = list(_parts(entries, ground))
    if rest:
        parts.append(("rest", render(rest)))
    width = len(str(10 * len(parts)))
    return [
        sqlfiles.of_text(f"{10 * number:0{width}}_{name}.sql", f"{_header(name, text)}\n\n{text}\n")
        for number, (name, text) in enumerate(parts, 1)
    ]


def is_adopted(file: SqlFile) -> bool:
    """Whether `db.adopt` wrote the file."""
    return file.text.startswith(MARK)


def _parts(own: Sequence[Entry], ground: AdoptedFrom) -> Iterator[tuple[str, str]]:
    """Name and SQL of each file; a concern with many blocks becomes several numbered files."""
    roles = rights.make_roles(rights.roles(ground.facts))
    files = dict(order.by_concern(own))
    for concern in order.CONCERNS:
        entries = files.get(concern, [])
        if concern == "grants":
            to_others = rights.without_owners(entries, own, ground.facts, ground.owner)
            groups = list(rights.grants(to_others, own, ground.given))
        else:
            groups = [[made] for made in _blocks(concern, entries, ground)]
        if concern == "types":
            groups = [*([role] for role in roles), *groups]
        chunks = list(_chunks(groups))
        for number, blocks in enumerate(chunks, 1):
            yield f"{concern}_{number}" if len(chunks) > 1 else concern, render(blocks)


def _blocks(concern: str, entries: Sequence[Entry], ground: AdoptedFrom) -> list[Block]:
    """The blocks in the dump's order, but blocks of one table are together where possible."""
    made = [block(entry, ground.lacking) for entry in entries]
    if concern not in _BY_TABLE:
        return made
    first: dict[str, int] = {}
    for number, each in enumerate(made):
        first.setdefault(each.subject, number)

    def place(pair: tuple[Entry, Block]) -> tuple[bool, int, bool]:
        entry, made = pair
        late = entry.kind not in _FREE
        return late, 0 if late else first[made.subject], entry.kind != "ROW SECURITY"

    return [each for _, each in sorted(zip(entries, made, strict=True), key=place)]


def _chunks(groups: Sequence[Sequence[Block]]) -> Iterator[list[Block]]:
    """The blocks of each file; the blocks of a group stay in one file."""
    chunk: list[Block] = []
    for group in groups:
        if chunk and len(chunk) + len(group) > MOST:
            yield chunk
            chunk = []
        chunk += group
    if chunk:
        yield chunk


def _header(name: str, text: str) -> str:
    concern = name.rstrip("_0123456789")
    about = textwrap.fill(_ABOUT[concern], 97, initial_indent="-- ", subsequent_indent="-- ")
    settings = [_UNCHECKED] if _FUNCTION.search(text) else []
    settings += [_IN_FULL] if concern == "rest" else []
    return "\n\n".join([f"{MARK}.\n{about}", *(["\n".join(settings)] if settings else [])])
