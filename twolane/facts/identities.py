"""What the identity of a fact says: its kind, its object, the parts of its name. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

RELATION_KINDS = ("table", "foreign table", "view", "materialized view")
_PARTS_OF_A_RELATION = ("column", "constraint", "index", "trigger", "rule", "policy")
_ABOUT_ANOTHER = ("comment ", "owner ", "grant ", "security label ")

KINDS = (
    *("schema", "extension", "access method", "language", "cast", "transform"),
    *(*RELATION_KINDS, "sequence", "rls", *_PARTS_OF_A_RELATION, "statistics object"),
    *("function", "procedure", "aggregate"),
    *("type", "enum", "domain", "composite type", "range type", "collation", "conversion"),
    *("operator", "operator family", "operator class"),
    *("operator of access method", "function of access method"),
    *("text search configuration", "text search dictionary"),
    *("text search parser", "text search template"),
    *("foreign-data wrapper", "server", "user mapping", "subscription"),
    *("publication", "publication table", "publication schema"),
    *("event trigger", "default privileges"),
    *map(str.strip, _ABOUT_ANOTHER),
)
"""Every kind that an identity can begin with."""

BY_SERVER = ("owner", "grant", "event trigger", "extension", "default privileges")
"""Kinds that a server may keep from a role, or give by itself: not held against the shadow."""

_LONGEST_FIRST: dict[str, list[str]] = {}
for _kind in sorted(KINDS, key=len, reverse=True):
    _LONGEST_FIRST.setdefault(_kind.partition(" ")[0], []).append(_kind)


def kind(identity: str) -> str:
    """`foreign table public.a` → `foreign table`; `grant table public.a to b` → `grant`."""
    first = identity.partition(" ")[0]
    kinds = _LONGEST_FIRST.get(first)
    if kinds is None or kinds == [first]:
        return first
    return next((words for words in kinds if identity.startswith(f"{words} ")), first)


def is_fact(identity: str) -> bool:
    """Whether it begins with a kind, and its name has the parts that a name of that kind has."""
    what = kind(identity)
    name = identity.removeprefix(f"{what} ")
    if what not in KINDS or name in ("", identity):
        return False
    least = 3 if what in _PARTS_OF_A_RELATION else 2 if what in (*RELATION_KINDS, "rls") else 1
    return len(split_name(name)) >= least


def about(identity: str) -> str | None:
    """The fact that an owner, grant, comment or label is about; None for other kinds of fact."""
    if not identity.startswith(_ABOUT_ANOTHER):
        return None
    prefix = next(each for each in _ABOUT_ANOTHER if identity.startswith(each))
    inner = identity.removeprefix(prefix)
    separator = {"grant ": " to ", "security label ": " for "}.get(prefix)
    return inner[: _unquoted(inner).rfind(separator)] if separator else inner


@lru_cache(maxsize=1 << 17)
def relation(identity: str) -> str | None:
    """The table or view that a fact is about, as `schema.name`, or None.

    `column public.a.b`, `grant column public.a.b to c` and `rls public.a` are all about `public.a`.
    """
    if inner := about(identity):
        return relation(inner)
    what = kind(identity)
    name = identity.removeprefix(what + " ")
    if what in _PARTS_OF_A_RELATION:
        return ".".join(split_name(name)[:-1])
    if what == "publication table":
        return name[_unquoted(name).index(" ") + 1 :]
    return name if what in RELATION_KINDS or what == "rls" else None


def split_name(name: str) -> list[str]:
    """The parts of a dotted name, each still quoted: `public."a.b"` → `['public', '"a.b"']`."""
    if '"' not in name:
        return name.split(".")
    dots = [-1, *(i for i, letter in enumerate(_unquoted(name)) if letter == "."), len(name)]
    return [name[start + 1 : end] for start, end in pairwise(dots)]


def _unquoted(text: str) -> str:
    """The text with `_` for every letter of a quoted identifier: all positions stay the same."""
    if '"' not in text:
        return text
    return re.sub('"[^"]*"', lambda quoted: "_" * len(quoted[0]), text)


def own_name(identity: str) -> str:
    """The last part of a column's, constraint's or index's name, still quoted."""
    return split_name(identity.partition(" ")[2])[-1]


def named(identity: str) -> str:
    """The name in an identity, of a routine without its arguments: `public.f`."""
    name = identity.removeprefix(f"{kind(identity)} ")
    is_routine = kind(identity) in ("function", "procedure", "aggregate")
    return name[: _unquoted(name).find("(")] if is_routine and "(" in name else name


def unquote(part: str) -> str:
    """An identifier as the catalog stores it, its quotes and doubled quotes taken off."""
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def plain(name: str) -> str:
    """A dotted name without its quotes, as SQLAlchemy and people write it."""
    return ".".join(map(unquote, split_name(name)))


def grantee(identity: str) -> str:
    """The role of a grant; if a quoted role contains ` to `, only the part after it."""
    return identity.rpartition(" to ")[2]
