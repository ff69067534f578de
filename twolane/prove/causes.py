"""Why something was found, or could not be tried: few causes stand behind many tables. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from twolane.prove.attempts import Attempt
from twolane.prove.schema import Schema

T = TypeVar("T")
WIDTH = 92
DATABASE = "database"
RLS_OFF = "row level security is off"
NO_TENANT = 'it has no tenant column: if all may read it, list it under "shared"'
MAY_TRUNCATE = "the data API's roles may truncate, which policies do not govern"
_REFERS = re.compile(r'^[^:]*? refers to ((?:"[^"]*"|[^\s":])+): (?P<rest>.*)$', re.DOTALL)


def of_gap(reason: str) -> str:
    """The reason at the root: a row can't be made because its parent's can't."""
    while found := _REFERS.match(reason):
        reason = found["rest"]
    return reason


def of_finding(attempt: Attempt, schema: Schema, understood: Mapping[str, str]) -> str:
    """What lets the attempt through, as far as the schema says; the same words, the same cause."""
    relation = schema.relations.get(attempt.object)
    if attempt.operation == "truncate":
        return MAY_TRUNCATE
    if relation is None:
        is_function = attempt.kind == "function"
        return f"{attempt.object} itself" if is_function else f"policies on {attempt.object}"
    if relation.kind == "view":
        return "the view reads and writes with its owner's rights"
    if relation.kind != "table":
        return f"a {relation.kind} has no row level security"
    if not relation.has_rls:
        return RLS_OFF
    if attempt.operation == "select" and not understood.get(attempt.object, "-"):
        return NO_TENANT
    return f"policies on {attempt.object}"


def merged_truncates(findings: Sequence[Attempt]) -> list[Attempt]:
    """Of several tables that may be truncated, one finding for the database.

    Older Supabase projects grant all on every new table; it is one grant to take back.
    """
    found = [finding for finding in findings if finding.operation == "truncate"]
    names = list(dict.fromkeys(finding.object for finding in found))
    if len(names) < 2:
        return list(findings)
    who = ", ".join(dict.fromkeys(finding.who.partition(" (")[0] for finding in found))
    detail = f"{found[0].detail}, in {len(names)} tables: {', '.join(names)}"
    whole = replace(found[0], object=DATABASE, kind=DATABASE, who=who, detail=detail)
    return [*(finding for finding in findings if finding.operation != "truncate"), whole]


def together(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    """Cause → what has it, in the order in which they come."""
    groups: dict[str, list[T]] = {}
    for cause, item in pairs:
        groups.setdefault(cause, []).append(item)
    return groups


def under(heading: str, names: Sequence[str]) -> list[str]:
    """Lines: the heading, and below it all that it is about."""
    return [heading, *textwrap.wrap(", ".join(names), WIDTH, initial_indent="  ",
                                    subsequent_indent="  ", break_long_words=False,
                                    break_on_hyphens=False)]  # fmt: skip
