"""What to say to a function so that it may give away a row of another: values of their rows, arrays
and documents of them, parts of their texts, and text that ends a string of dynamic SQL. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twolane import blocks
from twolane.prove.mining import Source
from twolane.prove.rows import Rows
from twolane.prove.schema import Argument, Function, Relation, Schema

PIECE = 4
TABLES = 3
_JSON = ("json", "jsonb")


@dataclass(frozen=True)
class Words:
    """others: the users whose rows the caller must not reach."""

    schema: Schema
    rows: Rows
    others: Sequence[str]

    def texts(self, function: Function, argument: Argument) -> list[str]:
        """Literals for the argument, the likeliest first."""
        of = argument.type
        if of.base in _JSON:
            return list(self._documents(function))
        if of.category == "A":
            return list(self._arrays(argument))
        if of.kind == "c":
            return list(self._records(of.base))
        found = self._values(argument.name, of.base, of.category == "S" or of.base == "uuid")
        if of.category != "S":
            return found
        return [*found[:6], *self._endings(function), "%", "", *_pieces(found), *found[6:]]

    def _values(self, name: str, base: str, takes_id: bool) -> list[str]:
        """Values of others' columns of that type; first of columns that the name means."""
        found: list[tuple[bool, str]] = []
        if takes_id:
            found += [("user" not in name, self.rows.users[user]) for user in self.others]
        name = name.removeprefix("_").removeprefix("p_").removeprefix("in_")
        for relation, row in self._rows():
            for column in relation.columns:
                value = row[column.name]
                if column.type.base == base and value is not None:
                    short = relation.name.rpartition(".")[2].removesuffix("s")
                    found.append((name not in (column.name, f"{short}_{column.name}"), value))
        return list(dict.fromkeys(text for _, text in sorted(found, key=lambda pair: pair[0])))

    def _arrays(self, argument: Argument) -> Iterator[str]:
        """All values of one column together, then a few of any."""
        element = argument.type.element or "text"
        name = argument.name.removesuffix("s")
        found = self._values(name, element, element in ("uuid", "text", "varchar"))
        for some in (found[:60], *([text] for text in found[:4])):
            yield "{" + ",".join(json.dumps(text, ensure_ascii=False) for text in some) + "}"

    def _documents(self, function: Function) -> Iterator[str]:
        """Their rows as objects, with their id under each key that the function looks up."""
        parts = Source("", "", self.schema.source(function.name)).parts
        keys = [key for part in parts for key in (*part.path, *part.values)]
        ids: dict[str, None] = {}
        for relation, row in self._rows():
            key = row.get("id") or next((v for c, v in row.items() if "id" in c and v), None)
            short = relation.name.rpartition(".")[2].removesuffix("s")
            looked_up = {name: key for name in [f"{short}_id", *keys] if name not in row}
            ids.update(dict.fromkeys([key] if key else []))
            yield json.dumps({**looked_up, **{c: v for c, v in row.items() if v is not None}})
        for user in self.others:
            yield json.dumps(dict.fromkeys(["user_id", "id", *keys], self.rows.users[user]))
        yield json.dumps(list(ids))
        yield json.dumps({key: list(ids) for key in ["ids", *keys]})

    def _records(self, base: str) -> Iterator[str]:
        """Their rows of the table that the type is of, as literals of a composite type."""
        for relation, row in self._rows():
            if relation.name.rpartition(".")[2].strip('"') == base:
                fields = [row[column.name] for column in relation.columns]
                yield "(" + ",".join("" if f is None else json.dumps(f) for f in fields) + ")"

    def _endings(self, function: Function) -> list[str]:
        """Text that changes a statement put together from it, if any function does that."""
        if not any("execute" in text.lower() for _, text in self.schema.texts):
            return []
        text = blocks.uncommented(self.schema.source(function.name))
        tables = self.schema.tables
        names = [t.name for t in tables if _names(text, t)] or [t.name for t in tables if t.exposed]
        found = ["' or true --", "' or ''='", "true or true", "') or true --"]
        for name in (names or [table.name for table in self.schema.tables if table.exposed])[
            :TABLES
        ]:
            told = f"(select cast(string_agg(t::text, ' ') as int) from {name} as t)"
            found += [told, f"' || {told} || '"]
        return found

    def _rows(self) -> Iterator[tuple[Relation, dict[str, str | None]]]:
        for (table, owner), held in self.rows.held.items():
            for _, row in held if owner in self.others else ():
                yield self.schema.relations[table], row


def _names(text: str, table: Relation) -> bool:
    return re.search(rf"\b{re.escape(table.name.rpartition('.')[2])}\b", text) is not None


def _pieces(texts: Sequence[str]) -> list[str]:
    """The beginnings and the ends of texts, as a search box takes them."""
    texts = sorted(texts, key=lambda text: "-" in text or "@" in text)[:40]  # ids are no words
    found = [piece for text in texts for piece in (text[:PIECE], text[:3], text[-PIECE:])]
    return list(dict.fromkeys(piece for piece in found if piece.strip()))[:8]
