"""The foundation of both halves of the schema: two bases, their naming, mixins, `auth.users`.

Two metadata objects separate the lanes: Alembic gets only `AppBase.metadata`, so lane B cannot
change the tables that `IntrospectedBase` mirrors. For a foreign key from an app table to an
introspected table, pass the attribute: `ForeignKey(Contacts.id)`. SQLAlchemy looks up a string in
the app's own metadata, which does not have the other table.
"""

from __future__ import annotations

import datetime
import uuid
from collections import Counter

from sqlalchemy import (
    Connection,
    DateTime,
    ForeignKey,
    MetaData,
    Text,
    Uuid,
    event,
    func,
    inspect,
)
from sqlalchemy.orm import (
    MANYTOONE,
    DeclarativeBase,
    Mapped,
    Mapper,
    declared_attr,
    mapped_column,
)

__all__ = ["AppBase", "AuthUsers", "IntrospectedBase", "TenantOwned", "Timestamps", "UUIDKey"]

# Postgres gives these names to unnamed constraints and indexes ("ChooseRelationName" and its
# callers, in src/backend/commands/indexcmds.c). They are here so that a migration can use them.
NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


class IntrospectedBase(DeclarativeBase):
    """Base of the tables that the live database owns; lane A writes `introspected.py`."""

    metadata = MetaData()


class AppBase(DeclarativeBase):
    """Base of the tables that the application owns; lane B migrates the database to `app.py`."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain attribute here
        datetime.datetime: DateTime(timezone=True),
        str: Text(),
    }


def _take_shared_columns(mapper: Mapper[object], _: Connection, row: object) -> None:
    """A row that lacks a column of a key takes it from the row that it is set to refer to.

    Of keys that share a column, as `(tenant_id, boss_id)`, one relationship writes that column; a
    row that is given another one alone would lose it. Nor does it lose the column where one of
    several that write it is set to None.
    """
    state = inspect(row)
    single = [each for each in mapper.relationships if each.direction is MANYTOONE]
    writers = Counter(here for each in single for _, here in each.synchronize_pairs)
    blanked = {
        here
        for each in single
        if None in (state.attrs[each.key].history.added or ())
        for _, here in each.synchronize_pairs
        if writers[here] > 1
    }
    for each in single:
        other = state.dict.get(each.key)
        if other is None:
            continue
        written = {here for _, here in each.synchronize_pairs}
        for here, there in each.local_remote_pairs or ():
            name = mapper.get_property_by_column(here).key
            if (here in blanked or here not in written) and getattr(row, name) is None:
                setattr(row, name, getattr(other, each.mapper.get_property_by_column(there).key))
    for here in blanked:
        name = mapper.get_property_by_column(here).key
        if getattr(row, name) is None and (before := state.attrs[name].history.deleted):
            setattr(row, name, before[0])


for _base in (IntrospectedBase, AppBase):
    event.listen(_base, "before_insert", _take_shared_columns, propagate=True)
    event.listen(_base, "before_update", _take_shared_columns, propagate=True)


class AuthUsers(IntrospectedBase):
    """`auth.users`, Supabase's table of users; only the columns that a service reads."""

    __tablename__ = "users"
    __table_args__ = {"schema": "auth"}  # noqa: RUF012 - as above

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    email: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))


class UUIDKey:
    """A mixin: `id`, a uuid that the database generates."""

    id: Mapped[uuid.UUID] = mapped_column(
        Uuid, primary_key=True, server_default=func.gen_random_uuid(), sort_order=-20
    )


class Timestamps:
    """A mixin: `created_at` and `updated_at`; the ORM sets `updated_at` on each update."""

    created_at: Mapped[datetime.datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), sort_order=10
    )
    updated_at: Mapped[datetime.datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now(), sort_order=11
    )


class TenantOwned:
    """A mixin: `user_id`, the tenant; deleting a user deletes their rows.

    The index is for the policies, which compare `user_id` with `auth.uid()` for each row.
    """

    # A function, because SQLAlchemy copies a mixin's plain columns, and a copied foreign key
    # remembers its target by name, which the app's metadata does not know.
    @declared_attr
    def user_id(cls) -> Mapped[uuid.UUID]:
        """The user that the row belongs to."""
        return mapped_column(
            Uuid, ForeignKey(AuthUsers.id, ondelete="CASCADE"), index=True, sort_order=-10
        )
