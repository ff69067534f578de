"""What `db.prove` says of a service."""

import json
from contextlib import nullcontext
from typing import Any

import psycopg
from json_shapes import assert_documented
from service import Service

from twolane.config import Prove
from twolane.facts import catalog
from twolane.prove import proof
from twolane.prove import report as reports

OWN = "using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()))"
TENANT = "user_id uuid not null references auth.users on delete cascade"
OMNICRM = {
    "ai_insights", "ai_quotas", "ai_usage", "contacts", "documents", "embeddings", "interactions",
    "jobs", "messages", "raw_events", "threads", "tool_invocations",
}  # fmt: skip


def report(service: Service, *arguments: str, code: int = 0) -> dict[str, Any]:
    found = json.loads(service.invoke("db.prove", "--json", *arguments, code=code).out)
    assert isinstance(found, dict)
    assert_documented("db.prove", found)
    return found


def proven(found: dict[str, Any]) -> set[str]:
    """The tables on which something was tried."""
    return {cell["object"] for cell in found["matrix"] if cell["kind"] == "table"}


def verdicts(found: dict[str, Any], name: str, rows: str, who: str = "user A") -> dict[str, str]:
    return {
        cell["operation"]: cell["verdict"]
        for cell in found["matrix"]
        if (cell["object"], cell["who"], cell["rows"]) == (name, who, rows)
    }


def opened(table: str, columns: str, rest: str = "") -> str:
    """A table of tenants, open to them and right."""
    return (
        f"create table {table} ({TENANT}, {columns});"
        f"grant select, insert, update, delete on {table} to authenticated;"
        f'create policy "own" on {table} for all to authenticated {OWN};{rest}'
    )


def hint(service: Service, table: str, line: str) -> None:
    text = service.read("pyproject.toml")
    head = f"[tool.twolane.prove{f'.{table}' if table else ''}]"
    service.write("pyproject.toml", f"{text}\n{head}\n{line}\n")


def tried(database: str, sql: str, column: str = "user_id", **hints: Any) -> dict[str, Any]:
    """The report on a database of the test's own after this SQL, without a service's files."""
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(sql.encode())
        facts = catalog.read(connection)
        found = proof.prove(
            connection, facts, Prove(**hints), column, "shadow", lambda _: nullcontext()
        )
    return reports.as_json(found)


def broken(found: dict[str, Any]) -> set[tuple[str, str]]:
    """What was found: (object, operation)."""
    return {(finding["object"], finding["operation"]) for finding in found["findings"]}
