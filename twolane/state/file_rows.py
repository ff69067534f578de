"""Which tables the text of an SQL file writes, and how; the rows themselves, see `losses`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twolane import blocks
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import Statement, block_queries, readable_statements


@dataclass(frozen=True)
class Rows:
    """The tables that the statements of a file name, by their last name.

    inserted: by an insert. updated: by an update → the columns that it sets. touched: by a delete,
    merge or upsert. words: those of the text, see `_words`: what it does not name is reached by a
    cascade or a trigger, and counts where rows were met. deletes: whether it deletes rows, be it in
    a block or a function that it calls. executes: whether a block runs SQL that it puts together,
    and that may write rows, or that is not read here. sets: columns that such SQL sets, of whatever
    table.
    """

    inserted: frozenset[str]
    updated: Mapping[str, frozenset[str]]
    touched: frozenset[str]
    words: frozenset[str]
    deletes: bool
    executes: bool
    sets: frozenset[str]

    def names(self, table: str) -> bool:
        """Whether the file may write the table by statements of its own."""
        return any(
            table in part for part in (self.touched, self.updated, self.inserted, self.words)
        )


_DELETES = re.compile(r"\bdelete\s+from\b", re.IGNORECASE)
_CHANGES = re.compile(r"\b(?:update|merge)\b", re.IGNORECASE)
_BODIES = re.compile(r"\bcreate\s+(?:or\s+replace\s+)?(?:rule|function|procedure)\b", re.IGNORECASE)
_BODIED = ("CreateFunctionStmt", "RuleStmt")
_WRITES = re.compile(
    r"\b(?:insert|update|delete|merge|truncate|call|perform|execute(?!\s+(?:function|procedure)))\b",
    re.IGNORECASE,
)
# But for a count, an update that names the one column that it sets, and DDL, which writes no rows,
# or shows as what is rewritten.
_TEXT = r"\bexecute\s*(?:pg_catalog\.)?(?:format\s*\(\s*)?'\s*"
_SETS = r"update\s+[\w.%]+(?:\s+as\s+\w+)?\s+set\s+(\w+)\s*=[^,']*'(?!')"
_EXECUTES = re.compile(
    rf"(?!{_TEXT}(?:(?:alter|create|comment|drop|grant|revoke)\b|select\s+count\b|{_SETS}))"
    r"\bexecute\b",
    re.IGNORECASE,
)
_EXECUTED_SETS = re.compile(_TEXT + _SETS, re.IGNORECASE)
# Statements with expressions that don't run by them.
_MAKES = (
    *("CreateDomainStmt", "CreateStmt", "CreateTrigStmt", "CreatePolicyStmt", "CreateFunctionStmt"),
    *("CompositeTypeStmt", "RuleStmt", "ViewStmt"),
)


def of(file: SqlFile) -> Rows:
    """What the statements of a file name, and those of its blocks; those inside functions left
    aside."""
    from pglast import ast
    from pglast.visitors import Visitor

    inserted: set[str] = set()
    updated: dict[str, frozenset[str]] = {}
    touched: set[str] = set()
    sets: set[str] = set()

    class Targets(Visitor):
        def visit_InsertStmt(self, _: Any, node: Any) -> None:
            clause = node.onConflictClause
            is_upsert = clause is not None and clause.action.name == "ONCONFLICT_UPDATE"
            (touched if is_upsert else inserted).add(node.relation.relname)

        def visit_UpdateStmt(self, _: Any, node: Any) -> None:
            name = node.relation.relname
            columns = frozenset(target.name for target in node.targetList)
            updated[name] = updated.get(name, frozenset()) | columns

        def visit_DeleteStmt(self, _: Any, node: Any) -> None:
            touched.add(node.relation.relname)

        visit_MergeStmt = visit_DeleteStmt

    def visit(node: Any) -> None:
        if not isinstance(node, ast.RuleStmt | ast.CreateFunctionStmt):
            Targets()(node)

    found, executes = readable_statements(file.text), False
    for statement in found:
        visit(statement.node)
        if isinstance(statement.node, ast.DoStmt):
            block = blocks.code(statement)
            for inner in block.statements:
                visit(inner.node)
            is_read = bool(block.statements)
            executes = executes or (not is_read and bool(_CHANGES.search(" ".join(block.texts))))
            for text in block.texts:
                executes = executes or bool(_EXECUTES.search(text))
                sets.update(_EXECUTED_SETS.findall(text))
    words, deletes = _words(file.text, found), _deletes(file.text)
    return Rows(
        frozenset(inserted), updated, frozenset(touched), words, deletes, executes, frozenset(sets)
    )


def _deletes(text: str) -> bool:
    """Whether what the text runs deletes rows, or a rule that it makes.

    What is truncated shows as written anew.
    """
    from pglast.visitors import Visitor

    found: list[Any] = []

    class Deletes(Visitor):
        def visit_DeleteStmt(self, _: Any, node: Any) -> None:
            found.append(node)

        def visit_MergeWhenClause(self, _: Any, node: Any) -> None:
            if node.commandType.name == "CMD_DELETE":
                found.append(node)

    ran = blocks.runs(text)
    for statement in ran.statements:
        if type(statement.node).__name__ != "CreateFunctionStmt":
            Deletes()(statement.node)
    return bool(found) or any(map(_DELETES.search, ran.texts))


def _words(text: str, found: Sequence[Statement]) -> frozenset[str]:
    """The words of what the text runs, in which a table that it writes is named.

    They are all of its words, unless it makes rules or functions: Postgres locks the tables of a
    rule's action, and of a body in SQL that it checks (`fmgr_sql_validator`), as if it wrote them.
    Then they are those of its blocks that write, and all if it calls a function that it makes.
    """
    from pglast import ast

    texts = [blocks.plain(statement) for statement in found] or [text]
    if not any(map(_makes_a_body, found, texts)):
        return _of(*texts)
    kinds = (ast.DoStmt, ast.CallStmt, ast.SelectStmt)
    runs = [
        (statement, text)
        for statement, text in zip(found, texts, strict=True)
        if isinstance(statement.node, kinds) and not _makes_a_body(statement, text)
    ]
    names = [s.node.funcname for s in found if isinstance(s.node, ast.CreateFunctionStmt)]
    made = {name[-1].sval.lower() for name in names if name}
    if made & _of(*(_running(*each) for each in runs)):
        return _of(*texts)
    return _of(*(t for s, t in runs if isinstance(s.node, ast.DoStmt) and _WRITES.search(t)))


def _makes_a_body(statement: Statement, text: str) -> bool:
    kind = type(statement.node).__name__
    return kind in _BODIED or (kind == "DoStmt" and bool(_BODIES.search(text)))


def _running(statement: Statement, text: str) -> str:
    """The text without what a block only makes: an expression in that is not run there."""
    for _, query in block_queries(statement.text):
        if all(type(each.node).__name__ in _MAKES for each in readable_statements(query)):
            text = text.replace(blocks.uncommented(query), "")
    return text


def _of(*texts: str) -> frozenset[str]:
    """The words of the texts, as they are and in small letters, as Postgres reads a name."""
    text = "\n".join(texts)
    return frozenset(re.findall(r"\w+", f"{text}\n{text.lower()}"))
