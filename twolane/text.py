"""Text fit for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def clean(text: str) -> str:
    """Text fit for a terminal: control characters are made visible."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter == "\n"
        else letter.encode("unicode_escape").decode()
        for letter in text.expandtabs(4)
    )


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
