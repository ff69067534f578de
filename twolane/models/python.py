"""Python source as text: names, string literals and calls, in the layout of `ruff format`.

An object in a database may have any name and any comment; no such text can become code here.
"""

from __future__ import annotations

import builtins
import hashlib
import keyword
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 100
LONGEST_NAME = 72
_AMBIGUOUS = ("I", "O", "l")


@dataclass(frozen=True)
class Group:
    """`opening item, item closing`: a call, list, tuple or dict."""

    opening: str
    items: tuple[Node, ...]
    closing: str = ")"


Node: TypeAlias = str | Group
"""An expression: an atom as source text, or a group of expressions in brackets."""


def call(function: str, *items: Node) -> Group:
    """`function(item, item)`."""
    return Group(f"{function}(", items)


def keyword_argument(name: str, value: Node) -> Node:
    """`name=value`."""
    if isinstance(value, str):
        return f"{name}={value}"
    return Group(f"{name}={value.opening}", value.items, value.closing)


def strings(texts: Iterable[str]) -> Group:
    """A list of string literals."""
    return Group("[", tuple(map(literal, texts)), "]")


_FIRST_NAME = re.compile(r"(?:[a-z_]+=)?([A-Za-z]\w*)")


def names_in(node: Node) -> Iterator[str]:
    """The first name of each expression: `sa` in `default=sa.text("…")`, none in a literal."""
    text, items = (node, ()) if isinstance(node, str) else (node.opening, node.items)
    if found := _FIRST_NAME.match(text):
        yield found[1]
    for item in items:
        yield from names_in(item)


def layout(node: Node, indent: int = 0, column: int | None = None, after: str = "") -> str:
    """An expression that begins at `column` of a line with `indent`, broken if it does not fit.

    A broken group ends in a comma, so `ruff format` does not join it again.
    """
    flat = _flat(node)
    start = indent if column is None else column
    if isinstance(node, str) or start + width(flat) + width(after) <= WIDTH:
        return flat
    return broken(node, indent)


def broken(group: Group, indent: int = 0) -> str:
    """A group with a line for each item."""
    inner = indent + 4
    if _is_tuple_of_one(group) and isinstance(group.items[0], Group):
        # A comma does not keep a tuple of one item broken; breaking the item does.
        items = [broken(group.items[0], inner)]
    else:
        items = [layout(item, inner, after=",") for item in group.items]
    lines = [group.opening, *(" " * inner + item + "," for item in items)]
    return "\n".join([*lines, " " * indent + group.closing])


def _flat(node: Node) -> str:
    if isinstance(node, str):
        return node
    comma = "," if _is_tuple_of_one(node) else ""
    return node.opening + ", ".join(map(_flat, node.items)) + comma + node.closing


def _is_tuple_of_one(group: Group) -> bool:
    return group.opening == "(" and len(group.items) == 1


def width(text: str) -> int:
    """The width on a screen, as `ruff format` measures a line."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 1 + _is_wide(c) for c in text
    )


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def literal(text: str) -> str:
    """A string literal for exactly this text, in the quotes that need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + _escaped(text).replace(quote, "\\" + quote) + quote


def docstring(lines: Iterable[str], indent: int = 0) -> str:
    """A docstring of these lines; no line can end it early. The first line ends in a full stop."""
    margin = " " * indent
    safe = [
        re.sub('"{2,}', lambda quotes: r"\x22" * len(quotes[0]), _escaped(line.rstrip()))
        for line in lines
    ]
    if len(safe) == 1:
        return f'{margin}"""{safe[0]}"""'
    body = "".join(f"\n{margin}{line}" if line else "\n" for line in safe[1:])
    return f'{margin}"""{safe[0]}{body}\n{margin}"""'


def comment(text: str) -> str:
    """A comment of one line; a second `#` in it can't start a linter directive."""
    return "# " + _escaped(one_line(text)).replace("#", r"\x23")


def one_line(text: str) -> str:
    """The text with each run of white space, including line ends, replaced by one space."""
    return " ".join(text.split())


def _escaped(text: str) -> str:
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in text
    )


def digest(text: str) -> str:
    """A hash of a text, the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest().upper()


def class_name(words: str) -> str:
    """`ai_insights` → `AiInsights`; leaves out characters that a name can't have."""
    parts = re.split(r"[\W_]+", unicodedata.normalize("NFKC", words))
    name = "".join(part[:1].upper() + part[1:] for part in parts)
    if not name.isidentifier():
        name = f"Table{name}"
    return _shortened(unicodedata.normalize("NFKC", name))


def _shortened(name: str) -> str:
    if width(name) <= LONGEST_NAME:
        return name
    end = digest(name)[:8]
    while width(name) > LONGEST_NAME - 8:
        name = name[:-1]
    return name + end


def constant_name(words: str) -> str:
    """`TaskRunStatus` and `task_run_status` → `TASK_RUN_STATUS`."""
    name = snake_case(words).upper()
    return _shortened(name if name.isidentifier() else f"TYPE_{name}")


def snake_case(words: str) -> str:
    """`TaskRun` → `task_run`; characters that a name can't have become an underscore."""
    name = unicodedata.normalize("NFKC", words)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[\W_]+", "_", name).strip("_").lower()


def attribute_name(name: str, taken: Collection[str]) -> str:
    """An attribute's name: the name itself if Python, SQLAlchemy and `taken` allow it."""
    wanted = unicodedata.normalize("NFKC", name)
    if not wanted.isidentifier():
        wanted = re.sub(r"\W+", "_", wanted).strip("_") or digest(name)[:6].lower()
        wanted = wanted if wanted.isidentifier() else f"column_{wanted}"
    if wanted.startswith(("__", "_sa_")):
        wanted = (wanted.lstrip("_") or "column") + "_"
        wanted = wanted if wanted.isidentifier() else f"column_{wanted}"
    while keyword.iskeyword(wanted) or wanted in taken or wanted in _AMBIGUOUS:
        wanted += "_"
    return wanted


def distinct_names(
    identities: Iterable[str], name: Callable[[str], str], taken: set[str]
) -> dict[str, str]:
    """A name for each identity, different from all in `taken`; adds the names to `taken`.

    The first identity that asks for a name gets it. Later ones, and those that ask for the name of
    a builtin, get a suffix that depends only on their own identity.
    """
    names = {}
    for identity in identities:
        wanted, suffix = name(identity), 0
        while (given := wanted + digest(identity)[:suffix]) in taken or _is_pythons(given):
            suffix += 6
        taken.add(given)
        names[identity] = given
    return names


def _is_pythons(name: str) -> bool:
    """Whether Python uses the name; or it is a letter that looks like a digit (E741)."""
    return name in _AMBIGUOUS or keyword.iskeyword(name) or hasattr(builtins, name)


def sorted_for_all(names: Iterable[str]) -> list[str]:
    """The names in the order of ruff's RUF022: constants, classes, the rest; digits as numbers."""

    def rank(name: str) -> int:
        is_constant = name.isupper() and len(name.encode()) > 1
        return 0 if is_constant else 1 if name[0].isupper() else 2

    return sorted(names, key=lambda name: (rank(name), _natural(name)))


def _natural(name: str) -> list[tuple[int, int, int, str]]:
    """The sort key of a name: digits compare as numbers.

    A leading zero makes a run of digits a fraction, as in the crate natord that ruff uses.
    """
    return [
        (ord("0"), run[0] != "0", len(run) if run[0] != "0" else 0, run)
        if run.isdecimal()
        else (ord(run), 0, 0, "")
        for run in re.findall(r"[0-9]+|[^0-9]", name)
    ]
