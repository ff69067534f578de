"""Relation → the docstring of its class: policies, checks, indexes and what else a reader needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from twolane.models import python
from twolane.models.keys import Relation
from twolane.sql import quote


def docstring(relation: Relation) -> Iterator[str]:
    """What the ORM does not need of a table or view, but a reader does, line by line."""
    yield python.one_line(_title(relation))
    if comment := relation.comment.strip():
        yield ""
        yield from map(python.one_line, comment.splitlines())
    if properties := list(_properties(relation)):
        yield ""
        yield from map(python.one_line, properties)
    for title, items in _lists(relation):
        if lines := [f"    {python.one_line(item)}" for item in items]:
            yield ""
            yield f"{title}:"
            yield from lines


def _title(relation: Relation) -> str:
    parts = relation.parts
    if "bound" in parts:
        return f"Table {relation.identity}, a partition of {parts['inherits'][0]}."
    return f"{relation.kind.capitalize()} {relation.identity}."


def _properties(relation: Relation) -> Iterator[str]:
    parts = relation.parts
    if "bound" in parts:
        yield f"Holds the rows {parts['bound']}. What its parent demands holds here too."
    elif "inherits" in parts:
        yield f"Inherits {', '.join(parts['inherits'])}."
    if "partition_by" in parts:
        yield f"Partitioned by {parts['partition_by']}."
    if "server" in parts:
        yield f"On the server {parts['server']}."
    if relation.kind == "table":
        yield _row_level_security(relation)
    if not relation.key:
        yield f"No primary key; rows are told apart by {', '.join(relation.row_key)}."


def _row_level_security(relation: Relation) -> str:
    rls = relation.facts["rls"].get("", {})
    if not rls.get("enabled"):
        return "Row level security is off."
    return (
        "Row level security is on, for the owner too."
        if "forced" in rls
        else "Row level security is on."
    )


def _lists(relation: Relation) -> Iterator[tuple[str, Iterable[str]]]:
    facts = relation.facts
    yield "Policies", (_policy(name, parts) for name, parts in facts["policy"].items())
    checks = relation.constraints("check", "exclude")
    yield "Checks", (f"{name}: {parts['definition']}" for name, parts in checks)
    yield "Foreign keys that SQLAlchemy can't express", relation.foreign_keys_left_out
    yield "Relationships that share a column", relation.shared_keys
    yield "Indexes", (_index(relation, name, parts) for name, parts in facts["index"].items())
    yield "Triggers", map(_definition, facts["trigger"].values())
    yield "Rules", map(_definition, facts["rule"].values())


def _policy(name: str, parts: dict[str, Any]) -> str:
    """`CREATE POLICY` as it would be written, from the name on."""
    words = [f"{name}:", "restrictive" if "restrictive" in parts else ""]
    words += [f"for {parts['for']}", f"to {', '.join(parts['to'])}"]
    words += [f"using ({parts['using']})"] if "using" in parts else []
    words += [f"with check ({parts['check']})"] if "check" in parts else []
    return " ".join(words)


def _index(relation: Relation, name: str, parts: dict[str, Any]) -> str:
    """The definition from the method on: before it are only the names of index and table."""
    text, unique = parts["definition"], "unique " if "unique" in parts else ""
    for spelled in (name, quote(name)):
        for only in ("", "ONLY "):
            before = f"CREATE {unique.upper()}INDEX {spelled} ON {only}{relation.identity} USING "
            if text.startswith(before):
                return f"{name}: {unique}{text.removeprefix(before)}"
    return f"{name}: {text}"


def _definition(parts: dict[str, Any]) -> str:
    state = f" ({parts['enabled']})" if "enabled" in parts else ""
    return f"{parts['definition']}{state}"
