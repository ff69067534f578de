"""What has been done to a database, as its own private schema `twolane` records it.

`entries`, `halfway` and `versions` write it; `repo.record` keeps the facts beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolane.postgres.transactions import ask
from twolane.repo import halfway, versions
from twolane.repo.halfway import Half

if TYPE_CHECKING:
    from psycopg import Connection

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
class Ledger:
    """The newest state of the ledger; empty for a database that twolane never changed.

    applied: SQL file → digest at its last run, in the order of the files' first runs. earlier: SQL
    file → the digests of its runs before that. late: whether a file ran after the migrations, where
    the record knows. pushed: revision → digest when it was pushed. chain: revision → its record,
    oldest first. revision: where Alembic stands. protected_as: the target's name if the database is
    protected. facts: kind of recorded facts → their digest. half: the online revision that is on
    its way.
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


# What is there: the ledger, Alembic's table, what twolane's later versions brought.
_THERE = f"""
select pg_catalog.to_regclass('twolane.sql_runs') is not null,
    pg_catalog.to_regclass('{versions.TABLE}') is not null,
    pg_catalog.to_regclass('twolane.facts') is not null,
    pg_catalog.to_regclass('twolane.steps') is not null
"""


def read(connection: Connection[Any]) -> Ledger:
    """The ledger in at most two round trips; one of an earlier version of twolane has no texts."""
    there = ask(connection, _THERE).fetchone()
    if there is None or not there[0]:
        return Ledger()
    found = ask(connection, _query(*there[1:])).fetchone()
    assert found is not None
    runs, pushes, revision, protected_as, facts, steps = found
    applied, earlier, late = _files(runs or ())
    chain = {
        name: Pushed(digest, title, None if down is None else tuple(down), commit, undo, online)
        for name, digest, title, down, commit, undo, online in pushes or ()
    }
    return Ledger(
        applied,
        {name: pushed.digest for name, pushed in chain.items()},
        revision,
        protected_as,
        earlier,
        late,
        chain,
        dict(facts or {}),
        halfway.of_rows(steps or ()),
    )


def _query(has_versions: bool, has_facts: bool, has_steps: bool) -> str:
    """One row with all that `read` needs; null for what an earlier version has not recorded."""
    facts = (
        "select pg_catalog.json_object_agg(kind, digest) from "
        "(select distinct on (kind) kind, digest from twolane.facts order by kind, id desc) k"
    )
    version = f"select pg_catalog.max(version_num) from {versions.TABLE}"
    steps = (
        f"select pg_catalog.json_agg(pg_catalog.json_build_array({halfway.COLUMNS}) order by step) "
        "from twolane.steps"
    )
    return f"""
        select
            (select pg_catalog.json_agg(
                    pg_catalog.json_build_array(
                        file, digest, {"after_migrations" if has_facts else "null"})
                    order by id)
                from twolane.sql_runs),
            (select pg_catalog.json_agg(
                    pg_catalog.json_build_array(
                        revision, digest, {"title, down" if has_facts else "null, null"},
                        git_commit, {"undo is not null" if has_facts else "false"},
                        {"online" if has_steps else "false"})
                    order by id)
                from twolane.pushes),
            ({version if has_versions else "null"}),
            (select target from twolane.label where protected),
            ({facts if has_facts else "null"}),
            ({steps if has_steps else "null"})
    """


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
