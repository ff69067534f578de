"""Finds where the shadow differs from the database after a dump's replay; writes SQL from facts.

Examples: policies on `storage.objects`, triggers on `auth.users`. They are on the platform's
tables, so no dump has them. What no SQL can make is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from twolane import sql
from twolane.adopt import absent
from twolane.adopt.blocks import Block
from twolane.capture.capture import Columns, no_reason
from twolane.capture.trial import bring_about
from twolane.config import Config
from twolane.ddl.render import Left, Statement
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.facts.differences import without_owners
from twolane.shadow import shadow
from twolane.sql import literal


@dataclass(frozen=True)
class Live:
    """Two properties of the live database that are no facts: its owner, its server's roles."""

    owner: str
    roles: Collection[str]


@dataclass(frozen=True)
class Rest:
    """SQL that removes differences, in an order that runs; reasons for those that remain."""

    blocks: tuple[Block, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)

    def left(self, made: Snapshot, live: Snapshot) -> tuple[Left, ...]:
        """The remaining differences of what the files make, each with its reason."""
        return tuple(
            Left(change, self.reasons.get(change.identity, no_reason(change, live, made)))
            for change in without_owners(made, live)
        )


def find(config: Config, database: str, facts: Snapshot, live: Live, columns: Columns) -> Rest:
    """The SQL that makes a copy of one of the shadow's databases equal to the live one.

    facts: those of the live database. columns: the order of its columns.
    """
    with shadow.open_clone(config, database) as connection:
        before = catalog.read(connection)
        trial = bring_about(
            connection, lambda f: without_owners(f, facts), facts, live.owner, columns
        )
    found = (block for each in trial.ran for block in _blocks(each, before, live.roles))
    return Rest(tuple(found), trial.reasons)


def _blocks(statement: Statement, before: Snapshot, roles: Collection[str]) -> Iterator[Block]:
    """The statement as blocks, as in the other files: it adds an object only if it is missing."""
    parts = sql.statements(statement.sql)
    if condition := _missing_roles(statement, roles):
        yield Block([part.text for part in parts], condition)
        return
    adds = not before.keys() & set(statement.facts)
    for part in parts:
        replaces = type(part.node).__name__ == "DropStmt" and part.node.missing_ok
        if not (adds and replaces):
            found = absent.of_statement(part.node) if adds else ("", "")
            yield Block([part.text], *found)


def _missing_roles(statement: Statement, roles: Collection[str]) -> str:
    """The condition that the statement's roles exist: the live server may lack stub roles."""
    grantees = {grantee for fact in statement.facts if (grantee := _grantee(fact))}
    missing = sorted(g for g in grantees if identities.unquote(g) not in {"public", *roles})
    return " and ".join(f"to_regrole({literal(role)}) is not null" for role in missing)


def _grantee(identity: str) -> str:
    """The role of a grant, as SQL writes it; empty for another fact."""
    about = identities.about(identity)
    return identity.removeprefix(f"grant {about} to ") if identity.startswith("grant ") else ""
