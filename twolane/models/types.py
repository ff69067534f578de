"""Types: from their names in Postgres (`format_type`) to SQLAlchemy types and Python annotations.

The annotation says what psycopg, helped by SQLAlchemy, gives back when a row is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twolane.facts.catalog import Snapshot, definition
from twolane.facts.identities import split_name, unquote
from twolane.models import python

# Every import that the file may need, in isort's order: section, statement, names.
IMPORTS = (
    (
        ("import datetime as dt", ("dt",)),
        ("from decimal import", ("Decimal",)),
        (
            "from ipaddress import",
            (
                "IPv4Address",
                "IPv4Interface",
                "IPv4Network",
                "IPv6Address",
                "IPv6Interface",
                "IPv6Network",
            ),
        ),
        ("from typing import", ("Any",)),
        ("from uuid import", ("UUID",)),
    ),
    (
        ("import sqlalchemy as sa", ("sa",)),
        ("from pgvector import", ("SparseVector",)),
        ("from pgvector.sqlalchemy import", ("BIT", "HALFVEC", "SPARSEVEC", "VECTOR")),
        ("from sqlalchemy.dialects import", ("postgresql",)),
        ("from sqlalchemy.dialects.postgresql.ranges import", ("MultiRange",)),
        ("from sqlalchemy.orm import", ("Mapped", "mapped_column", "relationship")),
    ),
    (("from .base import", ("AuthUsers", "IntrospectedBase")),),
)


DATABASE_TYPE = '''\
class DatabaseType(sa.types.UserDefinedType[Any]):
    """A type that SQLAlchemy has no class for; psycopg reads and writes it as text."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **options: Any) -> str:
        return self.name'''


@dataclass(frozen=True)
class Type:
    """A column's type.

    `native` types need only psycopg to be read and written. SQLAlchemy or pgvector convert the
    values of the others, but not inside a DOMAIN or an ARRAY of them. A type, as a domain, may have
    a default and refuse null; both hold for each column of it that says nothing else.
    """

    expression: python.Node
    annotation: str
    hashable: bool = True
    native: bool = True
    has_default: bool = False
    not_null: bool = False

    @property
    def names(self) -> set[str]:
        """The names that the expression and the annotation mention."""
        return {*python.names_in(self.expression), *re.findall(r"[A-Za-z]\w*", self.annotation)}


@dataclass(frozen=True)
class NamedType:
    """An enum or a domain as a constant of the module, with a comment on what it is."""

    name: str
    expression: python.Node
    remarks: tuple[str, ...]


def _pg(name: str, annotation: str, *, hashable: bool = True, native: bool = True) -> Type:
    return Type(f"postgresql.{name}", annotation, hashable, native)


def _range(name: str, of: str) -> dict[str, Type]:
    many = name.removesuffix("range") + "multirange"
    return {
        name: _pg(name.upper(), f"postgresql.Range[{of}]", native=False),
        many: _pg(many.upper(), f"MultiRange[{of}]", hashable=False, native=False),
    }


_INET = "IPv4Address | IPv4Interface | IPv6Address | IPv6Interface"
_CIDR = "IPv4Network | IPv6Network"

# Names as format_type() spells them, without modifiers.
_PLAIN = {
    "smallint": Type("sa.SmallInteger", "int"),
    "integer": Type("sa.Integer", "int"),
    "bigint": Type("sa.BigInteger", "int"),
    "real": Type("sa.REAL", "float"),
    "double precision": Type("sa.Double", "float"),
    "numeric": Type("sa.Numeric", "Decimal"),
    "boolean": Type("sa.Boolean", "bool"),
    "text": Type("sa.Text", "str"),
    "character varying": Type("sa.String", "str"),
    "character": Type("sa.CHAR", "str"),
    "bpchar": Type("sa.CHAR", "str"),
    "uuid": Type("sa.Uuid", "UUID"),
    "bytea": Type("sa.LargeBinary", "bytes"),
    "date": Type("sa.Date", "dt.date"),
    "interval": _pg("INTERVAL", "dt.timedelta"),
    "json": _pg("JSON", "Any", hashable=False, native=False),
    "jsonb": _pg("JSONB", "Any", hashable=False, native=False),
    "inet": _pg("INET", _INET),
    "cidr": _pg("CIDR", _CIDR),
    "macaddr": _pg("MACADDR", "str"),
    "macaddr8": _pg("MACADDR8", "str"),
    "money": _pg("MONEY", "str"),
    "oid": _pg("OID", "int"),
    "regclass": _pg("REGCLASS", "str"),
    "regconfig": _pg("REGCONFIG", "str"),
    "tsvector": _pg("TSVECTOR", "str"),
    "tsquery": _pg("TSQUERY", "str"),
    "bit": Type("BIT", "postgresql.BitString", native=False),
    "bit varying": Type(
        python.call("postgresql.BIT", "varying=True"), "postgresql.BitString", native=False
    ),
    **_range("int4range", "int"),
    **_range("int8range", "int"),
    **_range("numrange", "Decimal"),
    **_range("daterange", "dt.date"),
    **_range("tsrange", "dt.datetime"),
    **_range("tstzrange", "dt.datetime"),
}

# Types that extensions bring, in whichever schema they were put.
_OF_EXTENSIONS = {
    "vector": Type("VECTOR", "list[float]", hashable=False, native=False),
    "halfvec": Type("HALFVEC", "list[float]", hashable=False, native=False),
    "sparsevec": Type("SPARSEVEC", "SparseVector", hashable=False, native=False),
    "citext": _pg("CITEXT", "str"),
    "hstore": _pg("HSTORE", "dict[str, str | None]", hashable=False, native=False),
}

_CLOCK = re.compile(r"(time|timestamp)(?:\((\d)\))? (with|without) time zone")
_INTERVAL = re.compile(r"interval(?: ([a-z ]+))?(?:\((\d)\))?")
_MODIFIED = re.compile(r"([a-z ]+)\((-?\d+(?:,-?\d+)?)\)")
_QUALIFIED = re.compile(r'((?:"(?:[^"]|"")+"|\w+)\.(?:"(?:[^"]|"")+"|\w+))(?:\(([^()]*)\))?')


class Types:
    """The types of a snapshot: its enums and domains as constants, and every other by its name."""

    def __init__(self, snapshot: Snapshot, taken: set[str]) -> None:
        enums = dict(_facts(snapshot, "enum"))
        self._domains = dict(_facts(snapshot, "domain"))
        self._with_default = {
            name for name, parts in _facts(snapshot, "type") if "default" in parts
        }
        self._names = python.distinct_names(
            sorted([*enums, *self._domains], key=lambda t: (not t.startswith("public."), t)),
            lambda name: python.constant_name(plain_name(name)),
            taken,
        )
        self._checks: dict[str, list[str]] = {name: [] for name in self._domains}
        self._types: dict[str, Type] = {}
        self._enums = {self._names[name] for name in enums}
        self.constants: list[NamedType] = []
        for name, parts in enums.items():
            self._add_enum(name, parts.get("labels", []))
        for name, text in _domain_checks(snapshot, self._checks):
            self._checks[name].append(text)
        for name in self._domains:
            self._resolve(name)

    def of(self, text: str) -> Type:
        """The type that Postgres prints as `text`."""
        if text.endswith("[]"):
            return self._array(text)
        return _builtin(text) or self._user_defined(text)

    def type_of(self, constant: str) -> str:
        """The enum or domain, as `schema.name`, that this constant of the module is."""
        return next(name for name, given in self._names.items() if given == constant)

    def _array(self, text: str) -> Type:
        item = self.of(text[:-2])
        is_builtin = not _QUALIFIED.fullmatch(text[:-2])
        is_enum = isinstance(item.expression, str) and item.expression in self._enums
        if not (is_builtin or is_enum):  # psycopg does not know the array, so it reads it as text
            return Type(_database_type(text), "Any")
        expression = python.call("postgresql.ARRAY", item.expression)
        native = item.native and not is_enum
        return Type(expression, f"list[{item.annotation}]", hashable=False, native=native)

    def _user_defined(self, text: str) -> Type:
        found = _QUALIFIED.fullmatch(text)
        if found is None:  # a type of Postgres itself, which psycopg reads at least as text
            return Type(_database_type(text), "str")
        if known := self._resolve(found[1]):
            return known
        extension = _OF_EXTENSIONS.get(split_name(found[1])[1])
        if extension is None:
            return Type(_database_type(text), "Any", has_default=found[1] in self._with_default)
        return _with_modifiers(extension, found[2])

    def _resolve(self, name: str) -> Type | None:
        """The enum or domain of that name; the base of a domain is resolved first."""
        if name not in self._types and name in self._domains:
            self._add_domain(name, self._domains[name])
        return self._types.get(name)

    def _add_enum(self, name: str, labels: list[str]) -> None:
        expression = python.call("postgresql.ENUM", *map(python.literal, labels), *_identity(name))
        self._add(name, expression, Type(self._names[name], "str"), [])

    def _add_domain(self, name: str, parts: Mapping[str, Any]) -> None:
        base = self.of(parts["type"])
        remarks = [f"Domain {name}: {parts['type']}"]
        remarks += ["not null"] if "not_null" in parts else []
        remarks += [f"default {parts['default']}"] if "default" in parts else []
        expression: python.Node = base.expression
        if base.native:
            expression = python.call(
                "postgresql.DOMAIN",
                python.literal(_last(name)),
                base.expression,
                *_identity(name)[1:],
            )
        elif isinstance(expression, str) and expression not in self._names.values():
            expression = python.call(expression)
        domain = Type(
            self._names[name],
            base.annotation,
            base.hashable,
            base.native,
            has_default="default" in parts,  # a copy of its base's, unless it says another
            not_null="not_null" in parts or base.not_null,
        )
        self._add(name, expression, domain, [*remarks, *self._checks[name]])

    def _add(self, name: str, expression: python.Node, use: Type, remarks: list[str]) -> None:
        self._types[name] = use
        self.constants.append(NamedType(self._names[name], expression, tuple(remarks)))


def plain_name(name: str) -> str:
    """`public.contacts` → `contacts`, `billing."My invoices"` → `billing_My invoices`."""
    schema, last = map(unquote, split_name(name))
    return last if schema == "public" else f"{schema}_{last}"


def _last(name: str) -> str:
    return unquote(split_name(name)[-1])


def _identity(name: str) -> list[python.Node]:
    schema, last = map(unquote, split_name(name))
    in_schema = [] if schema == "public" else [f"schema={python.literal(schema)}"]
    return [f"name={python.literal(last)}", *in_schema, "create_type=False"]


def _builtin(text: str) -> Type | None:
    if text in _PLAIN:
        return _PLAIN[text]
    if found := _CLOCK.fullmatch(text):
        return _clock(*found.groups())
    if found := _INTERVAL.fullmatch(text):
        return _interval(found[1], found[2])
    if (found := _MODIFIED.fullmatch(text)) and found[1] in _PLAIN:
        return _with_modifiers(_PLAIN[found[1]], found[2])
    return None


def _clock(kind: str, precision: str | None, zone: str) -> Type:
    with_zone = ["timezone=True"] if zone == "with" else []
    annotation = "dt.datetime" if kind == "timestamp" else "dt.time"
    if precision is not None:
        arguments = [*with_zone, f"precision={precision}"]
        return Type(python.call(f"postgresql.{kind.upper()}", *arguments), annotation)
    name = "sa.DateTime" if kind == "timestamp" else "sa.Time"
    return Type(python.call(name, *with_zone) if with_zone else name, annotation)


def _interval(fields: str | None, precision: str | None) -> Type:
    arguments = [f"fields={python.literal(fields.upper())}"] if fields else []
    arguments += [f"precision={precision}"] if precision else []
    return Type(python.call("postgresql.INTERVAL", *arguments), "dt.timedelta")


def _with_modifiers(of: Type, modifiers: str | None) -> Type:
    if modifiers is None:
        return of
    arguments = modifiers.split(",")
    if isinstance(of.expression, str):
        expression = python.call(of.expression, *arguments)
    else:
        expression = python.Group(of.expression.opening, (*arguments, *of.expression.items))
    return Type(expression, of.annotation, of.hashable, of.native)


def _database_type(text: str) -> python.Node:
    return python.call("DatabaseType", python.literal(text))


def _facts(snapshot: Snapshot, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for identity, text in snapshot.items():
        if identity.startswith(kind + " "):
            yield identity.removeprefix(kind + " "), definition(text)


def _domain_checks(snapshot: Snapshot, domains: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for identity, text in snapshot.items() if domains else ():
        if identity.startswith("constraint "):
            owner = ".".join(split_name(identity.removeprefix("constraint "))[:-1])
            if owner in domains:
                yield owner, definition(text)["definition"]
