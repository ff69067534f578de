"""Python source as text: names, string literals and calls.

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

from twolane.text import code_point, escaped

WIDTH = 100


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


# Joiners and the middle dot of Japanese: only from Python 3.13 on a name may have them.
_SINCE_3_13 = re.compile("[\u200c\u200d\u30fb\uff65]")
_FIRST_NAME = re.compile(r"(?:[a-z_]+=)?([A-Za-z]\w*)")


def names_in(node: Node) -> Iterator[str]:
    """The first name of each expression: `sa` in `default=sa.text("…")`, none in a literal."""
    text, items = (node, ()) if isinstance(node, str) else (node.opening, node.items)
    if found := _FIRST_NAME.match(text):
        yield found[1]
    for item in items:
        yield from names_in(item)


def renamed(node: Node, name: str, instead: str) -> Node:
    """The expression with another name for a class whose attributes it mentions."""
    if isinstance(node, str):
        return re.sub(rf"(?<![\w.]){re.escape(name)}(?=\.)", instead, node)
    return Group(node.opening, tuple(renamed(i, name, instead) for i in node.items), node.closing)


def layout(node: Node, indent: int = 0, before: str = "") -> str:
    """`before` and the expression: on one line if it fits, else with a line for each item.

    Of the width one column is left for the comma behind an item.
    """
    flat = before + _flat(node)
    if isinstance(node, str) or indent + len(flat) < WIDTH:
        return flat
    inner = indent + 4
    items = [f"{' ' * inner}{layout(item, inner)}," for item in node.items]
    return "\n".join([before + node.opening, *items, " " * indent + node.closing])


def folded(line: str) -> str:
    """A line that is one long string literal, as several that Python joins; any other as it is."""
    found = _LITERAL.fullmatch(line)
    if found is None or len(line) <= WIDTH:
        return line
    indent, quote, text, after = found.groups()
    room = WIDTH - len(indent) - 3
    pieces: list[str] = []
    for word in re.findall(r"[^ ]* ?", text):
        if pieces and len(pieces[-1]) + len(word) <= room:
            pieces[-1] += word
        elif word:
            pieces.append(word)
    lines = [f"{indent}{quote}{piece}{quote}" for piece in pieces]
    return "\n".join(lines) + after


_LITERAL = re.compile(r"""( *)(["'])((?:(?!\2)[^\\]|\\.)*)\2(,?)""")


def _flat(node: Node) -> str:
    if isinstance(node, str):
        return node
    is_tuple_of_one = node.opening == "(" and len(node.items) == 1
    comma = "," if is_tuple_of_one else ""
    return node.opening + ", ".join(map(_flat, node.items)) + comma + node.closing


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
    return escaped(text.replace("\\", r"\\"), code_point)


def digest(text: str) -> str:
    """A hash of a text, the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest().upper()


def class_name(words: str) -> str:
    """`ai_insights` → `AiInsights`; leaves out characters that a name can't have."""
    parts = re.split(r"[\W_]+", unicodedata.normalize("NFKC", words))
    name = "".join(part[:1].upper() + part[1:] for part in parts)
    if not name.isidentifier():
        name = f"Table{name}"
    return unicodedata.normalize("NFKC", name)


def constant_name(words: str) -> str:
    """`TaskRunStatus` and `task_run_status` → `TASK_RUN_STATUS`."""
    name = snake_case(words).upper()
    return name if name.isidentifier() else f"TYPE_{name}"


def snake_case(words: str) -> str:
    """`TaskRun` → `task_run`; characters that a name can't have become an underscore."""
    name = unicodedata.normalize("NFKC", words)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[\W_]+", "_", name).strip("_").lower()


def attribute_name(name: str, taken: Collection[str]) -> str:
    """An attribute's name: the name itself if Python, SQLAlchemy and `taken` allow it."""
    wanted = unicodedata.normalize("NFKC", name)
    if not wanted.isidentifier() or _SINCE_3_13.search(wanted):
        wanted = re.sub(r"\W+", "_", wanted).strip("_") or digest(name)[:6].lower()
        wanted = wanted if wanted.isidentifier() else f"column_{wanted}"
    if wanted.startswith(("__", "_sa_")):
        wanted = (wanted.lstrip("_") or "column") + "_"
        wanted = wanted if wanted.isidentifier() else f"column_{wanted}"
    while keyword.iskeyword(wanted) or wanted in taken:
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
    """Whether Python itself uses the name."""
    return keyword.iskeyword(name) or hasattr(builtins, name)
