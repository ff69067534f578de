"""What `db.gen` writes: Alembic's operations for new tables and columns, SQL for all else.

Alembic compares what it reflects with the models, and so overlooks checks, enums and much of a
default, an index or a key, or finds differences that are none. So what is to change is taken from
facts, as Postgres prints both states; Alembic's findings count where they add a table or column
that the facts lack as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateIndexOp,
    CreateTableOp,
    DropTableOp,
    ExecuteSQLOp,
    MigrateOperation,
    RenameTableOp,
)
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, text
from sqlalchemy.sql.elements import ClauseElement

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations.alterations import Alterations, Casts
from twolane.migrations.comparable import Comparison
from twolane.migrations.enums import with_new_labels
from twolane.migrations.order import parent_of, sorted_tables
from twolane.migrations.renames import Rename, quoted
from twolane.migrations.types import is_writable, name_of
from twolane.migrations.wording import create_table, reparsable
from twolane.sql import bound


class Impl(PostgresqlImpl):
    """Alembic's PostgreSQL, writing expressions as they are meant.

    SQLAlchemy doubles a percent sign for the driver, and does so again when the revision runs.
    """

    __dialect__ = "postgresql"

    def render_ddl_sql_expr(
        self,
        expr: ClauseElement,
        is_server_default: bool = False,
        is_index: bool = False,
        **kw: Any,
    ) -> str:
        """Return an expression as SQL for a revision."""
        sql = super().render_ddl_sql_expr(expr, is_server_default, is_index, **kw)
        return sql.replace("%%", "%")


@dataclass(frozen=True)
class Renaming:
    """What gets another name: tables and columns, and SQL there and back for what follows them."""

    renames: Sequence[Rename] = ()
    followers: Sequence[tuple[str, str]] = ()

    @property
    def is_change(self) -> bool:
        """Whether it is worth a revision alone; a sequence's name follows, no model says it."""
        names = [there for there, _ in self.followers if not there.startswith("alter sequence ")]
        return bool(self.renames or names)

    def operations(self) -> list[MigrateOperation]:
        """The operations of the upgrade."""
        found = [op for rename in self.renames for op in _renaming(rename)]
        return found + [_execute(there) for there, _ in self.followers]

    def reverse(self) -> list[MigrateOperation]:
        """The operations of the downgrade."""
        found: list[MigrateOperation] = [_execute(back) for _, back in reversed(self.followers)]
        return found + [op for r in reversed(self.renames) for op in _renaming(r.reverse)]


@dataclass(frozen=True)
class More:
    """SQL that a trial of the revision found to be lacking in either direction.

    there: facts that a database may have already. bare: new columns that come by SQL, without what
    of them waits for an online revision.
    """

    up: Sequence[str] = ()
    down: Sequence[str] = ()
    there: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()


def write(
    script: Any,
    comparison: Comparison,
    casts: tuple[Casts, Casts],
    renaming: Renaming,
    more: More,
) -> None:
    """Replaces the operations that Alembic found by those that make what `app.py` says.

    casts: those there, and those back.
    """
    found = list(_flat(script.upgrade_ops.ops))
    made = _by_table(op for op in found if isinstance(op, CreateTableOp))
    made = {t: op for t, op in made.items() if f"table {t}" not in comparison.before}
    dropped = _by_table(op for op in found if isinstance(op, DropTableOp))
    dropped = {t: op for t, op in dropped.items() if t in comparison.dropped}
    columns = _added(found, more)
    indexes = [op for op in found if isinstance(op, CreateIndexOp) and _name(op) in made]
    up = _Way(comparison.before, comparison.after, made, list(dropped), indexes, columns)
    back = {t: op.reverse() for t, op in dropped.items()}
    down = _Way(comparison.after, comparison.before, back, list(made), [], {}, is_back=True)
    old = {**comparison.old, **_facts_of(comparison, dropped, comparison.before)}
    new = comparison.new
    apart = up.apart() | down.apart()
    for table, op in dropped.items():
        op.if_exists = f"table {table}" in comparison.shared or None
    there = Alterations(
        with_new_labels(old, new),
        new,
        casts[0],
        made,
        dropped,
        apart,
        columns.keys(),
        comparison.shared,
    )
    again = Alterations(
        with_new_labels(new, old), old, casts[1], dropped, made, apart, is_back=True
    )
    script.upgrade_ops.ops[:] = [
        *renaming.operations(),
        *up.operations(there),
        *map(_execute, more.up),
    ]
    script.downgrade_ops.ops[:] = [
        *down.operations(again),
        *renaming.reverse(),
        *map(_execute, more.down),
    ]


def _added(found: Sequence[Any], more: More) -> dict[str, AddColumnOp]:
    """Fact → the operation that adds the column."""
    columns = {
        f"column {_name(op)}.{quoted('', op.column.name).split('.', 1)[1]}": op
        for op in found
        if isinstance(op, AddColumnOp) and is_writable(op.column.type)
    }
    columns = {i: op for i, op in columns.items() if i not in more.bare}
    for identity in columns.keys() & more.there:
        columns[identity].if_not_exists = True
    return columns


def statements(old: Snapshot, new: Snapshot, casts: Casts) -> list[str]:
    """SQL from one state to another, for what a revision left undone."""
    way = Alterations(old, new, casts)
    steps = (way.first, way.types, way.columns, way.computed, way.keys, way.last, way.end)
    return [sql for step in steps for sql in step()]


@dataclass
class _Way:
    """One direction: the tables that are made and dropped, and Alembic's operations for them."""

    before: Snapshot
    after: Snapshot
    made: dict[str, CreateTableOp]
    dropped: Sequence[str]
    indexes: Sequence[CreateIndexOp]
    columns: dict[str, AddColumnOp]
    is_back: bool = False

    def __post_init__(self) -> None:
        order = sorted_tables(self.made, self.after)
        self.made = {table: self.made[table] for table in order}

    def apart(self) -> set[str]:
        """The facts on new tables that need statements of their own."""
        found: set[str] = set()
        later = set(self.made)
        for table, op in self.made.items():
            facts = [i for i in self.after if identities.relation(i) == table]
            inside = _constraints_inside(op)
            whole = self._is_written(table, op)
            for identity in facts:
                parts = catalog.definition(self.after[identity])
                match identities.kind(identity), parts.get("type"):
                    case "constraint", "foreign key":
                        target = parts["references"]
                        if not whole or (target in later and target != table):
                            found.add(identity)
                    case "constraint", "check" if whole and identity not in inside:
                        found.add(identity)
                    case "index", _ if not whole or not self.indexes_of(table):
                        found.add(identity)
            later.discard(table)
        return found

    def indexes_of(self, table: str) -> list[CreateIndexOp]:
        return [op for op in self.indexes if _name(op) == table]

    def operations(self, way: Alterations) -> Iterator[MigrateOperation]:
        """All operations in an order in which each finds what it needs."""
        for step in (way.first, way.types, way.columns):
            yield from map(_execute, step())
        added = [op for i, op in self.columns.items() if i in way.added and i in way.new]
        yield from sorted(added, key=lambda op: op.column.computed is not None)
        for step in (way.computed, way.keys):
            yield from map(_execute, step())
        for table, op in self.made.items():
            yield from self._making(table, op, way)
        yield from map(_execute, way.last())
        for table in reversed(sorted_tables(self.dropped, self.before)):
            if parent_of(table, self.before) in self.dropped:
                continue
            schema, name = map(identities.unquote, identities.split_name(table))
            yield DropTableOp(name, schema=None if schema == "public" else schema)
        yield from map(_execute, way.end())

    def _making(
        self, table: str, op: CreateTableOp, way: Alterations
    ) -> Iterator[MigrateOperation]:
        if not self._is_written(table, op):
            names = [quoted("", c.name).split(".", 1)[1] for c in _columns(op)]
            yield _execute(create_table(table, names, self.after))
            return
        ties = {
            (tuple(parts["columns"]), parts["references"])
            for i in way.apart
            if identities.relation(i) == table
            for parts in [catalog.definition(self.after.get(i, "{}"))]
            if parts.get("type") == "foreign key"
        }
        op.columns = [
            self._in_postgres_words(table, item)
            for item in op.columns
            if not isinstance(item, ForeignKeyConstraint)
            or (tuple(item.column_keys), _target(item)) not in ties
        ]
        yield op
        yield from self.indexes_of(table)

    def _is_written(self, table: str, op: CreateTableOp) -> bool:
        """Whether Alembic's operation makes the table; it reads no partitions from a database."""
        parts = catalog.definition(self.after[f"table {table}"])
        is_part = self.is_back and parts.keys() & {"partition_by", "bound"}
        return not is_part and all(is_writable(column.type) for column in _columns(op))

    def _in_postgres_words(self, table: str, item: Any) -> Any:
        """A check of a table that comes back, as Postgres reads it to print it the same."""
        if not isinstance(item, CheckConstraint) or not self.is_back:
            return item
        identity = f"constraint {table}.{name_of(item)}"
        words = str(catalog.definition(self.after.get(identity, "{}")).get("definition"))
        if not words.startswith("CHECK (") or not words.endswith(")"):
            return item
        inner = reparsable(words[len("CHECK (") : -1])
        return CheckConstraint(text(bound(inner)), name=item.name)


def _constraints_inside(op: CreateTableOp) -> set[str]:
    """The checks that the operation itself makes, as facts: not those that come with a type."""
    table = _name(op)
    return {
        f"constraint {table}.{name_of(item)}"
        for item in op.columns
        if isinstance(item, CheckConstraint) and not getattr(item, "_type_bound", False)
    }


def _columns(op: CreateTableOp) -> list[Column[Any]]:
    return [item for item in op.columns if isinstance(item, Column)]


def _target(key: ForeignKeyConstraint) -> str:
    *schema, table, _ = key.elements[0].target_fullname.split(".")
    return quoted(".".join(schema), table)


def _facts_of(comparison: Comparison, tables: Iterable[str], facts: Snapshot) -> Snapshot:
    return {i: t for table in tables for i, t in comparison.facts_of(table, facts).items()}


def _flat(found: Sequence[MigrateOperation]) -> Iterator[MigrateOperation]:
    for op in found:
        if isinstance(op, ops.ModifyTableOps):
            yield from _flat(op.ops)
        else:
            yield op


def _by_table(found: Iterable[Any]) -> dict[str, Any]:
    return {_name(op): op for op in found}


def _name(op: Any) -> str:
    return quoted(op.schema, op.table_name)


def _renaming(rename: Rename) -> list[MigrateOperation]:
    schema, table = map(identities.unquote, identities.split_name(rename.table))
    if rename.column:
        return [
            AlterColumnOp(
                table,
                identities.unquote(rename.column),
                modify_name=identities.unquote(rename.new),
                schema=None if schema == "public" else schema,
            )
        ]
    new_schema, name = map(identities.unquote, identities.split_name(rename.new))
    moved: list[MigrateOperation] = []
    if new_schema != schema:
        moved.append(_execute(rename.statements[0]))
    if name != table:
        place = None if new_schema == "public" else new_schema
        moved.append(RenameTableOp(table, name, schema=place))
    return moved


def _execute(sql: str) -> MigrateOperation:
    return ExecuteSQLOp(bound(sql))
