"""What twolane enters into the ledger, in the transaction of the work that it records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twolane.repo import versions
from twolane.repo.ledger import NOT_RUN
from twolane.repo.sqlfiles import SqlFile

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.repo.revisions import Revision


def record_file(connection: Connection[Any], file: SqlFile, milliseconds: int) -> None:
    connection.execute(
        "insert into twolane.sql_runs (file, digest, duration_ms, text, after_migrations) "
        "values (%s, %s, %s, %s, %s)",
        (file.name, file.digest, milliseconds, file.text, file.after_migrations),
    )


def record_not_run(connection: Connection[Any], name: str) -> None:
    """Records that a file's objects are gone, so that it counts as not run."""
    connection.execute(
        "insert into twolane.sql_runs (file, digest, duration_ms) values (%s, %s, 0)",
        (name, NOT_RUN),
    )


def record_push(
    connection: Connection[Any],
    revision: Revision,
    commit: str | None,
    milliseconds: int,
    ran: Sequence[str] | None = None,
    undo: Sequence[str] | None = None,
) -> None:
    """ran, undo: the SQL that brings the revision about, and that takes it back; None: unknown."""
    connection.execute(
        "insert into twolane.pushes "
        "(revision, digest, git_commit, duration_ms, title, down, online, ran, undo) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(revision.id, revision.digest, commit, milliseconds),
            *(revision.title, list(revision.down), revision.online),
            *(None if sql is None else list(sql) for sql in (ran, undo)),
        ),
    )


def record_downgrade(connection: Connection[Any], revisions: Sequence[str], to: str | None) -> None:
    """Records that the database no longer has these revisions, and is at `to`."""
    connection.execute("delete from twolane.pushes where revision = any(%s)", (list(revisions),))
    versions.replace(connection, to)


def fill_file(connection: Connection[Any], file: SqlFile) -> None:
    """Adds to an older row what the file says."""
    connection.execute(
        "update twolane.sql_runs set text = %s, after_migrations = %s "
        "where file = %s and digest = %s and after_migrations is null",
        (file.text, file.after_migrations, file.name, file.digest),
    )


def fill_push(connection: Connection[Any], revision: Revision) -> None:
    """Adds to an older row what the revision says."""
    connection.execute(
        "update twolane.pushes set title = %s, down = %s where revision = %s and down is null",
        (revision.title, list(revision.down), revision.id),
    )


def fill_statements(
    connection: Connection[Any],
    revision: str,
    ran: Sequence[str] | None,
    undo: Sequence[str] | None,
) -> None:
    """Adds to an older row the SQL that brings the revision about, and that takes it back."""
    connection.execute(
        "update twolane.pushes set ran = %s, undo = %s where revision = %s and ran is null",
        (*(None if sql is None else list(sql) for sql in (ran, undo)), revision),
    )


def label(connection: Connection[Any], target: str) -> None:
    """Marks the database as protected under the target's name."""
    connection.execute(
        "insert into twolane.label (target, protected) values (%s, true) "
        "on conflict (only_one) do update set target = excluded.target, protected = true",
        (target,),
    )
