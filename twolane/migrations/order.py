"""An order of tables in which each comes after those that its foreign keys refer to. Pure."""

from __future__ import annotations

from collections.abc import Collection

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot


def sorted_tables(tables: Collection[str], facts: Snapshot) -> list[str]:
    """The tables, those first that others refer to; in a circle, the first by name goes last."""
    targets = {table: {parent_of(table, facts)} & set(tables) for table in tables}
    for identity, text in facts.items():
        table = identities.relation(identity)
        if table in targets and identities.kind(identity) == "constraint":
            target = catalog.definition(text).get("references")
            if target in targets and target != table:
                targets[table].add(target)
    ordered: dict[str, None] = {}

    def place(table: str, seen: frozenset[str]) -> None:
        for target in sorted(targets[table] - seen - ordered.keys()):
            place(target, seen | {table})
        ordered.setdefault(table)

    for table in sorted(targets):
        place(table, frozenset())
    return list(ordered)


def parent_of(table: str, facts: Snapshot) -> str:
    """The table that this one is a partition of; empty where it is none."""
    parts = catalog.definition(facts.get(f"table {table}", "{}"))
    return str(parts["inherits"][0]) if parts.get("bound") else ""
