"""Tables and columns that get another name, and what carries their name: keys, indexes, sequences.

`db.gen --rename notes.body:notes.text` says so. A rename is found by name alone, never guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from twolane.ddl.statement import Parts
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import own_name
from twolane.migrations.comparable import Comparison, parts_of
from twolane.migrations.wording import NEXT
from twolane.sql import ident

Names = Mapping[str, tuple[str, str]]
"""A way to write a table or column → its table and column, as in facts."""


@dataclass(frozen=True)
class Rename:
    """A table (where `column` is empty) or column; names as in SQL, quoted where they must be.

    table: `schema.name` when the rename runs, so after the tables' own renames.
    """

    table: str
    column: str
    new: str

    @property
    def statements(self) -> list[str]:
        """The rename as SQL."""
        if self.column:
            return [f"alter table {self.table} rename column {self.column} to {self.new}"]
        (old_schema, old), (schema, new) = map(identities.split_name, (self.table, self.new))
        moved = [f"alter table {self.table} set schema {schema}"] if schema != old_schema else []
        return moved + ([f"alter table {schema}.{old} rename to {new}"] if new != old else [])

    @property
    def reverse(self) -> Rename:
        """The rename that takes this one back."""
        if self.column:
            return Rename(self.table, self.new, self.column)
        return Rename(self.new, "", self.table)


@dataclass(frozen=True)
class Sides:
    """How to speak of what has the old names, and of what has the new ones."""

    command: str = "db.gen"
    old: str = "the revisions make no"
    new: str = "app.py has no"
    first: str = "Change the name in app.py first, then run the same command again."
    both: str = "Name what app.py has no more, and what it has in its place."


def read(
    texts: Sequence[str],
    before: Snapshot,
    after: Snapshot,
    sides: Sides = Sides(),
) -> list[Rename]:
    """The renames that the texts ask for, `notes:jottings` or `notes.body:notes.text`.

    Those of tables come first. Names are written without quotes; `public.` may be left out. sides:
    what the names are compared with.

    Raises:
        Failure: the revisions make no such table or column, `app.py` has none of the new name, or
            both have the one or the other.
    """
    tables: dict[str, str] = {}
    columns: list[tuple[str, str, str, str]] = []
    known, wanted = _names(before), _names(after)
    for text in texts:
        old, new = _pair(text, tables, known, wanted, sides)
        if old[1]:
            columns.append((*old, *new))
        else:
            tables[old[0]] = new[0]
    found = [Rename(old, "", new) for old, new in tables.items()]
    for old_table, old_column, new_table, new_column in columns:
        if tables.get(old_table, old_table) != new_table:
            raise Failure(
                f"A column can't move from {identities.plain(old_table)} to "
                f"{identities.plain(new_table)} by a rename.",
                "Rename the table as well, or add the column and copy the rows.",
            )
        found.append(Rename(new_table, old_column, new_column))
    return found


def _pair(
    text: str, tables: Mapping[str, str], known: Names, wanted: Names, sides: Sides
) -> tuple[tuple[str, str], tuple[str, str]]:
    """What `old:new` names: each as (table, column or nothing). tables: renamed by now."""
    old_name, colon, new_name = text.partition(":")
    if not colon or not old_name or not new_name:
        raise Failure(
            f"--rename {text} names no pair, as notes:jottings or notes.body:notes.text does.",
            f"invoke --help {sides.command}",
        )
    old = known.get(old_name) or _through(old_name, tables, known)
    if old is None:
        raise Failure(
            f"--rename {text}: {sides.old} table or column {old_name}.",
            "Name it as it was before, as in notes.body:notes.text.",
        )
    if "." not in new_name and old[1]:
        new_name = f"{identities.plain(tables.get(old[0], old[0]))}.{new_name}"
    new = wanted.get(new_name)
    if new is None or bool(new[1]) != bool(old[1]):
        kind = "column" if old[1] else "table"
        raise Failure(
            f"--rename {text}: {sides.new} {kind} {new_name}.",
            sides.first,
        )
    if old in wanted.values() or new in known.values():
        which = old_name if old in wanted.values() else new_name
        raise Failure(
            f"--rename {text}: {which} is there before and after.",
            sides.both,
        )
    return old, new


def _names(facts: Snapshot) -> Names:
    """The ways to write each table and column → its table and column, as in facts.

    `a.b` may be column `b` of table `a`, or table `b` in schema `a`: the column comes first.
    """
    found: dict[str, tuple[str, str]] = {}
    for identity in facts:
        kind, name = identities.kind(identity), identity.partition(" ")[2]
        if kind not in ("table", "column"):
            continue
        parts = identities.split_name(name)
        place = (name, "") if kind == "table" else (".".join(parts[:2]), parts[2])
        plain = identities.plain(name)
        found[plain] = place
        if plain.startswith("public."):
            short = plain.removeprefix("public.")
            if kind == "column" or short not in found:
                found[short] = place
    return found


def _through(
    name: str, tables: Mapping[str, str], known: Mapping[str, tuple[str, str]]
) -> tuple[str, str] | None:
    """The column that a new table's name leads to: `jottings.body` after `notes:jottings`."""
    for old, new in tables.items():
        for way in (identities.plain(new), identities.plain(new).removeprefix("public.")):
            if name.startswith(f"{way}."):
                return known.get(f"{identities.plain(old)}.{name.removeprefix(f'{way}.')}")
    return None


def followers(comparison: Comparison) -> list[tuple[str, str]]:
    """Renames of what is the same under another name, each as SQL and the SQL that takes it back.

    They are constraints and indexes of one definition on one table, and the sequences of columns.
    """
    found: list[tuple[str, str]] = []
    tables = comparison.tables
    for kind in ("constraint", "index"):
        old = parts_of(comparison.old, kind, tables)
        new = parts_of(comparison.new, kind, tables)
        for one, other in _pairs(old, new):
            found.append(_renamed(kind, one, other))
    old_columns = parts_of(comparison.old, "column", tables)
    new_columns = parts_of(comparison.new, "column", tables)
    for identity in old_columns.keys() & new_columns.keys():
        before, after = _sequence(old_columns[identity]), _sequence(new_columns[identity])
        is_kept = ("identity" in old_columns[identity]) == ("identity" in new_columns[identity])
        if is_kept and before and after and before != after:
            found.append((_sequence_renamed(before, after), _sequence_renamed(after, before)))
    return sorted(found)


def _pairs(old: Mapping[str, Parts], new: Mapping[str, Parts]) -> Iterator[tuple[str, str]]:
    gone = [i for i in old if i not in new]
    come = [i for i in new if i not in old]
    for one in gone:
        for other in come:
            same_table = identities.relation(one) == identities.relation(other)
            if same_table and _nameless(one, old[one]) == _nameless(other, new[other]):
                come.remove(other)
                yield one, other
                break


def _nameless(identity: str, parts: Parts) -> str:
    own = own_name(identity)
    text = catalog.as_text(parts)
    return text.replace(f" INDEX {own} ON ".replace('"', '\\"'), " INDEX ON ", 1)


def _renamed(kind: str, old: str, new: str) -> tuple[str, str]:
    table, before, after = (
        str(identities.relation(old)),
        own_name(old),
        own_name(new),
    )
    if kind == "constraint":
        head = f"alter table {table} rename constraint"
        return f"{head} {before} to {after}", f"{head} {after} to {before}"
    schema = identities.split_name(table)[0]
    return (
        f"alter index {schema}.{before} rename to {after}",
        f"alter index {schema}.{after} rename to {before}",
    )


def _sequence(parts: Parts) -> str:
    if "identity" in parts:
        return str(parts["identity_options"].get("sequence") or "")
    found = NEXT.match(parts.get("default") or "")
    return found[1] if found else ""


def _sequence_renamed(old: str, new: str) -> str:
    return f"alter sequence {old} rename to {identities.split_name(new)[-1]}"


@dataclass(frozen=True)
class Likely:
    """Two facts, tables or columns of one table and type: one goes, one comes."""

    old: str
    new: str

    @property
    def halves(self) -> tuple[str, str]:
        """The names as `--rename` takes them."""
        one, other = (identities.plain(i.partition(" ")[2]) for i in (self.old, self.new))
        return one.removeprefix("public."), other.removeprefix("public.")

    @property
    def text(self) -> str:
        """The value of `--rename`."""
        return ":".join(self.halves)


def likely(comparison: Comparison) -> list[Likely]:
    """Pairs of what goes and what comes: renames perhaps."""
    new_tables = [t for t in sorted(comparison.tables) if f"table {t}" not in comparison.before]
    found = [
        Likely(f"table {old}", f"table {new}")
        for old in sorted(comparison.dropped)
        for new in new_tables
        if _alike(comparison, old, new)
    ]
    old = parts_of(comparison.old, "column", comparison.tables)
    new = parts_of(comparison.new, "column", comparison.tables)
    for one in (i for i in old if i not in new):
        for other in (i for i in new if i not in old):
            same_table = identities.relation(one) == identities.relation(other)
            if same_table and old[one]["type"] == new[other]["type"]:
                found.append(Likely(one, other))
    return found


def _alike(comparison: Comparison, old: str, new: str) -> bool:
    """Whether most columns of the one table are columns of the other."""
    before, after = (
        {
            own_name(i)
            for i in facts
            if identities.kind(i) == "column" and identities.relation(i) == t
        }
        for facts, t in ((comparison.before, old), (comparison.after, new))
    )
    return 2 * len(before & after) >= len(before | after)


def chosen(pairs: Sequence[Likely], taken: Collection[str]) -> list[Likely]:
    """The pairs of which neither half is in a rename that was asked for."""
    names = {half for text in taken for half in text.split(":")}
    return [pair for pair in pairs if not names & set(pair.halves)]


def quoted(schema: str | None, name: str) -> str:
    """`schema.name` as facts have it."""
    return f"{ident(schema or 'public')}.{ident(name)}"
