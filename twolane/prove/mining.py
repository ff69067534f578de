"""What policies, views and functions compare with what, read from the tokens of their texts. Pure.

It finds what is worth a try: each part between `and`, `or` and the like, with the columns that it
names, the keys of JSON that it follows and the constants beside them. Whether a try gets through,
Postgres says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_BETWEEN = {"AND", "OR", "WHERE", "SELECT", "FROM", "WHEN", "THEN", "ELSE", "ON", "ASCII_59"}
_SQL = ("select ", "insert ", "update ", "delete ", "where ", " and ", " or ")
_STEPS = ("->", "->>", "#>", "#>>", "?")
OWN_METADATA = ("user_metadata", "raw_user_meta_data")
SIGNED_METADATA = ("app_metadata", "raw_app_meta_data")
HEADERS = ("request.headers",)
Path = tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Part of a condition. names: columns, tables, variables, functions. path: keys of JSON."""

    names: Sequence[str]
    path: Sequence[str]
    values: Sequence[str]

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset([*self.names, *self.path, *self.values])

    @cached_property
    def constants(self) -> list[str]:
        """Its values; of an array the elements, of a pattern the text without wildcards."""
        found: list[str] = []
        for value in self.values:
            is_array = value.startswith("{") and value.endswith("}") and not _document(value)
            found += value[1:-1].replace('"', "").split(",") if is_array else [value.strip("%")]
        return [value for value in found if value]


@dataclass(frozen=True)
class Source:
    """A text. name: the object that has it. table: the table of a policy, else ''."""

    name: str
    table: str
    text: str

    @cached_property
    def parts(self) -> list[Part]:
        return list(_parts(self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset().union(*(part.words for part in self.parts))


@dataclass(frozen=True)
class Claim:
    """A key that texts look up: `path`, in metadata or headers. values: what they compare it with.

    names: the columns, tables and variables beside it.
    """

    path: Path
    values: Sequence[str]
    names: Sequence[str]


@dataclass(frozen=True)
class Sources:
    """All texts of a database that decide who may do what."""

    all: Sequence[Source]

    @cached_property
    def constants(self) -> Mapping[str, list[str]]:
        """Name of a column → what a column of that name is compared with, anywhere."""
        found: dict[str, dict[str, None]] = {}
        for part in self._parts:
            for name in part.names:
                found.setdefault(name, {}).update(dict.fromkeys(part.constants))
                if part.path and part.constants:
                    found[name][json.dumps({part.path[-1]: part.constants[0]})] = None
        return {name: list(values) for name, values in found.items()}

    @cached_property
    def emails(self) -> list[str]:
        """What the claim `email` is compared with: addresses, or ends of addresses."""
        parts = [part for part in self._parts if "email" in part.words]
        return list(dict.fromkeys(v for part in parts for v in part.constants if "." in v))

    @cached_property
    def ask_for_email(self) -> bool:
        """Whether a text asks for the claim `email`, or for the address of the current user."""
        return any("email" in source.words for source in self.all)

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset[str]().union(*(source.words for source in self.all))

    def claims(self, roots: Sequence[str]) -> list[Claim]:
        """The keys below one of the roots that texts look up."""
        found: dict[Path, tuple[dict[str, None], dict[str, None]]] = {}
        for source in self.all:
            if not any(root in source.text for root in roots):
                continue
            for part in source.parts:
                for path, values in _claims(part, roots):
                    known = found.setdefault(path, ({}, {}))
                    known[0].update(dict.fromkeys(values))
                    known[1].update(dict.fromkeys(part.names))
        return [Claim(path, list(values), list(names)) for path, (values, names) in found.items()]

    @cached_property
    def _parts(self) -> list[Part]:
        return [part for source in self.all for part in source.parts]


def _claims(part: Part, roots: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    documents = [document for value in part.values if (document := _document(value))]
    for document in documents:
        inner = next((document[root] for root in roots if root in document), None)
        if inner is None and not part.words.isdisjoint(roots):
            inner = document
        for key, value in inner.items() if isinstance(inner, dict) else ():
            yield (key,), [value if isinstance(value, str) else json.dumps(value)]
    others = {*OWN_METADATA, *SIGNED_METADATA, *HEADERS} - set(roots)
    path = tuple(key for key in part.path if key not in roots)
    if path and not documents and part.words.isdisjoint(others):
        yield path, [value for value in part.constants if value not in roots]


def _document(text: str) -> dict[str, object]:
    """A JSON object; empty if the text is none."""
    try:
        found = json.loads(text) if text.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parts(text: str) -> Iterator[Part]:
    from pglast.parser import ParseError, scan

    try:
        tokens = [(t.name, t.kind, text[t.start : t.end + 1]) for t in scan(text)]
    except ParseError:
        if not text.endswith("'"):  # SQL that is put together from pieces
            yield from _parts(f"{text}'")
        return
    names, path, values = list[str](), list[str](), list[str]()
    before = earlier = ""
    for name, kind, word in [*tokens, ("ASCII_59", "", ";")]:
        if name in _BETWEEN:
            if path or values or names:
                yield Part(names, path, values)
            names, path, values = [], [], []
        elif name == "SCONST":
            value = _value(word)
            if any(verb in f" {value.lower()} " for verb in _SQL):
                yield from _parts(value)  # dynamic SQL, or a function's body
            elif before in _STEPS or (before == "[" and earlier != "ARRAY"):
                path += value.strip("{}").split(",") if before.startswith("#") else [value]
            elif value not in HEADERS and not value.startswith("request.jwt."):
                values.append(value)
        elif name in ("ICONST", "FCONST", "TRUE_P", "FALSE_P"):
            if "current_setting" in names and name == "TRUE_P":
                continue  # whether the setting may be missing
            values.append(word.lower())
        elif (name == "IDENT" or kind not in ("NO_KEYWORD", "RESERVED_KEYWORD")) and before != "::":
            names.append(word.strip('"') if word.startswith('"') else word.lower())
        earlier, before = before.upper(), word


def _value(constant: str) -> str:
    """The text of a string constant, dollar-quoted or not."""
    if constant.startswith("$"):
        tag = constant[: constant.index("$", 1) + 1]
        return constant.removeprefix(tag).removesuffix(tag)
    return constant[constant.index("'") + 1 : -1].replace("''", "'")
