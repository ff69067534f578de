"""Identities, the comparison and the lock file, as pure functions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twolane.facts import catalog, identities
from twolane.facts.lock import dump_lock, load_lock

parts = st.text(
    st.sampled_from("abcXYZ_09.\"' \té→"), min_size=1, max_size=8
)  # `to`, dots, quotes, blanks
identifiers = parts.map(lambda name: '"' + name.replace('"', '""') + '"')


@given(st.lists(identifiers, min_size=1, max_size=4))
def test_split_name_undoes_joining(names: list[str]) -> None:
    assert identities.split_name(".".join(names)) == names


@given(parts)
def test_unquote_undoes_quoting(name: str) -> None:
    assert identities.unquote('"' + name.replace('"', '""') + '"') == name
    assert identities.unquote("plain_name") == "plain_name"


@given(identifiers, identifiers, identifiers)
def test_the_relation_of_a_fact_survives_hostile_names(schema: str, table: str, part: str) -> None:
    name = f"{schema}.{table}"
    for identity in (
        f"table {name}",
        f"foreign table {name}",
        f"materialized view {name}",
        f"view {name}",
        f"rls {name}",
        f"column {name}.{part}",
        f"policy {name}.{part}",
        f"comment column {name}.{part}",
        f"owner table {name}",
        f"grant table {name} to anon",
        f"grant column {name}.{part} to {part}",
        f"comment foreign table {name}",
        f"security label table {name} for {part}",
        f"publication table {part} {name}",
    ):
        assert identities.relation(identity) == name, identity


@pytest.mark.parametrize(
    ("identity", "kind", "about", "relation"),
    [
        ("table public.a", "table", None, "public.a"),
        ("foreign table public.a", "foreign table", None, "public.a"),
        ("column public.a.b", "column", None, "public.a"),
        ("composite type public.a", "composite type", None, None),
        ("function public.f(integer, text)", "function", None, None),
        ("schema side", "schema", None, None),
        ("sequence public.s", "sequence", None, None),
        ("grant function public.f(integer) to public", "grant", "function public.f(integer)", None),
        ("grant table public.a to b", "grant", "table public.a", "public.a"),
        ("owner materialized view public.a", "owner", "materialized view public.a", "public.a"),
        ("comment column public.a.b", "comment", "column public.a.b", "public.a"),
        (
            "security label table public.a for p",
            "security label",
            "table public.a",
            "public.a",
        ),
        ("publication table pub public.a", "publication table", None, "public.a"),
        (
            "default privileges for postgres in schema public on tables",
            "default privileges",
            None,
            None,
        ),
        (
            "grant default privileges for postgres on tables to anon",
            "grant",
            "default privileges for postgres on tables",
            None,
        ),
        ("event trigger ddl", "event trigger", None, None),
        ("trigger auth.users.welcome", "trigger", None, "auth.users"),
    ],
)
def test_an_identity_says_what_and_where(
    identity: str, kind: str, about: str | None, relation: str | None
) -> None:
    assert identities.kind(identity) == kind
    assert identities.about(identity) == about
    assert identities.relation(identity) == relation


snapshots = st.dictionaries(
    st.text(min_size=1, max_size=20),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.booleans() | st.integers()).map(
        lambda parts: json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    ),
    max_size=8,
).map(lambda facts: dict(sorted(facts.items())))


@given(snapshots)
def test_the_lock_file_gives_back_what_was_put_in(facts: dict[str, str]) -> None:
    text = dump_lock(facts)
    assert load_lock(text) == facts
    assert dump_lock(load_lock(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 99, "facts": {}}', "<<<<<<< HEAD", '{"format": 1}', "null"],
)
def test_a_lock_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        load_lock(text)


@given(snapshots, snapshots)
def test_a_diff_turns_the_one_into_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    result = dict(before)
    changes = catalog.diff(before, after)
    for change in changes:
        assert change.before == result.pop(change.identity, None)
        if change.after is not None:
            result[change.identity] = change.after
    assert result == after
    assert [c.identity for c in changes] == sorted(c.identity for c in changes)
    assert catalog.diff(after, after) == []
    assert len(catalog.diff(after, before)) == len(changes)
