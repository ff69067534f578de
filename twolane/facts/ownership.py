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

    base: the facts of the files alone. owns, disowns: tables that were moved to the app and that
    were moved away, as `schema.name`.
    """
    added = {identity: text for identity, text in made.items() if identity not in base}
    moved = structure(made, owns)
    if disowns:
        left = set(_everything_of(added, disowns))
        added = {identity: text for identity, text in added.items() if identity not in left}
    return {i: text for i, text in made.items() if i in added or i in moved}


def structure(facts: Snapshot, tables: Collection[str]) -> frozenset[str]:
    """The identities of what moves with these tables, as far as an app can declare it.

    Columns, keys, checks, indexes, comments; sequences that columns own; enums that nothing else
    uses. Row level security, policies, triggers, grants stay with the SQL files.
    """
    if not tables:
        return frozenset()
    wanted = set(tables)
    found = {i for i, text in facts.items() if _belongs(i, text, wanted)}
    return frozenset({*found, *_sequences(facts, wanted), *_enums(facts, wanted)})


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


def _enums(facts: Snapshot, tables: Collection[str]) -> Iterator[str]:
    """The enums of these tables' columns whose name stands in no fact of anything else."""
    types = {
        f"enum {catalog.definition(text)['type'].removesuffix('[]')}"
        for identity, text in facts.items()
        if identities.kind(identity) == "column" and _is_on(identity, tables)
    }
    for enum in sorted(types & facts.keys()):
        name = enum.removeprefix("enum ")
        mention = re.compile(rf"(?<![\w.\"]){re.escape(name)}(?![\w\"])")
        if not any(
            mention.search(text) or mention.search(identity)
            for identity, text in facts.items()
            if identity != enum and identities.about(identity) != enum
            if not _is_on(identity, tables)
        ):
            yield enum


def _everything_of(facts: Snapshot, tables: Collection[str]) -> Iterator[str]:
    """All facts about these tables, with what moves along."""
    along = {*_sequences(facts, tables), *_enums(facts, tables)}
    for identity in facts:
        about = identities.about(identity) or identity
        if _is_on(identity, tables) or about in along:
            yield identity
