"""What a person means by the name of an object, among the identities of facts. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence

from twolane.facts import identities
from twolane.facts.identities import RELATION_KINDS, about, kind, split_name, unquote

_NO_OBJECTS = ("rls", "owner", "grant", "comment", "security label")


def find(wanted: str, known: Collection[str]) -> list[str]:
    """The objects that the words may mean; those that name it best, and none else.

    `public.contacts.email`, `contacts.email`, `contacts_select_own`, `policy contacts_select_own`,
    `public.set_updated_at`, with or without arguments, quotes and capital letters.
    """
    words = wanted.strip()
    if words in known:
        return [words]
    found: dict[int, list[str]] = {}
    for identity in _objects(known):
        for rank, name in enumerate(_names(identity)):
            if words in (name, f"{kind(identity)} {name}"):
                found.setdefault(rank, []).append(identity)
                break
    if found:
        return found[min(found)]
    lower = words.lower()
    return find(lower, known) if lower != words else []


def near(wanted: str, known: Collection[str], most: int = 3) -> list[str]:
    """The objects with the most similar names, as a person would write them."""
    spelled: dict[str, str] = {}
    for identity in _objects(known):
        for name in _names(identity):
            spelled.setdefault(name.lower(), shown(identity))
    wanted = wanted.strip().lower()
    bare = next(
        (wanted.removeprefix(f"{k} ") for k in identities.KINDS if f"{k} " in wanted), wanted
    )
    close = difflib.get_close_matches(bare, spelled, most * 3, cutoff=0.6)
    return list(dict.fromkeys(spelled[name] for name in close))[:most]


def shown(identity: str) -> str:
    """The name that finds the object again: without its kind, unless that is all that tells."""
    return identity.removeprefix(f"{kind(identity)} ")


def belongs(identity: str, to: str) -> bool:
    """Whether a fact is the object's: itself, what is said of it, and all parts of a relation."""
    subject = about(identity) or identity
    if to in (identity, subject):
        return True
    if kind(to) in RELATION_KINDS:
        return identities.relation(identity) == shown(to)
    return kind(to) == "domain" and subject.startswith(f"constraint {shown(to)}.")


def _objects(known: Collection[str]) -> Iterator[str]:
    return (identity for identity in known if kind(identity) not in _NO_OBJECTS)


def _names(identity: str) -> Sequence[str]:
    """The names of an object, the most exact first."""
    name = shown(identity)
    exact = re.match(r'(?:"[^"]*"|[^"(])*', name)
    bare = name[: exact.end()] if exact else name
    arguments = name[len(bare) :]
    parts = [unquote(part) for part in split_name(bare)]
    plain = ".".join(parts)
    local = plain.removeprefix("public.")
    found = [name, plain + arguments, local + arguments, plain, local, parts[-1]]
    return list(dict.fromkeys(found))
