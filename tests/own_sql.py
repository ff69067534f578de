"""What twolane itself sends to a database: each statement with the `search_path` of that moment."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from pglast import ast, parse_sql
from pglast.visitors import Visitor
from psycopg import sql
from psycopg.pq import TransactionStatus

ENGINE = Path(__file__).parents[1] / "twolane"
# As the users whose tries they are: db.prove on its throw-away copy.
AS_USERS = {"prove/choice.py", "prove/rows.py", "prove/session.py", "prove/stage.py"}
# Who sends what others wrote, or what is about their objects and fires their event triggers.
OTHERS = {
    "adopt/trial.py": {"taken"},
    "capture/trial.py": {"_try"},
    "deploy/run.py": {"_finish"},
    "export/trial.py": {"execute"},
    "deploy/take_back.py": {"by_record", "prepare", "finish"},
    "lanes/push.py": {"prepare", "_enable_rls"},
    "migrations/app_models.py": {"_make", "app_facts"},
    "migrations/dependents.py": {"_runs"},
    "migrations/functions.py": {"_redefined", "_checked"},
    "migrations/generation.py": {"_renamed", "casts"},
    "moves/disown.py": {"made"},
    "postgres/exposure.py": {"_run"},
    "postgres/stub.py": {"load"},  # as a superuser, in a database of our own
    "repo/sqlfiles.py": {"run"},
    "shadow/steps.py": {"run"},
    "why/parts.py": {"step"},
}
# A simple query that sets an empty search_path first, for its own transaction.
EMPTIES_PATH = re.compile(
    r"select pg_catalog\.set_config\('search_path', '', true\);|-- The settings "
)
EXECUTE = psycopg.Cursor.execute


@dataclass(frozen=True)
class Sent:
    """A statement. path: the `search_path` that resolves it. sender: `module.py:function`."""

    text: str
    path: str
    sender: str


@contextmanager
def recorded() -> Iterator[list[Sent]]:
    """Notes what the engine sends in this process, but for what others wrote."""
    sent: list[Sent] = []

    def execute(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        if sender := _sender():
            text = _text(query, self.connection)
            sent.append(Sent(text, _path(self.connection), sender))
        return EXECUTE(self, query, *arguments, **options)

    with patch.object(psycopg.Cursor, "execute", execute):
        yield sent


def _sender() -> str | None:
    """The engine's function that sends a statement; None for what is not its own."""
    frame = sys._getframe(2)
    by_library = False
    while frame := frame.f_back:  # type: ignore[assignment]
        path = Path(frame.f_code.co_filename)
        by_library |= "sqlalchemy" in path.parts
        if path.is_relative_to(ENGINE):
            name = path.relative_to(ENGINE).as_posix()
            others = by_library or name in AS_USERS or frame.f_code.co_name in OTHERS.get(name, ())
            return None if others else f"{name}:{frame.f_code.co_name}"
    return None


def _text(query: Any, connection: Any) -> str:
    if isinstance(query, sql.Composable):
        query = query.as_string(connection)
    return query.decode() if isinstance(query, bytes) else str(query)


def _path(connection: Any) -> str:
    if connection.info.transaction_status == TransactionStatus.INERROR:
        return ""
    cursor = psycopg.Cursor(connection)
    row = EXECUTE(cursor, "select pg_catalog.current_setting('search_path')").fetchone()
    return str(row[0]) if row else ""


def faults(sent: Sequence[Sent]) -> list[str]:
    """What a schema of somebody else could answer for, each once with its sender."""
    found = {
        f"{each.sender}: {fault}" for each in sent for fault in _faults(each.text, each.path != "")
    }
    return sorted(found)


def _faults(text: str, has_path: bool) -> Iterator[str]:
    """The names without a schema; with a `search_path` also operators, which are not qualified."""
    looked = looked_at(text)
    yield from looked.bare - looked.of_query
    if has_path and not EMPTIES_PATH.match(text):
        begin = " ".join(text.split())[:60]
        yield from (f"operator {name}, in a search_path: {begin}" for name in looked.operators)


def looked_at(text: str) -> Looked:
    """What a statement names. Raises `ParseError` for what is none."""
    looked = Looked()
    looked(parse_sql(re.sub(r"%(\(\w+\))?[sbt]", "null", text).replace("%%", "%")))
    return looked


class Looked(Visitor):
    """The names without a schema in a statement, and its operators."""

    def __init__(self) -> None:
        super().__init__()
        self.bare: set[str] = set()
        self.of_query: set[str] = set()
        self.operators: set[str] = set()

    def _add(self, kind: str, name: Sequence[Any] | None) -> None:
        if name and len(name) == 1:
            self.bare.add(f"{kind} {name[0].sval}")

    def visit_CommonTableExpr(self, _: Any, node: ast.CommonTableExpr) -> None:
        self.of_query.add(f"relation {node.ctename}")

    def visit_FuncCall(self, _: Any, node: ast.FuncCall) -> None:
        self._add("function", node.funcname)

    def visit_TypeName(self, _: Any, node: ast.TypeName) -> None:
        self._add("type", node.names)

    def visit_RangeVar(self, _: Any, node: ast.RangeVar) -> None:
        if not node.schemaname:
            self.bare.add(f"relation {node.relname}")

    def visit_A_Expr(self, _: Any, node: ast.A_Expr) -> None:
        name = node.name or ()
        if len(name) == 1:
            self.operators.add(name[0].sval)

    def visit_CaseExpr(self, _: Any, node: ast.CaseExpr) -> None:
        if node.arg:
            self.operators.add("=")
