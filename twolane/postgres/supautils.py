"""What Supabase's extension supautils lets `postgres` do, on servers that have the stub instead.

There `postgres` is no superuser. Statements that supautils would raise to one become calls of the
functions in `platform.sql`, which take names, never text of somebody else's. See
https://github.com/supabase/supautils.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twolane import blocks
from twolane.facts.catalog import STAND_IN
from twolane.postgres.supautils_calls import call
from twolane.sql import Statement, block_queries, statements

if TYPE_CHECKING:
    from psycopg import Connection

# Only these may be raised; most texts have none, and need no parser.
_WORDS = re.compile(
    r"\b(extension|event|publication|wrapper|policy|trigger|role|user|group)\b", re.I
)
# A function of that name that anybody but a superuser made is not the stub's.
_HAS_STUB = """
select exists (
    select from pg_catalog.pg_proc p
    join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) p.proowner
    where p.pronamespace operator(pg_catalog.=)
            pg_catalog.to_regnamespace('supabase_stand_in')::pg_catalog.oid
        and p.proname operator(pg_catalog.=) 'create_extension' and r.rolsuper
        and pg_catalog.has_schema_privilege(p.pronamespace, 'usage')
        and pg_catalog.has_function_privilege(p.oid, 'execute')
)
"""


def raised(connection: Connection[Any], text: str) -> str:
    """The SQL as this connection's role may run it: unchanged for superusers, and on Supabase."""
    if connection.info.parameter_status("is_superuser") == "on":
        return text
    if connection.info.user == STAND_IN and "postgres" in text:
        text = renamed(text)
    if not _WORDS.search(text):
        return text
    changed = rewritten(text, connection.info.server_version // 10_000)
    return changed if changed != text and _has_stub(connection) else text


def _has_stub(connection: Connection[Any]) -> bool:
    return connection.execute(_HAS_STUB).fetchone() == (True,)


def rewritten(text: str, major: int = 18) -> str:
    """The SQL with calls in place of the statements that supautils raises; pure.

    SQL that the parser refuses stays as it is: the server says what is wrong with it.
    """
    from pglast.parser import ParseError

    try:
        found = statements(text)
    except ParseError:
        return text
    pieces, done = [], 0
    for statement in found:
        changed = _block(statement, major) or call(statement.node, statement.text, major)
        if changed:
            pieces += [text[done : statement.start], changed]
            done = statement.end
    return "".join([*pieces, text[done:]])


def renamed(text: str) -> str:
    """The SQL with the stand-in wherever it names the role `postgres`; pure."""
    from pglast.parser import ParseError
    from pglast.visitors import Visitor

    places: list[int] = []

    class Roles(Visitor):
        def visit_RoleSpec(self, _: Any, node: Any) -> None:
            if node.rolename == "postgres":
                places.append(node.location)

    try:
        for statement in statements(text):
            Roles()(statement.node)
            if _sets_role(statement.node):
                places.append(statement.start + statement.text.index("postgres"))
    except ParseError:
        return text
    for place in sorted(places, reverse=True):
        text = text[:place] + text[place:].replace("postgres", STAND_IN, 1)
    return text


def _sets_role(node: Any) -> bool:
    """Whether it is `set role postgres`, a role that is a value to the parser."""
    if getattr(node, "name", None) not in ("role", "session_authorization"):
        return False
    return any(word.val.sval == "postgres" for word in node.args or ())


def _block(statement: Statement, major: int) -> str | None:
    """A `do` block with its statements raised; supautils raises those inside blocks as well."""
    if type(statement.node).__name__ != "DoStmt":
        return None
    options = {each.defname: each.arg.sval for each in statement.node.args}
    body, text = options.get("as", ""), statement.text
    if options.get("language", "plpgsql") != "plpgsql" or text.count(body) != 1:
        return None
    pieces, done, code = [], 0, blocks.uncommented(body)
    for line, query in block_queries(text):
        start = code.find(blocks.uncommented(query), max(done, _offset(body, line)))
        found = statements(query) if start >= 0 else []
        if len(found) == 1 and (changed := call(found[0].node, query, major)):
            performed = changed.replace("select supabase_stand_in.", "perform supabase_stand_in.")
            pieces += [body[done:start], performed]
            done = start + len(query)
    return text.replace(body, "".join([*pieces, body[done:]])) if pieces else None


def _offset(body: str, line: int) -> int:
    return sum(len(each) + 1 for each in body.split("\n")[: line - 1])
