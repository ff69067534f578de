"""A statement's syntax tree is read by many: none of them changes it for the next."""

import pytest

from twolane.adopt import blocks
from twolane.postgres import supautils_calls
from twolane.postgres.dump import Entry
from twolane.sql import statements


@pytest.mark.parametrize(
    "text",
    [
        "create publication feed for tables in schema side, table public.notes",
        "alter publication feed add tables in schema side, table public.notes",
        "create foreign data wrapper far options (secret 'x')",
    ],
)
def test_a_raised_statement_is_the_same_the_next_time(text: str) -> None:
    first, again = (
        supautils_calls.call(statements(text)[0].node, text, major=17) for _ in range(2)
    )
    assert first
    assert "supabase_stand_in" in first
    assert again == first


def test_options_that_may_hold_a_secret_stay_in_the_statement_that_they_are_taken_from() -> None:
    text = "CREATE SERVER far FOREIGN DATA WRAPPER wrapper OPTIONS (host 'h')"
    entry = Entry(1, "SERVER", "far", None, (), (text,))
    assert "host" not in blocks.block(entry).statements[0]
    assert statements(text)[0].node.options
