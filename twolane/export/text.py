"""A migration's text: its parts in their order, then twolane's record. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twolane.export import parts
from twolane.export.trial import Done
from twolane.repo import ledger_tables, look, versions
from twolane.repo.identity import Service
from twolane.repo.ledger import Ledger
from twolane.repo.supabase_migrations import Migration

_WIDTH = 100
# Nothing that somebody made answers for Postgres's own functions and operators.
_NOWHERE = "set local search_path = '';\n"


@dataclass(frozen=True)
class Place:
    """Where a migration begins.

    there: the migrations before it. ledger: the record that they leave. service: whose it is.
    """

    there: Sequence[Migration]
    ledger: Ledger
    service: Service


def body(version: str, done: Sequence[Done], place: Place, hazards: Sequence[str]) -> str:
    """The text of a migration, without its first line."""
    tables, has_tables = _tables(), bool(place.there)
    news = "" if any(tables in each.text for each in place.there) else tables
    head = ["--", *(f"--   {each.part.title}" for each in done)]
    head += [f"-- Hazard: {' '.join(text.split())}" for text in hazards]
    pieces = ["\n".join(head) + "\n"]
    begin = [news, look.call("before") + "\n"] if has_tables else []
    if place.ledger.is_empty or any(each.part.file is None for each in done):
        begin.insert(0, parts.start(version, place.ledger))  # SQL files may run again anywhere
    pieces += [_NOWHERE, *begin, "set local search_path to default;\n"]
    pieces += map(_part, done)
    pieces += [_title("twolane's record: where a database stands that has run this"), _NOWHERE]
    if not has_tables:
        pieces += [news, parts.service(place.service)]
    records = [sql for each in done for sql in each.part.records]
    pieces.append("\n".join([*records, look.call("after")]) + "\n")
    return "\n".join(piece for piece in pieces if piece)


def _tables() -> str:
    texts = (ledger_tables.TABLES, versions.DEFINITION.rstrip() + ";\n", look.function())
    return "\n".join(text.strip() for text in texts) + "\n"


def _part(done: Done) -> str:
    texts = [_ended(text) for text in (*done.part.texts, *done.ends)]
    return _title(done.part.title) + "\n" + "\n".join(text for text in texts if text) + "\n"


def _title(text: str) -> str:
    return f"-- ── {' '.join(text.split())} ".ljust(_WIDTH, "─")


def _ended(text: str) -> str:
    """The SQL with a semicolon at its end; empty where it has no statement."""
    from pglast.parser import ParseError, scan

    text = text.rstrip()
    try:
        tokens = [token for token in scan(text) if token.name not in ("SQL_COMMENT", "C_COMMENT")]
    except ParseError:
        return f"{text}\n;"
    if not tokens:
        return text
    if text[tokens[-1].start] == ";":
        return text
    is_last = not text[tokens[-1].end + 1 :].strip()
    return f"{text};" if is_last else f"{text}\n;"
