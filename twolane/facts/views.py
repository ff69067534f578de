"""Compares definitions that were printed by two servers, or at two times: do they mean the same?

Since 16, Postgres prints the columns of a view's only relation without its name: `SELECT id`
instead of `SELECT t.id`, because 16 no longer keeps OLD and NEW among a view's relations. And what
is printed is not always a fixed point: see `reprint`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog, identities, reprint
from twolane.facts.catalog import Snapshot

if TYPE_CHECKING:
    from psycopg import Connection


def settle(
    facts: Snapshot, like: Snapshot, connect: Callable[[], AbstractContextManager[Connection[Any]]]
) -> Snapshot:
    """`facts`, with the words of `like` where both definitions mean the same.

    `connect` opens a database with the relations that they name. It is called only if a definition
    with an expression differs, and that database stays unchanged. What can't be made there keeps
    its own words.
    """
    if facts is like:
        return facts
    differing = [
        identity
        for identity, text in facts.items()
        if like.get(identity, text) != text and _may_mean_the_same(identity, text, like[identity])
    ]
    if not differing:
        return facts
    with connect() as connection:
        settled = {i: _settle(i, facts[i], like[i], connection) for i in differing}
    return {**facts, **settled}


def _may_mean_the_same(identity: str, text: str, like: str) -> bool:
    """Whether the two differ in a part that is an expression."""
    parts = reprint.PARTS.get(identities.kind(identity), ())
    own, other = catalog.definition(text), catalog.definition(like)
    return any(part in own and part in other and own[part] != other[part] for part in parts)


def _settle(identity: str, text: str, like: str, connection: Connection[Any]) -> str:
    own, other = catalog.definition(text), catalog.definition(like)
    printed = reprint.again(identity, own, connection)
    if not printed:
        return text
    wanted = {part: other.get(part) for part in printed}
    if printed != wanted and printed != reprint.again(identity, other, connection):
        return text
    return catalog.as_text(own | wanted)
