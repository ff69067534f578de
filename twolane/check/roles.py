"""Roles that the repo's files name and none of them makes. Pure.

Roles belong to a whole server: one that an earlier form of a file made is still there, and lets
pass what fails on a machine where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

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
    makers = [text for text in (*(f.text for f in files), *migrations) if _MAKES.search(text)]
    found: dict[str, Place | None] = {}
    for file in files:
        for name, line in _named(file):
            found.setdefault(name, Place(f"{FOLDER}{file.name}", line))
    for name in _in_facts(made):
        found.setdefault(name, None)
    return {
        name: place
        for name, place in sorted(found.items())
        if not _GIVEN.fullmatch(name) and not any(_is_in(text, name) for text in makers)
    }


def _is_in(text: str, name: str) -> bool:
    """Whether a text that makes roles names this one: a block may put a statement together.

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
