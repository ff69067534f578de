"""What of a change to a table that exists waits for an online revision, and its steps. Pure.

A table that the same revision makes is empty, so nothing of it waits. The rules, each with its lock
and its source in Postgres's manual, stand in the guide: docs/large-tables.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import own_name
from twolane.migrations.comparable import Comparison
from twolane.migrations.wording import NOT_VALID, commented, reparsable, suffixed
from twolane.sql import bound, literal

# What a unique constraint says that its index has to say as well, or the constraint alone.
_UNIQUE = re.compile(
    r"UNIQUE(?P<nulls> NULLS NOT DISTINCT)? (?P<columns>\((?:(?! WITHOUT OVERLAPS).)*?\)"
    r"(?: INCLUDE \([^)]*\))?)(?P<rest>(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?)"
)
_INDEX = re.compile(r'^(CREATE (?:UNIQUE )?INDEX )("(?:[^"]|"")+"|[^\s"]+)( ON )(?!ONLY )')


class Unfit(Exception):
    """The online revision would have to do what has no safe way."""


@dataclass(frozen=True)
class Split:
    """A change in two: what a revision makes at once, and what waits.

    is_volatile: whether a column of that type with that default is written row by row.
    """

    whole: Comparison
    is_volatile: Callable[[str, str], bool]

    @property
    def is_needed(self) -> bool:
        return self.middle != self.whole.after

    @cached_property
    def first(self) -> Comparison:
        """What the revision makes at once."""
        return Comparison(self.whole.base, self.whole.before, self.middle, self.whole.shared)

    @cached_property
    def bare(self) -> frozenset[str]:
        """New columns that come without their default, which is set and filled in later."""
        return frozenset(i for i in self._waiting if identities.kind(i) == "column")

    @cached_property
    def middle(self) -> Snapshot:
        """The facts between the two revisions."""
        facts = {**self.whole.after, **self._changed}
        late = {i for i in self._waiting if identities.kind(i) != "column"}
        late |= {i for i in {*facts, *self.whole.before} if _comments(i) in late}
        for identity in late:
            before = self.whole.before.get(identity)
            if before is None:
                facts.pop(identity, None)
            else:
                facts[identity] = before
        return dict(sorted(facts.items()))

    @cached_property
    def _tables(self) -> frozenset[str]:
        """The tables that exist; a partitioned one knows none of the ways."""
        return frozenset(
            table
            for table in self.whole.tables
            if (text := self.whole.before.get(f"table {table}"))
            and "partition_by" not in catalog.definition(text)
        )

    @cached_property
    def _news(self) -> dict[str, dict[str, Any]]:
        """What comes or changes on them, in its parts."""
        old = self.whole.old
        return {
            i: catalog.definition(text)
            for i, text in self.whole.new.items()
            if old.get(i) != text and identities.relation(i) in self._tables
        }

    @cached_property
    def _rewritten(self) -> frozenset[str]:
        """The tables of which a column gets another type: they are locked and read anyhow."""
        return frozenset(
            str(identities.relation(i))
            for i, parts in self._news.items()
            if identities.kind(i) == "column"
            and i in self.whole.old
            and catalog.definition(self.whole.old[i])["type"] != parts["type"]
        )

    @cached_property
    def _waiting(self) -> frozenset[str]:
        """What does not come, or change, before the online revision."""
        found = set()
        for identity, parts in self._news.items():
            is_new = identity not in self.whole.before
            match identities.kind(identity):
                case "index" if self._is_index(identity, parts, is_new):
                    found.add(identity)
                case "constraint" if is_new and self._is_unique(identity, parts):
                    found.add(identity)
                case "column" if is_new and self._fills(parts):
                    found.add(identity)
        keys = {
            (str(identities.relation(i)), frozenset(parts["columns"]))
            for i, parts in self._news.items()
            if i in found and identities.kind(i) == "constraint"
        }
        return (
            frozenset(found)
            | self._leaving
            | {
                i
                for i, parts in self._news.items()
                if parts.get("type") == "foreign key"
                and i not in self.whole.before
                and (parts["references"], frozenset(parts["referenced_columns"])) in keys
            }
        )

    @cached_property
    def _leaving(self) -> frozenset[str]:
        """The indexes that go from tables of which no column goes or gets another type."""
        gone = {i for i in self.whole.old if i not in self.whole.new}
        busy = {
            str(identities.relation(i)) for i in gone if identities.kind(i) == "column"
        } | self._rewritten
        return frozenset(
            i
            for i in gone
            if identities.kind(i) == "index"
            and str(identities.relation(i)) in self._tables - busy
            and _INDEX.match(catalog.definition(self.whole.old[i])["definition"])
        )

    def _is_index(self, identity: str, parts: dict[str, Any], is_new: bool) -> bool:
        if "invalid" in parts or not _INDEX.match(parts["definition"]):
            return False
        return is_new or identities.relation(identity) not in self._rewritten

    def _is_unique(self, identity: str, parts: dict[str, Any]) -> bool:
        """Whether it may come by an index: no key of a new table, made before, needs it."""
        if parts["type"] != "unique" or not _UNIQUE.fullmatch(parts["definition"]):
            return False
        table = identities.relation(identity)
        return not any(
            catalog.definition(text).get("references") == table
            for i, text in self.whole.new.items()
            if identities.kind(i) == "constraint"
            and f"table {identities.relation(i)}" not in self.whole.before
        )

    def _fills(self, parts: dict[str, Any]) -> bool:
        is_plain = not parts.keys() & {"generated", "identity"}
        return is_plain and "default" in parts and self.is_volatile(parts["type"], parts["default"])

    @cached_property
    def _changed(self) -> Snapshot:
        """What comes in another form first: NOT VALID, or nullable."""
        found = {}
        for identity, parts in self._news.items():
            if identity in self._waiting:
                if identities.kind(identity) == "column":
                    found[identity] = _without(self.whole.after[identity], "default", "not_null")
                continue
            match identities.kind(identity):
                case "constraint" if parts["type"] in ("check", "foreign key"):
                    words = parts["definition"]
                    if not words.endswith((NOT_VALID, " NOT ENFORCED")):
                        now = catalog.definition(self.whole.after[identity])
                        now["definition"] = f"{words}{NOT_VALID}"
                        found[identity] = catalog.as_text(now)
                case "column" if self._is_set_not_null(identity, parts):
                    found[identity] = _without(self.whole.after[identity], "not_null")
        return found

    def _is_set_not_null(self, identity: str, parts: dict[str, Any]) -> bool:
        table = str(identities.relation(identity))
        if identity not in self.whole.old or not parts.get("not_null") or table in self._rewritten:
            return False
        before = catalog.definition(self.whole.old[identity])
        name = identities.unquote(own_name(identity))
        return not (
            before.get("not_null")
            or before.keys() & {"generated", "identity"}
            or parts.keys() & {"generated", "identity"}
            or any(
                catalog.definition(text).get("type") == "primary key"
                and name in catalog.definition(text)["columns"]
                for i, text in self.whole.new.items()
                if identities.kind(i) == "constraint" and identities.relation(i) == table
            )
        )


def _comments(identity: str) -> str | None:
    """What a comment is on; None for another fact."""
    return identities.about(identity) if identities.kind(identity) == "comment" else None


def _without(text: str, *names: str) -> str:
    parts = {name: value for name, value in catalog.definition(text).items() if name not in names}
    return catalog.as_text(parts)


def upgrade(rest: Comparison, bare: Collection[str]) -> list[str]:
    """The steps of the online revision, each a line of Python.

    Raises:
        Unfit: something else waits than what `Split` leaves.
    """
    news = {i: text for i, text in rest.new.items() if rest.old.get(i) != text}
    gone = sorted(rest.old.keys() - rest.new.keys())
    indexes = [i for i in gone if identities.kind(i) == "index"]
    if rest.dropped or any(i not in indexes and _comments(i) not in indexes for i in gone):
        raise Unfit
    drops = [
        sql(f"drop index concurrently {_schema(identity)}.{own_name(identity)}")
        for identity in indexes
    ]
    kinds = (_of_columns, _of_uniques, _of_indexes, _of_constraints, _of_comments)
    found = [list(kind(rest, news, bare)) for kind in kinds]
    if sum(len(seen) for seen in map(dict, found)) < len(news):
        raise Unfit
    return [*(line for steps in found for _, line in steps), *drops]


Steps = Iterator[tuple[str, str]]
"""The identity of what a step is for, and the step."""


def _of_columns(rest: Comparison, news: Snapshot, bare: Collection[str]) -> Steps:
    for identity in news:
        if identities.kind(identity) != "column" or identity not in rest.old:
            continue
        old, new = (catalog.definition(facts[identity]) for facts in (rest.old, rest.new))
        different = {n for n in {*old, *new} if old.get(n) != new.get(n)}
        if different - ({"default", "not_null"} if identity in bare else {"not_null"}):
            raise Unfit
        table, column = str(identities.relation(identity)), own_name(identity)
        name = identities.unquote(column)
        if identity in bare:
            default = reparsable(new["default"])
            yield identity, sql(f"alter table {table} alter column {column} set default {default}")
            values = f"{{{name!r}: {default!r}}}, where={f'{column} is null'!r}"
            yield identity, f"backfill({_called(table)[0]}, {values}{_called(table)[1]})"
        if new.get("not_null"):
            yield identity, f"set_not_null({_called(table)[0]}, {name!r}{_called(table)[1]})"


def _called(table: str) -> tuple[str, str]:
    """A table as the helpers take it: its name, and the schema if that is another than `public`."""
    schema, name = map(identities.unquote, identities.split_name(table))
    return repr(name), "" if schema == "public" else f", schema={schema!r}"


def _of_uniques(rest: Comparison, news: Snapshot, _: Collection[str]) -> Steps:
    for identity, text in news.items():
        parts = catalog.definition(text)
        if identities.kind(identity) != "constraint" or parts["type"] != "unique":
            continue
        found = _UNIQUE.fullmatch(parts["definition"])
        if identity in rest.old or found is None:
            raise Unfit
        table, name = identities.relation(identity), own_name(identity)
        on = f"on {table} {found['columns']}{(found['nulls'] or '').lower()}"
        yield identity, sql(f"create unique index concurrently {name} {on}")
        using = f"unique using index {name}{found['rest'].lower()}"
        yield identity, sql(f"alter table {table} add constraint {name} {using}")


def _of_indexes(rest: Comparison, news: Snapshot, _: Collection[str]) -> Steps:
    for identity, text in news.items():
        if identities.kind(identity) != "index":
            continue
        words, name = reparsable(catalog.definition(text)["definition"]), own_name(identity)
        schema = _schema(identity)
        if identity not in rest.old:
            yield identity, sql(_concurrently(words, name))
            continue
        new = suffixed(name, "_new")
        yield identity, sql(_concurrently(words, new))
        yield identity, sql(f"drop index concurrently {schema}.{name}")
        yield identity, sql(f"alter index {schema}.{new} rename to {name}")


def _schema(identity: str) -> str:
    return identities.split_name(str(identities.relation(identity)))[0]


def _concurrently(words: str, name: str) -> str:
    return _INDEX.sub(lambda m: f"{m[1]}CONCURRENTLY {name}{m[3]}", words)


def _of_constraints(rest: Comparison, news: Snapshot, _: Collection[str]) -> Steps:
    kinds = ("check", "foreign key")
    for kind in kinds:
        for identity, text in news.items():
            parts = catalog.definition(text)
            if identities.kind(identity) != "constraint" or parts["type"] != kind:
                continue
            table, name, words = (
                identities.relation(identity),
                own_name(identity),
                parts["definition"],
            )
            if identity not in rest.old:
                new = f"{reparsable(words)}{NOT_VALID}"
                yield identity, sql(f"alter table {table} add constraint {name} {new}")
            elif catalog.definition(rest.old[identity])["definition"] != f"{words}{NOT_VALID}":
                raise Unfit
            yield identity, sql(f"alter table {table} validate constraint {name}")


def _of_comments(rest: Comparison, news: Snapshot, _: Collection[str]) -> Steps:
    for identity, text in news.items():
        if identities.kind(identity) == "comment":
            about = commented(str(identities.about(identity)))
            words = literal(catalog.definition(text)["text"])
            yield identity, sql(f"comment on {about} is {words}")


_DROP = re.compile(r"^drop index (?!concurrently)", re.IGNORECASE)


def downgrade(statements: Collection[str]) -> list[str]:
    """The steps back, from the statements that would lead back in a transaction."""
    return [
        sql(_INDEX.sub(r"\1CONCURRENTLY \2\3", _DROP.sub("drop index concurrently ", statement)))
        for statement in statements
    ]


def sql(statement: str) -> str:
    """The line of Python that runs a statement."""
    return f"op.execute({bound(statement)!r})"
