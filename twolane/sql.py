"""SQL as text: names, literals, and statements as Postgres's own parser splits them. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# The words that may begin the end of a transaction (manual: COMMIT, ROLLBACK, PREPARE TRANSACTION).
_ENDING = re.compile(r"\b(commit|rollback|end|abort|prepare)\b", re.IGNORECASE)
_ENDS = {f"TRANS_STMT_{kind}" for kind in ("COMMIT", "ROLLBACK", "PREPARE")}
_ENDS |= {f"{kind}_PREPARED" for kind in ("TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK")}
_CLIENT = re.compile(r"\bcopy\b.*\bstd(in|out)\b", re.IGNORECASE | re.DOTALL)
_LEADING = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
# Texts of at most so many characters, and so many of them, are parsed once: a command asks of a
# file's statements many times, and a tree takes forty times the memory of its text.
_SHORT, _KEPT = 1 << 14, 128


@dataclass(frozen=True)
class Statement:
    """A statement: `sql` from `start` to `end`, and its syntax tree.

    The parser counts comments above it as part of it, but not the semicolon.
    """

    sql: str
    start: int
    end: int
    node: Any

    @property
    def text(self) -> str:
        return self.sql[self.start : self.end]

    @property
    def line(self) -> int:
        """The number of its first line after the comments above it; line numbers start at 1."""
        leading = _LEADING.match(self.sql, self.start)
        return self.sql.count("\n", 0, leading.end() if leading else self.start) + 1

    @property
    def last_line(self) -> int:
        return self.sql.count("\n", 0, self.end) + 1


def statements(sql: str) -> list[Statement]:
    """The statements of the text. Their trees are shared: who changes one takes a copy.

    Raises:
        pglast.parser.ParseError: a syntax error; its arguments are the message and the offset.
    """
    return list(_kept(sql) if len(sql) <= _SHORT else _parsed(sql))


@lru_cache(_KEPT)
def _kept(sql: str) -> Sequence[Statement]:
    return _parsed(sql)


def _parsed(sql: str) -> Sequence[Statement]:
    from pglast import parse_sql

    found = []
    for raw in parse_sql(sql) or ():
        start = raw.stmt_location or 0
        end = start + raw.stmt_len if raw.stmt_len else len(sql.rstrip())
        start += len(sql[start:end]) - len(sql[start:end].lstrip())
        found.append(Statement(sql, start, end, raw.stmt))
    return found


def readable_statements(sql: str) -> list[Statement]:
    """The statements of the text; none if the text can't be parsed."""
    from pglast.parser import ParseError

    try:
        return statements(sql)
    except ParseError:
        return []


def ends_transaction(sql: str) -> bool:
    """Whether a statement of the text would end the transaction that it runs in.

    Of a text that the parser refuses, the first words of its statements tell: a newer server may
    understand it.
    """
    if not _ENDING.search(sql):
        return False
    from pglast.parser import ParseError, scan

    try:
        kinds = (getattr(statement.node, "kind", None) for statement in statements(sql))
        return any(getattr(kind, "name", "") in _ENDS for kind in kinds)
    except ParseError:
        pass
    try:
        tokens = [token for token in scan(sql) if token.name not in _COMMENTS]
    except ParseError:
        return True
    words = [sql[token.start : token.end + 1].lower() for token in tokens]
    firsts = [*zip([";", *words], words, [*words[1:], ""], strict=False)]
    return any(
        before == ";" and (word in ("commit", "end", "abort") or (word, after) in _PAIRS)
        for before, word, after in firsts
    )


_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_PAIRS = {("prepare", "transaction")} | {
    ("rollback", after) for after in ("", ";", "work", "transaction", "and", "prepared")
}


def block_queries(block: str) -> list[tuple[int, str]]:
    """The SQL statements of a `do` block in their order, each with the number of its line.

    None if the block can't be parsed. What it puts together and executes is not among them.
    """
    from pglast import parse_plpgsql
    from pglast.parser import ParseError

    try:
        return list(_queries(parse_plpgsql(block), 1))
    except ParseError:
        return []


def _queries(tree: Any, line: int) -> Iterator[tuple[int, str]]:
    if isinstance(tree, list):
        for each in tree:
            yield from _queries(each, line)
    elif isinstance(tree, dict):
        line = tree.get("lineno", line)
        if "sqlstmt" in tree:
            yield line, tree["sqlstmt"]["PLpgSQL_expr"]["query"]
        for each in tree.values():
            yield from _queries(each, line)


def copies(sql: str) -> bool:
    """Whether a statement of the text copies rows from its client, or to it."""
    if not _CLIENT.search(sql):
        return False
    nodes = [each.node for each in readable_statements(sql)]
    return any(type(node).__name__ == "CopyStmt" and not node.filename for node in nodes)


def quote(name: str) -> str:
    """An identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


def bound(sql: str) -> str:
    """SQL as SQLAlchemy's `text()` has to be given it: no colon begins a parameter's name."""
    return re.sub(r"\\?(?<![:\w]):(?=\w+(?![:\w]))", lambda m: f"\\{m[0]}", sql)


# The marks of a recursive query's cycles, as Postgres prints them: a constant with a cast, where
# its grammar has `AexprConst`, in which the type comes first (gram.y, opt_cycle_clause).
_MARKS = re.compile(
    r"( SET (?:\w+|\"(?:[^\"]|\"\")+\") TO )('(?:[^']|'')*')::(.+?)"
    r"( DEFAULT )('(?:[^']|'')*')::(.+?)( USING )"
)


def runnable(sql: str) -> str:
    """A view's query, or a script with it, in words that Postgres reads as well as prints."""
    return _MARKS.sub(r"\1\3 \2\4\6 \5\7", sql) if " CYCLE " in sql else sql


def ident(name: str) -> str:
    """An identifier as Postgres's quote_ident writes it."""
    from pglast import keywords

    special = {
        *keywords.RESERVED_KEYWORDS,
        *keywords.COL_NAME_KEYWORDS,
        *keywords.TYPE_FUNC_NAME_KEYWORDS,
    }
    simple = re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    return name if simple and name not in special else quote(name)


def quoted(parts: Iterable[str]) -> str:
    """A name of several parts, each quoted where it must be."""
    return ".".join(map(ident, parts))


def literal(text: str) -> str:
    """An SQL string literal, for standard_conforming_strings = on."""
    return "'" + text.replace("'", "''") + "'"


def indented(statement: str, by: str) -> str:
    """The statement, indented; only its first line if another line begins inside a literal."""
    from pglast.parser import scan

    words = (statement[token.start : token.end + 1] for token in scan(statement))
    if "\n" not in statement or any("\n" in word for word in words):
        return by + statement
    return textwrap.indent(statement, by)


# What moves text about, or ends a line for some and not for others: controls, separators of lines,
# marks of the direction of writing.
_MISLEADING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def plainly(statement: str) -> str:
    """The statement with misleading characters in its names and constants written as escapes.

    A function that came from Windows may have carriage returns, which a file would lose with its
    line ends; others show a reader something else than Postgres reads.
    """
    if not _MISLEADING.search(statement):
        return statement
    from pglast.parser import scan

    done, text = 0, ""
    for token in scan(statement):
        found = statement[token.start : token.end + 1]
        if not _MISLEADING.search(found):
            continue
        if token.name == "SCONST":
            plain = _escaped(found)
        elif token.name == "IDENT" and found[0] == '"':
            plain = _escaped_name(found)
        else:
            continue
        text += statement[done : token.start] + plain
        done = token.end + 1
    return text + statement[done:]


def _escaped(constant: str) -> str:
    """A string constant, dollar-quoted or not, as one with escapes (Postgres manual, 4.1.2.2)."""
    if constant[0] in "eE":
        return _MISLEADING.sub(_code_point, constant)
    if constant[0] == "$":
        tag = constant[: constant.index("$", 1) + 1]
        value = constant.removeprefix(tag).removesuffix(tag)
    else:
        value = constant[1:-1].replace("''", "'")
    for letter, escape in (("\\", "\\\\"), ("'", "''"), ("\r", "\\r")):
        value = value.replace(letter, escape)
    return f"E'{_MISLEADING.sub(_code_point, value)}'"


def _code_point(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _escaped_name(name: str) -> str:
    """A name in quotes as one with escapes (Postgres manual, 4.1.1)."""
    name = name.replace("\\", "\\\\")
    return "U&" + _MISLEADING.sub(lambda found: f"\\{ord(found[0]):04x}", name)
