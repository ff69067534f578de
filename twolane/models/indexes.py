"""An index's definition → `sa.Index`, by Postgres's own parser. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twolane.models import python
from twolane.models.body import expression
from twolane.sql import ident


def index(definition: str, name: str) -> python.Node:
    """The index as SQLAlchemy declares it; a column that stands alone by its name."""
    from pglast import parse_sql

    (raw,) = parse_sql(definition)
    return python.call("sa.Index", python.literal(name), *_items(raw.stmt), *_options(raw.stmt))


def _items(made: Any) -> Iterator[python.Node]:
    for element in made.indexParams:
        text = _text(element)
        yield (
            python.literal(element.name) if text == ident(element.name or "") else expression(text)
        )


def _text(element: Any) -> str:
    from pglast.stream import RawStream

    return str(RawStream()(element))


def _options(made: Any) -> Iterator[python.Node]:
    if made.unique:
        yield "unique=True"
    if made.accessMethod != "btree":
        yield f"postgresql_using={python.literal(made.accessMethod)}"
    if made.nulls_not_distinct:
        yield "postgresql_nulls_not_distinct=True"
    if made.indexIncludingParams:
        names = python.strings(element.name for element in made.indexIncludingParams)
        yield python.keyword_argument("postgresql_include", names)
    if made.options:
        pairs = (f"{python.literal(o.defname)}: {_value(o.arg)}" for o in made.options)
        yield python.Group("postgresql_with={", tuple(pairs), "}")
    if made.whereClause is not None:
        yield python.keyword_argument("postgresql_where", expression(_text(made.whereClause)))


def _value(argument: Any) -> str:
    return python.literal(_text(argument).strip("'"))
