"""What a database holds, as flat facts: read in one round trip, compared as plain mappings.

A fact is one property of one object. Its identity says what it is and where
(`column public.contacts.email`), its definition is a small JSON text that Postgres itself wrote
(`{"type":"text","not_null":true}`). The SQL in `facts` makes them; all here except `read` is pure.

These are no facts:
- the order of columns in a table: it depends on history, and no statement should rely on it;
- NOT NULL as a named constraint: only Postgres 18 has it; here it is a part of the column;
- constraints, indexes and triggers that a partition has from its parent, unless they differ from
  the parent's;
- the options of user mappings and the connections of subscriptions: they hold passwords;
- the version of an extension, and what it makes: objects, grants on them, a comment;
- what Postgres makes for a range type, and grants on the row type of a table;
- the grantor of a grant, and `depends on extension`;
- the mark `pg_attver` that Debian's 15.20 keeps among a column's options: it is a position in its
  log, and pg_dump leaves it out too;
- rows, sequence positions, and what belongs to the whole cluster (roles, databases, tablespaces,
  settings).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

Snapshot = Mapping[str, str]
"""Fact identity → definition, a JSON text."""

LOCK_FORMAT = 1
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

RELATION_KINDS = ("table", "foreign table", "view", "materialized view")
_PARTS_OF_A_RELATION = ("column", "constraint", "index", "trigger", "rule", "policy")
_ABOUT_ANOTHER = ("comment ", "owner ", "grant ", "security label ")
_OF_TWO_WORDS = (
    "foreign table ",
    "materialized view ",
    "composite type ",
    "range type ",
    "event trigger ",
    "publication table ",
    "publication schema ",
    "default privileges ",
    "function of access method ",
)
_PREFIXES = (*_ABOUT_ANOTHER, *_OF_TWO_WORDS)
_FOLDER = Path(__file__).with_name("facts")
_SECTIONS = ("relations", "on_relations", "routines_and_types", "database")
_FACT = "classid, objid, objsubid, kind, name, owner, acl_kind, acl, definition"


@dataclass(frozen=True)
class Change:
    """One fact that differs. `before` is None for an added fact, `after` for a removed one."""

    identity: str
    before: str | None
    after: str | None

    @property
    def sign(self) -> str:
        """`+` added, `-` removed, `~` changed."""
        return "+" if self.before is None else "-" if self.after is None else "~"


def read(connection: Connection[Any]) -> Snapshot:
    """All user facts of the database, sorted by identity.

    One round trip: the settings and the query travel as one simple query, which Postgres runs
    as one transaction, so the settings made by the first hold for the second alone. Inside a
    transaction that is already open they would outlast the query; a savepoint takes them back.
    """
    from psycopg.pq import TransactionStatus

    idle = connection.info.transaction_status == TransactionStatus.IDLE
    if idle and connection.autocommit:
        return _read(connection)
    with connection.transaction(force_rollback=True):
        return _read(connection)


def _read(connection: Connection[Any]) -> Snapshot:
    with connection.cursor() as cursor:
        cursor.execute(query())
        cursor.nextset()
        return dict(sorted(cursor.fetchall()))


@cache
def settings() -> bytes:
    """The statement that makes all servers print definitions alike, for one transaction."""
    return (_FOLDER / "settings.sql").read_bytes()


@cache
def query() -> bytes:
    """The settings and the one query, from the files in `facts`: shared parts, sections, result."""
    text = {path.stem: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.sql")}
    facts = "union all\n".join(text[section] for section in _SECTIONS)
    return (
        f"{text['settings']}\n{text['common']}{text['other']}"
        f"-- One row a fact.\nfact ({_FACT}) as (\n{facts}),\n{text['result']}"
    ).encode()


def diff(before: Snapshot, after: Snapshot) -> list[Change]:
    """The changes that turn `before` into `after`, sorted by identity."""
    return [
        Change(identity, before.get(identity), after.get(identity))
        for identity in sorted(before.keys() | after.keys())
        if before.get(identity) != after.get(identity)
    ]


def kind(identity: str) -> str:
    """`foreign table public.a` → `foreign table`; `grant table public.a to b` → `grant`."""
    if identity.startswith(_PREFIXES):
        return next(words for words in _PREFIXES if identity.startswith(words)).strip()
    return identity.partition(" ")[0]


def about(identity: str) -> str | None:
    """The fact that an owner, grant, comment or label is about; None for other kinds of fact."""
    for prefix in _ABOUT_ANOTHER:
        if identity.startswith(prefix):
            inner = identity.removeprefix(prefix)
            separator = {"grant ": " to ", "security label ": " for "}.get(prefix)
            return inner[: _unquoted(inner).rfind(separator)] if separator else inner
    return None


def relation(identity: str) -> str | None:
    """The table or view that a fact is about, as `schema.name`, or None.

    `column public.a.b`, `grant column public.a.b to c` and `rls public.a` are all about `public.a`.
    """
    if inner := about(identity):
        return relation(inner)
    what = kind(identity)
    name = identity.removeprefix(what + " ")
    if what in _PARTS_OF_A_RELATION:
        return ".".join(split_name(name)[:-1])
    if what == "publication table":
        return name[_unquoted(name).index(" ") + 1 :]
    return name if what in RELATION_KINDS or what == "rls" else None


def split_name(name: str) -> list[str]:
    """The parts of a dotted name, each still quoted: `public."a.b"` → `['public', '"a.b"']`."""
    if '"' not in name:
        return name.split(".")
    dots = [-1, *(i for i, letter in enumerate(_unquoted(name)) if letter == "."), len(name)]
    return [name[start + 1 : end] for start, end in pairwise(dots)]


def _unquoted(text: str) -> str:
    """The text with `_` for every letter of a quoted identifier: all positions stay the same."""
    if '"' not in text:
        return text
    return re.sub('"[^"]*"', lambda quoted: "_" * len(quoted[0]), text)


def unquote(part: str) -> str:
    """An identifier as the catalog stores it, its quotes and doubled quotes taken off."""
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def plain(name: str) -> str:
    """A dotted name without its quotes, as SQLAlchemy and people write it."""
    return ".".join(map(unquote, split_name(name)))


def definition(text: str) -> dict[str, Any]:
    """A definition's parts."""
    parts: dict[str, Any] = json.loads(text)
    return parts


def as_text(parts: Mapping[str, Any]) -> str:
    """A definition's parts as the text that Postgres makes of them."""
    return _encode(parts)


def dump_lock(snapshot: Snapshot) -> str:
    """The lock file's text: valid JSON, one fact a line, so that a diff shows one fact a line."""
    lines = [f"    {_encode(i)}: {text}" for i, text in snapshot.items()]
    facts = ",\n".join(lines)
    body = f"{{\n{facts}\n  }}" if lines else "{}"
    return f'{{\n  "format": {LOCK_FORMAT},\n  "facts": {body}\n}}\n'


def load_lock(text: str) -> Snapshot:
    """The snapshot in a lock file's text.

    Raises:
        ValueError: the text is no lock file of this format (merge markers, an edit by hand).
    """
    lock = json.loads(text)
    if not isinstance(lock, dict) or lock.get("format") != LOCK_FORMAT:
        raise ValueError(f"not a schema lock of format {LOCK_FORMAT}")
    if not isinstance(lock.get("facts"), dict):
        raise ValueError("a schema lock without facts")
    return {identity: as_text(parts) for identity, parts in lock["facts"].items()}
