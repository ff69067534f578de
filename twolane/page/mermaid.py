"""An ER diagram as Mermaid's text, which GitHub draws. Pure.

What its grammar allows in names stands in erDiagram.jison of mermaid-js/mermaid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from twolane.page.graph import Column, Graph, Link
from twolane.text import escaped

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that the grammar reads as something else at the start of a statement or as a cardinality.
_TAKEN = re.compile(
    "acctitle|accdescr|title|direction|class|classdef|style|subgraph|end"
    "|one|many|zero|only|optionally|to|or|more|u|erdiagram",
    re.IGNORECASE,
)


MOST = 50_000
"""Letters of a text that GitHub, and Mermaid by itself, draws (its setting `maxTextSize`)."""


def render(graph: Graph) -> str:
    """The whole diagram; of a schema too large to be drawn, the columns of keys alone."""
    text = _render(graph)
    return text if len(text) <= MOST else _render(_keys_alone(graph))


def _keys_alone(graph: Graph) -> Graph:
    keys = [[c for c in table.columns if c.is_key or c.refers] for table in graph.tables]
    tables = [replace(t, columns=columns) for t, columns in zip(graph.tables, keys, strict=True)]
    return replace(graph, tables=tables)


def _render(graph: Graph) -> str:
    ids = _ids([table.name for table in graph.tables])
    lines = ["erDiagram"]
    for table in graph.tables:
        name = ids[table.name]
        label = "" if name == table.name.removeprefix("public.") else f'["{_quoted(table.name)}"]'
        lines.append(f"    {name}{label} {{" if table.columns else f"    {name}{label}")
        lines += [f"        {_column(column)}" for column in table.columns]
        lines += ["    }"] if table.columns else []
    lines += _links(graph, ids)
    return "\n".join(lines)


def _links(graph: Graph, ids: Mapping[str, str]) -> Iterator[str]:
    for link in graph.links:
        words = _quoted(", ".join(link.columns))
        yield f'    {ids[link.parent]} {_ends(link)} {ids[link.child]} : "{words}"'


def _ends(link: Link) -> str:
    return f"{'||' if link.is_required else '|o'}--{'o{' if link.is_many else 'o|'}"


def _ids(names: Sequence[str]) -> Mapping[str, str]:
    """The names themselves where the grammar takes them, else ones that no table has."""
    locals_ = {name: name.removeprefix("public.") for name in names}
    ids: dict[str, str] = {}
    for number, (name, local) in enumerate(locals_.items(), 1):
        made = f"t{number}_"
        while made in locals_.values():
            made += "_"
        is_word = _WORD.fullmatch(local) and not _TAKEN.fullmatch(local)
        ids[name] = local if is_word else made
    return ids


def _column(column: Column) -> str:
    """`uuid contact_id FK "public.contacts.id"`"""
    name, kind = _word(column.name), _word(column.type)
    keys = ", ".join(
        key for key, is_one in (("PK", column.is_key), ("FK", bool(column.refers))) if is_one
    )
    notes = [
        *([column.name] if name != column.name else []),
        *([f"to {column.refers}"] if column.refers else []),
    ]
    note = f'"{_quoted(", ".join(notes))}"' if notes else ""
    return " ".join(part for part in (kind, name, keys, note) if part)


def _word(text: str) -> str:
    """The text as one of the grammar's words: ASCII letters, digits, `_`, `-`, `()`, `[]`."""
    word = re.sub(r"[^A-Za-z0-9_()\[\]-]+", "_", text)
    return word if re.match(r"[A-Za-z_]", word) else f"_{word}"


def _quoted(text: str) -> str:
    """Text fit for the grammar's quotes: look-alikes stand for what would end them."""
    alike = str.maketrans(
        {'"': "″", "%": "％", "\\": "＼", "#": "＃", ";": "；", "<": "‹", ">": "›"}
    )
    seen = escaped(text.translate(alike), lambda _: " ")
    return re.sub(r"\s+", " ", seen) or " "
