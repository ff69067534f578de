"""What the code of SQL runs: its comments, its messages and what it only makes left aside. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twolane.sql import Statement, readable_statements, statements

_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
# What begins a message of PL/pgSQL, or a comment on something: strings that never run.
_LEVELS = {"debug", "log", "info", "notice", "warning", "exception", "sqlstate", "using"}
_TELLING = {*(("raise", level) for level in _LEVELS), ("comment", "on")}
# What stands before a statement of PL/pgSQL; `>>` ends a label.
_BEFORE = (";", "begin", "then", "else", "loop", ">>")
_DYNAMIC = {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "dynquery"}
# Statements that name a function and don't call it.
_NAMING = {
    *("CreateFunctionStmt", "CreateTrigStmt", "CommentStmt", "GrantStmt", "AlterFunctionStmt"),
    *("AlterOwnerStmt", "AlterObjectSchemaStmt", "RenameStmt", "DropStmt"),
}
_WRITING = {
    *("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "SelectStmt", "CallStmt", "CopyStmt"),
    *("CreateTableAsStmt", "ExecuteStmt", "PrepareStmt", "ExplainStmt"),
}
_ASSIGNED = re.compile(r"[^=]*?:?=")
# The grammars of PL/pgSQL's pieces (parser.h, RawParseMode); others are assignments.
_WHOLE, _EXPRESSION = 0, 2
# A job's command runs later, in a transaction of its own.
_LATER = ("cron",)


@dataclass(frozen=True)
class Code:
    """What runs.

    statements: those that run as they are written. texts: what may have others in it: blocks that
    put statements together, or can't be read here, and the strings that a statement hands to
    functions.
    """

    statements: Sequence[Statement]
    texts: Sequence[str]


def uncommented(sql: str) -> str:
    """The text with its comments blanked, each letter; as it is where it can't be scanned."""
    return _blanked(sql, is_plpgsql=False)


def runs(sql: str) -> Code:
    """What the text runs: its statements, blocks, and the functions of its own that those call.

    A trigger's function is called where they name its table as well. All of a text that the parser
    refuses may be run.
    """
    ran = _run(readable_statements(sql))
    if not ran.statements and not ran.texts:
        return Code([], [uncommented(sql)])
    functions = [s for s in ran.statements if type(s.node).__name__ == "CreateFunctionStmt"]
    triggers = [s.node for s in ran.statements if type(s.node).__name__ == "CreateTrigStmt"]
    while called := _called(ran, functions, triggers):
        functions = [each for each in functions if each not in called]
        more = _joined(map(code, called))
        ran = Code([*ran.statements, *more.statements], [*ran.texts, *more.texts])
    return ran


def _called(
    ran: Code, functions: Sequence[Statement], triggers: Sequence[Any]
) -> Sequence[Statement]:
    if not functions:
        return []
    kinds = [(type(each.node).__name__, each) for each in ran.statements]
    named = [*ran.texts, *(uncommented(s.text) for k, s in kinds if k not in _NAMING)]
    written = [*ran.texts, *(uncommented(s.text) for k, s in kinds if k in _WRITING)]
    tables = {each.relation.relname for each in triggers}
    fired = tables & set(_named(tables, written))
    named += [each.funcname[-1].sval for each in triggers if each.relation.relname in fired]
    names = set(_named((each.node.funcname[-1].sval for each in functions), named))
    return [each for each in functions if each.node.funcname[-1].sval in names]


def _named(names: Iterable[str], texts: Iterable[str]) -> Iterator[str]:
    """Which of the names are in the texts, in whatever case: one of odd letters anywhere in it."""
    text = "\n".join(texts).lower()
    words = set(re.findall(r"\w+", text))
    for name in names:
        if name.lower() in (words if re.fullmatch(r"\w+", name) else text):
            yield name


def plain(statement: Statement) -> str:
    """The text of a block, or of another statement, without comments and messages."""
    body, language = _body(statement.node)
    if type(statement.node).__name__ != "DoStmt" or body is None:
        return uncommented(statement.text)
    return _blanked(body, is_plpgsql=True) if language == "plpgsql" else body


def code(statement: Statement) -> Code:
    """What a `do` block runs, or a function when it is called; another statement runs itself."""
    body, language = _body(statement.node)
    if in_sql := getattr(statement.node, "sql_body", None):
        return _run(replace(statement, node=each) for each in _flat(in_sql))
    if body is None:
        return Code([statement], list(_handed(statement.node)))
    if language == "plpgsql":
        return _plpgsql(statement.text, body)
    if language != "sql":
        return Code([], [body])
    found = readable_statements(body)
    return _run(found) if found else Code([], [uncommented(body)])


def _run(statements: Iterable[Statement]) -> Code:
    """What the statements run: a block its code, and any other itself."""
    return _joined(
        Code([each], []) if type(each.node).__name__ == "CreateFunctionStmt" else code(each)
        for each in statements
    )


def _joined(parts: Iterable[Code]) -> Code:
    found = list(parts)
    return Code([s for part in found for s in part.statements], [t for p in found for t in p.texts])


def _body(node: Any) -> tuple[str | None, str]:
    """The text of a block or a function, and its language."""
    kind = type(node).__name__
    if kind not in ("DoStmt", "CreateFunctionStmt"):
        return None, ""
    given = node.args if kind == "DoStmt" else node.options
    options = {each.defname: each.arg for each in given or ()}
    body = options.get("as")
    parts = body if isinstance(body, tuple) else (body,)
    language = options.get("language")
    return getattr(parts[0], "sval", None), language.sval.lower() if language else "plpgsql"


def _flat(body: Any) -> Iterator[Any]:
    if isinstance(body, tuple):
        for each in body:
            yield from _flat(each)
    else:
        yield body


def _plpgsql(text: str, body: str) -> Code:
    from pglast import parse_plpgsql
    from pglast.parser import ParseError

    unread = Code([], [_blanked(body, is_plpgsql=True)])
    try:
        tree = parse_plpgsql(text)
        found = _run(each for query in _queries(tree) for each in statements(query))
    except ParseError:
        return unread
    return Code(found.statements, [*found.texts, *(unread.texts if _is_dynamic(tree) else ())])


def _queries(tree: Any) -> Iterator[str]:
    """The queries and expressions of a block, each as a statement."""
    if isinstance(tree, list):
        for each in tree:
            yield from _queries(each)
    elif isinstance(tree, dict):
        if found := tree.get("PLpgSQL_expr"):
            query, mode = found["query"], found.get("parseMode", _WHOLE)
            if mode not in (_WHOLE, _EXPRESSION):
                query = _ASSIGNED.sub("", query, count=1)
            yield query if mode == _WHOLE else f"select {query}"
        for each in tree.values():
            yield from _queries(each)


def _is_dynamic(tree: Any) -> bool:
    if isinstance(tree, list):
        return any(map(_is_dynamic, tree))
    if isinstance(tree, dict):
        return not _DYNAMIC.isdisjoint(tree) or any(map(_is_dynamic, tree.values()))
    return False


def _handed(node: Any) -> Iterator[str]:
    """The strings that a query, a call or a write hands to functions, which may run them."""
    from pglast import ast
    from pglast.visitors import Visitor

    found: list[str] = []

    class Strings(Visitor):
        def visit_A_Const(self, _: Any, node: Any) -> None:
            if isinstance(node.val, ast.String):
                found.append(node.val.sval or "")

    class Calls(Visitor):
        def visit_FuncCall(self, _: Any, node: Any) -> None:
            if node.args and node.funcname[0].sval not in _LATER:
                for each in node.args:
                    Strings()(each)

    if isinstance(node, (ast.SelectStmt, ast.CallStmt, ast.InsertStmt, ast.UpdateStmt)):
        Calls()(node)
    yield from found


def _blanked(text: str, is_plpgsql: bool) -> str:
    """The text without comments; without the strings of messages if it is PL/pgSQL."""
    from pglast.parser import ParseError, scan

    try:
        tokens = scan(text)
    except ParseError:
        return text
    letters, told = list(text), set(_told(text, tokens) if is_plpgsql else ())
    for token in tokens:
        if token.name in _COMMENTS or token.start in told:
            word = text[token.start : token.end + 1]
            letters[token.start : token.end + 1] = re.sub(r"[^\n]", " ", word)
    return "".join(letters)


def _told(text: str, tokens: Iterable[Any]) -> Iterator[int]:
    """Where messages stand, and comments on things: not what they give to a function."""
    found = [token for token in tokens if token.name not in _COMMENTS]
    words = [text[token.start : token.end + 1].lower() for token in found]
    before, telling, depth = ";", False, 0
    for token, word, after in zip(found, words, [*words[1:], ""], strict=True):
        depth += (word == "(") - (word == ")")
        if before in _BEFORE:
            telling = (word, after) in _TELLING or (word == "raise" and after[:1] == "'")
        if telling and depth == 0 and token.name == "SCONST":
            yield token.start
        before = word
