"""Which columns the database fills though they have no default of their own.

The ORM sends NULL for what a new row leaves out, unless its class says that the server has a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twolane.facts.identities import unquote
from twolane.models.keys import Relation


def fill(relations: Mapping[str, Relation]) -> None:
    """Notes for each relation the columns that get a value from elsewhere than their own default.

    From the default of their type (a domain), or, in a view that Postgres writes through, from what
    the table below would fill ("Updatable Views", sql-createview in Postgres's manual).
    """
    for relation in relations.values():
        by_type = {name for name, type_ in relation.types.items() if type_.has_default}
        relation.filled = by_type - _filled_by_column(relation)
    for relation in relations.values():
        if relation.kind == "view":
            relation.filled = _of_view(relation, relations, frozenset())


def _of_view(view: Relation, relations: Mapping[str, Relation], seen: frozenset[str]) -> set[str]:
    """The view's columns with a value from elsewhere; none where a rule may return no row."""
    if view.facts["rule"] or view.identity in seen:
        return set()
    below, columns = _below(view, relations)
    if below is None:
        return view.filled
    filled = below.filled | _filled_by_column(below)
    if below.kind == "view":
        filled |= _of_view(below, relations, seen | {view.identity})
    return view.filled | {name for name, source in columns.items() if source in filled}


def _filled_by_column(relation: Relation) -> set[str]:
    own = {"default", "identity", "generated"}
    return {name for name, parts in relation.columns.items() if parts.keys() & own}


_IDENTIFIER = r'(?:[^\W\d]\w*|"(?:[^"]|"")+")'
_SIMPLE = re.compile(
    rf"\s*SELECT (?P<columns>.+?)\s+FROM (?P<table>{_IDENTIFIER}\.{_IDENTIFIER})"
    rf"(?: (?P<alias>{_IDENTIFIER}))?(?:\s+(?:WHERE|ORDER BY) .*)?;?\s*",
    re.DOTALL,
)
_COLUMN = re.compile(rf"(?:{_IDENTIFIER}\.)?({_IDENTIFIER})(?: AS ({_IDENTIFIER}))?")


def table_below(parts: Mapping[str, Any]) -> str | None:
    """The table or view that a view with these parts may be written through to."""
    found = _plain(parts)
    return found["table"] if found else None


def _plain(parts: Mapping[str, Any]) -> re.Match[str] | None:
    return _SIMPLE.fullmatch(parts.get("definition", ""))


def _below(
    view: Relation, relations: Mapping[str, Relation]
) -> tuple[Relation | None, dict[str, str]]:
    """The one table or view that a view selects plain columns from, and where each comes from.

    None for a view that Postgres would not write through, as far as its text tells.
    """
    found = _plain(view.parts)
    if found is None:
        return None, {}
    columns = {}
    for part in re.split(r",\s+", found["columns"]):
        if plain := _COLUMN.fullmatch(part):
            columns[unquote(plain[2] or plain[1])] = unquote(plain[1])
    return relations.get(found["table"]), columns
