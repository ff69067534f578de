"""Writes a dump entry as SQL that does nothing if its object exists. Pure except for the parser.

Existing objects are neither locked nor inspected. Only functions, grants and comments are written
again, which blocks nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby

from twolane.adopt import absent
from twolane.ddl.clauses import dollar
from twolane.postgres.dump import Entry, parsed
from twolane.sql import indented, literal, plainly
from twolane.text import is_plain

# Clauses that check before they lock: pg_dump's clause → the clause that may run again.
_CLAUSES = {
    f"CREATE {kind} ": f"CREATE {kind} IF NOT EXISTS "
    for kind in (
        "SCHEMA",
        "TABLE",
        "UNLOGGED TABLE",
        "FOREIGN TABLE",
        "SEQUENCE",
        "UNLOGGED SEQUENCE",
        "COLLATION",
        "SERVER",
        "USER MAPPING",
    )
} | {
    f"CREATE {kind} ": f"CREATE OR REPLACE {kind} "
    for kind in (
        "FUNCTION",
        "PROCEDURE",
        "AGGREGATE",
        "TRANSFORM",
        "PROCEDURAL LANGUAGE",
        "TRUSTED PROCEDURAL LANGUAGE",
    )
}
# May run again as they are.
_PLAIN = ("COMMENT", "ACL", "DEFAULT ACL", "EXTENSION")
# Their options may be secrets, so they are no fact either.
_SECRET = ("FOREIGN DATA WRAPPER", "SERVER", "USER MAPPING")


@dataclass(frozen=True)
class Block:
    """Statements that may run again: always, or only while `condition` holds.

    subject: the table that they concern, if any; blocks of one table stay together.
    """

    statements: Sequence[str]
    condition: str = ""
    subject: str = ""


def render(blocks: Sequence[Block]) -> str:
    """The SQL of the blocks; the conditional blocks of one table become one DO block."""
    return "\n\n".join(
        text
        for conditional, group in groupby(blocks, lambda block: bool(block.condition))
        for text in (_conditional(group) if conditional else map(_plain, group))
    )


def _plain(block: Block) -> str:
    return "\n".join(f"{plainly(statement)};" for statement in block.statements)


def _conditional(blocks: Iterator[Block]) -> Iterator[str]:
    for subject, group in groupby(blocks, lambda block: block.subject):
        body = ""
        for block in group:
            statements = map(plainly, block.statements)
            inner = "".join(f"{indented(each, '    ')};\n" for each in statements)
            body += f"  if {plainly(block.condition)} then\n{inner}  end if;\n"
        tag = dollar(body)
        title = f"-- {subject}\n" if subject and is_plain(subject) else ""
        yield f"{title}do {tag}\nbegin\n{body}end {tag};"


def block(entry: Entry, lacking: Collection[str] = ()) -> Block:
    """The entry's statements. lacking: extensions that are only made on a server that has them."""
    statements = [_without_options(entry, s) for s in entry.statements]
    if entry.access_method:
        statements = [entry.access_method, *statements, "RESET default_table_access_method"]
    elif entry.kind == "EXTENSION" and entry.tag in lacking:
        available = (
            f"select from pg_catalog.pg_available_extensions where name = {literal(entry.tag)}"
        )
        return Block(statements, f"exists ({available})")
    elif entry.kind in _PLAIN:
        return Block(statements)
    elif len(statements) == 1 and (clause := _with_clause(statements[0])):
        return Block([clause])
    condition, subject = absent.condition(entry)
    return Block(statements, condition, subject)


def _with_clause(statement: str) -> str | None:
    for words, guarded in _CLAUSES.items():
        if statement.startswith(words):
            return guarded + statement.removeprefix(words)
    return None


def _without_options(entry: Entry, statement: str) -> str:
    if entry.kind not in _SECRET or "OPTIONS (" not in statement:
        return statement
    from pglast.stream import RawStream

    node = copy(parsed(statement))
    node.options = None
    return str(RawStream()(node))
