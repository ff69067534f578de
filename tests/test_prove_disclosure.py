"""What tells an actor of another's row: its value, not digits of a fresh one that are alike."""

from __future__ import annotations

from collections import Counter

import pytest

from twolane.prove.attempts import Actor, Outcome
from twolane.prove.disclosure import Disclosure

ACTOR = Actor("user A", "authenticated", claims="{}", user="A")
KNOWN = Disclosure(
    {
        ("public.notes", "A"): [("1", {"number": "1000", "title": "mine"})],
        ("public.notes", "B"): [("2", {"number": "1001", "title": "user1001", "code": "00c3a1"})],
    }
)


def effect(first: str, second: str) -> str:
    own = Counter(["something else"])
    return KNOWN.compare(ACTOR, Counter([first]), Counter([second]), own).effect


@pytest.mark.parametrize(
    "fresh",
    [
        "9b31f2c0-1001-4d0a-8e11-5a7d90c1e2f4",
        "9b31001a-77aa-4d0a-8e11-5a00c3a1e2f4",
        "0.2100100c3a1",
        "2026-03-04 05:06:07.1001+00",
        "\\x771001ff",
    ],
)
def test_a_fresh_value_with_digits_of_anothers_row_tells_nothing(fresh: str) -> None:
    assert not effect(fresh, "something else")
    told = Outcome(message="it failed", told=f"key {fresh} is new")
    assert not KNOWN.told(ACTOR, told, "").effect


@pytest.mark.parametrize("text", ["1001", "(1001,x)", "number=1001.", "to 00c3a1", "auser1001b"])
def test_a_value_of_anothers_row_is_found_in_an_answer_that_varies(text: str) -> None:
    assert effect(text, "something else") == "sees values of another"


def test_more_rows_are_seen_though_each_answer_differs() -> None:
    first, second = Counter(["1 s", "2 s"]), Counter(["3 s", "4 s"])
    assert KNOWN.compare(ACTOR, first, second, Counter(["2 s"])).effect == "sees rows of another"
    assert not KNOWN.compare(ACTOR, first, second, Counter(["2 s", "3 s"])).effect
