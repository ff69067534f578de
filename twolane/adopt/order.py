"""Finds the entries of a dump that are a project's own, and the file of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.postgres.dump import Entry

# The files by concern, in the order in which they run.
CONCERNS = (
    "types",
    "functions",
    "tables",
    "keys",
    "functions_on_tables",
    "views",
    "triggers",
    "policies",
    "grants",
    "publications",
    "event_triggers",
)
# pg_dump's kinds; other kinds (operators, casts, text search, …) go into the functions file.
_CONCERN = {
    "SCHEMA": "types",
    "EXTENSION": "types",
    "SHELL TYPE": "types",
    "TYPE": "types",
    "DOMAIN": "types",
    "COLLATION": "types",
    "FOREIGN DATA WRAPPER": "types",
    "SERVER": "types",
    "USER MAPPING": "types",
    "TABLE": "tables",
    "FOREIGN TABLE": "tables",
    "SEQUENCE": "tables",
    "SEQUENCE OWNED BY": "tables",
    "DEFAULT": "tables",
    "TABLE ATTACH": "tables",
    "CONSTRAINT": "keys",
    "CHECK CONSTRAINT": "keys",
    "FK CONSTRAINT": "keys",
    "INDEX": "keys",
    "INDEX ATTACH": "keys",
    "STATISTICS": "keys",
    "VIEW": "views",
    "MATERIALIZED VIEW": "views",
    "RULE": "views",
    "TRIGGER": "triggers",
    "ROW SECURITY": "policies",
    "POLICY": "policies",
    "ACL": "grants",
    "DEFAULT ACL": "grants",
    "PUBLICATION": "publications",
    "PUBLICATION TABLE": "publications",
    "PUBLICATION TABLES IN SCHEMA": "publications",
    "EVENT TRIGGER": "event_triggers",
}
# Kinds that are no facts by themselves: own if an entry that they need is own.
_HANGING = {
    "ACL",
    "CHECK CONSTRAINT",
    "COMMENT",
    "CONSTRAINT",
    "DEFAULT",
    "INDEX",
    "INDEX ATTACH",
    "RULE",
    "ROW SECURITY",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "TABLE ATTACH",
    "TRIGGER",
}


def own(entries: Sequence[Entry], facts: Snapshot, made: Snapshot) -> list[Entry]:
    """The entries that make the facts, except those `made` already, and the entries they need.

    Leaves out entries of the platform and of extensions, comments on extensions, and webhooks.
    """
    entries = [entry for entry in entries if not _is_made(entry, facts, made)]
    by_id = {entry.id: entry for entry in entries}
    extensions = {entry.id for entry in entries if entry.kind == "EXTENSION"}
    chosen: set[int] = set()
    for entry in entries:
        if not _is_webhook(entry, facts, extensions) and _is_own(entry, chosen, extensions):
            chosen |= _with_needs(entry, by_id, chosen)
    return [entry for entry in entries if entry.id in chosen]


def _is_made(entry: Entry, facts: Snapshot, made: Snapshot) -> bool:
    fact = entry.thing.fact if entry.thing else ""
    return fact in made and made[fact] == facts.get(fact)


def _is_own(entry: Entry, chosen: set[int], extensions: set[int]) -> bool:
    if entry.thing or entry.kind == "USER MAPPING":
        return True
    # `public` exists from the start: its grants and comments need no other entry.
    on_public = entry.tag == "SCHEMA public"
    hosts = chosen - extensions if entry.kind == "COMMENT" else chosen
    return entry.kind in _HANGING and (on_public or not hosts.isdisjoint(entry.needs))


def _with_needs(entry: Entry, by_id: Mapping[int, Entry], chosen: set[int]) -> set[int]:
    found, left = set(), [entry.id]
    while left:
        number = left.pop()
        if number in by_id and number not in found and number not in chosen:
            found.add(number)
            left += by_id[number].needs
    return found


def _is_webhook(entry: Entry, facts: Snapshot, extensions: set[int]) -> bool:
    """Whether a trigger calls the platform with arguments that may be secrets: see `facts`."""
    if entry.kind != "TRIGGER" or not entry.thing or not extensions.isdisjoint(entry.needs):
        return False
    return "arguments" in catalog.definition(facts.get(entry.thing.fact, "{}"))


def by_concern(entries: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The entries of each file, in the order of the files; within a file, in the dump's order.

    An entry goes into the file of its concern, or into a later file if it needs an entry there.
    """
    place: dict[int, int] = {}
    for entry in entries:
        needed = [place[need] for need in entry.needs if need in place]
        place[entry.id] = _place(entry, max(needed, default=0))
    ordered = sorted(entries, key=lambda entry: place[entry.id])
    for number, group in groupby(ordered, lambda entry: place[entry.id]):
        yield CONCERNS[number], list(group)


def _place(entry: Entry, needed: int) -> int:
    if entry.kind == "COMMENT":
        return needed
    concern = _CONCERN.get(entry.kind, "functions")
    place = max(needed, CONCERNS.index(concern))
    on_tables = CONCERNS.index("functions_on_tables")
    if concern == "functions" and CONCERNS.index("functions") < place < on_tables:
        return on_tables
    return place
