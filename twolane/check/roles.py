"""Roles that the repo's files name and none of them makes. Pure.

Roles belong to a whole server: one that an earlier form of a file made is still there, and lets
pass what fails on a machine where it is not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from twolane import blocks
from twolane.facts import catalog, identities
from twolane.facts.catalog import STAND_IN, Snapshot
from twolane.repo.locations import FOLDER, Place
from twolane.repo.sqlfiles import SqlFile
from twolane.sql import ident, literal, readable_statements

# Those that Postgres and Supabase bring (platform.sql).
_GIVEN = re.compile(
    r"(pg_|supabase_).*|anon|authenticated|service_role|authenticator|dashboard_user|pgbouncer"
    rf"|postgres|public|{STAND_IN}"
)
_MAKES = re.compile(r"\bcreate\s+(?:role|user|group)\b(?!\s+mapping)", re.IGNORECASE)


def missing(
    files: Iterable[SqlFile], migrations: Iterable[str], made: Snapshot
) -> dict[str, Place | None]:
    """Role → where it is named first, of those that no file makes.

    migrations: the texts of the revisions. made: the facts that all of it makes; a statement inside
    a block names roles in them alone.
    """
    files = list(files)
    parts = [*(_made(file.text) for file in files), *map(_made_by_revision, migrations)]
    by_statement = {name for names, _ in parts for name in names}
    texts = [text for _, found in parts for text in found]
    found: dict[str, Place | None] = {}
    for file in files:
        for name, line in _named(file):
            found.setdefault(name, Place(f"{FOLDER}{file.name}", line))
    for name in _in_facts(made):
        found.setdefault(name, None)
    return {
        name: place
        for name, place in sorted(found.items())
        if not (name in by_statement or _GIVEN.fullmatch(name))
        and not any(_is_in(text, name) for text in texts)
    }


def _made(sql: str) -> tuple[set[str], list[str]]:
    """The roles that statements of the text make, and what of it may put such a statement together.

    A function that makes a role may be called with its name.
    """
    ran = blocks.runs(sql)
    kinds = [(type(each.node).__name__, each) for each in ran.statements]
    names = {each.node.role for kind, each in kinds if kind == "CreateRoleStmt"}
    if not any(map(_MAKES.search, ran.texts)):
        return names, []
    calls = [blocks.uncommented(s.text) for kind, s in kinds if kind in ("SelectStmt", "CallStmt")]
    return names, [*ran.texts, *calls]


def _made_by_revision(text: str) -> tuple[set[str], list[str]]:
    """The same of a revision: one of its strings may be made of others."""
    strings = _strings(text)
    found = [_made(each) for each in strings] if _MAKES.search("\n".join(strings)) else []
    names = {name for made, _ in found for name in made}
    return names, strings if any(parts for _, parts in found) else []


def _strings(python: str) -> list[str]:
    """The strings of the code, but for those that stand by themselves, as docstrings do."""
    try:
        nodes = list(ast.walk(ast.parse(python)))
    except SyntaxError:
        return [python]
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    found = (node for node in nodes if isinstance(node, ast.Constant) and id(node) not in alone)
    return [node.value for node in found if isinstance(node.value, str)]


def _is_in(text: str, name: str) -> bool:
    """Whether a text that makes roles names this one.

    A name of several words stands between quotes.
    """
    if re.fullmatch(r"\w+", name):
        return bool(re.search(rf"\b{name}\b", text))
    return ident(name) in text or literal(name) in text


def _named(file: SqlFile) -> Iterator[tuple[str, int]]:
    from pglast.visitors import Visitor

    found: list[str] = []

    class Names(Visitor):
        def visit_RoleSpec(self, _: object, node: object) -> None:
            name = getattr(node, "rolename", None)
            if name:
                found.append(name)

    for statement in readable_statements(file.text):
        Names()(statement.node)
        yield from ((name, statement.line) for name in found)
        found.clear()


def _in_facts(facts: Snapshot) -> Iterator[str]:
    for identity, text in facts.items():
        match identities.kind(identity):
            case "owner":
                yield str(catalog.definition(text)["role"])
            case "grant":
                yield identities.unquote(identities.grantee(identity))
            case "policy":
                yield from catalog.definition(text)["to"]
