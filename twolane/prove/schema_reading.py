"""Reads the tables, views and functions that `db.prove` needs, in one query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.config import Prove
from twolane.errors import Failure
from twolane.facts import identities
from twolane.facts.catalog import Snapshot
from twolane.postgres.transactions import ask
from twolane.prove.schema import (
    MESSAGES,
    OBJECTS,
    USERS,
    Argument,
    Check,
    Column,
    ForeignKey,
    Function,
    Policy,
    Relation,
    Schema,
    Type,
)
from twolane.text import meant

if TYPE_CHECKING:
    from psycopg import Connection


def read(connection: Connection[Any], facts: Snapshot) -> Schema:
    """Reads the tables, views and functions that the facts name."""
    names = [
        str(identities.relation(identity))
        for identity in facts
        if identities.kind(identity) in identities.RELATION_KINDS
    ]
    schemas = {
        identities.unquote(identities.split_name(_name(i))[0]) for i in facts if _has_schema(i)
    }
    query = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    parameters = {"names": [*names, USERS], "schemas": sorted(schemas), "own": names}
    parameters["platform"] = [OBJECTS, MESSAGES]
    row = ask(connection, query, parameters).fetchone()
    found = row[0] if row else {}
    relations = {r["name"]: _relation(r) for r in found["relations"] or []}
    functions = [_function(f) for f in found["functions"] or []]
    texts = [(name, text) for name, text in found["texts"] or []]
    platform = {
        name: [Policy(**policy) for policy in policies]
        for name, policies in (found["platform"] or {}).items()
    }
    return Schema(relations, functions, texts, platform)


def check_hints(hints: Prove, schema: Schema) -> None:
    """Raises a `Failure` for a hint about something that does not exist."""
    functions = {function.signature for function in schema.functions}
    for name in hints.shared:
        if name not in schema.relations and name not in functions:
            what = f"shared: {name} is no table, view or function"
            raise _misnamed(what, schema, name, schema.relations)
    columns_of = ((name, [column]) for name, column in hints.tenants.items())
    for name, columns in (*columns_of, *hints.rows.items()):
        if name not in schema.relations:
            raise _misnamed(f"{name} is no table", schema, name, schema.relations)
        for column in columns:
            if not schema.relations[name].has(column):
                columns_there = [found.name for found in schema.relations[name].columns]
                what = f"{name} has no column {column}"
                raise _misnamed(what, schema, column, columns_there)


def _misnamed(what: str, schema: Schema, name: str, known: Iterable[str]) -> Failure:
    return Failure(
        f"pyproject.toml, [tool.twolane.prove]: {what}. {meant(name, known)}".rstrip(),
        f"Names are as in: {', '.join(list(schema.relations)[1:5])}",
    )


def _has_schema(identity: str) -> bool:
    return identities.kind(identity) in (*identities.RELATION_KINDS, "function", "procedure")


def _name(identity: str) -> str:
    return identity.removeprefix(identities.kind(identity) + " ")


def _type(parts: Mapping[str, Any]) -> Type:
    return Type(**{**parts, "labels": parts["labels"] or [], "checks": parts["checks"] or []})


def _relation(parts: Mapping[str, Any]) -> Relation:
    return Relation(
        **{
            **parts,
            "columns": [Column(**{**c, "type": _type(c["type"])}) for c in parts["columns"] or []],
            "policies": [Policy(**policy) for policy in parts["policies"] or []],
            "checks": [Check(**check) for check in parts["checks"] or []],
            "keys": parts["keys"] or [],
            "foreign_keys": [ForeignKey(**key) for key in parts["foreign_keys"] or []],
            "unique": parts["unique"] or {},
        }
    )


def _function(parts: Mapping[str, Any]) -> Function:
    arguments = [Argument(**{**a, "type": _type(a["type"])}) for a in parts["arguments"] or []]
    return Function(**{**parts, "arguments": arguments})


def as_row(text: str) -> dict[str, str | None]:
    """A JSON row as column → text, for literals."""
    row: dict[str, Any] = json.loads(text)
    return {k: v if v is None or isinstance(v, str) else json.dumps(v) for k, v in row.items()}
