"""Who owns the app's objects after a push, and who may do what with them: as the database gives it.

On the shadow G07 sees to it that no revision says so; here a revision may do what it did not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.guards.sql_only import FOR_ALL
from twolane.state.plan import Plan

if TYPE_CHECKING:
    from psycopg import Connection


def unexpected(
    connection: Connection[Any], plan: Plan, before: Snapshot, after: Snapshot
) -> list[Change]:
    """Owners and grants of lane B's objects that were not there, and that no default gives."""
    old_names = {new: old for old, new in plan.effects.renamed.items()}
    own, defaults = _role(connection), _defaults(before)
    found = []
    for identity, text in after.items():
        if identities.kind(identity) not in ("owner", "grant") or identity in plan.follows:
            continue
        about = str(identities.about(identity))
        if about not in plan.app:
            continue
        old = old_names.get(about, about)
        was = before.get(identity.replace(about, old, 1))
        if text == was or (old not in before and _is_given(identity, text, own, defaults)):
            continue
        found.append(Change(identity, was, text))
    return found


def _is_given(identity: str, text: str, own: str, defaults: dict[str, set[str]]) -> bool:
    """Whether a new object is owned by who made it, or a grant on it is a default.

    own: the role that made it.
    """
    parts = catalog.definition(text)
    if identities.kind(identity) == "owner":
        return bool(parts["role"] == own)
    role, about = identities.grantee(identity), str(identities.about(identity))
    if role == "public" and identities.kind(about) in FOR_ALL and "grant_option" not in parts:
        return True
    given = defaults.get(role, set())
    is_all = "{ALL}" in given and "grant_option" not in parts
    return is_all or given >= _privileges(parts) or identities.unquote(role) == own


def _defaults(facts: Snapshot) -> dict[str, set[str]]:
    """Role → all that default privileges give it, of whatever kind of object."""
    found: dict[str, set[str]] = {}
    for role, text in catalog.default_grants(facts):
        found.setdefault(role, set()).update(_privileges(catalog.definition(text)))
    return found


def _privileges(parts: dict[str, Any]) -> set[str]:
    found = set()
    for key, mark in (("privileges", ""), ("grant_option", " with grant option")):
        value = parts.get(key) or []
        names = [value] if isinstance(value, str) else value
        found |= {f"{name}{mark}" for name in names}
    return found


def _role(connection: Connection[Any]) -> str:
    """The role as the server knows it; a pooler may have another name for it."""
    row = connection.execute("select current_user").fetchone()
    return str(row[0]) if row else ""
