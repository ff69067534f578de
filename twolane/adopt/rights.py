"""Roles and grants of an adopted database. Pure but for the parser."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from twolane.adopt.blocks import Block
from twolane.ddl.clauses import BY_DEFAULT, idents, signature
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.postgres.dump import Entry, parsed
from twolane.sql import ident, literal, quoted

# Roles that Supabase's default privileges give rights on a new object. Without `public`: Postgres
# itself gives it some rights, and pg_dump assumes these.
GIVEN = tuple(role for role in BY_DEFAULT.split(", ") if role != "public")
# Kind of object with default privileges → GRANT's word for it.
_WORDS = {
    "table": "TABLE",
    "foreign table": "TABLE",
    "view": "TABLE",
    "materialized view": "TABLE",
    "sequence": "SEQUENCE",
    "function": "FUNCTION",
    "aggregate": "FUNCTION",
    "procedure": "PROCEDURE",
}


def roles(facts: Snapshot) -> list[str]:
    """The roles that grants, policies and default privileges name, other than the usual ones."""
    found = set[str]()
    for identity, text in facts.items():
        match identities.kind(identity):
            case "policy":
                found.update(catalog.definition(text)["to"])
            case "grant":
                about = str(identities.about(identity))
                found.add(identities.unquote(identity.removeprefix(f"grant {about} to ")))
            case "default privileges":
                owner = identity.removeprefix("default privileges for ").rpartition(" on ")[0]
                found.add(identities.unquote(owner.partition(" in schema ")[0]))
    known = {"public", "postgres", *GIVEN}
    return sorted(role for role in found - known if not role.startswith("pg_"))


def make_roles(names: Sequence[str]) -> list[Block]:
    """Blocks that make each missing role, without login, password and memberships."""
    return [
        Block([f"CREATE ROLE {ident(name)} NOLOGIN"], f"to_regrole({literal(ident(name))}) is null")
        for name in names
    ]


def without_owners(
    entries: Sequence[Entry], made: Sequence[Entry], facts: Snapshot, owner: str
) -> list[Entry]:
    """The grants without those to the database's owner on what another role owns there: the files
    make it the owner's own."""
    ends = (f" TO {ident(owner)}", f" TO {ident(owner)} WITH GRANT OPTION")
    by_id = {entry.id: entry for entry in made}
    found = []
    for entry in entries:
        on = by_id.get(_object(entry, by_id))
        fact = on.thing.fact if on and on.thing else entry.tag.replace("SCHEMA", "schema", 1)
        if f"owner {fact}" in facts:
            kept = tuple(each for each in entry.statements if not each.endswith(ends))
            entry = replace(entry, statements=kept)
        found.append(entry)
    return found


def grants(
    entries: Sequence[Entry], made: Sequence[Entry], given: Collection[str]
) -> Iterator[list[Block]]:
    """The grants, in one group per object: each first revokes what default privileges gave.

    entries: the grants; made: all adopted entries. given: roles that default privileges may give
    rights to.
    """
    on: dict[int, list[Entry]] = {}
    by_id = {entry.id: entry for entry in made}
    for entry in entries:
        on.setdefault(_object(entry, by_id), []).append(entry)
    revoked = {entry.id: name for entry in made if (name := _name(entry))} if given else {}
    untouched = [name for number, name in revoked.items() if number not in on]
    yield from ([Block([revoke])] for revoke in _revokes(untouched, given))
    for number, found in on.items():
        mine = [revoked[number]] if number in revoked else []
        yield [Block([*_revokes(mine, given), *(s for e in found for s in e.statements)])]


def _object(entry: Entry, made: dict[int, Entry]) -> int:
    """The id of a grant's object. A column's grant also needs the table's grants: skip them."""
    needed = (need for need in entry.needs if need in made and made[need].kind != "ACL")
    return next(needed, entry.id)


def _revokes(names: Sequence[tuple[str, str]], given: Collection[str]) -> Iterator[str]:
    """One statement per kind of object; if it has several names, one per line."""
    for word in dict.fromkeys(word for word, _ in names):
        listed = [name for kind, name in names if kind == word]
        separated = f" {listed[0]} " if len(listed) == 1 else "\n  " + ",\n  ".join(listed) + "\n"
        yield f"REVOKE ALL ON {word}{separated}FROM {idents(sorted(given))}"


def _name(entry: Entry) -> tuple[str, str] | None:
    """REVOKE's words for an entry's object; None if its kind has no default privileges."""
    if entry.thing:
        kind = identities.kind(entry.thing.fact)
        word = _WORDS.get(kind)
        name = signature(kind, entry.thing.fact.removeprefix(f"{kind} "))
        return (word, name) if word else None
    return ("SEQUENCE", _of_identity(entry)) if entry.kind == "SEQUENCE" else None


def _of_identity(entry: Entry) -> str:
    """The sequence of an identity column, which is no fact by itself."""
    command = parsed(entry.statements[0]).cmds[0]
    named = (option.arg for option in command.def_.options if option.defname == "sequence_name")
    return quoted([part.sval for part in next(named)])
