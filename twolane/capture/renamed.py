"""Renames made by hand: which they are, and statements for a file that makes them anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twolane.ddl.clauses import when
from twolane.ddl.statement import Rank, Statement
from twolane.facts import identities
from twolane.facts.catalog import Snapshot
from twolane.migrations import renames
from twolane.migrations.comparable import Comparison
from twolane.migrations.renames import Likely, Rename
from twolane.sql import literal
from twolane.state.state import State

_SIDES = renames.Sides(
    "db.capture",
    "the SQL files make no",
    "the database has no",
    "Name it as the database has it now.",
    "Name what the files make, and what the database has in its place.",
)


def known(state: State) -> list[Likely]:
    """The renames in lane A that the record knows, and that no SQL file makes yet."""
    return [Likely(old, new) for old, new in state.renamed_uncaptured.items()]


def likely(state: State, taken: Sequence[str]) -> list[Likely]:
    """Pairs of what goes and what comes that may be renames, and are in none of those taken.

    Where the record has numbers, it would know them: then there are none.
    """
    if state.replayed is None or state.has_numbers:
        return []
    found = renames.likely(Comparison({}, state.replayed, state.live))
    return renames.chosen([pair for pair in found if _is_open(state, pair)], taken)


def _is_open(state: State, pair: Likely) -> bool:
    made = state.replayed or {}
    is_lane_a = f"table {identities.relation(pair.new)}" not in state.app
    return is_lane_a and pair.old in made and pair.new in state.live and pair.new not in made


def read(state: State, texts: Sequence[str]) -> list[Rename]:
    """The renames that texts like `contacts.email:contacts.mail` name.

    Raises:
        Failure: the SQL files make no such table or column, or the database has none by that name.
    """
    return renames.read(texts, state.replayed or {}, state.live, _SIDES)


def statements(asked: Sequence[Rename], facts: Snapshot) -> Iterator[Statement]:
    """The renames, in their order, of what is among the facts; run again, they do nothing."""
    made = {identity for identity in facts if identities.kind(identity) in ("table", "column")}
    for rename in asked:
        old, new = _facts(rename)
        if old not in made:
            continue
        made = {_moved(identity, old, new) for identity in made}
        sql = when(_condition(rename), *(f"{each};" for each in _steps(rename)))
        yield Statement(sql, (new, old), Rank.TABLE, note=f"Renamed by hand: {old} to {new}.")


def _steps(rename: Rename) -> list[str]:
    """The rename as SQL; the schema that a table moves to may be new as well."""
    schema, before = (identities.split_name(name)[0] for name in (rename.new, rename.table))
    is_moved = not rename.column and schema != before
    return [*([f"create schema if not exists {schema}"] if is_moved else []), *rename.statements]


def _facts(rename: Rename) -> tuple[str, str]:
    if rename.column:
        return f"column {rename.table}.{rename.column}", f"column {rename.table}.{rename.new}"
    return f"table {rename.table}", f"table {rename.new}"


def _moved(identity: str, old: str, new: str) -> str:
    if identity == old:
        return new
    before, after = (each.replace("table ", "column ", 1) + "." for each in (old, new))
    is_inside = old.startswith("table ") and identity.startswith(before)
    return after + identity.removeprefix(before) if is_inside else identity


def _condition(rename: Rename) -> str:
    """Whether the old name is there and the new one is free."""
    if not rename.column:
        old, new = (f"to_regclass({literal(name)})" for name in (rename.table, rename.new))
        return f"{old} is not null and {new} is null"
    old, new = (
        f"exists (select from pg_attribute where attrelid = to_regclass({literal(rename.table)}) "
        f"and attname = {literal(identities.unquote(name))} and not attisdropped)"
        for name in (rename.column, rename.new)
    )
    return f"{old}\n      and not {new}"
