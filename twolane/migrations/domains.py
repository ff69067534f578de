"""The app's domains: how one comes, changes in place, and what takes a new one. Pure.

A domain stands here in one fact, with its constraints in it: `comparable.folded`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations.wording import NOT_VALID, reparsable

KIND = "domain"
CONSTRAINTS = "constraints"


def names(facts: Snapshot) -> list[str]:
    """The domains in a snapshot, as `schema.name`; one that is the base of another comes first."""
    found = {i.removeprefix("domain "): i for i in facts if identities.kind(i) == KIND}
    ordered: dict[str, None] = {}

    def place(name: str) -> None:
        base = element(catalog.definition(facts[found[name]])["type"])
        if base in found and base not in ordered:
            place(base)
        ordered.setdefault(name)

    for name in sorted(found):
        place(name)
    return list(ordered)


def folded(facts: Snapshot) -> Snapshot:
    """The facts with the constraints of each domain in the domain's own fact."""
    domains = {i.removeprefix("domain "): i for i in facts if identities.kind(i) == KIND}
    if not domains:
        return facts
    inside: dict[str, dict[str, str]] = {}
    kept = {}
    for identity, text in facts.items():
        owner = identities.relation(identity) if identities.kind(identity) == "constraint" else None
        if owner in domains:
            parts = catalog.definition(text)
            inside.setdefault(owner, {})[identities.own_name(identity)] = parts["definition"]
        else:
            kept[identity] = text
    for name, constraints in inside.items():
        parts = catalog.definition(kept[domains[name]])
        kept[domains[name]] = catalog.as_text({**parts, CONSTRAINTS: constraints})
    return kept


def create(name: str, parts: Mapping[str, Any]) -> str:
    """The statement that makes a domain with its constraints."""
    words = [f"create domain {name} as {parts['type']}"]
    words += [f"collate {parts['collation']}"] if "collation" in parts else []
    words += [f"default {reparsable(parts['default'])}"] if "default" in parts else []
    words += ["not null"] if parts.get("not_null") else []
    words += [
        f"constraint {own} {reparsable(definition)}"
        for own, definition in made(parts)[CONSTRAINTS].items()
    ]
    return " ".join(words)


def made(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that `create` makes."""
    constraints = parts.get(CONSTRAINTS, {})
    whole = {own: words for own, words in constraints.items() if not words.endswith(NOT_VALID)}
    return {**parts, CONSTRAINTS: whole}


def changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Statements that change a domain in place; of its base and collation they change nothing."""
    alter = f"alter domain {name}"
    before, after = old.get(CONSTRAINTS, {}), new.get(CONSTRAINTS, {})
    for own, definition in before.items():
        if after.get(own) not in (definition, definition.removesuffix(NOT_VALID)):
            yield f"{alter} drop constraint {own}"
    if old.get("default") != new.get("default"):
        default = new.get("default")
        yield f"{alter} set default {reparsable(default)}" if default else f"{alter} drop default"
    if bool(old.get("not_null")) != bool(new.get("not_null")):
        yield f"{alter} {'set' if new.get('not_null') else 'drop'} not null"
    for own, definition in after.items():
        if before.get(own) == f"{definition}{NOT_VALID}":
            yield f"{alter} validate constraint {own}"
        elif before.get(own) != definition:
            yield f"{alter} add constraint {own} {reparsable(definition)}"


def swapped(old: Snapshot, new: Snapshot, types: Collection[str]) -> frozenset[str]:
    """The domains that a new one has to replace: of another base, or of one that is replaced.

    types: the enums that are replaced.
    """
    found: set[str] = set()
    for name in names(new):
        if f"domain {name}" not in old:
            continue
        before = catalog.definition(old[f"domain {name}"])
        after = catalog.definition(new[f"domain {name}"])
        is_other = any(before.get(part) != after.get(part) for part in ("type", "collation"))
        if is_other or element(after["type"]) in {*types, *found}:
            found.add(name)
    return frozenset(found)


def base(kind: str, facts: Snapshot) -> str:
    """The type under a domain, or under all of them, that is none; as an array where it is one."""
    under = kind
    while (fact := facts.get(f"domain {element(under)}")) is not None:
        under = catalog.definition(fact)["type"]
    is_array = kind.endswith("[]") and not under.endswith("[]")
    return f"{under}[]" if is_array else under


def used_by(facts: Snapshot) -> set[str]:
    """The domains that a column has, and those that are the base of such a one."""
    used = {
        element(catalog.definition(text)["type"])
        for identity, text in facts.items()
        if identities.kind(identity) == "column"
    }
    found = names(facts)
    for name in reversed(found):
        if name in used:
            used.add(element(catalog.definition(facts[f"domain {name}"])["type"]))
    return used & {*found}


def without(facts: Snapshot, gone: Iterable[str]) -> Snapshot:
    """The facts without these domains, which are facts, and their constraints."""
    lost = frozenset(gone)
    return {
        i: text
        for i, text in facts.items()
        if i not in lost
        and (identities.kind(i) != "constraint" or f"domain {identities.relation(i)}" not in lost)
    }


def element(kind: str) -> str:
    """The type without the brackets of an array."""
    return kind.removesuffix("[]")
