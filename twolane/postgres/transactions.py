"""Transactions: time limits, an empty `search_path`, twolane's own lock, and retries for others.

twolane's own statements name `pg_catalog` in full, and find nothing else: a function or operator
that fits its arguments better than Postgres's own is taken from any schema of the `search_path`
(manual, 10.2 and 10.3), whoever made it. Settings and locks end with the transaction, as a
transaction pooler requires.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from twolane.errors import Failure

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

Result = TypeVar("Result")

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "15min"
LOCK_ATTEMPTS = 3
DEFERRALS = 20
"""So many times a trigger may put off what it was to do at the commit."""
# Any constant works, if every version of twolane uses the same.
ADVISORY_LOCK = 0x7477_6F6C_616E_6531
_NOWHERE = "pg_catalog.set_config('search_path', '', true)"

# Connections whose open transaction has set its limits anew since `reset`.
_reset: WeakSet[Connection[Any]] = WeakSet()


@contextmanager
def transaction(connection: Connection[Any]) -> Iterator[None]:
    """A transaction with its own time limits; they override those of the role or the pooler.

    Its `search_path` is empty, but for the SQL of others: see `theirs`. It drops the temporary
    tables of a pooler's former client first: Postgres looks for a table's name among them before
    all schemas.
    """
    from psycopg.pq import TransactionStatus

    is_outermost = connection.info.transaction_status == TransactionStatus.IDLE
    try:
        with connection.transaction():
            if is_outermost:
                connection.execute("discard temp")
            connection.execute(
                "select pg_catalog.set_config('lock_timeout', %s, true), "
                f"pg_catalog.set_config('statement_timeout', %s, true), {_NOWHERE}".encode(),
                (LOCK_TIMEOUT, STATEMENT_TIMEOUT),
            )
            yield
            if is_outermost and connection in _reset:
                # A limit that is local again after `reset all` would leave its mark in the session
                # (guc.c, AtEOXact_GUC). Deferred checks run while the limits hold.
                connection.execute(
                    "reset search_path; set constraints all immediate; close all; "
                    "reset lock_timeout; reset statement_timeout"
                )
    except BaseException:
        if is_outermost and connection.info.transaction_status == TransactionStatus.IDLE:
            # A session's lock outlives the transaction that took it.
            connection.execute("select pg_catalog.pg_advisory_unlock_all()")
        raise
    finally:
        if is_outermost:
            _reset.discard(connection)


_BARE = "reset role; reset session authorization; reset all; "
_LIMITED = (
    f"set local lock_timeout = '{LOCK_TIMEOUT}'; "
    f"set local statement_timeout = '{STATEMENT_TIMEOUT}'"
)


@contextmanager
def theirs(connection: Connection[Any]) -> Iterator[None]:
    """Lets SQL that is not twolane's own find names as the role and the database say, inside
    `transaction`."""
    connection.execute("set local search_path to default")
    yield
    connection.execute(f"select {_NOWHERE}".encode())


def ask(
    connection: Connection[Any],
    question: str,
    parameters: Sequence[object] | Mapping[str, object] | None = None,
) -> Cursor[Any]:
    """Runs a statement of twolane's own with an empty `search_path`, in one round trip.

    Outside a transaction the setting travels with it as one simple query, which Postgres runs as
    one transaction. Inside one, `transaction` has set it.
    """
    from psycopg import ClientCursor
    from psycopg.pq import TransactionStatus

    if connection.info.transaction_status != TransactionStatus.IDLE:
        return connection.execute(question.encode(), parameters)
    cursor = ClientCursor(connection)
    with nullcontext() if connection.autocommit else connection.transaction():
        cursor.execute(f"select {_NOWHERE};\n{question}".encode(), parameters)
        cursor.nextset()
    return cursor


def reset(connection: Connection[Any]) -> None:
    """Takes back what a user's SQL did to the session, so that a pooler's next client doesn't get
    it: settings, temporary tables, listeners, prepared statements, cursors, locks.

    What triggers and constraints put off to the commit runs now, while its outcome can be seen. The
    query of a cursor `with hold` would run at the commit (PreCommit_Portals, portalmem.c): never.
    It stands in a transaction, as `discard all` may not (manual, DISCARD), and sets that
    transaction's limits again: `reset all` took those as well.
    """
    _settle(connection)
    connection.execute(
        f"{_BARE}close all; discard temp; unlisten *; deallocate all; "
        f"select pg_catalog.pg_advisory_unlock_all(), {_NOWHERE}; {_LIMITED}".encode()
    )
    _reset.add(connection)


# What a deferrable trigger puts off, a row brings about. These counts are the transaction's own.
_ROWS = """
select pg_catalog.current_setting('track_counts'),
    pg_catalog.json_agg(c order by oid)::pg_catalog.text
from (
    select oid, pg_catalog.pg_stat_get_xact_tuples_inserted(oid) as inserted,
        pg_catalog.pg_stat_get_xact_tuples_updated(oid) as updated,
        pg_catalog.pg_stat_get_xact_tuples_deleted(oid) as deleted
    from pg_catalog.pg_class
    where relkind in ('r', 'p')
) c
where inserted + updated + deleted > 0
    and exists (select from pg_catalog.pg_trigger where tgdeferrable)
"""


def _settle(connection: Connection[Any]) -> None:
    """Runs what is put off to the commit, and what that puts off once more, until nothing is.

    Raises:
        Failure: there is no end to it.
    """
    now = f"{_BARE}{_LIMITED}; set constraints all immediate; select {_NOWHERE}".encode()
    connection.execute(now)
    seen = connection.execute(_ROWS).fetchone()
    for _ in range(DEFERRALS):
        if seen == ("on", None):
            return
        connection.execute(now)
        before, seen = seen, connection.execute(_ROWS).fetchone()
        if seen == before and seen and seen[0] == "on":
            return
    if seen and seen[0] != "on":  # a server that counts nothing: so often was enough
        return
    raise Failure(
        "A trigger puts off its work to the commit, again and again, so that nobody can see it.",
        "Let it do its work when it is called. Nothing was applied.",
    )


@contextmanager
def session_lock(connection: Connection[Any], waiting: Callable[[str], None]) -> Iterator[None]:
    """Holds twolane's own lock meanwhile, over a session, where no transaction may be open.

    Raises:
        Failure: the lock did not become free within a minute.
    """
    import psycopg

    exclusive(connection, waiting, "pg_try_advisory_lock")
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # it went with the connection
            connection.execute("select pg_catalog.pg_advisory_unlock_all()")


def exclusive(
    connection: Connection[Any],
    waiting: Callable[[str], None],
    function: str = "pg_try_advisory_xact_lock",
) -> None:
    """Takes twolane's own lock until the transaction ends; tells `waiting` who holds it meanwhile.

    Raises:
        Failure: the lock did not become free within a minute.
    """
    deadline = time.monotonic() + 60
    told = ""
    attempt = f"select pg_catalog.{function}(%s)".encode()
    while connection.execute(attempt, (ADVISORY_LOCK,)).fetchone() != (True,):
        time.sleep(0.1)
        holder = _holder(connection)
        if time.monotonic() > deadline:
            raise Failure(
                f"Another twolane command is at work on this database: {holder}.",
                "Wait until it has finished, then run the same command again.",
            )
        if holder != told:
            waiting(f"waiting for another twolane command: {holder}")
            told = holder


def _holder(connection: Connection[Any]) -> str:
    """Who holds twolane's lock. pg_locks has a bigint key as two halves (manual, pg_locks)."""
    row = connection.execute(
        """
        select pg_catalog.format('%%s, process %%s, since %%s', usename, pid,
            pg_catalog.date_trunc('second', xact_start))
        from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a using (pid)
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.classid::bigint = %s and l.objid::bigint = %s
        """,
        (ADVISORY_LOCK >> 32, ADVISORY_LOCK & 0xFFFF_FFFF),
    ).fetchone()
    return str(row[0]) if row else "it has just finished"


def retry_locks(
    work: Callable[[], Result], connection: Connection[Any], waiting: Callable[[str], None]
) -> Result:
    """Runs `work`, one whole transaction; runs it again if it did not get a lock in time.

    Other statements queue behind a statement that waits for a lock; a pause lets them run.

    Raises:
        Failure: no lock after three attempts; the message names the oldest open transaction.
    """
    from psycopg.errors import LockNotAvailable

    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            return work()
        except LockNotAvailable as error:
            blocker = _oldest_transaction(connection)
            if attempt == LOCK_ATTEMPTS:
                raise Failure(
                    f"{error.diag.message_primary}, {LOCK_ATTEMPTS} times.\n"
                    f"  The oldest open transaction: {blocker}",
                    "Let it finish (or end it), then run the same command again.",
                ) from error
            waiting(
                f"no lock within {LOCK_TIMEOUT}, once more; the oldest open transaction: {blocker}"
            )
            time.sleep(attempt)
    raise AssertionError("unreachable")


def _oldest_transaction(connection: Connection[Any]) -> str:
    """The oldest open transaction; prefers those that hold a lock on a user's table.

    No built-in relation has an OID from 16384 on (FirstNormalObjectId,
    src/include/access/transam.h).
    """
    row = ask(
        connection,
        """
        select pg_catalog.format('%s, process %s, %s, since %s: %s', usename, pid, state,
            pg_catalog.date_trunc('second', xact_start),
            pg_catalog.left(pg_catalog.regexp_replace(query, '\\s+', ' ', 'g'), 80))
        from pg_catalog.pg_stat_activity a
        where datname = pg_catalog.current_database() and pid <> pg_catalog.pg_backend_pid()
            and xact_start is not null
        order by not exists (
            select from pg_catalog.pg_locks l
            where l.pid = a.pid and l.granted and l.relation >= 16384
        ), xact_start limit 1
        """,
    ).fetchone()
    return str(row[0]) if row else "none any more"
