"""Mutations that are made together: one look at the facts tells of all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import psycopg

from twolane.facts.catalog import Change

from . import ON_GROUND


def signs(changes: list[Change]) -> list[str]:
    return sorted(f"{c.sign} {c.identity}" for c in changes)


def expected(text: str) -> list[str]:
    """`+ a, - b` as a list; a comma inside an argument list is not followed by a sign."""
    return sorted(" ".join(part.split()) for part in re.split(r",\s+(?=[-+~] )", text.strip()))


def batches(names: Sequence[str]) -> list[list[str]]:
    """Mutations that may be made together: none changes a fact that another one changes."""
    found: list[tuple[set[str], list[str]]] = []
    for name in names:
        identities = {change[2:] for change in expected(ON_GROUND[name].facts)}
        for taken, batch in found:
            if len(batch) < 12 and taken.isdisjoint(identities):
                taken |= identities
                batch.append(name)
                break
        else:
            found.append((identities, [name]))
    return [batch for _, batch in found]


def mutate(connections: list[psycopg.Connection[Any]], batch: list[str]) -> list[str]:
    """Those of the mutations that were made; what goes only alone fails beside others."""
    made = []
    for name in batch:
        with suppress(*([psycopg.Error] if len(batch) > 1 else [])), ExitStack() as stack:
            for connection in connections:
                stack.enter_context(connection.transaction())
                connection.execute(ON_GROUND[name].apply.encode())
            made.append(name)
    return made
