"""The way from one state of the app's tables to another, as SQL; all of it pure."""

from typing import Any

import pytest
from models_text import fact, foreign_key, table

from twolane.facts import catalog
from twolane.migrations.alterations import Alterations


def test_a_type_changes_without_a_look_at_every_column_for_every_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, definition = 0, catalog.definition

    def counted(text: str) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return definition(text)

    monkeypatch.setattr(catalog, "definition", counted)
    counts = []
    for size in (10, 20):
        old = {
            identity: text
            for name in (f"public.t{n}" for n in range(size))
            for facts in (table(name, "a", "b"), foreign_key(name, "a", "public.t0"))
            for identity, text in facts.items()
        }
        before, new = looks, old | {"column public.t1.b": fact(type="integer")}
        way = Alterations(old, new, lambda old, new: "{0}::integer")
        assert [*way.first(), *way.columns(), *way.keys(), *way.last()] == [
            "alter table public.t1 alter column b type integer using b::integer"
        ]
        counts.append(looks - before)
    assert counts[1] <= 2 * counts[0]
