"""What an answer, or an error, tells an actor of the rows of others. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from twolane.prove.attempts import Actor, Outcome
from twolane.prove.rows import Held

_SHORT = re.compile(r"[0-9A-Fa-f.:+-]{1,8}")
"""A value that a fresh UUID, hash, time or number may have in it by chance."""

Reading = Counter[str] | Outcome
"""The rows that an actor saw, or the error instead."""


@dataclass(frozen=True)
class Disclosure:
    """held: (table, user) → the rows of the user."""

    held: Mapping[tuple[str, str], Sequence[Held]]

    def compare(
        self, actor: Actor, seen: Reading, again: Reading, own: Reading, given: str = ""
    ) -> Outcome:
        """The effect of others' rows on an answer; searches it for their values if it varies.

        own: the answer without the rows of others. given: the statement; values in its text do not
        count as disclosed.
        """
        if isinstance(seen, Outcome):
            return self.told(actor, seen, given)
        if isinstance(own, Counter) and (seen == again or _has_more(seen, again, own)):
            return _difference(seen, own)
        known = "\n".join(
            [given, actor.claims, actor.headers, *(own if isinstance(own, Counter) else ())]
        )
        marks = [mark for mark in self._marks(actor.user)[0] if mark not in known]
        if text := next((text for text in seen for mark in marks if _shows(text, mark)), None):
            return Outcome(effect="sees values of another", evidence=text)
        if isinstance(own, Outcome):
            return Outcome("differs", f"without the rows of others: {own.message}")
        return Outcome(message="answers differently each time; no value of another is in it")

    def told(self, actor: Actor, outcome: Outcome, given: str) -> Outcome:
        """The outcome of an error; its effect is that its text has a value of another's row."""
        given += actor.claims + actor.headers
        marks = self._marks(actor.user)[1]
        if any(mark not in given and _shows(outcome.told, mark) for mark in marks):
            effect = "is told values of another in an error message"
            return replace(outcome, effect=effect, evidence=outcome.told)
        return outcome

    def _marks(self, user: str | None) -> tuple[set[str], list[str]]:
        """The values that only rows of others have; those that no message has by chance."""
        if user not in self._known:
            values: dict[bool, set[str]] = {True: set(), False: set()}
            for (_, owner), rows in self.held.items():
                for _, row in rows:
                    values[owner == user] |= {v for v in row.values() if v and len(v) > 3}
            marks = values[False] - values[True]
            telling = [mark for mark in marks if len(mark) > 4 and re.search(r"[0-9@]", mark)]
            self._known[user] = marks, telling
        return self._known[user]

    @cached_property
    def _known(self) -> dict[str | None, tuple[set[str], list[str]]]:
        return {}


def _shows(text: str, mark: str) -> bool:
    """Whether a text has the mark in it; a short number not as a part of longer digits."""
    if mark not in text or not _SHORT.fullmatch(mark):
        return mark in text
    digit = "[0-9A-Fa-f]"
    alone = rf"(?<!{digit})(?<!{digit}[.:+-]){re.escape(mark)}(?![.:+-]?{digit})"
    return re.search(alone, text) is not None


def _has_more(seen: Counter[str], again: Reading, own: Counter[str]) -> bool:
    """Whether there are always more rows with those of others, though the rows themselves vary."""
    return isinstance(again, Counter) and seen.total() == again.total() > own.total()


def _difference(seen: Counter[str], own: Counter[str]) -> Outcome:
    """The difference between what an actor sees with, and without, the rows of others."""
    if more := seen - own:
        return Outcome(effect="sees rows of another", evidence=next(iter(more)))
    return Outcome(effect="sees less because of another's rows" if own - seen else "")
