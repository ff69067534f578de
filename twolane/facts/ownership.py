"""Which facts of a replay are the app's: what its revisions make, and the tables moved to it. Pure.

A move changes nothing in the database. It stands in the chain of revisions, and counts from there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot

_PARTS = ("table", "column", "constraint", "index")
_COMMENTED = ("table", "column")


def app(
    made: Snapshot, base: Snapshot, owns: Collection[str], disowns: Collection[str]
) -> Snapshot:
    """The app's facts among those that the SQL files before the mark and the revisions make.

    base: the facts of the files alone. owns, disowns: what was moved to the app, and away from it:
    tables as `schema.name`, and enums as `enum schema.name`.
    """
    added = {identity: text for identity, text in made.items() if identity not in base}
    moved = structure(made, owns)
    if disowns:
        left = set(_everything_of(added, disowns))
        added = {identity: text for identity, text in added.items() if identity not in left}
    return {i: text for i, text in made.items() if i in added or i in moved}


def structure(facts: Snapshot, moved: Collection[str]) -> frozenset[str]:
    """The identities of what moves with these tables and enums, as far as an app can declare it.

    Columns, keys, checks, indexes, comments; sequences that columns own. Row level security,
    policies, triggers, grants stay with the SQL files.
    """
    if not moved:
        return frozenset()
    wanted = set(moved)
    found = {i for i, text in facts.items() if i in wanted or _belongs(i, text, wanted)}
    return frozenset({*found, *_sequences(facts, wanted)})


def _belongs(identity: str, text: str, tables: Collection[str]) -> bool:
    about = identities.about(identity)
    if about is not None:
        is_comment = identities.kind(identity) == "comment"
        return is_comment and identities.kind(about) in _COMMENTED and _is_on(about, tables)
    kind = identities.kind(identity)
    return kind in _PARTS and _is_on(identity, tables) and not is_sql_only(kind, text)


def is_sql_only(kind: str, text: str) -> bool:
    """Whether a constraint or an index is one that only an SQL file can make.

    Vector indexes (G07), exclusion constraints, and foreign keys to what the platform makes, of
    which models know `auth.users(id)` alone.
    """
    parts = catalog.definition(text)
    if kind == "index":
        return bool(re.search(r" USING (hnsw|ivfflat) \(", parts["definition"]))
    if kind != "constraint":
        return False
    if parts["type"] == "foreign key":
        target = parts["references"]
        is_users = (target, parts["referenced_columns"]) == ("auth.users", ["id"])
        return target.split(".")[0] in ("auth", "storage", "realtime") and not is_users
    return parts["type"] not in ("primary key", "unique", "check")


def _is_on(identity: str, tables: Collection[str]) -> bool:
    return str(identities.relation(identity)) in tables


def _sequences(facts: Snapshot, tables: Collection[str]) -> Iterator[str]:
    for identity, text in facts.items():
        if identities.kind(identity) == "sequence":
            owner = catalog.definition(text).get("owned_by")
            if owner and ".".join(identities.split_name(owner)[:-1]) in tables:
                yield identity


def enums(facts: Snapshot, tables: Collection[str]) -> list[str]:
    """The enums of these tables' columns whose name stands in no fact of anything else.

    They move along, as identities. What is settled once stays so, whatever uses them later.
    """
    types = {
        f"enum {catalog.definition(text)['type'].removesuffix('[]')}"
        for identity, text in facts.items()
        if identities.kind(identity) == "column" and _is_on(identity, tables)
    }
    names = {enum.removeprefix("enum ") for enum in types & facts.keys()}
    for identity, text in facts.items() if names else ():
        if _is_on(identity, tables) or identity.removeprefix("enum ") in names:
            continue
        about = identities.about(identity) or ""
        if about.removeprefix("enum ") not in names:
            names -= _named({identity, *catalog.texts(catalog.definition(text))}, names)
    return sorted(f"enum {name}" for name in names)


def _named(texts: Collection[str], names: Collection[str]) -> set[str]:
    """Those of the names that stand in one of the texts, not as a part of another name."""
    return {
        name
        for name in names
        if any(
            name in text and re.search(rf"(?<![\w.\"$]){re.escape(name)}(?![\w\"$])", text)
            for text in texts
        )
    }


def _everything_of(facts: Snapshot, moved: Collection[str]) -> Iterator[str]:
    """All facts about these tables and enums, with what moves along."""
    along = {*_sequences(facts, moved), *moved}
    for identity in facts:
        about = identities.about(identity) or identity
        if _is_on(identity, moved) or about in along:
            yield identity
