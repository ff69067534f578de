"""What `app.py` declares: its tables, and the facts that they make in a database."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twolane.config import Config
from twolane.errors import from_user_code
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.migrations.session import importable, run, session
from twolane.postgres import transactions

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class AppSchema:
    """What `app.py` declares: tables, and those its foreign keys name, as `schema.table`."""

    tables: frozenset[str]
    referenced: frozenset[str]


def declared(connection: Connection[Any], config: Config) -> Snapshot:
    """The facts after SQLAlchemy made every table of `app.py` in a database; it is rolled back.

    Raises:
        Failure: Postgres refuses what `app.py` declares.
    """
    from psycopg import Rollback
    from sqlalchemy.schema import CreateSchema

    facts: Snapshot = {}

    def make(alchemy: Any) -> None:
        metadata = app_metadata(config)
        for schema in sorted({table.schema for table in metadata.tables.values() if table.schema}):
            alchemy.execute(CreateSchema(schema, if_not_exists=True))
        metadata.create_all(alchemy, checkfirst=False)

    with session(connection) as (alchemy, _), transactions.transaction(connection):
        run(config, alchemy, lambda command, settings: make(alchemy))
        facts = catalog.read(connection)
        raise Rollback
    return facts


def app_schema(config: Config) -> AppSchema:
    """What `app.py` declares.

    Raises:
        Failure: `app.py` can't be imported.
    """
    with importable(config):
        try:
            tables = list(app_metadata(config).tables.values())
            referenced = {key.column.table for table in tables for key in table.foreign_keys}
        except Exception as error:
            raise from_user_code(error, config.root) from error
    return AppSchema(frozenset(map(_full_name, tables)), frozenset(map(_full_name, referenced)))


def app_metadata(config: Config) -> Any:
    """The metadata of `AppBase`, with the tables of `app.py` in it; call within `importable`."""
    import_module(f"{config.package}.db.schema.app")
    return import_module(f"{config.package}.db.schema.base").AppBase.metadata


def _full_name(table: Any) -> str:
    """`schema.table`; a table without a schema in SQLAlchemy is in `public`."""
    return f"{table.schema or 'public'}.{table.name}"
