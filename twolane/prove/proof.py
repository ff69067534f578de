"""A proof: makes the rows, tries everything, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from twolane.config import Prove
from twolane.facts.catalog import Snapshot
from twolane.prove import report, schema_reading
from twolane.prove.attempts import FAILED, OTHER, Attempt
from twolane.prove.calls import Caller
from twolane.prove.causes import of_finding
from twolane.prove.closing import closing
from twolane.prove.guises import at_signup
from twolane.prove.owners import Owners
from twolane.prove.realtime import Realtime
from twolane.prove.rows import Rows
from twolane.prove.run import Run
from twolane.prove.schema import MESSAGES, OBJECTS, Schema
from twolane.prove.session import LentSession, asking, opened
from twolane.prove.setting import Setting
from twolane.prove.stage import LIMITS, Stage
from twolane.prove.storage import Storage
from twolane.prove.variety import Variety

if TYPE_CHECKING:
    from psycopg import Connection

# No user has these ids, so they also fit into a copy of a database with users in it.
USERS: Mapping[str, str] = {
    "A": "a0000000-7e57-4000-8000-00000000000a",
    "B": "b0000000-7e57-4000-8000-00000000000b",
}
_REST = "-7e57-4000-8000-000000000000"


def prove(
    connection: Connection[Any],
    facts: Snapshot,
    hints: Prove,
    tenant_column: str,
    database: str,
    working: Callable[[str], AbstractContextManager[Any]],
    login: Callable[[], Mapping[str, Any]] | None = None,
) -> report.Proof:
    """Tries to break tenant isolation in a throw-away copy, in which rows of two users stay.

    database: what it is a copy of. working: is called with the name of each step. login: see
    `session.opened`.

    Raises:
        Failure: a hint names nothing, or no user can be made.
    """
    connection.execute(LIMITS)
    schema = schema_reading.read(connection, facts)
    schema_reading.check_hints(hints, schema)
    owners = Owners(schema, tenant_column, hints.tenants)
    rows = _rows(connection, schema, owners, hints)
    with working("making rows for two users"):
        rows.make()
    with opened(connection, schema, login) as session:
        session.connection.execute(LIMITS)
        stage = Stage(session, schema, rows)
        platform = _platform(stage)
        attempts = _attempts(stage, platform.values(), working)
    return _proof(database, hints, stage, owners, platform, attempts)


def _proof(
    database: str,
    hints: Prove,
    stage: Stage,
    owners: Owners,
    platform: Mapping[str, Storage | Realtime],
    attempts: list[Attempt],
) -> report.Proof:
    """What came of the attempts. platform: see `_platform`."""
    schema = stage.schema
    is_lent = isinstance(stage.session, LentSession)
    own = [table for table in schema.tables if table.exposed]
    tenants = {table.name: owners.tenant(table) for table in own}
    tenants |= {name: of.understood[0] for name, of in platform.items()}
    understood = {table.name: owners.understood(table) for table in own}
    understood |= {name: of.understood[1] for name, of in platform.items()}
    conditions = {name: of.condition for name, of in platform.items()}
    return report.Proof(
        database=database,
        attempts=attempts,
        shared=hints.shared,
        understood=understood,
        tenants=tenants,
        as_owner=[] if is_lent else asking(schema),
        without_policy=[name for name in (OBJECTS, MESSAGES) if name not in schema.platform],
        closed=[table.name for table in own if not table.reachable],
        gaps=_gaps(schema, stage.rows, attempts),
        insertable={
            table.name for table in own if any(p.command in ("a", "*") for p in table.policies)
        },
        published=[table.name for table in own if table.published and not table.has_rls],
        cause=partial(of_finding, schema=schema, understood=understood),
        setting=Setting(schema, stage.rows).of,
        closes=partial(closing, owners=owners, platform=conditions),
        uncalled=dict(report.uncalled(attempts, [f.signature for f in schema.functions])),
    )


def _rows(connection: Connection[Any], schema: Schema, owners: Owners, hints: Prove) -> Rows:
    """The rows to be made: of two users, of those with other values, of those who sign up."""
    further = {f"C{number}": number for number in range(Variety(schema.sources, owners).count)}
    metadata = {f"D{number}": text for number, text in enumerate(at_signup(schema.sources))}
    users = {**USERS, **{name: f"c000000{n}{_REST}" for name, n in further.items()}}
    users |= {name: f"d000000{name[1:]}{_REST}" for name in metadata}
    return Rows(connection, schema, owners, users, hints.rows, further, metadata)


def _platform(stage: Stage) -> Mapping[str, Storage | Realtime]:
    """Table of the platform → who tries it; none that no policy is on, because that closes it."""
    every: Mapping[str, Storage | Realtime] = {OBJECTS: Storage(stage), MESSAGES: Realtime(stage)}
    return {name: tried for name, tried in every.items() if name in stage.schema.platform}


def _attempts(
    stage: Stage,
    platform: Iterable[Storage | Realtime],
    working: Callable[[str], AbstractContextManager[Any]],
) -> list[Attempt]:
    found = Run(stage).attempts(working)
    with working("calling functions"):
        found += Caller(stage).run()
    with working("trying files and channels"):
        for tried in platform:
            found += tried.run()
    return found


def _gaps(schema: Schema, rows: Rows, attempts: Sequence[Attempt]) -> dict[str, str]:
    """Relation → why nothing is known of it: it has no rows, or every try ends in an error."""
    found = {
        relation.name: rows.reasons[relation.name]
        for relation in schema.relations.values()
        if relation.reachable and relation.name in rows.reasons
    }
    for attempt in attempts:
        is_untried = attempt.verdict == FAILED and attempt.whose == OTHER
        if attempt.kind != "function" and is_untried and _is_its_own(attempt):
            found.setdefault(attempt.object, f"{attempt.operation}{report.FAILS}{attempt.detail}")
    return found


def _is_its_own(attempt: Attempt) -> bool:
    """Whether a policy, trigger or view caused the error, and not the values that were tried."""
    return attempt.operation == "select" or attempt.state[:2] not in ("22", "23")
