"""The SQL texts in `app.py`, as they are meant where no statement has parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, MetaData, Table, TextClause
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.sql import visitors

from twolane.migrations import types


def settle(metadata: MetaData) -> None:
    """Takes `:x` in a text for what it says, and from an index how it is to be built.

    SQLAlchemy reads `text("name <> 'a:x'")` as a text with a parameter, and writes NULL where a
    parameter has no value. An index is built concurrently by an online revision.
    """
    for table in metadata.tables.values():
        for clause in _clauses(table):
            for part in visitors.iterate(clause) if hasattr(clause, "get_children") else ():
                if isinstance(part, TextClause):
                    _take_at_its_word(part)
        for index in table.indexes:
            if index.dialect_kwargs.get("postgresql_concurrently"):
                del index.dialect_kwargs["postgresql_concurrently"]


def _take_at_its_word(clause: TextClause) -> None:
    """Of the parameters that SQLAlchemy found, those without a value become text again."""
    unset = {name for name, value in clause._bindparams.items() if value.required}
    if unset:
        clause._bindparams = {n: v for n, v in clause._bindparams.items() if n not in unset}
        clause.text = clause._bind_params_regex.sub(
            lambda found: f"\\{found[0]}" if found[1] in unset else found[0], clause.text
        )


def _clauses(table: Table) -> Iterator[Any]:
    """The expressions on a table, and what else stands in their place."""
    for column in table.columns:
        yield getattr(column.server_default, "arg", None)
        yield getattr(column.computed, "sqltext", None)
        for domain in types.domains(column.type):
            yield from (domain.check, domain.default)
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            yield constraint.sqltext
        if isinstance(constraint, ExcludeConstraint):
            yield constraint.where
            yield from (element for element, *_ in constraint._render_exprs)
    for index in table.indexes:
        yield from index.expressions
        yield index.dialect_options["postgresql"]["where"]
