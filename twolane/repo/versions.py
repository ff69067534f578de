"""Alembic's own table, in twolane's schema: the revision at which a database stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.repo.revisions import Revision

TABLE = "twolane.alembic_version"
# As Alembic makes it (`MigrationContext._version`).
DEFINITION = f"""
create table if not exists {TABLE} (
    version_num varchar(32) not null,
    constraint alembic_version_pkc primary key (version_num)
)
"""


def prepare(connection: Connection[Any]) -> None:
    """Makes the table if it is not there, so that it is none that a migration makes."""
    found = connection.execute("select pg_catalog.to_regclass(%s)", (TABLE,))
    if found.fetchone() == (None,):
        connection.execute(DEFINITION.encode())


def read(connection: Connection[Any]) -> list[str]:
    """Where the table says that the database stands: one revision, or several heads."""
    found = connection.execute(f"select version_num from {TABLE}".encode())
    return sorted(version for (version,) in found)


def advance(connection: Connection[Any], revision: Revision) -> None:
    """Sets where the database stands after this revision ran; other heads stay as they are."""
    prepare(connection)
    connection.execute(
        f"delete from {TABLE} where version_num = any(%s)".encode(), (list(revision.down),)
    )
    _add(connection, revision.id)


def replace(connection: Connection[Any], revision: str | None) -> None:
    """Sets where the database stands; None: before the first revision."""
    connection.execute(f"delete from {TABLE}".encode())
    if revision is not None:
        _add(connection, revision)


def _add(connection: Connection[Any], revision: str) -> None:
    connection.execute(f"insert into {TABLE} (version_num) values (%s)".encode(), (revision,))
