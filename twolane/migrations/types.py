"""Types and constraints of models as a revision writes them: what the database stores.

A revision outlives the code that it was made from, so it never imports the app's own types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.operations.ops import RenameTableOp
from sqlalchemy import ARRAY, Boolean, Constraint, Enum
from sqlalchemy.dialects.postgresql import DOMAIN, dialect
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

_DIALECT = dialect()  # type: ignore[no-untyped-call]
_KNOWN = ("sqlalchemy.", "pgvector.")


def stored(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that Postgres gets: what a `TypeDecorator` decorates, a variant's for Postgres."""
    while True:
        variant = kind._variant_mapping.get("postgresql")
        if variant is not None:
            kind = variant
        elif isinstance(kind, TypeDecorator) and not _is_known(kind):
            kind = kind.load_dialect_impl(_DIALECT)
        else:
            return kind


def is_writable(kind: TypeEngine[Any]) -> bool:
    """Whether SQLAlchemy's and pgvector's classes can say the type; else it takes SQL."""
    kind = stored(kind)
    if isinstance(kind, ARRAY):
        return is_writable(kind.item_type)
    return _is_known(kind) and not isinstance(kind, NullType | DOMAIN)


def name_of(constraint: Constraint) -> str:
    """The constraint's name in the database, after the naming convention; quoted as in facts."""
    return str(_DIALECT.identifier_preparer.format_constraint(constraint) or "")


def domains(kind: TypeEngine[Any]) -> Iterator[DOMAIN]:
    """The domains that a column's type makes: itself, or the item of an array; bases come first."""
    kind = stored(kind)
    if isinstance(kind, ARRAY):
        yield from domains(kind.item_type)
    elif isinstance(kind, DOMAIN):
        yield from domains(kind.data_type)
        if kind.create_type:
            yield kind


def create_domain(domain: DOMAIN, alchemy: Any) -> None:
    """Makes a domain, and the enum that it is of, where they are not there."""
    base = stored(domain.data_type)
    if isinstance(base, Enum) and base.native_enum:
        base.create(alchemy, checkfirst=True)
    domain.create(alchemy, checkfirst=True)


def render_item(type_: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Writes a type: an enum without its creation, a type from elsewhere with its import.

    An enum that is a text with a check is written as the text: the check has the name that it gets
    from `app.py`, which is lost where the type makes it anew.
    """
    if type_ != "type":
        return False
    prefix = autogen.opts["sqlalchemy_module_prefix"]
    kind = stored(item)
    if kind is not item:
        return _repr_type(kind, autogen)
    if isinstance(kind, Enum):
        if kind.native_enum:
            return _enum(kind, autogen)
        return f"{prefix}String(length={kind.length})"
    if isinstance(kind, Boolean):
        return f"{prefix}Boolean()"
    if type(kind).__module__.startswith("pgvector."):
        autogen.imports.add(f"from pgvector.sqlalchemy import {type(kind).__name__}")
        return repr(kind)
    return False


def _enum(kind: Enum, autogen: AutogenContext) -> str:
    """An enum that does not create its type; SQLAlchemy's own would."""
    autogen.imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={kind.schema!r}" if kind.schema else ""
    values = ", ".join(map(repr, kind.enums))
    return f"postgresql.ENUM({values}, name={kind.name!r}{schema}, create_type=False)"


def _is_known(kind: TypeEngine[Any]) -> bool:
    return type(kind).__module__.startswith(_KNOWN)


@renderers.dispatch_for(RenameTableOp)
def _rename(_: AutogenContext, op: RenameTableOp) -> str:
    schema = f", schema={op.schema!r}" if op.schema else ""
    return f"op.rename_table({op.table_name!r}, {op.new_table_name!r}{schema})"
