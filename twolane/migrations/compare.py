"""Comparisons that `db.gen` adds to those of Alembic: enums, defaults, the order of drops.

Alembic compares tables, but not types: it adds a column of a type that it never creates, does not
see a new value, and leaves the type behind when it drops the table. This module writes plain SQL
into the revision. It changes only enums of the app: an enum in the database that the option
`app_enums` does not name belongs to lane A.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations.ops import DropTableOp, MigrateOperation, UpgradeOps
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import ARRAY, Column, Connection, Enum, MetaData, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.exc import DBAPIError

Name = tuple[str | None, str]  # schema (None: the default one) and type

DIALECT = dialect()  # type: ignore[no-untyped-call]
QUOTE = DIALECT.identifier_preparer.quote

VALUES = """
    select case when nspname <> current_schema() then nspname end, typname,
        array_agg(enumlabel::text order by enumsortorder)
    from pg_enum
    join pg_type on pg_type.oid = enumtypid
    join pg_namespace on pg_namespace.oid = typnamespace
    group by 1, 2
"""

USES = """
    select case when tn.nspname <> current_schema() then tn.nspname end, t.typname,
        case when n.nspname <> current_schema() then n.nspname end, relname, attname,
        pg_get_expr(adbin, adrelid), atttypid <> t.oid
    from pg_type t
    join pg_namespace tn on tn.oid = t.typnamespace
    join pg_attribute on atttypid in (t.oid, t.typarray) and not attisdropped
    join pg_class c on c.oid = attrelid and relkind in ('r', 'p') and not relispartition
    join pg_namespace n on n.oid = relnamespace
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where typtype = 'e'
    order by 3, 4, attnum
"""


class Use(NamedTuple):
    """A column of an enum type, or of its array."""

    schema: str | None
    table: str
    column: str
    default: str | None
    array: bool


@dataclass
class Execute(MigrateOperation):
    """Statements for a revision, each rendered as `op.execute`, and those for its downgrade."""

    statements: list[str]
    undo: list[str]

    def reverse(self) -> "Execute":
        """Return the operation of the downgrade."""
        return Execute(self.undo, self.statements)

    def to_diff_tuple(self) -> tuple[str, list[str]]:
        """Return the operation as Alembic's `compare_metadata` lists it."""
        return ("execute", self.statements)


@renderers.dispatch_for(Execute)
def _render(_: AutogenContext, op: Execute) -> list[str]:
    return [f"op.execute({statement!r})" for statement in op.statements]


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)
def _compare(
    autogen: AutogenContext, upgrade: UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    """Complete Alembic's findings; Alembic calls this after its own comparison."""
    _drop_tables_last(upgrade)
    metadata, connection = autogen.metadata, autogen.connection
    if isinstance(metadata, MetaData) and connection is not None:
        _compare_enums(upgrade, connection, metadata, set(autogen.opts.get("app_enums", ())))
    return PriorityDispatchResult.CONTINUE


def _drop_tables_last(upgrade: UpgradeOps) -> None:
    """Move drops of tables after drops of columns that refer to them; sort them by their keys.

    Alembic sorts drops by name. Tables that refer to each other keep that order.
    """
    drops = {(op.schema, op.table_name): op for op in upgrade.ops if isinstance(op, DropTableOp)}
    points_to = {key: _targets(op) & drops.keys() - {key} for key, op in drops.items()}
    try:
        order = list(TopologicalSorter(points_to).static_order())[::-1]
    except CycleError:
        order = list(drops)
    upgrade.ops[:] = [op for op in upgrade.ops if not isinstance(op, DropTableOp)]
    upgrade.ops += [drops[key] for key in order]


def _targets(op: DropTableOp) -> set[Name]:
    """Return the tables that a table's foreign keys refer to."""
    names = (key.target_fullname.split(".") for key in op.to_table().foreign_keys)
    return {(".".join(name[:-2]) or None, name[-2]) for name in names}


def render_enum(item: Enum, autogen: AutogenContext) -> str:
    """Render a column's enum that does not create its type; SQLAlchemy's own enum would."""
    autogen.imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={item.schema!r}" if item.schema else ""
    values = ", ".join(map(repr, item.enums))
    return f"postgresql.ENUM({values}, name={item.name!r}{schema}, create_type=False)"


class Impl(PostgresqlImpl):
    """Alembic's PostgreSQL, comparing server defaults in a savepoint.

    It asks the database whether two defaults are equal. That fails for a type without equality
    (json; then it compares the text), and for an enum value that does not exist yet. Alembic
    compares identity and generated columns elsewhere.
    """

    __dialect__ = "postgresql"

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        """Return whether two server defaults differ."""
        found, wanted = rendered_inspector_default, rendered_metadata_default
        connection, kind = self.connection, inspector_column.type.compile(self.dialect)
        assert connection is not None

        def by_text() -> Any:
            ours = f"cast({_default(metadata_column)} as {kind})"
            theirs = f"cast({_colons(found or 'null')} as text)"
            return connection.scalar(text(f"select cast({ours} as text) <> {theirs}"))

        by_value = partial(
            super().compare_server_default, inspector_column, metadata_column, wanted, found
        )
        for compare in (by_value, by_text):
            with suppress(DBAPIError), connection.begin_nested():
                return bool(compare())
        return True


def _compare_enums(
    upgrade: UpgradeOps, connection: Connection, metadata: MetaData, owned: set[Name]
) -> None:
    """Add the changes that the enums of `metadata` need; `owned` are the app's present enums."""
    wanted = dict(_declared(metadata))
    present = {(schema, name): list(values) for schema, name, values in _rows(connection, VALUES)}
    for name, values in sorted(wanted.items(), key=repr):
        if name not in present:
            upgrade.ops.insert(0, Execute([_create(name, values)], [_drop(name)]))
        elif name in owned and present[name] != values:
            _change(upgrade, connection, metadata, name, present[name], values)
    for name in sorted(owned & present.keys() - wanted.keys(), key=repr):
        upgrade.ops.append(Execute([_drop(name)], [_create(name, present[name])]))


def _change(
    upgrade: UpgradeOps,
    connection: Connection,
    metadata: MetaData,
    name: Name,
    old: list[str],
    new: list[str],
) -> None:
    """Add values before all other operations, which may use them; remove values at the end."""
    if added := _added(name, old, new):
        undo = _swap(name, old, _uses(connection, name))
        upgrade.ops.insert(0, Execute(added, undo))
    else:
        uses = list(_declared_uses(metadata, name))
        upgrade.ops.append(Execute(_swap(name, new, uses), _swap(name, old, uses)))


def _rows(connection: Connection, query: str) -> Iterable[Any]:
    return connection.execute(text(query))


def _enum(column: Column[Any]) -> Enum | None:
    """Return a column's native enum, also if it is the element of an array."""
    kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
    return kind if isinstance(kind, Enum) and kind.native_enum and kind.name else None


def _name(enum: Enum) -> Name:
    return None if enum.schema == "public" else enum.schema, str(enum.name)


def _declared(metadata: MetaData) -> Iterator[tuple[Name, list[str]]]:
    for table in metadata.tables.values():
        for column in table.columns:
            if (enum := _enum(column)) is not None and getattr(enum, "create_type", True):
                yield _name(enum), list(enum.enums)


def _declared_uses(metadata: MetaData, name: Name) -> Iterator[Use]:
    for table in metadata.tables.values():
        for column in table.columns:
            if (enum := _enum(column)) is not None and _name(enum) == name:
                array = isinstance(column.type, ARRAY)
                yield Use(table.schema, table.name, column.name, _default(column), array)


def _default(column: Column[Any]) -> str | None:
    """Return a column's server default as SQL."""
    default = getattr(column.server_default, "arg", None)
    if default is None or isinstance(default, str):
        return None if default is None else _literal(default)
    return _colons(str(default.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})))


def _uses(connection: Connection, name: Name) -> list[Use]:
    return [
        Use(schema, table, column, default and _colons(default), array)
        for *of, schema, table, column, default, array in _rows(connection, USES)
        if tuple(of) == name
    ]


def _literal(value: str) -> str:
    return "'" + _colons(value.replace("'", "''")) + "'"


def _colons(sql: str) -> str:
    """Escape colons: `op.execute` would read them as the start of a parameter name."""
    return sql.replace(":", r"\:")


def _dotted(schema: str | None, name: str) -> str:
    return f"{QUOTE(schema)}.{QUOTE(name)}" if schema else QUOTE(name)


def _create(name: Name, values: list[str]) -> str:
    return f"create type {_dotted(*name)} as enum ({', '.join(map(_literal, values))})"


def _drop(name: Name) -> str:
    return f"drop type {_dotted(*name)}"


def _added(name: Name, old: list[str], new: list[str]) -> list[str]:
    """Return statements that turn `old` into `new` by adding values; none if that is impossible."""
    if [value for value in new if value in old] != old:
        return []
    places = [f"after {_literal(v)}" for v in new[:-1]]
    places.insert(0, f"before {_literal(old[0])}" if old else "")
    return [
        f"alter type {_dotted(*name)} add value {_literal(value)} {place}".rstrip()
        for value, place in zip(new, places, strict=True)
        if value not in old
    ]


def _swap(name: Name, values: list[str], uses: list[Use]) -> list[str]:
    """Return statements that replace the type by one of `values`: Postgres can't remove a value.

    They fail, and the push fails, if a row still has a removed value.
    """
    old = f"{name[1]}__old"
    statements = [f"alter type {_dotted(*name)} rename to {QUOTE(old)}", _create(name, values)]
    for use in uses:
        column = f"alter column {QUOTE(use.column)}"
        brackets = "[]" if use.array else ""
        kind = _dotted(*name) + brackets
        cast = f"cast(cast({QUOTE(use.column)} as text{brackets}) as {kind})"
        steps = [f"{column} drop default", f"{column} type {kind} using {cast}"]
        if use.default is not None:
            steps.append(f"{column} set default {use.default}")
        statements.append(f"alter table {_dotted(use.schema, use.table)} {', '.join(steps)}")
    return [*statements, _drop((name[0], old))]
