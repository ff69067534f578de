"""Alembic's environment: the application's metadata, on a connection from the caller.

`invoke db.gen` and `invoke db.push` run it. They pass, in `Config.attributes`:

- `connection`: a SQLAlchemy connection, already in the transaction for all changes
- `package`: the service's package, `[tool.twolane] package`
- `app_tables`: `(schema or None, table)` of the app's tables in that database, so that Alembic
  drops a table that left `app.py`; only for a comparison of models and database
- `app_enums`: the same for the app's enums: `(schema or None, type)`
"""

import importlib
from typing import Any, Literal

import pgvector.sqlalchemy  # noqa: F401 - reflection finds its types by name
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.util import CommandError
from sqlalchemy import Enum, MetaData

from migrations import compare

attributes = context.config.attributes
if "connection" not in attributes or "package" not in attributes:
    raise CommandError(
        "Alembic gets its connection from twolane, whose guards stand before it: "
        "use `invoke db.gen` and `invoke db.push`."
    )


def app_metadata() -> MetaData:
    """Return the metadata of `AppBase`, with the tables of `app.py` in it."""
    app = importlib.import_module(f"{attributes['package']}.db.schema.app")
    base = importlib.import_module(f"{attributes['package']}.db.schema.base")
    metadata: MetaData = base.AppBase.metadata
    assert app
    return metadata


# An upgrade compares nothing, so it works even while `app.py` is unfinished.
metadata = app_metadata() if "app_tables" in attributes else MetaData()
default_schema = attributes["connection"].dialect.default_schema_name


def known(schema: str | None) -> str | None:
    """Return a schema's name as in Alembic: None for the default schema."""
    return None if schema == default_schema else schema


app_tables = {(known(table.schema), table.name) for table in metadata.tables.values()} | {
    (known(schema), name) for schema, name in attributes.get("app_tables", ())
}


def include_name(name: str | None, type_: str, parents: Any) -> bool:
    """Limit reflection to the app's tables and their schemas."""
    if type_ == "schema":
        return known(name) in {schema for schema, _ in app_tables}
    if type_ == "table":
        return (known(parents["schema_name"]), name) in app_tables
    return True


def render_item(type_: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Render an enum without its creation, and a third-party type with its import."""
    module = type(item).__module__
    if type_ == "type" and isinstance(item, Enum) and item.native_enum:
        return compare.render_enum(item, autogen)
    if type_ == "type" and module.startswith("pgvector."):
        autogen.imports.add(f"from pgvector.sqlalchemy import {type(item).__name__}")
        return repr(item)
    if type_ == "type" and not module.startswith("sqlalchemy."):
        autogen.imports.add(f"import {module}")
    return False


context.configure(
    connection=attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_name=include_name,
    render_item=render_item,
    app_enums={(known(schema), name) for schema, name in attributes.get("app_enums", ())},
    version_table="alembic_version",
    version_table_schema="twolane",
    compare_type=True,
    compare_server_default=True,
)

with context.begin_transaction():
    context.run_migrations()
