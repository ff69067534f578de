"""Tables, views and routines as the page shows them: plain values, short, with places. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from twolane.facts import identities
from twolane.facts.catalog import Snapshot, definition
from twolane.facts.identities import plain, unquote
from twolane.facts.relations import Relation
from twolane.page.graph import rls, short_type
from twolane.page.words import policy
from twolane.text import clean

Places = Callable[[str], list[int]]
"""The places of a fact, as numbers in the page's list."""


def tables(
    found: Sequence[Relation], facts: Snapshot, app: Collection[str], places: Places
) -> list[dict[str, Any]]:
    """All relations, each with all that is on it."""
    extra = _extra(facts)
    return [
        _table(relation, facts, app, places, extra.get(relation.name, {})) for relation in found
    ]


def _extra(facts: Snapshot) -> Mapping[str, dict[str, dict[str, dict[str, Any]]]]:
    """Relation → triggers, grants and comments of it and of its parts."""
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for identity, text in facts.items():
        kind = identities.kind(identity)
        if kind in ("trigger", "rule", "grant", "comment", "owner"):
            name = identities.relation(identity)
            if name is not None:
                found.setdefault(name, {}).setdefault(kind, {})[identity] = definition(text)
    return found


def _table(
    relation: Relation,
    facts: Snapshot,
    app: Collection[str],
    places: Places,
    extra: Mapping[str, dict[str, dict[str, Any]]],
) -> dict[str, Any]:
    itself = f"{relation.kind} {relation.name}"
    comments = extra.get("comment", {})

    def part(kind: str, name: str) -> str:
        return next(i for i in _spelled(kind, relation.name, name) if i in facts)

    def comment(of: str) -> str:
        return str(comments.get(f"comment {of}", {}).get("text", ""))

    told: dict[str, Any] = {
        "name": relation.plain,
        "kind": relation.kind,
        "lane": "app" if itself in app else "sql",
        "rls": rls(relation) if relation.kind in ("table", "foreign table") else "",
        "at": places(itself),
        "rlsAt": places(f"rls {relation.name}"),
        "comment": comment(itself),
        "columns": [
            [
                *(name, short_type(parts["type"]), int(bool(parts.get("not_null")))),
                *(_default(parts), comment(part("column", name)), places(part("column", name))),
            ]
            for name, parts in _keys_first(relation)
        ],
        "keys": [
            [
                name,
                parts["type"],
                parts["definition"],
                *_target(parts),
                places(part("constraint", name)),
            ]
            for name, parts in relation.constraints.items()
        ],
        "indexes": [
            [name, parts["definition"], places(part("index", name))]
            for name, parts in relation.indexes.items()
        ],
        "policies": [
            [name, policy(parts), _policy_sql(name, relation, parts), places(part("policy", name))]
            for name, parts in relation.policies.items()
        ],
        "triggers": [
            [unquote(identities.own_name(i)), clean(parts.get("definition", "")), places(i)]
            for kind in ("trigger", "rule")
            for i, parts in extra.get(kind, {}).items()
        ],
        "grants": [
            [_whom(i), ", ".join(parts["privileges"]), _column(i), places(i)]
            for i, parts in extra.get("grant", {}).items()
        ],
        "sql": relation.parts.get("definition", ""),
        "of": [plain(parent) for parent in relation.parts.get("inherits", ())],
    }
    return {key: value for key, value in told.items() if value not in ("", [], None)}


def _keys_first(relation: Relation) -> list[tuple[str, dict[str, Any]]]:
    """The columns, those of the primary key first: facts don't have the order of columns."""
    keys = {
        column
        for parts in relation.constraints.values()
        if parts["type"] == "primary key"
        for column in parts["columns"]
    }
    return sorted(relation.columns.items(), key=lambda column: column[0] not in keys)


def _spelled(kind: str, relation: str, name: str) -> tuple[str, str]:
    """The identity of a part, with its name as it is and in quotes."""
    quoted = '"' + name.replace('"', '""') + '"'
    return f"{kind} {relation}.{name}", f"{kind} {relation}.{quoted}"


def _default(parts: Mapping[str, Any]) -> str:
    if "generated" in parts:
        return f"generated: {parts['generated']}"
    if "identity" in parts:
        return f"identity, {parts['identity']}"
    return str(parts.get("default", ""))


def _target(parts: Mapping[str, Any]) -> list[Any]:
    """What a foreign key refers to, and its own columns."""
    if parts["type"] != "foreign key":
        return ["", parts.get("columns") or []]
    return [plain(parts["references"]), parts["columns"]]


def _policy_sql(name: str, relation: Relation, parts: Mapping[str, Any]) -> str:
    lines = [
        f"create policy {name} on {relation.name}",
        *(["as restrictive"] if parts.get("restrictive") else []),
        f"for {parts['for']} to {', '.join(parts['to'])}",
        *([f"using {_bracketed(parts['using'])}"] if "using" in parts else []),
        *([f"with check {_bracketed(parts['check'])}"] if "check" in parts else []),
    ]
    return "\n".join(lines) + ";"


def _bracketed(expression: str) -> str:
    return expression if expression.startswith("(") else f"({expression})"


def _whom(identity: str) -> str:
    return unquote(identities.grantee(identity))


def _column(identity: str) -> str:
    """The column that a grant is about; empty for the whole relation."""
    about = str(identities.about(identity))
    return unquote(identities.own_name(about)) if identities.kind(about) == "column" else ""


_OTHERS = ("function", "procedure", "aggregate", "enum", "domain", "extension", "event trigger")


def others(facts: Snapshot, places: Places) -> list[list[Any]]:
    """Functions, types, extensions: kind, name, definition, places."""
    found = []
    for identity, text in facts.items():
        kind = identities.kind(identity)
        if kind in _OTHERS:
            parts = definition(text)
            words = parts.get("definition") or ", ".join(map(str, parts.get("labels", ()))) or text
            found.append([kind, identity.removeprefix(f"{kind} "), words, places(identity)])
    return found
