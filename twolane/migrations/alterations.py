"""From two states of the app's tables to the SQL that leads from one to the other. Pure.

Definitions are in Postgres's own words, as the facts hold them, so a default or check that was
written in another way than Postgres prints it settles. What depends on a column that changes its
type goes before it and comes back after: see `remade`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twolane.ddl.columns import clause
from twolane.ddl.statement import Parts
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import own_name
from twolane.migrations import domains, enums, storage
from twolane.migrations.domains import element
from twolane.migrations.remade import Remade, is_validated, of_kind, table_of
from twolane.migrations.wording import (
    aside,
    commented,
    counted_on,
    identity_steps,
    index,
    listed,
    owned_sequence,
    reparsable,
    reparsable_parts,
    sequence,
    serial_sequence,
    set_aside,
)
from twolane.sql import literal

Casts = Callable[[str, str], str]
"""Old type, new type → how a column becomes the new one: `{0}::uuid`; nothing if by itself."""

_DEFAULT_COLLATION = 'pg_catalog."default"'


@dataclass(frozen=True)
class Alterations:
    """The way from `old` to `new`, both as `comparable` makes them.

    made, dropped: the tables that come and go, each by an operation of its own; their facts are in
    `new` and `old` as well. apart: those of them that need statements of their own. added: the
    columns that come by operations of their own. casts: see `Casts`. shared: facts that may be
    gone already, see `Comparison`. is_back: whether it undoes another way.
    """

    old: Snapshot
    new: Snapshot
    casts: Casts
    made: Collection[str] = ()
    dropped: Collection[str] = ()
    apart: Collection[str] = ()
    added: Collection[str] = ()
    shared: Collection[str] = ()
    is_back: bool = False

    @cached_property
    def _remade(self) -> Remade:
        return Remade(self.old, self.new, self.made)

    def first(self) -> Iterator[str]:
        """What is in the way goes: keys that point elsewhere, then constraints, then indexes."""
        gone = [i for i in self.old if i not in self.new or i in self._remade.facts]
        gone = [i for i in gone if table_of(i) not in self.dropped or self._is_tie(i)]
        for identity in sorted(gone, key=self._unhooked):
            table, own = table_of(identity), own_name(identity)
            match identities.kind(identity):
                case "constraint":
                    yield f"alter table {table} drop constraint {self._if_there(identity)}{own}"
                case "index":
                    schema = identities.split_name(table)[0]
                    yield f"drop index {self._if_there(identity)}{schema}.{own}"
                case "column" if "generated" in self._before(identity):
                    yield f"alter table {table} drop column {self._if_there(identity)}{own}"

    def _unhooked(self, identity: str) -> tuple[bool, int, str]:
        """Foreign keys hang on other constraints, indexes on generated columns."""
        kinds = ("constraint", "index", "column")
        kind = identities.kind(identity)
        is_tie = kind == "constraint" and self._before(identity)["type"] == "foreign key"
        return not is_tie, kinds.index(kind) if kind in kinds else len(kinds), identity

    def _if_there(self, identity: str) -> str:
        return "if exists " if identity in self.shared else ""

    def _is_tie(self, identity: str) -> bool:
        """Whether it is a foreign key that holds a table which is to go."""
        return identity in self.apart and self._before(identity).get("type") == "foreign key"

    def types(self) -> Iterator[str]:
        """Sequences and enums are made or changed; an enum may make room for one of its name."""
        for identity in of_kind(self.new, "sequence"):
            yield from sequence(identity, self.old.get(identity), self._after(identity))
        for name in enums.names(self.new):
            labels = enums.labels(self.new, name)
            if f"enum {name}" not in self.old:
                yield enums.create(name, labels)
            elif name in self._remade.swapped:
                yield aside("type", name)
                yield enums.create(name, labels)
            else:
                yield from enums.changes(name, enums.labels(self.old, name), labels)
        for name in domains.names(self.new):
            parts = self._after(f"domain {name}")
            if name in self._remade.swapped:
                yield aside("domain", name)
            if name in self._remade.swapped or f"domain {name}" not in self.old:
                yield domains.create(name, parts)
            yield from domains.changes(name, self._domain_before(name), parts)

    def _domain_before(self, name: str) -> Parts:
        """The domain as it is once it has been made: what `create` says needs no change."""
        if f"domain {name}" in self.old and name not in self._remade.swapped:
            return self._before(f"domain {name}")
        return domains.made(self._after(f"domain {name}"))

    def columns(self) -> Iterator[str]:
        """Columns go and change; those without an operation of their own come."""
        yield from storage.changes(self.old, self.new)
        for identity in of_kind(self.old, "column"):
            is_gone = identity not in self.new and table_of(identity) not in self.dropped
            if is_gone or identity in self._remade.facts:
                if "generated" not in self._before(identity):
                    table = table_of(identity)
                    there = self._if_there(identity)
                    yield f"alter table {table} drop column {there}{own_name(identity)}"
            elif identity in self.new:
                yield from self._altered(identity)
        for identity in of_kind(self.new, "column"):
            is_plain = "generated" not in self._after(identity)
            if is_plain and self._comes(identity) and identity not in self.added:
                yield self._add_column(identity)

    def computed(self) -> Iterator[str]:
        """Generated columns come, after all that they compute from."""
        for identity in of_kind(self.new, "column"):
            is_other = identity not in self.added or identity in self._remade.facts
            if is_other and "generated" in self._after(identity) and self._comes(identity):
                yield self._add_column(identity)

    def keys(self) -> Iterator[str]:
        """Constraints come to tables that were there, but for foreign keys."""
        yield from self._constraints(lambda i, foreign: not foreign and not self._is_new(i))

    def last(self) -> Iterator[str]:
        """Constraints of new tables come, then foreign keys, indexes and comments."""
        yield from self._constraints(lambda i, foreign: not foreign and self._is_new(i))
        yield from self._constraints(lambda i, foreign: foreign)
        for identity in of_kind(self.new, "index"):
            if self._comes(identity):
                yield index(self._after(identity))
        yield from self._comments()

    def end(self) -> Iterator[str]:
        """Types and sequences go, once no column has them."""
        for identity in of_kind(self.old, "sequence"):
            if identity not in self.new:
                yield f"drop {identity}"
        old = domains.names(self.old)
        for name in reversed(old):
            if name in self._remade.swapped:
                yield f"drop domain {set_aside(name)}"
            elif f"domain {name}" not in self.new:
                yield f"drop domain {name}"
        for name in sorted(self._remade.swapped - {*old}):
            yield enums.drop(set_aside(name))
        for identity in of_kind(self.old, "enum"):
            if identity not in self.new:
                yield enums.drop(identity.removeprefix("enum "))

    def _comes(self, identity: str) -> bool:
        if identity in self._remade.facts:
            return True
        is_within = table_of(identity) in self.made and identity not in self.apart
        return identity not in self.old and not is_within

    def _add_column(self, identity: str) -> str:
        table = table_of(identity)
        words = clause(table, own_name(identity), reparsable_parts(self._after(identity)))
        return f"alter table {table} add column {words}"

    def _is_new(self, identity: str) -> bool:
        return table_of(identity) in self.made

    def _constraints(self, counts: Callable[[str, bool], bool]) -> Iterator[str]:
        for identity in of_kind(self.new, "constraint"):
            table, parts = table_of(identity), self._after(identity)
            if not counts(identity, parts["type"] == "foreign key"):
                continue
            if self._comes(identity):
                words = reparsable(parts["definition"])
                yield f"alter table {table} add constraint {own_name(identity)} {words}"
            elif identity in self.old and is_validated(self._before(identity), parts):
                yield f"alter table {table} validate constraint {own_name(identity)}"

    def _comments(self) -> Iterator[str]:
        for identity in sorted({*of_kind(self.old, "comment"), *of_kind(self.new, "comment")}):
            about = str(identities.about(identity))
            is_lost = about in self._remade.facts
            if self.old.get(identity) == self.new.get(identity) and not is_lost:
                continue
            if table_of(identity) in {*self.made, *self.dropped}:
                continue
            if identity in self.new:
                yield f"comment on {commented(about)} is {literal(self._after(identity)['text'])}"
            elif not is_lost and (about in self.new or identities.kind(about) == "table"):
                yield f"comment on {commented(about)} is null"

    def _altered(self, identity: str) -> Iterator[str]:
        """A column that stays: one statement, so that the table is rewritten once at most."""
        old, new = self._before(identity), self._after(identity)
        alter = f"alter column {own_name(identity)}"
        is_retyped = identity in self._remade.retyped
        table = table_of(identity)
        serial = serial_sequence(identity, new) if old.get("default") != new.get("default") else ""
        if serial and f"sequence {serial}" not in self.new:
            if "identity" in old:
                yield f"alter table {table} {alter} drop identity"
                old = {n: part for n, part in old.items() if not n.startswith("identity")}
            yield from owned_sequence(serial, table, own_name(identity), new["type"])
        steps: list[str] = []
        if "generated" in old and "generated" not in new:
            steps.append(f"{alter} drop expression")
        if "identity" in old and "identity" not in new:
            steps.append(f"{alter} drop identity")
        if "default" in old and (is_retyped or "default" not in new):
            steps.append(f"{alter} drop default")
        if is_retyped:
            steps.append(f"{alter} {self._retype(identity, old, new)}")
        if "default" in new and (is_retyped or old.get("default") != new["default"]):
            steps.append(f"{alter} set default {reparsable(new['default'])}")
        if bool(old.get("not_null")) != bool(new.get("not_null")):
            steps.append(f"{alter} {'set' if new.get('not_null') else 'drop'} not null")
        if steps:
            yield f"alter table {table} {', '.join(steps)}"
        comes = "identity" in new and "identity" not in old
        if comes and f"sequence {new['identity_options'].get('sequence')}" not in self.new:
            yield f"drop sequence if exists {new['identity_options']['sequence']}"
        for step in identity_steps(table, own_name(identity), old, new):
            yield f"alter table {table} {alter} {step}"
        if comes or (serial and f"sequence {serial}" not in self.new):
            options = new.get("identity_options", {"increment": 1, "start": 1})
            yield counted_on(table, own_name(identity), options)

    def _retype(self, identity: str, old: Parts, new: Parts) -> str:
        words, column = f"type {new['type']}", own_name(identity)
        if new.get("collation") or old.get("collation"):
            words += f" collate {new.get('collation') or _DEFAULT_COLLATION}"
        if old["type"] == new["type"] and f"domain {element(old['type'])}" in self.old:
            bases = domains.base(old["type"], self.old), domains.base(new["type"], self.new)
            found = self.casts(*bases).format(column) or column
            return f"{words} using {found}::{new['type']}"
        if element(old["type"]) in self._remade.swapped:
            return f"{words} using {self._by_text(column, old['type'], new['type'])}"
        if old["type"] == new["type"]:
            return words
        if element(new["type"]) in {*enums.names(self.new)}:
            return f"{words} using {self._by_text(column, old['type'], new['type'])}"
        using = self.casts(old["type"], new["type"])
        return f"{words} using {using.format(column)}" if using else words

    def _by_text(self, column: str, old: str, new: str) -> str:
        """The column as that type, label by label."""
        is_list, was_list = new.endswith("[]"), old.endswith("[]")
        if is_list and not was_list and not (self.is_back and old == "text"):
            return listed(f"{column}::text", new)
        if was_list and not is_list and (self.is_back or new != "text"):
            return f"{column}[1]::text::{new}"
        return f"{column}::text{'[]' if is_list else ''}::{new}"

    def _before(self, identity: str) -> dict[str, Any]:
        return catalog.definition(self.old[identity])

    def _after(self, identity: str) -> dict[str, Any]:
        return catalog.definition(self.new[identity])
