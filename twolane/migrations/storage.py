"""How tables are stored, as `app.py` can say it: options, unlogged, tablespace, method. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.ddl.clauses import set_options
from twolane.ddl.statement import Parts
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations.order import sorted_tables
from twolane.sql import ident

PARTS = frozenset({"options", "toast_options", "unlogged", "tablespace", "access_method"})


def changes(old: Snapshot, new: Snapshot) -> Iterator[str]:
    """Statements that change how tables are stored that are there before and after.

    A table that is logged may refer to logged ones alone, so those change their way in order.
    """
    names = [i.removeprefix("table ") for i in old if identities.kind(i) == "table" and i in new]
    parts = {
        name: (catalog.definition(old[f"table {name}"]), catalog.definition(new[f"table {name}"]))
        for name in names
    }
    for name, (before, after) in parts.items():
        yield from _altered(f"table {name}", before, after)
    ordered = sorted_tables(names, new)
    for name in reversed(ordered):
        if parts[name][1].get("unlogged") and not parts[name][0].get("unlogged"):
            yield f"alter table {name} set unlogged"
    for name in ordered:
        if parts[name][0].get("unlogged") and not parts[name][1].get("unlogged"):
            yield f"alter table {name} set logged"


def _altered(table: str, old: Parts, new: Parts) -> Iterator[str]:
    for part, prefix in (("options", ""), ("toast_options", "toast.")):
        for step in set_options(table, old.get(part) or (), new.get(part) or (), prefix):
            yield step.removesuffix(";")
    if old.get("access_method") != new.get("access_method"):
        yield f"alter {table} set access method {ident(new.get('access_method') or 'heap')}"
    if old.get("tablespace") != new.get("tablespace"):
        yield f"alter {table} set tablespace {ident(new.get('tablespace') or 'pg_default')}"
