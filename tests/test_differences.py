"""Changes of facts as people and scripts read them; all of it pure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twolane.facts import differences
from twolane.facts.catalog import Change


def added(identity: str, **parts: Any) -> Change:
    return Change(identity, None, json.dumps(parts))


def removed(identity: str, **parts: Any) -> Change:
    return Change(identity, json.dumps(parts), None)


def changed(identity: str, before: dict[str, Any], after: dict[str, Any]) -> Change:
    return Change(identity, json.dumps(before), json.dumps(after))


def shown(*changes: Change) -> str:
    return "\n".join(differences.grouped(changes))


def test_changes_stand_under_their_object() -> None:
    changes = (
        changed("column public.a.b", {"type": "text"}, {"type": "text", "not_null": True}),
        added("column public.b.x", type="integer"),
        added("comment table public.b", text="new"),
        removed("function public.f(integer)", definition="CREATE FUNCTION public.f(integer)"),
        added("grant table public.a to anon", privileges=["INSERT", "SELECT"]),
        removed("grant function public.f(integer) to public", privileges=["{ALL}"]),
        removed("policy public.a.own", to=["authenticated"], using="(user_id = auth.uid())"),
        added("rls public.b", enabled=True),
        added("table public.b"),
    )
    assert shown(*changes) == "\n".join(
        [
            "- function public.f(integer)   CREATE FUNCTION public.f(integer)",
            "    - grant to public   privileges: {ALL}",
            "  public.a",
            "    ~ column b   not_null: none → true",
            "    + grant to anon   privileges: INSERT, SELECT",
            "    - policy own   to: authenticated, using: (user_id = auth.uid())",
            "+ table public.b",
            "    + column x   integer",
            "    + comment   text: new",
            "    + rls   enabled",
        ]
    )
    assert differences.tally(changes) == "9 facts: 5 added, 3 removed, 1 changed"


@pytest.mark.parametrize(
    ("identity", "name", "part"),
    [
        ("column public.a.b", "public.a", "column b"),
        ("grant column public.a.b to anon", "public.a", "grant column b to anon"),
        ("grant foreign table public.a to anon", "public.a", "grant to anon"),
        ('policy public."A b"."a policy"', 'public."A b"', 'policy "a policy"'),
        ('column "x.y"."z ".c', '"x.y"."z "', "column c"),
        ("constraint public.email.long", "public.email", "constraint long"),
        ("comment domain public.email", "public.email", "comment"),
        ("publication table pub public.a", "public.a", "publication table pub"),
        ("comment function public.f(integer)", "function public.f(integer)", "comment"),
        ("owner schema side", "schema side", "owner"),
        ("trigger auth.users.welcome", "auth.users", "trigger welcome"),
    ],
)
def test_a_part_is_named_without_its_object(identity: str, name: str, part: str) -> None:
    assert differences.object_of(identity) == name
    assert shown(added(identity)).splitlines() == [f"  {name}", f"    + {part}"]


def test_of_a_long_text_the_changed_lines_are_shown() -> None:
    body = "CREATE FUNCTION f()\n AS $$\nbegin\n  a;\n  b;\n  c;\nend $$"
    change = changed(
        "function f()", {"definition": body}, {"definition": body.replace("  b;", "  b(1);")}
    )
    assert shown(change).splitlines() == [
        "~ function f()",
        "      definition:",
        "        …",
        "            a;",
        "        -   b;",
        "        +   b(1);",
        "            c;",
    ]


def test_of_a_long_line_the_changed_part_is_shown() -> None:
    words = " and ".join(f"column_{number} is not null" for number in range(20))
    change = changed(
        "policy public.a.p",
        {"using": words},
        {"using": words.replace("column_9 is", "column_9x is")},
    )
    assert shown(change).splitlines() == [
        "  public.a",
        "    ~ policy p",
        "          using:",
        "            - …is not null and column_9 is not null and column_…",
        "            + …is not null and column_9x is not null and column_…",
    ]
    [line] = differences.flat([change])
    assert "column_9 is not null" in line and "column_9x is not null" in line
    assert len(line) < 200


def test_one_line_a_change_puts_tables_first() -> None:
    assert differences.flat(
        [added("column public.a.b", type="text"), added("table public.a"), removed("rls public.c")]
    ) == ["+ table public.a", "+ column public.a.b   text", "- rls public.c"]


def test_for_scripts_a_change_says_what_where_and_how() -> None:
    before, after = {"type": "text"}, {"type": "text", "default": "'ü'::text"}
    assert differences.as_json(
        [
            changed("column public.a.b", before, after),
            added("grant function public.f() to anon", privileges=["{ALL}"]),
            removed("rls public.a", enabled=True),
        ]
    ) == [
        {
            "fact": "column public.a.b",
            "object": "public.a",
            "change": "changed",
            "before": before,
            "after": after,
        },
        {
            "fact": "grant function public.f() to anon",
            "object": "function public.f()",
            "change": "added",
            "before": None,
            "after": {"privileges": ["{ALL}"]},
        },
        {
            "fact": "rls public.a",
            "object": "public.a",
            "change": "removed",
            "before": {"enabled": True},
            "after": None,
        },
    ]


texts = st.text(st.sampled_from("ab \n'→"), max_size=150)


@given(texts, texts)
def test_what_is_cut_away_is_the_same_in_both(before: str, after: str) -> None:
    old, new = differences.around_change(before, after)
    assert (old == new) == (before == after)
    for whole, part in ((before, old), (after, new)):
        assert part.strip("…") in whole
        assert len(part) <= len(whole) + 2


@given(texts, texts)
def test_every_change_is_shown_however_its_texts_are_broken(before: str, after: str) -> None:
    change = changed("view public.v", {"definition": before}, {"definition": after})
    lines = differences.grouped([change])
    assert lines[0].startswith("~ view public.v")
    if before.splitlines() != after.splitlines():
        assert len("\n".join(lines)) > len("~ view public.v")
    assert differences.flat([change])[0].startswith("~ view public.v")
