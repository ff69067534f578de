"""Lane A's SQL files: reads their order, and runs one inside a transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twolane import blocks
from twolane.errors import Failure, denied, from_postgres
from twolane.postgres import exposure, supautils, transactions
from twolane.repo import opened
from twolane.sql import Statement, statements

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.errors import Diagnostic


# `copy … from stdin`, which pg_dump writes: its rows are no SQL.
_COPY = re.compile(r"^\s*copy\s[^;]*\sfrom\s+stdin\b[^;]*;", re.IGNORECASE | re.MULTILINE)
_ROWS = "`copy … from stdin` takes its rows from psql, and an SQL file has none"
_INSERTS = (
    "Write the rows as `insert … on conflict do nothing`, as pg_dump --inserts "
    "--on-conflict-do-nothing does; rows for local work alone belong into supabase/seed.sql."
)
_TAKER = "`copy … to stdout` gives its rows to psql, and here nobody takes them"
_OUT = "Take it out of the file; to look at rows: invoke db.psql -c"
_CORRECT = "Nothing of this file was applied. Correct it, then run the same command again."
_ENUM = (
    "A new enum value can be used once the transaction that adds it is over: put "
    "`alter type … add value` into a file of its own, listed above this one."
)
_NAMED_VIEW = re.compile(r"\bview\s+((?:\"[^\"]+\"|[\w.])+)", re.IGNORECASE)
_VIEW = (
    "`create or replace view` only adds columns at the end: put `drop view if exists {name};` "
    "above it, then run the same command again."
)


@dataclass(frozen=True)
class SqlFile:
    """One file of `supabase/sql`. `digest`: a hash of its text with normalized line ends."""

    name: str
    text: str
    digest: str
    after_migrations: bool = False


class FileFailure(Failure):
    """An SQL file can't run, or the database refuses it.

    is_final: no other data make it run; the role lacks a right, or the server an extension.
    """

    def __init__(self, file: SqlFile, message: str, first: str, is_final: bool = False) -> None:
        super().__init__(message, first)
        self.file = file
        self.is_final = is_final


def of_text(name: str, text: str, after: bool = False) -> SqlFile:
    """An SQL file with this text. after: whether it comes after the migrations."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return SqlFile(name, text, sha256(text.encode()).hexdigest(), after)


def run(connection: Connection[Any], file: SqlFile) -> list[str]:
    """Runs the file's statements in the open transaction, then resets its session settings.

    What the database grants to the data API's roles by default goes from new tables and views that
    have no row level security: they are open as the file says, or not at all. Returns those of
    which the file says nothing.

    Raises:
        Failure: with file, line and a caret. The caller's transaction rolls everything back.
    """
    import psycopg

    found = list(_statements(file))
    before = exposure.open_relations(connection, everywhere=True)
    with transactions.theirs(connection):
        for statement in found:
            _expect_as_parsed(connection, file, statement)
            try:
                connection.execute(supautils.raised(connection, statement.text).encode())
            except psycopg.errors.LockNotAvailable:
                raise  # the caller tries the whole transaction again
            except psycopg.Error as error:
                raise _failure(file, statement, error, connection.info.user) from error
    _end(connection, file)
    since = exposure.opened_since(connection, before)
    return list(exposure.take_back(connection, since, opened.Opened(found).said))


def _end(connection: Connection[Any], file: SqlFile) -> None:
    """Runs what the file has put off to the commit, and takes back what it did to the session."""
    import psycopg

    try:
        transactions.reset(connection)
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error as error:
        failure = from_postgres(error, f"{file.name}, at its end")
        raise FileFailure(file, failure.message, failure.first or _CORRECT) from error


def _expect_as_parsed(connection: Connection[Any], file: SqlFile, statement: Statement) -> None:
    """Raises a `Failure` where the server would read the statement in another way than the parser.

    With `standard_conforming_strings` off a backslash hides a quote from the server (manual,
    4.1.2.1), and a `commit` may stand in what the parser takes for a string. The server reports
    both settings with each change (manual, libpq-status), whoever makes it.
    """
    told = connection.info.parameter_status
    if told("standard_conforming_strings") != "on":
        raise FileFailure(
            file,
            place(file, statement.start, "standard_conforming_strings is off from here on"),
            "Take that out, and write E'…' for a string with escapes; the setting of a role or a "
            "database ends with: alter role … reset standard_conforming_strings",
        )
    if str(told("client_encoding")).upper() not in ("UTF8", "UNICODE"):
        raise FileFailure(
            file,
            place(file, statement.start, "client_encoding is no longer UTF8 from here on"),
            "Take that out: SQL files are in UTF-8.",
        )


def creates_extension(files: Iterable[SqlFile], name: str) -> bool:
    """Whether a file creates the extension, even if only on servers that have it."""
    return any(_creates(file.text, name) for file in files)


def _creates(sql: str, name: str) -> bool:
    named = rf'create\s+extension\s+(if\s+not\s+exists\s+)?"?{re.escape(name)}\b'
    ran = blocks.runs(sql)
    return any(
        type(each.node).__name__ == "CreateExtensionStmt" and each.node.extname == name
        for each in ran.statements
    ) or any(re.search(named, text, re.IGNORECASE) for text in ran.texts)


@contextmanager
def messages(connection: Connection[Any], show: Callable[[str], None]) -> Iterator[None]:
    """Shows the server's messages during the block: warnings, and all that a file sends by RAISE.

    Hides notices of `if exists` and similar clauses. Recognizes RAISE by the source function of a
    message, `exec_stmt_raise` in src/pl/plpgsql/src/pl_exec.c.
    """

    def note(message: Diagnostic) -> None:
        raised = message.source_function == "exec_stmt_raise"
        if raised or message.severity_nonlocalized == "WARNING":
            lines = [message.message_primary, message.message_detail, message.message_hint]
            show("\n".join(line for line in lines if line).replace("\n", "\n    "))

    connection.add_notice_handler(note)
    try:
        yield
    finally:
        connection.remove_notice_handler(note)


def check(file: SqlFile) -> None:
    """Raises a `Failure` for a file that can't run; needs no database."""
    for _ in _statements(file):
        pass


def _statements(file: SqlFile) -> Iterator[Statement]:
    """The file's statements.

    Raises:
        Failure: a syntax error, or a statement that can't be part of the file's transaction.
    """
    from pglast import ast
    from pglast.parser import ParseError

    outside = {
        ast.TransactionStmt: "every file is one transaction: take `begin` and `commit` out",
        ast.VacuumStmt: "vacuum needs no place in the schema: run it with `invoke db.psql -c`",
        ast.CreatedbStmt: "a service lives in one database",
        ast.DropdbStmt: "a service lives in one database",
        ast.AlterSystemStmt: "settings of the server are not the service's",
        ast.CreateTableSpaceStmt: "tablespaces belong to the server",
    }
    try:
        found = statements(file.text)
    except ParseError as error:
        message, position = error.args
        if rows := _COPY.search(blocks.uncommented(file.text[: max(position, 0)])):
            start = rows.start() + len(rows[0]) - len(rows[0].lstrip())
            raise FileFailure(file, place(file, start, _ROWS), _INSERTS) from error
        hint = "psql's backslash commands don't work here. " if "\\" in message else ""
        raise FileFailure(
            file,
            place(file, position, message),
            f"{hint}Correct the file, then run the same command again.",
        ) from error
    for statement in found:
        node = statement.node
        reason = outside.get(type(node))
        if isinstance(node, (ast.IndexStmt, ast.DropStmt)) and node.concurrent:
            reason = "build it without `concurrently`, or by hand with `invoke db.psql -c`"
        if isinstance(node, ast.CopyStmt) and not node.filename:
            said, first = (
                (_ROWS, _INSERTS) if node.is_from else (_TAKER, "Take it out of the file.")
            )
            raise FileFailure(file, place(file, statement.start, said), first)
        if reason:
            raise FileFailure(
                file,
                place(file, statement.start, "this can't run inside a transaction"),
                f"{reason[0].upper()}{reason[1:]}.",
            )
        yield statement


def _failure(file: SqlFile, statement: Statement, error: Any, role: str) -> Failure:
    """The database's error, at the position that it names, or at the start of the statement."""
    is_final, position = False, int(error.diag.statement_position or 1) - 1
    translated = from_postgres(error, file.name)
    message = translated.message.removeprefix(f"{file.name}: ")
    if error.diag.context and not error.diag.statement_position:
        lines = [x for x in error.diag.context.splitlines() if "supabase_stand_in" not in x]
        told = next((x for x in lines if x.startswith("PL/pgSQL")), "".join(lines[:1]))
        message += f"\n  {told}" if told else ""
    if error.sqlstate in ("0A000", "58P01") and "extension" in message and "available" in message:
        translated.first = (
            "Name a Postgres that has it: `postgres` in [tool.twolane], or SHADOW_DATABASE_URL."
        )
        is_final = True
    first = translated.first
    if error.sqlstate == "55P04":
        first, is_final = _ENUM, True
    if error.sqlstate == "42P16" and (view := _NAMED_VIEW.search(statement.text)):
        first = _VIEW.format(name=view[1])
    if error.sqlstate == "42501":
        first, is_final = denied(blocks.plain(statement), role, first), True
    return FileFailure(
        file,
        place(file, statement.start + position, message),
        first or _CORRECT,
        is_final,
    )


def place(file: SqlFile, position: int, message: str) -> str:
    """`file:line:column: message`, the line, and a caret under the column."""
    before = file.text[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1)
    source = file.text.split("\n")[line - 1].expandtabs(1)
    left = max(0, column - 100)  # of a long line, what is around it
    shown, caret = source[left : left + 160], " " * (column - left)
    return f"{file.name}:{line}:{column + 1}: {message}\n    {shown}\n    {caret}^"
