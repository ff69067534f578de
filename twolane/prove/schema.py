"""The parts of a database that `db.prove` needs: tables with their columns, checks and keys, views,
functions, and the rights of the data API's roles on them. Pure; `schema_reading` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from twolane.facts import identities
from twolane.prove.mining import Source, Sources
from twolane.sql import quote

USERS = "auth.users"
OBJECTS, MESSAGES = "storage.objects", "realtime.messages"


@dataclass(frozen=True)
class Type:
    """A column's or argument's type. `name`: as SQL writes it; the rest describes its base type.

    base: the catalog's name (`int4`). kind: pg_type.typtype. category: pg_type.typcategory.
    element: of an array, the name of its elements' base type. labels: the labels of the enum, or of
    the enum of the elements.
    """

    name: str
    base: str
    kind: str
    category: str
    modifier: int
    element: str | None
    labels: Sequence[str]
    checks: Sequence[str]

    @property
    def comparable(self) -> bool:
        return self.base == "uuid" or self.category in "SND"

    @property
    def plain(self) -> bool:
        """Whether its values in JSON are valid literals of the type."""
        return self.kind in "be" and self.category != "A"


@dataclass(frozen=True)
class Column:
    """A column. `rights`: role → letters of its rights: r(ead), i(nsert), u(pdate)."""

    name: str
    type: Type
    nullable: bool
    required: bool
    default: str | None
    identity: str
    generated: str | None
    rights: Mapping[str, str]

    @property
    def serial(self) -> bool:
        """Whether its default needs a right on a sequence; an explicit value does not."""
        return not self.identity and (self.default or "").startswith("nextval(")

    @property
    def quoted(self) -> str:
        return quote(self.name)


def user_id(column: Column) -> str:
    """SQL: the id of the current user, to compare the column with."""
    return "(select auth.uid())" + ("" if column.type.base == "uuid" else "::text")


@dataclass(frozen=True)
class ForeignKey:
    columns: Sequence[str]
    parent: str
    parent_columns: Sequence[str]
    cascades: bool

    def required(self, table: Relation) -> bool:
        """Whether every row has a parent; a row with one null column has none (MATCH SIMPLE)."""
        return all(table.column(name).required for name in self.columns)


@dataclass(frozen=True)
class Check:
    """A check constraint: its expression, and the columns in it."""

    expression: str
    columns: Sequence[str]


@dataclass(frozen=True)
class Policy:
    """A policy. command: r(ead), a(dd), w(rite), d(elete) or *. using, check: SQL, or None."""

    name: str
    command: str
    using: str | None
    check: str | None

    @property
    def conditions(self) -> list[str]:
        return [text for text in (self.using, self.check) if text]


@dataclass(frozen=True)
class Relation:
    """A table, or a view (which has only columns).

    rights: role → letters, as for a column, and a(ny of them on the whole relation or a column),
    d(elete), t(runcate).
    """

    name: str
    kind: str
    exposed: bool
    owner: str
    has_rls: bool
    published: bool
    policies: Sequence[Policy]
    columns: Sequence[Column]
    checks: Sequence[Check]
    keys: Sequence[Sequence[str]]
    foreign_keys: Sequence[ForeignKey]
    unique: Mapping[str, Sequence[str]]
    rights: Mapping[str, str]

    @property
    def short(self) -> str:
        """Its name without the schema, as an expression of the table spells it."""
        return identities.split_name(self.name)[-1]

    @property
    def is_table(self) -> bool:
        return self.kind in ("table", "foreign table")

    @property
    def reachable(self) -> bool:
        return self.exposed and any(self.rights.values())

    @property
    def conditions(self) -> list[str]:
        """What its policies ask."""
        return [text for policy in self.policies for text in policy.conditions]

    @property
    def single_keys(self) -> list[ForeignKey]:
        """Its keys of one column, but for those to auth.users."""
        return [k for k in self.foreign_keys if len(k.columns) == 1 and k.parent != USERS]

    def has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def allowed(self, role: str, right: str) -> list[Column]:
        """The columns on which the role has that right."""
        return [column for column in self.columns if right in column.rights[role]]


@dataclass(frozen=True)
class Argument:
    name: str
    type: Type
    optional: bool


@dataclass(frozen=True)
class Function:
    """A function or procedure that one of `roles` may call."""

    name: str
    signature: str
    is_procedure: bool
    is_definer: bool
    arguments: Sequence[Argument]
    roles: Sequence[str]


@dataclass(frozen=True)
class Schema:
    """All objects to try; tables include platform tables that foreign keys refer to.

    platform: table of the platform → the policies that the project wrote for it, if any.
    """

    relations: Mapping[str, Relation]
    functions: Sequence[Function]
    texts: Sequence[tuple[str, str]] = ()
    platform: Mapping[str, Sequence[Policy]] = field(default_factory=dict)

    @cached_property
    def sources(self) -> Sources:
        """What decides who may do what: policies, views, functions."""
        policies = [
            Source(f"{table.name}.{policy.name}", table.name, text)
            for table in self.tables
            for policy in table.policies
            for text in policy.conditions
        ]
        return Sources([*policies, *(Source(name, "", text) for name, text in self.texts)])

    def of_platform(self, table: str) -> Sources:
        """What the project's policies for a table of the platform say."""
        return Sources(
            [
                Source(policy.name, table, text)
                for policy in self.platform.get(table, ())
                for text in policy.conditions
            ]
        )

    def asked(self, table: Relation) -> frozenset[str]:
        """The words in a table's policies, and in the functions and views that they name.

        What these tables' own policies ask is among them: a policy's query is subject to policies.
        """
        if table.name not in self._asked:
            self._asked[table.name] = self.words_of(table.conditions)
        return self._asked[table.name]

    def words_of(self, texts: Iterable[str]) -> frozenset[str]:
        """The words in texts, and in the functions, views and policies of tables that they name."""
        words, todo = set[str](), list(texts)
        while todo:
            new = Source("", "", todo.pop()).words - words
            words |= new
            for name in new:
                todo += self._texts_by_name.get(name, ())
        return frozenset(words)

    @cached_property
    def _asked(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _texts_by_name(self) -> Mapping[str, list[str]]:
        """Name, without its schema → the texts of functions, views and tables' policies."""
        found: dict[str, list[str]] = {}
        for name, text in self.texts:
            found.setdefault(identities.unquote(identities.split_name(name)[-1]), []).append(text)
        for table in self.tables:
            found.setdefault(identities.unquote(table.short), []).extend(table.conditions)
        return found

    def source(self, name: str) -> str:
        """The text of the functions, or the view, of that name."""
        return "\n".join(text for found, text in self.texts if found == name)

    @property
    def materialized(self) -> list[Relation]:
        return [r for r in self.relations.values() if r.kind == "materialized view"]

    @property
    def tables(self) -> list[Relation]:
        return [relation for relation in self.relations.values() if relation.is_table]

    @property
    def views(self) -> list[Relation]:
        return [
            relation
            for relation in self.relations.values()
            if not relation.is_table and relation.reachable
        ]
