"""What `app.py` can say of the app's tables, out of all facts, and where two states differ. Pure.

Triggers, functions, statistics and the like are made by revisions alone: models can't express them,
so they are not compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, Snapshot
from twolane.migrations import domains, storage

KINDS = ("table", "column", "constraint", "index", "enum", "domain", "sequence", "comment")

# Properties of a fact that no model declares.
_BEYOND = {
    "column": {"storage", "compression", "statistics", "options", "server_options"},
    "constraint": {
        "index_options",
        "index_tablespace",
        "index_statistics",
        "clustered",
        "replica_identity",
        "triggers",
    },
    "index": {"clustered", "replica_identity", "statistics", "tablespace"},
}


@dataclass(frozen=True)
class Comparison:
    """The app's facts as the revisions make them, and as `app.py` declares them.

    base: the facts of the SQL files before the mark, which belong to lane A. before and after
    contain them as well. shared: those of the app's facts that SQL files make, too: of tables that
    were moved to the app. A database may lack one of them that goes.
    """

    base: Snapshot
    before: Snapshot
    after: Snapshot
    shared: Collection[str] = ()

    @cached_property
    def tables(self) -> frozenset[str]:
        """The tables that `app.py` declares, as `schema.name`."""
        return self._tables_in(self.after)

    @cached_property
    def dropped(self) -> frozenset[str]:
        """The tables that are in no model any more; a partition goes with its parent alone."""
        gone = self._tables_in(self.before) - self.tables
        return frozenset(name for name in gone if not self._is_part_of_kept(name))

    @cached_property
    def old(self) -> Snapshot:
        """What `app.py` could say of the state before."""
        return self._comparable(
            self.before, lambda i: i in self.new or identities.kind(i) in ("enum", "domain")
        )

    @cached_property
    def new(self) -> Snapshot:
        """What `app.py` says."""
        return self._comparable(self.after, lambda i: not self._is_owned(i))

    def _is_owned(self, identity: str) -> bool:
        """Whether it is a sequence that comes and goes with its column."""
        if identities.kind(identity) != "sequence":
            return False
        return "owned_by" in catalog.definition(self.after[identity])

    @cached_property
    def changes(self) -> list[Change]:
        """What a revision has to change; of a dropped table, the table alone."""
        tables = [Change(f"table {name}", self._text(name), None) for name in sorted(self.dropped)]
        return [*tables, *catalog.diff(self.old, self.new)]

    def facts_of(self, table: str, facts: Snapshot) -> Snapshot:
        """The comparable facts on one table, also on one that is dropped."""
        return {
            i: _sayable(i, text)
            for i, text in facts.items()
            if identities.kind(i) in KINDS
            and identities.relation(i) == table
            and identities.kind(i) != "table"
        }

    def _text(self, table: str) -> str:
        return self.before[f"table {table}"]

    def _tables_in(self, facts: Snapshot) -> frozenset[str]:
        return frozenset(
            i.removeprefix("table ")
            for i in facts
            if identities.kind(i) == "table" and i not in self.base
        )

    def _is_part_of_kept(self, name: str) -> bool:
        parts = catalog.definition(self._text(name))
        parents = parts.get("inherits") or []
        return bool(parts.get("bound")) and any(
            parent in self.tables
            or (f"table {parent}" in self.before and self._is_part_of_kept(parent))
            for parent in parents
        )

    @cached_property
    def _staying(self) -> frozenset[str]:
        """The tables that are there before and after: what comes or goes does so as a whole."""
        return frozenset(self.before.keys() & self.after.keys())

    def _comparable(self, facts: Snapshot, counts: Any) -> Snapshot:
        return {
            i: _sayable(i, text)
            for i, text in domains.folded(facts).items()
            if i not in self.base
            and identities.kind(i) in KINDS
            and (identities.relation(i) in self.tables if identities.relation(i) else counts(i))
            and (identities.kind(i) != "table" or i in self._staying)
        }


def _sayable(identity: str, text: str) -> str:
    if identities.kind(identity) == "table":
        parts = catalog.definition(text)
        return catalog.as_text({n: v for n, v in parts.items() if n in storage.PARTS})
    beyond = _BEYOND.get(identities.kind(identity))
    if not beyond:
        return text
    parts = catalog.definition(text)
    if not beyond & parts.keys():
        return text
    return catalog.as_text({name: value for name, value in parts.items() if name not in beyond})


def parts_of(facts: Snapshot, kind: str, tables: Collection[str]) -> Mapping[str, dict[str, Any]]:
    """The facts of a kind on some tables, each in its parts."""
    return {
        i: catalog.definition(text)
        for i, text in facts.items()
        if identities.kind(i) == kind and identities.relation(i) in tables
    }
