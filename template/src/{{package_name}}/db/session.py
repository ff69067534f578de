"""Access to the database: an engine, and sessions that act as a user, so that RLS applies.

    engine = make_engine()
    with user_session(engine, user_id) as session:
        session.scalars(select(Contacts)).all()  # this user's contacts, no one else's

    engine = make_async_engine()
    async with async_user_session(engine, user_id) as session:
        (await session.scalars(select(Contacts))).all()

All of it works through Supabase's transaction pooler (port 6543), where two transactions of one
client may run on two server connections: a connection keeps no state between transactions.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, get_args
from uuid import UUID

from dotenv import dotenv_values, find_dotenv
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction

__all__ = [
    "Role",
    "User",
    "async_user_session",
    "database_url",
    "make_async_engine",
    "make_engine",
    "user_session",
]

Role = Literal["anon", "authenticated", "service_role"]
User = UUID | str | Mapping[str, Any] | None

# The settings that Supabase's data API makes for a request (PostgREST, "Transaction-Scoped
# Settings"), and that `auth.uid()`, `auth.role()` and `auth.jwt()` read. `true` means SET LOCAL:
# each setting ends with the transaction.
# https://docs.postgrest.org/en/stable/references/transactions.html
_ACT_AS = text(
    "select set_config('role', :role, true),"
    " set_config('request.jwt.claims', :claims, true),"
    " set_config('request.jwt.claim.sub', :sub, true),"
    " set_config('request.jwt.claim.role', :role, true)"
)

# Statements that end a transaction, also as one of several; `rollback to` a savepoint does not.
_ENDS = re.compile(
    r"(?:^|;)(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    r"(?:(?:commit|end|abort|prepare\s+transaction)\b"
    r"|rollback\b(?!\s+(?:work\s+|transaction\s+)?to\b))",
    re.IGNORECASE | re.DOTALL,
)
_LITERALS = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL)


def database_url() -> URL:
    """Return DATABASE_URL, from the environment or else from `.env`, for psycopg.

    Raises RuntimeError if it is in neither, ValueError if it is not a Postgres URL.
    """
    value = os.environ.get("DATABASE_URL") or dotenv_values(find_dotenv(usecwd=True)).get(
        "DATABASE_URL"
    )
    if not value:
        raise RuntimeError(
            "DATABASE_URL is not set, neither in the environment nor in .env. "
            "For the embedded server: `invoke db.up` prints the URL to put into .env."
        )
    return _for_psycopg(value)


def make_engine(url: str | URL | None = None, **options: Any) -> Engine:
    """Return an engine on `url`, or on `database_url()`; `options` go to `create_engine`.

    It uses no prepared statements: with a transaction pooler, the next transaction may run on a
    server connection that does not have them (psycopg, "Prepared statements in PgBouncer"). It
    tests connections before use and renews them regularly, because poolers close idle connections.
    """
    return create_engine(_target(url), **_through_poolers(options))


def make_async_engine(url: str | URL | None = None, **options: Any) -> AsyncEngine:
    """Return what `make_engine` returns, for asyncio; `options` go to `create_async_engine`."""
    return create_async_engine(_target(url), **_through_poolers(options))


@contextmanager
def user_session(
    engine: Engine, user: User = None, role: Role = "authenticated"
) -> Iterator[Session]:
    """Open a session that acts as `user`: a user's id, or the verified claims of their JWT.

    Each transaction sets role and claims again, as bound parameters, and they end with it. So they
    apply after `session.commit()`, too, and the pool's next user does not get them. The block
    commits at its end and rolls back on an exception; it may also commit inside, by
    `session.commit()`. Loaded objects stay readable afterwards.

    Raises RuntimeError at a statement that ends the transaction, such as a raw `commit`: role and
    claims end with it, and what follows would run without RLS. Raises ValueError for a role that is
    not in `Role`, for claims of another role, for an id that is not a uuid, and for `authenticated`
    without a user.
    """
    settings = _settings(user, role)
    with Session(engine, expire_on_commit=False) as session:
        _act_in(session, settings)
        yield session
        session.commit()


@asynccontextmanager
async def async_user_session(
    engine: AsyncEngine, user: User = None, role: Role = "authenticated"
) -> AsyncIterator[AsyncSession]:
    """Open a session that acts as `user`, with the guarantees and errors of `user_session`.

    A session belongs to one task: SQLAlchemy refuses two statements at once on it.
    """
    settings = _settings(user, role)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        _act_in(session.sync_session, settings)
        yield session
        await session.commit()


def _act_in(session: Session, settings: Mapping[str, str]) -> None:
    """Let each transaction of the session begin with `_ACT_AS`, and end by the session alone."""

    @event.listens_for(session, "after_begin")
    def act_as(_: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if _driver(connection).autocommit:
            raise ValueError("user_session needs transactions; the engine is on AUTOCOMMIT.")
        if not transaction.nested:  # a savepoint has the settings of its transaction
            connection.execute(_ACT_AS, settings)
            event.listen(connection, "before_cursor_execute", _stay_inside)
            event.listen(connection, "after_cursor_execute", _stay_inside)


def _stay_inside(connection: Connection, _: object, statement: str, *__: object) -> None:
    """Raise RuntimeError if a statement ends the transaction, or one before it has."""
    text_alone = _LITERALS.sub("''", statement)
    if _ENDS.search(text_alone) or not _driver(connection).info.transaction_status:
        _driver(connection).rollback()
        raise RuntimeError(
            "A statement of its own ends the transaction, and with it the role and claims of the "
            "user. Use session.commit() or session.rollback()."
        )


def _driver(connection: Connection) -> Any:
    """Return psycopg's connection, or SQLAlchemy's adapter of its asynchronous one."""
    return connection.connection.dbapi_connection


def _settings(user: User, role: str) -> dict[str, str]:
    """Return the parameters of `_ACT_AS`, checked."""
    if role not in get_args(Role):
        raise ValueError(f"The role must be one of {', '.join(get_args(Role))}; not {role!r}.")
    claims = dict(user) if isinstance(user, Mapping) else {"sub": str(user)} if user else {}
    if claims.setdefault("role", role) != role:
        raise ValueError(f"The claims are those of role {claims['role']!r}, not of {role!r}.")
    if role == "authenticated" or claims.get("sub"):
        claims["sub"] = _uuid(claims.get("sub"))
    return {"role": role, "claims": json.dumps(claims), "sub": claims.get("sub") or ""}


def _uuid(value: object) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise ValueError("A user is named by their id in auth.users, a uuid.") from None


def _target(url: str | URL | None) -> URL:
    return database_url() if url is None else _for_psycopg(url)


def _through_poolers(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return an engine's options, with the defaults that `make_engine` explains."""
    settings = {"pool_pre_ping": True, "pool_recycle": 300} | dict(options)
    return settings | {
        "connect_args": {"prepare_threshold": None} | settings.get("connect_args", {})
    }


def _for_psycopg(url: str | URL) -> URL:
    """Return `url` with SQLAlchemy's name for psycopg 3; its query (sslmode, …) stays unchanged."""
    parsed = make_url(url)
    if parsed.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ValueError("DATABASE_URL must begin with postgresql:// or postgres://.")
    return parsed.set(drivername="postgresql+psycopg")
