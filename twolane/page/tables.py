"""Tables, views and routines as the page shows them: plain values, short, with places. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from twolane.facts import differences, identities
from twolane.facts.catalog import Snapshot, definition
from twolane.facts.identities import plain, unquote
from twolane.facts.relations import Relation
from twolane.page.graph import TABLES, lane, rls, short_type
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

    def at(kind: str, name: str) -> list[int]:
        return places(_part(kind, relation, name, facts))

    told: dict[str, Any] = {
        "name": relation.plain,
        "kind": relation.kind,
        "lane": lane(relation, app),
        "rls": rls(relation) if relation.kind in TABLES else "",
        "at": places(itself),
        "rlsAt": places(f"rls {relation.name}"),
        "comment": _comment(itself, comments),
        "columns": [
            [*_column(name, parts, relation, facts, comments), at("column", name)]
            for name, parts in _keys_first(relation)
        ],
        "keys": [
            [name, parts["type"], parts["definition"], *_target(parts), at("constraint", name)]
            for name, parts in relation.constraints.items()
        ],
        "indexes": [
            [name, parts["definition"], at("index", name)]
            for name, parts in relation.indexes.items()
        ],
        "policies": [
            [name, policy(parts), _policy_sql(name, relation, parts, facts), at("policy", name)]
            for name, parts in relation.policies.items()
        ],
        **_beside(extra, places),
        "sql": relation.parts.get("definition", ""),
        "of": [plain(parent) for parent in relation.parts.get("inherits", ())],
    }
    return {key: value for key, value in told.items() if value not in ("", [], None)}


def _beside(
    extra: Mapping[str, dict[str, dict[str, Any]]], places: Places
) -> dict[str, list[list[Any]]]:
    """Triggers and grants."""
    return {
        "triggers": [
            [unquote(identities.own_name(i)), clean(parts.get("definition", "")), places(i)]
            for kind in ("trigger", "rule")
            for i, parts in extra.get(kind, {}).items()
        ],
        "grants": [
            [_whom(i), ", ".join(parts["privileges"]), _column_of(i), places(i)]
            for i, parts in extra.get("grant", {}).items()
        ],
    }


def _comment(of: str, comments: Mapping[str, dict[str, Any]]) -> str:
    return str(comments.get(f"comment {of}", {}).get("text", ""))


def _column(
    name: str,
    parts: Mapping[str, Any],
    relation: Relation,
    facts: Snapshot,
    comments: Mapping[str, dict[str, Any]],
) -> list[Any]:
    is_required = bool(parts.get("not_null"))
    told = _comment(_part("column", relation, name, facts), comments)
    return [name, short_type(parts["type"]), int(is_required), _default(parts), told]


def _keys_first(relation: Relation) -> list[tuple[str, dict[str, Any]]]:
    """The columns, those of the primary key first: facts don't have the order of columns."""
    keys = {
        column
        for parts in relation.constraints.values()
        if parts["type"] == "primary key"
        for column in parts["columns"]
    }
    return sorted(relation.columns.items(), key=lambda column: column[0] not in keys)


def _part(kind: str, relation: Relation, name: str, facts: Snapshot) -> str:
    """The identity of a part, whose name is as it is there, or in quotes."""
    quoted = '"' + name.replace('"', '""') + '"'
    spelled = (f"{kind} {relation.name}.{name}", f"{kind} {relation.name}.{quoted}")
    return next(identity for identity in spelled if identity in facts)


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


def _policy_sql(name: str, relation: Relation, parts: Mapping[str, Any], facts: Snapshot) -> str:
    quoted = identities.own_name(_part("policy", relation, name, facts))
    lines = [
        f"create policy {quoted} on {relation.name}",
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


def _column_of(identity: str) -> str:
    """The column that a grant is about; empty for the whole relation."""
    about = str(identities.about(identity))
    return unquote(identities.own_name(about)) if identities.kind(about) == "column" else ""


_ON_ANOTHER = ("owner", "security label", "grant", "comment")


def others(facts: Snapshot, places: Places) -> list[list[Any]]:
    """Functions, types, extensions, schemas and what else is on no relation: kind, name, what is
    known of it, places."""
    said = _said(facts)
    found = []
    for identity, text in facts.items():
        kind = identities.kind(identity)
        if kind not in _ON_ANOTHER and identities.relation(identity) is None:
            words = "\n".join([*_words(definition(text)), *said.get(identity, ())])
            found.append([kind, identity.removeprefix(f"{kind} "), words, places(identity)])
    return found


def _said(facts: Snapshot) -> Mapping[str, list[str]]:
    """Object → its comment, and who may do what with it."""
    found: dict[str, list[str]] = {}
    for identity, text in facts.items():
        of, kind = identities.about(identity), identities.kind(identity)
        if of and kind in ("comment", "grant") and identities.relation(of) is None:
            parts = definition(text)
            told = parts.get("text") or f"{', '.join(parts['privileges'])} to {_whom(identity)}"
            found.setdefault(of, []).append(f"{kind}: {told}")
    return found


def _words(parts: Mapping[str, Any]) -> list[str]:
    if "definition" in parts:
        return [str(parts["definition"])]
    return [f"{name.replace('_', ' ')}: {differences.value(parts, name)}" for name in parts]
