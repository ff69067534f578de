"""Alembic on a psycopg connection, and its errors in the user's words."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.config import Config
from twolane.errors import Failure, denied, from_postgres, from_user_code, place_in_user_code
from twolane.migrations import dependents
from twolane.migrations.unbroken import TransactionEnded
from twolane.postgres import supautils
from twolane.repo import revisions
from twolane.repo.contents import read_lock

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig
    from psycopg import Connection


class NeedsSession(Failure):
    """A statement that can't run in a transaction, like `create index concurrently`."""


@contextmanager
def session(connection: Connection[Any]) -> Iterator[tuple[Any, list[str]]]:
    """SQLAlchemy on the psycopg connection, and the statements it runs.

    SQLAlchemy asks the server a few things when it first connects and then rolls back, so this
    comes before the transaction. Its own transaction is a formality: psycopg's is the real one.
    """
    from psycopg import ClientCursor
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connection,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        use_native_hstore=False,  # it would ask for the type by its bare name
    )
    statements: list[str] = []
    paths: list[str] = []

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def note(
        _c: Any, _cursor: Any, statement: str, given: Any, _context: Any, many: bool
    ) -> tuple[str, Any]:
        if _is_alembics(statement.strip(), given):
            paths.extend(_empty_path(connection))
        if not _OWN_STATEMENT.match(statement.strip()):
            client = ClientCursor(connection)
            sets = given if many else [given]
            statements.extend(client.mogrify(statement, each).strip() for each in sets)
        return (statement if given else supautils.raised(connection, statement)), given

    @event.listens_for(engine, "after_cursor_execute")
    def restore(*_: Any) -> None:
        while paths:
            connection.execute(_SET_PATH, (paths.pop(),))

    with engine.connect() as alchemy:
        statements.clear()
        yield alchemy, statements


_SET_PATH = "select pg_catalog.set_config('search_path', %s, true)"


def _empty_path(connection: Connection[Any]) -> Sequence[str]:
    """Sets an empty `search_path` for a statement of Alembic's own; the one before."""
    row = connection.execute("select pg_catalog.current_setting('search_path')").fetchone()
    connection.execute(_SET_PATH, ("",))
    return row or ()


def as_run(statement: str, context: Any) -> str:
    """A statement as the server gets it: SQLAlchemy doubles percent signs for the driver."""
    is_raw = context is not None and context.execution_options.get("no_parameters")
    return statement if is_raw else statement.replace("%%", "%")


def _is_alembics(statement: str, given: Any) -> bool:
    """Whether it is about Alembic's version table: a user's look at tables needs the path."""
    if _LOOK.match(statement):
        return "alembic_version" in str(given)
    return bool(_OWN_STATEMENT.match(statement)) and "SAVEPOINT " not in statement


_LOOK = re.compile(r"SELECT pg_catalog\.pg_class\.relname")
# Savepoints, what Alembic says to its version table (word for word: what a migration says is not
# twolane's own), the check whether that table exists, and a backfill's look at the table's key.
_VERSION = r"twolane\.alembic_version\.version_num"
_IS = rf"{_VERSION} = '\w+'"
_OWN_STATEMENT = re.compile(
    rf"(RELEASE |ROLLBACK TO )?SAVEPOINT \w+$|{_LOOK.pattern}[^;]*$"
    rf"|SELECT {_VERSION}\s+FROM twolane\.alembic_version$"
    rf"|INSERT INTO twolane\.alembic_version \(version_num\) VALUES \('\w+'\) RETURNING {_VERSION}$"
    rf"|UPDATE twolane\.alembic_version SET version_num='\w+' WHERE {_IS}$"
    rf"|DELETE FROM twolane\.alembic_version WHERE {_IS}$"
    r"|select pg_catalog\.quote_ident\(a\.attname\) from pg_catalog\.pg_(index|attribute) [^;]*$"
)


def run(config: Config, alchemy: Any, work: Any, is_online: bool = False, **attributes: Any) -> Any:
    """Calls `work` with Alembic's commands and settings; `attributes` are for `migrations/env.py`.

    is_online: whether no transaction is to hold it all.

    Raises:
        Failure: a migration or `app.py` fails; it names the line.
    """
    from alembic import command
    from alembic.util import CommandError
    from psycopg import Error as PostgresError
    from psycopg.errors import LockNotAvailable
    from sqlalchemy.exc import DBAPIError

    settings = _settings(config)
    settings.attributes |= {"connection": alchemy, "package": config.package, **attributes}
    if alchemy is not None and not is_online and not alchemy.in_transaction():
        alchemy.begin()
    with importable(config):
        try:
            return work(command, settings)
        except DBAPIError as error:
            if _WITHIN in str(error.orig):
                raise _placed(config, error, TransactionEnded()) from error
            if isinstance(error.orig, LockNotAvailable):
                raise error.orig from None  # the whole transaction is tried again
            if not isinstance(error.orig, PostgresError):
                raise
            role = alchemy.connection.driver_connection.info.user
            raise _statement_failure(config, error, error.orig, role) from error
        except CommandError as error:
            files.read(config, config.root / "migrations" / "env.py")
            raise Failure(
                str(error), "Run `invoke db.status` to see where things stand."
            ) from error
        except Failure as own:
            _placed(config, own, own)
            raise
        except (Exception, SystemExit) as error:
            if _WITHIN in str(error):
                raise _placed(config, error, TransactionEnded()) from error
            files.read(config, config.root / "migrations" / "env.py")
            failure = from_user_code(error, config.root)
            if any(frame.name == "autocommit_block" for frame in extract_tb(error.__traceback__)):
                raise NeedsSession(failure.message.replace(": AssertionError: ", ":")) from error
            raise failure from error


# What psycopg says to `commit()` and `rollback()` inside its `transaction()`.
_WITHIN = "forbidden within a Transaction context"


def _placed(config: Config, error: BaseException, failure: Failure) -> Failure:
    """The failure with the line of the user's code that the error comes from."""
    place = place_in_user_code(error, config.root)
    failure.message = f"{place}: {failure.message}" if place else failure.message
    return failure


_BASELINE = (
    "{name} is lane A's, and a migration leaves it alone (G05): take it out of the revision, and "
    "write it into a file under supabase/sql/"
)
_IN_THE_WAY = (
    "What depends on it follows the revisions if a file below @migrations makes it: move its "
    "file's line in bootstrap.txt there; what was made by hand, write into one: invoke db.capture"
)


# What a revision makes is there already, or what it changes is gone (Postgres manual, appendix A).
_TWICE = ("42701", "42P07", "42710", "42703", "42P01", "42704")


def _of_two_branches(config: Config, place: str) -> str:
    """The way on where a revision of another branch may have done the same; empty if none has."""
    every = revisions.read(config.migrations)
    failed = next((r for r in every if r.path.name in place), None)
    others = revisions.beside(every, failed) if failed else ()
    if not failed or not others:
        return ""
    merges = [r.path.name for r in every if len(r.down) > 1]
    return (
        f"{failed.path.name} and {', '.join(r.path.name for r in others)} are of two branches: "
        "git rm the one that no shared database has"
        f'{", and " + ", ".join(merges) if merges else ""}; then invoke db.gen -m "…" writes what '
        "is left of it. Where it was pushed, invoke db.status leads on"
    )


def _statement_failure(config: Config, error: Any, cause: Any, role: str) -> Failure:
    failure = from_postgres(cause, "The migration failed")
    place = place_in_user_code(error, config.root) or type(error).__name__
    statement = "\n    ".join((error.statement or "").strip().splitlines()[:12])
    if cause.sqlstate == "55P04":
        failure.first = (
            "Postgres lets a new enum value be used once its transaction is over. Put the use into "
            "a revision of its own, and push the one before it first: invoke db.push --to REVISION"
        )
    if cause.sqlstate == "42501":
        failure.first = denied(error.statement or "", role, failure.first)
    if cause.sqlstate in _TWICE:
        failure.first = _of_two_branches(config, place) or failure.first
    kind = NeedsSession if cause.sqlstate == "25001" else Failure
    if dependents.is_in_the_way(cause.sqlstate, cause.diag.message_primary or ""):
        of_lane_a = dependents.changed_in(error.statement or "", read_lock(config))
        kind = dependents.InTheWay
        failure.first = _BASELINE.format(name=of_lane_a) if of_lane_a else _IN_THE_WAY
    return kind(
        f"{failure.message}\n  in {place}:\n    {statement}",
        failure.first
        or "Correct the migration, then run the same command again; nothing was applied.",
    )


@contextmanager
def importable(config: Config) -> Iterator[None]:
    """Puts the service's own folders first on the module path, whether or not it is installed."""
    before = sys.path[:]
    sys.path[:] = [str(config.source), str(config.root), *before]
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def imported_anew(config: Config) -> Iterator[None]:
    """Forgets the service's package meanwhile, so that it is imported as its files are now."""

    def own() -> dict[str, Any]:
        inside = f"{config.package}."
        return {n: m for n, m in sys.modules.items() if f"{n}.".startswith(inside)}

    before = own()
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in own():
            del sys.modules[name]
        sys.modules.update(before)


def _settings(config: Config) -> AlembicConfig:
    """`[tool.alembic]` of the service's pyproject.toml, for this folder; Alembic stays quiet."""
    import io

    from alembic.config import Config as AlembicConfig
    from alembic.config import MessagingOptions

    settings = AlembicConfig(toml_file=str(config.root / "pyproject.toml"), stdout=io.StringIO())
    settings.messaging_opts = MessagingOptions(quiet=True)
    settings.set_main_option("script_location", str(config.migrations).replace("%", "%%"))
    return settings
