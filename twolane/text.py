"""Text fit for a terminal, and for files that people read. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

# What does not show, or shows a reader something else: controls, marks of format and of the
# direction of writing, other spaces than the space, ends of lines, surrogates, private use, no
# characters at all. Listed, since `str.isprintable` takes for such what this Python's Unicode does
# not know yet: the bytes of files would depend on the Python that writes them.
_HIDDEN = (
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb"
    "\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff\U000f0000-\U0010ffff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 15))
    + "]"
)


@cache
def _hidden() -> re.Pattern[str]:
    return re.compile(_HIDDEN)


def is_plain(text: str) -> bool:
    """Whether each of its characters shows, and as what it is; on every Python alike."""
    return (text.isascii() and text.isprintable()) or not _hidden().search(text)


def escaped(text: str, escape: Callable[[str], str]) -> str:
    """The text with what `escape` makes of each character that does not show as what it is."""
    return text if is_plain(text) else _hidden().sub(lambda found: escape(found[0]), text)


def code_point(letter: str) -> str:
    """The character as an escape of Python's."""
    return letter.encode("unicode_escape").decode()


def clean(text: str) -> str:
    """Text fit for a terminal: control characters are made visible."""
    return escaped(text.expandtabs(4), lambda found: found if found == "\n" else code_point(found))


def clean_line(text: str) -> str:
    """`clean` text on one line, so that a name can't begin a line that looks like ours."""
    return clean(text).replace("\n", "\\n")


def counted(number: int, word: str) -> str:
    """`1 policy`, `2 policies`, `3 indexes`, `4 default privileges`."""
    if number == 1:
        return f"{number} {word}"
    if word.endswith(("x", "ss")):
        return f"{number} {word}es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{number} {word[:-1]}ies"
    return f"{number} {word}" if word.endswith("s") else f"{number} {word}s"


def meant(name: str, known: Iterable[str]) -> str:
    """`Is production meant? ` for a name that is nearly one of those known; else nothing.

    A name without a dot may be the last part of one: `pusj` is nearly `db.push`.
    """
    from difflib import get_close_matches

    names = {each: each for each in known}
    if "." not in name:
        names = {each.rpartition(".")[2]: each for each in reversed(names)} | names
    near = get_close_matches(name, names, 1)
    return f"Is {names[near[0]]} meant? " if near else ""


MOST = 12


def shortened(lines: Sequence[str], most: int = MOST, where: str = "") -> list[str]:
    """The first lines; the last line tells how many are left out, and `where` to find them."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[:most], f"… and {len(lines) - most} more{where}"]
