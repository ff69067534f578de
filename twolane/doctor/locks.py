"""The doctor's checks of leftovers: locks, open transactions, half-built indexes, drafts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.config import LOCAL, Config
from twolane.doctor.findings import error, info, warning
from twolane.doctor.server import available, command, reading
from twolane.guards.checks import examines
from twolane.guards.findings import Finding
from twolane.postgres import databases
from twolane.postgres.transactions import ADVISORY_LOCK, ask
from twolane.shadow.shadow_server import VARIABLE, find

if TYPE_CHECKING:
    from psycopg import Connection

# Seconds. An application is idle in a transaction for as long as it computes, which is not long.
IDLE, OPEN = 60.0, 900.0

# Without the statements of other sessions: they may contain passwords.
_SESSIONS = r"""
select
    a.pid, a.usename::pg_catalog.text as role, coalesce(a.application_name, '') as program, a.state,
    extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.float8 as open_for,
    extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::pg_catalog.float8 as since,
    (select pg_catalog.count(*) from pg_catalog.pg_locks w
        where not w.granted and a.pid = any (pg_catalog.pg_blocking_pids(w.pid)))::int as blocks,
    array(
        select distinct pg_catalog.regexp_replace(
            l.relation::pg_catalog.regclass::pg_catalog.text, '^public\.', '')
        from pg_catalog.pg_locks l
        join pg_catalog.pg_class c on c.oid = l.relation
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where l.pid = a.pid and l.granted and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and l.database = (select oid from pg_catalog.pg_database
                where datname = pg_catalog.current_database())
            and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1
    ) as locked,
    exists (
        select from pg_catalog.pg_locks l
        where l.pid = a.pid and l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.classid::bigint = %s and l.objid::bigint = %s
    ) as has_ours
from pg_catalog.pg_stat_activity a
where a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid()
    and coalesce(a.backend_type, 'client backend') = 'client backend' and a.usename is not null
"""
# Without indexes that are being built right now.
_INVALID = r"""
select pg_catalog.format('%I.%I', n.nspname, c.relname),
    pg_catalog.regexp_replace(i.indrelid::pg_catalog.regclass::pg_catalog.text, '^public\.', '')
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and i.indexrelid not in (select index_relid from pg_catalog.pg_stat_progress_create_index)
order by 1
"""


@dataclass(frozen=True)
class Session:
    """Another session on the database; times in seconds, None where the role may not see them.

    blocks: how many locks others wait for because of it; locked: tables and views that it holds a
    lock on; has_ours: it holds twolane's own lock.
    """

    pid: int
    role: str
    program: str
    state: str | None
    open_for: float | None
    since: float | None
    blocks: int
    locked: Sequence[str]
    has_ours: bool

    @property
    def title(self) -> str:
        program = f", {self.program}" if self.program else ""
        return f"{self.role} (process {self.pid}{program})"


@dataclass(frozen=True)
class Left:
    """Other sessions on the target, and indexes that are not valid, each with its table."""

    target: str
    sessions: Sequence[Session]
    invalid: Sequence[tuple[str, str]]


def gather(connection: Connection[Any], target: str) -> Left:
    """Reads the sessions and the indexes; waits for no lock."""
    from psycopg.rows import class_row

    lock = (ADVISORY_LOCK >> 32, ADVISORY_LOCK & 0xFFFF_FFFF)
    with reading(connection):
        with connection.cursor(row_factory=class_row(Session)) as cursor:
            sessions = cursor.execute(_SESSIONS, lock).fetchall()
        return Left(target, sessions, connection.execute(_INVALID).fetchall())


@examines("lock", "twolane's own lock", "left")
def own_lock(left: Left) -> Iterator[Finding]:
    """Reports another twolane command that holds the lock and may never finish."""
    for session in left.sessions:
        if session.has_ours:
            yield warning(
                str(session.pid),
                f"Another twolane command is at work on this database, or was cut off: "
                f"{session.title}.",
                f"Let it finish, or end it: {_end(left, session)}",
            )


@examines("transactions", "open transactions", "left")
def transactions(left: Left) -> Iterator[Finding]:
    """Reports open transactions: a push waits for one and gives up, and tables bloat
    meanwhile."""
    for session in left.sessions:
        if session.has_ours:
            continue
        idle = (session.state or "").startswith("idle in transaction")
        age = (session.since if idle else session.open_for) or 0.0
        if not session.blocks and age < (IDLE if idle else OPEN):
            continue
        what = "is idle in a transaction" if idle else "has a transaction open"
        held = f", with locks on {', '.join(session.locked)}" if session.locked else ""
        waits = f"; {session.blocks} wait for it" if session.blocks else ""
        yield warning(
            str(session.pid),
            f"{session.title} {what} for {age:.0f} seconds{held}{waits}.",
            f"Let it end, or end it: {_end(left, session)}",
        )


@examines("sessions", "sessions that are hidden", "left")
def hidden(left: Left) -> Iterator[Finding]:
    """Explains why a lock may be held by someone who is not shown here."""
    unseen = [session for session in left.sessions if session.state is None]
    if unseen:
        yield info(
            "pg_stat_activity",
            f"What {len(unseen)} other sessions do is hidden from this role.",
            "As a superuser: grant pg_read_all_stats to the role",
        )


@examines("indexes", "indexes that are not valid", "left")
def indexes(left: Left) -> Iterator[Finding]:
    """Reports indexes that cost every write and serve no query: `create index concurrently` leaves
    one when it fails (Postgres manual, CREATE INDEX)."""
    for index, table in left.invalid:
        drop = command(left.target, f"drop index concurrently {index}")
        yield warning(
            index,
            f"The index {index} on {table} is not valid: it was never finished.",
            f"{drop}, then build it again",
        )


def _end(left: Left, session: Session) -> str:
    return command(left.target, f"select pg_catalog.pg_terminate_backend({session.pid})")


@dataclass(frozen=True)
class Shadow:
    """The shadow's server. own: it is the embedded one; drafts: unfinished databases."""

    major: int
    superuser: bool
    available: Mapping[str, str]
    drafts: Sequence[str]
    own: bool


def shadow_server(config: Config) -> Shadow:
    """Starts the shadow's server if necessary, and reads what the replay needs to know.

    Raises:
        Failure: it does not start, or can't be reached.
    """
    with databases.connect(find(config)) as connection:
        superuser = ask(
            connection, "select rolsuper from pg_catalog.pg_roles where rolname = current_user"
        ).fetchone()
        return Shadow(
            connection.info.server_version // 10_000,
            superuser == (True,),
            available(connection),
            databases.unfinished(connection),
            own=not config.environment.get(VARIABLE),
        )


@examines("shadow", "the shadow's server", "shadow")
def shadow_rights(found: Shadow) -> Iterator[Finding]:
    """Reports a role that is no superuser: it can't load the platform stub, so replays stop."""
    if not found.superuser:
        yield error(
            VARIABLE,
            f"{VARIABLE} connects as a role that is no superuser: the stub of Supabase's "
            "part, and the databases of the shadow, can't be made.",
            "Connect as a superuser of a server of its own, or take the variable out",
        )


@examines("drafts", "unfinished databases on it", "shadow")
def drafts(found: Shadow) -> Iterator[Finding]:
    """Explains what fills the disk: databases that interrupted commands left unfinished."""
    if not found.drafts:
        return
    name = found.drafts[0]
    sql = f"drop database {name}"
    yield info(
        LOCAL if found.own else VARIABLE,
        f"Interrupted commands left {len(found.drafts)} databases on the shadow's server:",
        command(LOCAL, sql) if found.own else f"On the server of {VARIABLE}: {sql}",
        found.drafts,
    )
