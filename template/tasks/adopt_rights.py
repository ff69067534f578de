"""Roles and grants of an adopted database. Pure but for the parser."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from . import catalog
from .adopt_sql import Block
from .catalog import Snapshot
from .dump import Entry, parsed
from .fact_sql_words import BY_DEFAULT, idents
from .sql_text import ident, literal, quoted

# To whom Supabase's default privileges give something on a new object; not everybody (`public`),
# to whom Postgres itself gives some rights, which pg_dump takes for granted.
GIVEN = tuple(role for role in BY_DEFAULT.split(", ") if role != "public")
# What GRANT calls the kinds of objects that default privileges are for.
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
        match catalog.kind(identity):
            case "policy":
                found.update(catalog.definition(text)["to"])
            case "grant":
                about = str(catalog.about(identity))
                found.add(catalog.unquote(identity.removeprefix(f"grant {about} to ")))
            case "default privileges":
                owner = identity.removeprefix("default privileges for ").rpartition(" on ")[0]
                found.add(catalog.unquote(owner.partition(" in schema ")[0]))
    known = {"public", "postgres", *GIVEN}
    return sorted(role for role in found - known if not role.startswith("pg_"))


def make_roles(names: Sequence[str]) -> list[Block]:
    """Each role where it is missing: without login, password and memberships."""
    return [
        Block([f"CREATE ROLE {ident(name)} NOLOGIN"], f"to_regrole({literal(ident(name))}) is null")
        for name in names
    ]


def grants(
    entries: Sequence[Entry], made: Sequence[Entry], given: Collection[str]
) -> Iterator[list[Block]]:
    """The grants, object by object; those of one stand together, as what is given is taken first.

    entries: the grants; made: all that is adopted. given: to whom default privileges may give.
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
    """The object that a grant is on; that of a column also needs the table's own grants."""
    needed = (need for need in entry.needs if need in made and made[need].kind != "ACL")
    return next(needed, entry.id)


def _revokes(names: Sequence[tuple[str, str]], given: Collection[str]) -> Iterator[str]:
    """One statement a kind of object; a name a line, if there are several."""
    for word in dict.fromkeys(word for word, _ in names):
        listed = [name for kind, name in names if kind == word]
        separated = f" {listed[0]} " if len(listed) == 1 else "\n  " + ",\n  ".join(listed) + "\n"
        yield f"REVOKE ALL ON {word}{separated}FROM {idents(sorted(given))}"


def _name(entry: Entry) -> tuple[str, str] | None:
    """What REVOKE calls the object that an entry makes, if default privileges are for its kind."""
    if entry.thing:
        kind = catalog.kind(entry.thing.fact)
        word = _WORDS.get(kind)
        return (word, entry.thing.fact.removeprefix(f"{kind} ")) if word else None
    return ("SEQUENCE", _of_identity(entry)) if entry.kind == "SEQUENCE" else None


def _of_identity(entry: Entry) -> str:
    """The sequence of an identity column, which is no fact by itself."""
    command = parsed(entry.statements[0]).cmds[0]
    named = (option.arg for option in command.def_.options if option.defname == "sequence_name")
    return quoted([part.sval for part in next(named)])
