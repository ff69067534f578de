"""What a database holds, as flat facts: read in one round trip, compared as plain mappings.

A fact is one property of one object. Its identity says what it is and where
(`column public.contacts.email`), its definition is a small JSON text that Postgres itself wrote
(`{"type":"text","not_null":true}`). The files in `sql` make them; all but `read` is pure.

These are no facts:
- the order of columns in a table: it depends on history, and no statement should rely on it;
- NOT NULL as a named constraint: only Postgres 18 has it; here it is a part of the column;
- constraints, indexes and triggers that a partition has from its parent, unless they differ from
  the parent's;
- the options of user mappings and the connections of subscriptions: they hold passwords;
- the version of an extension, and what it makes: objects, the rights that it gives, a comment;
- what Postgres makes for a range type, and grants on the row type of a table;
- what others grant to the database's owner, who owns it wherever the files make it;
- the grantor of a grant, and `depends on extension`;
- the mark `pg_attver` that Debian's 15.20 keeps among a column's options: it is a position in its
  log, and pg_dump leaves it out too;
- rows, sequence positions, and what belongs to the whole cluster (roles, databases, tablespaces,
  settings).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.facts import identities
from twolane.facts.identities import grantee

if TYPE_CHECKING:
    from psycopg import Connection

Snapshot = Mapping[str, str]
"""Fact identity → definition, a JSON text."""

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# Who stands in for Supabase's `postgres` on a server where that is the superuser: see
# `postgres.project_role`. Its facts are those that `postgres` would have.
STAND_IN = "twolane_postgres"
_FOLDER = Path(__file__).with_name("sql")
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
        return of_rows(cursor.fetchall(), connection.info.user)


def of_rows(rows: Sequence[tuple[str, str]], user: str) -> Snapshot:
    """The facts that the query found for this role."""
    if user == STAND_IN:
        rows = [(i.replace(STAND_IN, "postgres"), t.replace(STAND_IN, "postgres")) for i, t in rows]
    return dict(sorted(rows))


@cache
def settings() -> bytes:
    """The statement that makes all servers print definitions alike, for one transaction."""
    return (_FOLDER / "settings.sql").read_bytes()


@cache
def schemas() -> bytes:
    """The beginning of the query, for one that asks whose a schema is: `member` to `schemas`."""
    return (_FOLDER / "common.sql").read_bytes().partition(b"relation as materialized")[0]


@cache
def query(result: str | None = None) -> bytes:
    """The settings and the one query, from the files in `sql`: shared parts, sections, result.

    result: what to select instead, from `fact` and the table expressions that make it.
    """
    text = {path.stem: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.sql")}
    facts = "union all\n".join(text[section] for section in _SECTIONS)
    end = f",\n{text['result']}" if result is None else f"\n{result}"
    return (
        f"{text['settings']}\n{text['common']}{text['other']}"
        f"-- One row a fact.\nfact ({_FACT}) as (\n{facts}){end}"
    ).encode()


def diff(before: Snapshot, after: Snapshot) -> list[Change]:
    """The changes that turn `before` into `after`, sorted by identity."""
    if before is after:
        return []
    differing = [i for i, text in before.items() if after.get(i) != text]
    differing += after.keys() - before.keys()
    return [Change(i, before.get(i), after.get(i)) for i in sorted(differing)]


def definition(text: str) -> dict[str, Any]:
    """A definition's parts."""
    parts: dict[str, Any] = json.loads(text)
    return parts


def as_text(parts: Mapping[str, Any]) -> str:
    """A definition's parts as the text that Postgres makes of them."""
    return encode(parts)


def texts(value: Any) -> Iterator[str]:
    """Every text in a definition's parts, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def mapped(value: Any, anew: Callable[[str], str]) -> Any:
    """A definition's parts with every text of theirs replaced."""
    if isinstance(value, dict):
        return {name: mapped(each, anew) for name, each in value.items()}
    if isinstance(value, list):
        return [mapped(each, anew) for each in value]
    return anew(value) if isinstance(value, str) else value


def default_grants(facts: Snapshot) -> frozenset[tuple[str, str]]:
    """The default privileges of the database: (role, text of the grant)."""
    prefix = "grant default privileges "
    return frozenset((grantee(i), text) for i, text in facts.items() if i.startswith(prefix))


def structure(facts: Snapshot) -> Snapshot:
    """The facts that must be equal in every database: all but owners and grants."""
    return {i: text for i, text in facts.items() if identities.kind(i) not in ("owner", "grant")}
