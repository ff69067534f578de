"""One valid row for every tenant-scoped table, for tests that need rows of two users."""

import json
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

ALICE = "aaaaaaaa-0000-4000-8000-000000000001"
BOB = "bbbbbbbb-0000-4000-8000-000000000002"

Ids = dict[str, str]

# Parents first.
TENANT_TABLES = [
    "contacts",
    "raw_events",
    "interactions",
    "documents",
    "jobs",
    "embeddings",
    "ai_insights",
    "threads",
    "messages",
    "tool_invocations",
]
GUARDRAIL_TABLES = ["ai_quotas", "ai_usage"]

# (table, column, parent): every reference from one tenant-scoped table to another.
REFERENCES = [
    ("interactions", "contact_id", "contacts"),
    ("interactions", "raw_event_id", "raw_events"),
    ("documents", "contact_id", "contacts"),
    ("documents", "raw_event_id", "raw_events"),
    ("threads", "contact_id", "contacts"),
    ("messages", "thread_id", "threads"),
    ("tool_invocations", "message_id", "messages"),
]


def sample(table: str, parents: Ids) -> dict[str, Any]:
    """A row of a table, without its owner; `parents` are the ids of the rows it may refer to."""
    some = uuid4().hex
    row: dict[str, Any]
    match table:
        case "contacts":
            row = {"display_name": "Ada", "email": f"{some}@example.com"}
        case "raw_events":
            row = {"source": "mail", "external_id": some, "payload": "{}"}
        case "interactions":
            row = {"kind": "email", "occurred_at": "2026-01-01", **refer(table, parents)}
        case "documents":
            row = {"title": "Contract", **refer(table, parents)}
        case "jobs":
            row = {"kind": "mail.ingest"}
        case "embeddings":
            row = {
                "source_kind": "contact",
                "source_id": parents["contacts"],
                "chunk_index": uuid4().int % 2**31,
                "content": "Ada wrote",
                "model": "test",
            }
        case "ai_insights":
            row = {
                "contact_id": parents["contacts"],
                "embedding_id": parents["embeddings"],
                "kind": "summary",
                "title": "Ada",
                "body": "Writes often",
                "model": "test",
            }
        case "threads":
            row = {"title": "About Ada", **refer(table, parents)}
        case "messages":
            row = {"role": "user", "content": "Who is Ada?", **refer(table, parents)}
        case "tool_invocations":
            row = {"tool_call_id": some, "tool_name": "search", **refer(table, parents)}
        case "ai_quotas":
            period = "day" if "ai_quotas" not in parents else "month"
            row = {"metric": "tokens", "period": period, "max_amount": 1000}
        case "ai_usage":
            row = {"request_id": some, "purpose": "chat", "model": "test"}
        case _:
            raise LookupError(table)
    return row


def refer(table: str, parents: Ids) -> Ids:
    return {column: parents[parent] for name, column, parent in REFERENCES if name == table}


def insert(connection: psycopg.Connection, table: str, row: dict[str, Any]) -> int:
    """Insert one row without reading it back; how many went in."""
    statement = sql.SQL("insert into public.{} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    return connection.execute(statement, list(row.values())).rowcount


def add_users(connection: psycopg.Connection) -> None:
    for user in (ALICE, BOB):
        connection.execute(
            "insert into auth.users (id, aud, role, email, raw_app_meta_data)"
            " values (%s, 'authenticated', 'authenticated', %s, %s)",
            [user, f"{user}@example.com", json.dumps({"provider": "email"})],
        )


def fill(connection: psycopg.Connection, tables: list[str], **owner: str) -> Ids:
    """Insert one row into each table, related to one another; their ids."""
    ids: Ids = {}
    for table in tables:
        row = {"id": str(uuid4()), **sample(table, ids), **owner}
        insert(connection, table, row)
        ids[table] = row["id"]
    return ids
