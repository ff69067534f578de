"""What each command asks of the catalogs, query by query, as pg_stat_statements counts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from .measure import Run, Subject
from .server import Server

_RESET = "select pg_stat_statements_reset()"
# Of the beginning of a query, comments and layout left aside.
_LENGTH = 90
_MOST = """
select
    left(regexp_replace(regexp_replace(query, '--[^\\n]*\\n', '', 'g'), '\\s+', ' ', 'g'), %s),
    sum(calls)::int, sum(total_plan_time) / 1000, sum(total_exec_time) / 1000
from pg_stat_statements
where toplevel and query ~ 'pg_catalog\\.' and query !~* '^(create|alter|drop|do|set) '
group by queryid, query
having sum(total_plan_time + total_exec_time) >= 1
order by sum(total_plan_time + total_exec_time) desc
"""


@dataclass(frozen=True)
class Query:
    """A query of one run of a command, of a millisecond and more. planning, running: seconds."""

    workload: str
    size: int
    text: str
    calls: int
    planning: float
    running: float


def watched(
    workload: str, size: int, subject: Subject, server: Server, found: list[Query]
) -> Subject:
    """The same subject; after each run `found` has the queries of that run.

    They are counted for the server's databases together: a copy or a shadow is one of its own.
    """

    def before() -> None:
        subject.before()
        server.run(_RESET)

    def check(run: Run) -> str:
        found[:] = [Query(workload, size, *row) for row in _read(server)]
        return subject.check(run)

    return replace(subject, before=before, check=check)


def _read(server: Server) -> list[tuple[str, int, float, float]]:
    with psycopg.connect(server.url()) as connection:
        return connection.execute(_MOST, (_LENGTH,)).fetchall()


def table(found: Sequence[Query], most: int = 12) -> str:
    """The queries that take longest with the most tables, each with its command."""
    largest = max((query.size for query in found), default=0)
    slow = sorted(
        (query for query in found if query.size == largest),
        key=lambda query: -query.planning - query.running,
    )
    return "\n".join(
        f"{1000 * (query.planning + query.running):7.0f} ms in {query.calls:4}  "
        f"{query.workload}: {query.text}"
        for query in slow[:most]
    )


def as_json(found: Sequence[Query]) -> list[dict[str, Any]]:
    return [
        {
            "workload": query.workload,
            "tables": query.size,
            "query": query.text,
            "calls": query.calls,
            "planning": round(query.planning, 4),
            "running": round(query.running, 4),
        }
        for query in found
    ]
