"""What has been done to a database, recorded in its own private schema `twolane`.

The schema is outside Supabase's data API and also has Alembic's version table. Each row is written
in the transaction of the work that it records. `repo.record` keeps the facts beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.postgres.transactions import ask
from twolane.repo.sqlfiles import SqlFile

if TYPE_CHECKING:
    from psycopg import Connection

    from twolane.repo.revisions import Revision

TABLES = """
create schema if not exists twolane;
revoke all on schema twolane from public;
create table if not exists twolane.sql_runs (
    id bigint generated always as identity primary key,
    file pg_catalog.text not null,
    digest pg_catalog.text not null,
    applied_at pg_catalog.timestamptz not null default pg_catalog.now(),
    applied_by pg_catalog.text not null default session_user,
    duration_ms integer not null
);
create table if not exists twolane.pushes (
    id bigint generated always as identity primary key,
    revision pg_catalog.text not null,
    digest pg_catalog.text not null,
    git_commit pg_catalog.text,
    pushed_at pg_catalog.timestamptz not null default pg_catalog.now(),
    pushed_by pg_catalog.text not null default session_user,
    duration_ms integer not null
);
create table if not exists twolane.label (
    only_one boolean primary key default true check (only_one),
    target pg_catalog.text not null,
    protected boolean not null
);
alter table twolane.sql_runs
    add column if not exists text pg_catalog.text,
    add column if not exists after_migrations boolean;
alter table twolane.pushes
    add column if not exists title pg_catalog.text,
    add column if not exists down pg_catalog.text[],
    add column if not exists ran pg_catalog.text[],
    add column if not exists undo pg_catalog.text[];
alter table twolane.pushes
    add column if not exists online pg_catalog.bool not null default false;
create table if not exists twolane.steps (
    revision pg_catalog.text not null,
    way pg_catalog.text not null,
    step pg_catalog.int4 not null,
    steps pg_catalog.int4 not null,
    digest pg_catalog.text not null,
    statement pg_catalog.text not null,
    touches pg_catalog.text[] not null,
    place pg_catalog.jsonb,
    is_done pg_catalog.bool not null default false,
    begun_at pg_catalog.timestamptz not null default pg_catalog.now(),
    done_at pg_catalog.timestamptz,
    primary key (revision, way, step)
);
create table if not exists twolane.facts (
    id bigint generated always as identity primary key,
    kind pg_catalog.text not null,
    digest pg_catalog.text not null,
    facts pg_catalog.bytea not null,
    recorded_at pg_catalog.timestamptz not null default pg_catalog.now()
);
"""

VERSIONS = "twolane.alembic_version"
# As Alembic makes it (`MigrationContext._version`).
_VERSIONS = f"""
create table {VERSIONS} (
    version_num varchar(32) not null,
    constraint alembic_version_pkc primary key (version_num)
)
"""

UP, DOWN = "up", "down"
"""The ways of an online revision through a database."""

NOT_RUN = ""
"""The digest of an SQL file whose objects a later step took away: it has to run again."""


@dataclass(frozen=True)
class Pushed:
    """A revision as the database recorded it. down: what it builds on; None in an old record.

    has_undo: the record has the SQL that takes it back. online: it runs step by step.
    """

    digest: str
    title: str | None = None
    down: tuple[str, ...] | None = None
    commit: str | None = None
    has_undo: bool = False
    online: bool = False


@dataclass(frozen=True)
class Half:
    """An online revision that is on its way, up or down, and not at its end.

    digest: of the revision when its newest step began. steps: how many there are. done: the
    statements of those that are done. touches: identities of the facts that a step changes which
    has begun and is not done. places: step → where a backfill stands.
    """

    revision: str
    way: str
    digest: str
    steps: int
    done: tuple[str, ...]
    touches: frozenset[str] = frozenset()
    places: Mapping[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """The newest state of the ledger; empty for a database that twolane never changed.

    applied: SQL file → digest at its last run, in the order of the files' first runs. earlier: SQL
    file → the digests of its runs before that. late: whether a file ran after the migrations, where
    the record knows. pushed: revision → digest when it was pushed. chain: revision → its record,
    oldest first. revision: where Alembic stands. protected_as: the target's name if the database is
    protected. facts: kind of recorded facts → their digest. half: see there.
    """

    applied: Mapping[str, str] = field(default_factory=dict)
    pushed: Mapping[str, str] = field(default_factory=dict)
    revision: str | None = None
    protected_as: str | None = None
    earlier: Mapping[str, frozenset[str]] = field(default_factory=dict)
    late: Mapping[str, bool | None] = field(default_factory=dict)
    chain: Mapping[str, Pushed] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    half: Half | None = None

    @property
    def is_empty(self) -> bool:
        return not self.applied and self.revision is None


def read(connection: Connection[Any]) -> Ledger:
    """The ledger in at most two round trips; one of an earlier version of twolane has no texts."""
    row = ask(
        connection,
        "select pg_catalog.to_regclass('twolane.sql_runs'), "
        "pg_catalog.to_regclass('twolane.alembic_version'), "
        "pg_catalog.to_regclass('twolane.facts'), "
        "pg_catalog.to_regclass('twolane.steps')",
    ).fetchone()
    if row is None or row[0] is None:
        return Ledger()
    version = "select null::pg_catalog.text"
    if row[1]:
        version = "select version_num from twolane.alembic_version"
    is_new, has_steps = row[2] is not None, row[3] is not None
    late = "after_migrations" if is_new else "null::boolean"
    about = (
        "title, down, undo is not null as has_undo"
        if is_new
        else "null::pg_catalog.text as title, null::pg_catalog.text[] as down, false as has_undo"
    )
    about += f", {'online' if has_steps else 'false as online'}"
    steps = "select * from twolane.steps" if has_steps else f"select {_NO_STEP} where false"
    facts = (
        "select pg_catalog.json_object_agg(kind, digest) from "
        "(select distinct on (kind) kind, digest from twolane.facts order by kind, id desc) k"
        if is_new
        else "select null::json"
    )
    found = ask(
        connection,
        f"""
        select
            (select pg_catalog.json_agg(pg_catalog.json_build_array(file, digest, late) order by id)
                from (select id, file, digest, {late} as late from twolane.sql_runs) f),
            (select pg_catalog.json_agg(
                    pg_catalog.json_build_array(
                        revision, digest, title, down, git_commit, has_undo, online)
                    order by id)
                from (select id, revision, digest, git_commit, {about} from twolane.pushes) p),
            (select pg_catalog.max(version_num) from ({version}) v (version_num)),
            (select target from twolane.label where protected),
            ({facts}),
            (select pg_catalog.json_agg(
                    pg_catalog.json_build_array(
                        revision, way, digest, steps, step, statement, is_done, touches, place)
                    order by step)
                from ({steps}) s)
        """,
    ).fetchone()
    assert found is not None
    runs, pushes, revision, protected_as, kept, begun = found
    applied, earlier, lateness = _files(runs or ())
    chain = {
        name: Pushed(digest, title, None if down is None else tuple(down), commit, undo, online)
        for name, digest, title, down, commit, undo, online in pushes or ()
    }
    pushed = {revision: record.digest for revision, record in chain.items()}
    return Ledger(
        applied,
        pushed,
        revision,
        protected_as,
        earlier,
        lateness,
        chain,
        dict(kept or {}),
        _half(begun or ()),
    )


_NO_STEP = (
    "null::pg_catalog.text as revision, null::pg_catalog.text as way, "
    "null::pg_catalog.text as digest, null::int as steps, "
    "null::int as step, null::pg_catalog.text as statement, null::boolean as is_done, "
    "null::pg_catalog.text[] as touches, null::pg_catalog.jsonb as place"
)


def _half(rows: Sequence[Sequence[Any]]) -> Half | None:
    """The online revision that is on its way, from its rows in their order."""
    if not rows:
        return None
    revision, way, digest, steps = rows[-1][:4]
    done = tuple(statement for *_, statement, is_done, _, _ in rows if is_done)
    touches = frozenset(i for *_, is_done, touched, _ in rows if not is_done for i in touched)
    places = {step: place for *_, step, _, _, _, place in rows if place is not None}
    return Half(revision, way, digest, steps, done, touches, places)


def _files(
    runs: Sequence[tuple[str, str, bool | None]],
) -> tuple[dict[str, str], dict[str, frozenset[str]], dict[str, bool | None]]:
    """The three mappings of a `Ledger` about files, from its rows in their order."""
    digests: dict[str, list[str]] = {}
    late: dict[str, bool | None] = {}
    for file, digest, after in runs:
        if digest == NOT_RUN:
            digests.pop(file, None)  # no form of it was replaced by a newer one since
        else:
            digests.setdefault(file, []).append(digest)
            late[file] = after
    applied = {file: all_[-1] for file, all_ in digests.items()}
    earlier = {file: frozenset(digests[file]) - {digest} for file, digest in applied.items()}
    return applied, earlier, late


def prepare(connection: Connection[Any]) -> None:
    """Makes the ledger's tables if they are not there. Call it while holding twolane's lock."""
    newest = ask(
        connection,
        "select pg_catalog.to_regclass('twolane.facts'), pg_catalog.to_regclass('twolane.steps')",
    ).fetchone()
    if newest is None or None in newest:
        connection.execute(TABLES)


def prepare_versions(connection: Connection[Any]) -> None:
    """Makes Alembic's table if it is not there, so that it is none that a migration makes."""
    found = connection.execute("select pg_catalog.to_regclass(%s)", (VERSIONS,))
    if found.fetchone() == (None,):
        connection.execute(_VERSIONS.encode())


def revisions(connection: Connection[Any]) -> list[str]:
    """Where Alembic's table says that the database stands: one revision, or several heads."""
    found = connection.execute(f"select version_num from {VERSIONS}".encode())
    return sorted(version for (version,) in found)


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


def begin_step(
    connection: Connection[Any],
    revision: str,
    way: str,
    digest: str,
    number: int,
    steps: int,
    statement: str,
    touches: Collection[str],
) -> None:
    """Records that a step of an online revision begins; what was recorded of it stays."""
    connection.execute(
        "insert into twolane.steps (revision, way, digest, step, steps, statement, touches) "
        "values (%s, %s, %s, %s, %s, %s, %s) on conflict (revision, way, step) do update "
        "set digest = excluded.digest, steps = excluded.steps, place = case "
        "when twolane.steps.statement = excluded.statement then twolane.steps.place end, "
        "statement = excluded.statement, touches = excluded.touches",
        (revision, way, digest, number, steps, statement, sorted(touches)),
    )


def finish_step(connection: Connection[Any], revision: str, way: str, number: int) -> None:
    """Records that a step is done."""
    connection.execute(
        "update twolane.steps set is_done = true, place = null, done_at = pg_catalog.now() "
        "where revision = %s and way = %s and step = %s",
        (revision, way, number),
    )


def place_step(
    connection: Connection[Any], revision: str, way: str, number: int, place: Sequence[str]
) -> None:
    """Records where a backfill stands: the last key that is done."""
    connection.execute(
        "update twolane.steps set place = pg_catalog.to_jsonb(%s::pg_catalog.text[]) "
        "where revision = %s and way = %s and step = %s",
        (list(place), revision, way, number),
    )


def forget_steps(connection: Connection[Any], revision: str) -> None:
    """Takes the steps out of the record: the revision is at its end, up or down."""
    connection.execute("delete from twolane.steps where revision = %s", (revision,))


def record_downgrade(connection: Connection[Any], revisions: Sequence[str], to: str | None) -> None:
    """Records that the database no longer has these revisions, and is at `to`."""
    connection.execute("delete from twolane.pushes where revision = any(%s)", (list(revisions),))
    set_revision(connection, to)


def advance(connection: Connection[Any], revision: Revision) -> None:
    """Sets where Alembic stands after this revision ran; other heads stay as they are."""
    prepare_versions(connection)
    connection.execute(
        "delete from twolane.alembic_version where version_num = any(%s)", (list(revision.down),)
    )
    connection.execute(
        "insert into twolane.alembic_version (version_num) values (%s)", (revision.id,)
    )


def set_revision(connection: Connection[Any], revision: str | None) -> None:
    """Sets where Alembic stands; None: before the first revision."""
    connection.execute("delete from twolane.alembic_version")
    if revision is not None:
        connection.execute(
            "insert into twolane.alembic_version (version_num) values (%s)", (revision,)
        )


def texts(connection: Connection[Any], digests: Sequence[str]) -> Mapping[str, str]:
    """Digest → text of the SQL files that the database ran; without those it never recorded."""
    if not digests:
        return {}
    rows = ask(
        connection,
        f"select digest, pg_catalog.max({_column('text')} #>> '{{}}') from twolane.sql_runs r "
        "where digest = any(%s) group by digest",
        (list(digests),),
    )
    return {digest: text for digest, text in rows.fetchall() if text is not None}


def earlier_texts(connection: Connection[Any], digests: Sequence[str]) -> Sequence[tuple[str, str]]:
    """(file, text) of the runs with these digests, each once, in the order of its last run."""
    return ask(
        connection,
        "select file, text from (select distinct on (file, digest) id, file, text "
        "from twolane.sql_runs where digest = any(%s) and text is not null "
        "order by file, digest, id desc) t order by id",
        (list(digests),),
    ).fetchall()


def statements(
    connection: Connection[Any], revision: str
) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    """The SQL that brought a pushed revision about, and the SQL that takes it back."""
    row = ask(
        connection,
        f"select {_column('ran')}, {_column('undo')} from twolane.pushes r "
        "where revision = %s order by id desc limit 1",
        (revision,),
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)


def _column(name: str) -> str:
    """A column of the row `r` as JSON; null in a ledger of an earlier version, which lacks it."""
    return f"nullif(pg_catalog.to_jsonb(r) -> '{name}', 'null'::pg_catalog.jsonb)"


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
