"""What a service's `migrations/env.py` runs: the app's metadata, on a connection that is given.

`invoke db.gen` and `invoke db.push` run Alembic. They hand over, in `Config.attributes`:

- `connection`: a SQLAlchemy connection, already in the transaction that is to hold the work
- `package`: the service's package, `[tool.twolane] package`
- `app_tables`: `(schema or None, table)` of the app's tables in that database, so that a table
  that left `app.py` is seen as dropped; only where models and database are compared
- `on_step`: called after each revision that ran, as Alembic's `on_version_apply`
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pgvector.sqlalchemy  # noqa: F401 - reflection meets its types by name
from alembic import context
from alembic.util import CommandError
from sqlalchemy import MetaData

from twolane.migrations import (
    app_import,
    compare,  # noqa: F401 - Alembic finds its Impl there
)
from twolane.migrations.types import render_item

Name = tuple[str | None, str]  # schema (None: the default one) and name


def app_metadata() -> MetaData:
    """Return the metadata of `AppBase`, with the tables of `app.py` in it.

    An upgrade compares nothing: it gets an empty one, and goes on while `app.py` is worked on.

    Raises:
        CommandError: Alembic was not started by twolane.
    """
    attributes = _attributes()
    if "app_tables" not in attributes:
        return MetaData()
    metadata: MetaData = app_import.app_metadata(attributes["package"])
    return metadata


def run(target_metadata: MetaData) -> None:
    """Run the migrations, or compare `target_metadata` with the database, as Alembic was asked.

    Raises:
        CommandError: Alembic was not started by twolane.
    """
    attributes = _attributes()
    default = attributes["connection"].dialect.default_schema_name
    tables = {
        _known(table.schema, table.name, default) for table in target_metadata.tables.values()
    }
    tables |= _all_known(attributes.get("app_tables", ()), default)

    def include_name(name: str | None, type_: str, parents: Any) -> bool:
        """Keep reflection to the app's tables, in the schemas that have any."""
        if type_ == "schema":
            return (None if name == default else name) in {schema for schema, _ in tables}
        if type_ == "table":
            return _known(parents["schema_name"], str(name), default) in tables
        return True

    context.configure(
        connection=attributes["connection"],
        target_metadata=target_metadata,
        include_schemas=True,
        include_name=include_name,
        render_item=render_item,
        version_table="alembic_version",
        version_table_schema="twolane",
        compare_type=False,  # facts are compared: `twolane.migrations.compare`
        compare_server_default=False,
        on_version_apply=attributes.get("on_step"),
    )
    with context.begin_transaction():
        context.run_migrations()


def _attributes() -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = context.config.attributes
    if "connection" not in attributes or "package" not in attributes:
        raise CommandError(
            "Alembic gets its connection from twolane, whose guards stand before it: "
            "use `invoke db.gen` and `invoke db.push`."
        )
    return attributes


def _known(schema: str | None, name: str, default: str) -> Name:
    """The name as Alembic has it: without the schema where that is the default one."""
    return (None if schema == default else schema, name)


def _all_known(names: Collection[Name], default: str) -> set[Name]:
    return {_known(schema, name, default) for schema, name in names}
