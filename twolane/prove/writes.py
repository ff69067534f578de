"""The statements by which an actor tries to write rows of others. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twolane.prove.attempts import OTHER, OWN, STILL_REFERRED_TO, Actor, Try
from twolane.prove.choice import Row
from twolane.prove.rows import insert
from twolane.prove.schema import USERS, Relation
from twolane.sql import literal, quote

_CROWDED = ("23505", "23P01")
_ALONE = "set local session_replication_role = {mode}"


@dataclass(frozen=True)
class Material:
    """The values for the attempts on a table.

    payloads: (owner, owner of the parents) → a new row. standing: user → their existing row.
    tenant: user → the columns that make a row theirs. links: user → the columns that refer to
    their rows. removal: user → SQL that deletes their rows. of: what a row
    belongs to: "user", "organization", or "members" where it is a member of one. further: new rows
    of others with other values. rights: columns that may decide what a user may do → values of
    which the last gives the least.
    """

    table: Relation
    payloads: Mapping[tuple[str, str], Row]
    standing: Mapping[str, Mapping[str, str | None]]
    tenant: Mapping[str, Row]
    links: Mapping[str, Row]
    removal: Mapping[str, str]
    of: str = "user"
    further: Sequence[Row] = ()
    rights: Mapping[str, Sequence[str]] = field(default_factory=dict)


def writes(material: Material, actor: Actor, victim: str) -> Iterator[Try]:
    """All statements that an actor tries on a table's rows: their own and the victim's."""
    if actor.is_guise:
        yield from _first(material, actor, victim)
        return
    table, me = material.table, actor.user
    alone = out_of_the_way("; ".join(material.removal.values()))
    mine = (victim if material.of == "members" else me or "", me or "")
    if me and mine in material.payloads:
        row = _insertable(table, actor, material.payloads[mine])
        yield Try("insert", OWN, insert(table, row), dict.fromkeys(_CROWDED, alone))
    yield from _inserts(material, actor, victim, alone)
    if change := _change(material, actor, victim):
        if me:
            yield Try("update", OWN, f"update {table.name} set {change}", {})
            own = _where(table, material.standing.get(me))
            yield Try("update", OWN, f"update {table.name} set {change} where {own}", {})
        here = _where(table, material.standing.get(victim))
        yield Try("update", OTHER, f"update {table.name} set {change}", {})
        yield Try("update", OTHER, f"update {table.name} set {change} where {here}", {})
        yield Try(
            "returning", OTHER, f"update {table.name} set {change}{_returning(material, actor)}", {}
        )
    yield from _alike(material, actor, victim, alone)
    yield from _rises(material, actor, alone)
    yield from _moves(material, actor, victim)
    yield from _upserts(material, actor, victim)
    unbound = dict.fromkeys(STILL_REFERRED_TO, _ALONE.format(mode="replica"))
    for whose in (OWN, OTHER) if me else (OTHER,):
        yield Try("delete", whose, f"delete from {table.name}", unbound)
    yield Try("returning", OTHER, f"delete from {table.name}{_returning(material, actor)}", unbound)
    yield Try("truncate", OTHER, f"truncate {table.name} cascade", {})


def _first(material: Material, actor: Actor, victim: str) -> Iterator[Try]:
    """An insert, an update and a delete of what is not the actor's."""
    table, row = material.table, material.payloads.get((victim, victim))
    if row is not None:
        crowded = dict.fromkeys(_CROWDED, out_of_the_way(material.removal[victim]))
        yield Try("insert", OTHER, insert(table, _insertable(table, actor, row)), crowded)
    if change := _change(material, actor, victim):
        yield Try("update", OTHER, f"update {table.name} set {change}", {})
    unbound = dict.fromkeys(STILL_REFERRED_TO, _ALONE.format(mode="replica"))
    yield Try("delete", OTHER, f"delete from {table.name}", unbound)


def _inserts(material: Material, actor: Actor, victim: str, alone: str) -> Iterator[Try]:
    """Inserts: the victim's rows under either's parents, and own rows under the victim's."""
    table, me = material.table, actor.user or ""
    again = dict.fromkeys(_CROWDED, alone)
    seen: list[str] = []
    crossed = [(victim, me), (me, victim)] if material.links.get(victim) else []
    if material.of != "user":
        crossed = crossed[1:]  # whose it is, its organization says
    for pair in [(victim, victim), *crossed]:
        if pair not in material.payloads:
            continue
        statement = insert(table, _insertable(table, actor, material.payloads[pair]))
        if statement not in seen:
            seen.append(statement)
            yield Try("insert", OTHER, statement, again, joins=pair[0] == me)
            if pair == (victim, victim):
                returning = _returning(material, actor)
                yield Try("returning", OTHER, f"{statement}{returning}", again)


def _alike(material: Material, actor: Actor, victim: str, alone: str) -> Iterator[Try]:
    """Inserts: others' rows with other values, own ones with a victim's, for triggers to see."""
    table, me = material.table, actor.user or ""
    again = dict.fromkeys(_CROWDED, alone)
    for row in [*material.further, *_signed_by_both(material, me, victim)]:
        yield Try("insert", OTHER, insert(table, _insertable(table, actor, row)), again, quiet=True)
    standing, mine = material.standing.get(victim), material.payloads.get((me, me))
    if standing is None or mine is None or material.of == "members":
        return
    special = {name for columns in table.unique.values() for name in columns}
    special |= {name for key in table.foreign_keys for name in key.columns}
    special |= set(material.tenant.get(victim, {}))
    copied = {
        column.name: _value(table, column.name, standing[column.name])
        for column in table.columns
        if column.name not in special and not (column.generated or column.identity)
        and column.type.plain
    }  # fmt: skip
    row = _insertable(table, actor, {**mine, **copied})
    yield Try("insert", OTHER, insert(table, row), again, quiet=True)
    may = {column.name for column in table.allowed(actor.role, "u")}
    changes = [f"{quote(name)} = {value}" for name, value in copied.items() if name in may]
    own = material.standing.get(me)
    if changes and own:
        statement = f"update {table.name} set {', '.join(changes)} where {_where(table, own)}"
        yield Try("update", OTHER, statement, {}, quiet=True)


def _signed_by_both(material: Material, me: str, victim: str) -> Iterator[Row]:
    """The victim's row with the actor in another column that an insert's condition names as well.

    Where no condition names both columns, a row for another user may be meant to be: a letter.
    """
    table = material.table
    row, own = (material.payloads.get((user, user)) for user in (victim, me))
    if material.of != "user" or row is None or own is None:
        return
    conditions = [p.check or p.using or "" for p in table.policies if p.command in ("a", "*")]
    for column in [key.columns[0] for key in table.foreign_keys if key.parent == USERS]:
        words = [rf"\b{re.escape(name)}\b" for name in {column, *material.tenant[victim]}]
        both = any(all(re.search(word, text) for word in words) for text in conditions)
        if both and len(words) > 1 and column in own:
            yield {**row, column: own[column]}


def _rises(material: Material, actor: Actor, alone: str) -> Iterator[Try]:
    """Own rows with other values in the columns that may decide what a user may do."""
    table, me = material.table, actor.user or ""
    own, mine = material.standing.get(me), material.payloads.get((me, me))
    if own is None:
        return
    for name, values in material.rights.items():
        column, where = table.column(name), _where(table, own)
        is_members = material.of == "members" and len(values) > 1
        low = f"update {table.name} set {column.quoted} = {values[-1]} where {where}"
        for value in values[:-1] if is_members else values:
            if "u" in column.rights[actor.role]:
                statement = f"update {table.name} set {column.quoted} = {value} where {where}"
                first = out_of_the_way(low) if is_members else ""
                gains = f"gives itself {name} = {value.partition('::')[0]}" if is_members else ""
                yield Try("update", OTHER, statement, {}, True, True, first, gains)
            if "i" in column.rights[actor.role] and mine and not is_members:
                statement = insert(table, _insertable(table, actor, {**mine, name: value}))
                yield Try("insert", OTHER, statement, dict.fromkeys(_CROWDED, alone), True, True)


def _moves(material: Material, actor: Actor, victim: str) -> Iterator[Try]:
    """Updates that give a row away, or take one: by tenant column, and by each key to a parent."""
    table, me = material.table, actor.user
    for owner, loser in ((victim, me), (me, victim)):
        if owner is None:
            continue
        columns = {**material.links.get(owner, {}), **material.tenant.get(owner, {})}
        again = dict.fromkeys(_CROWDED, out_of_the_way(material.removal[owner]))
        assignments = [f"{quote(column)} = {value}" for column, value in columns.items()]
        for assigned in dict.fromkeys([*assignments, ", ".join(assignments)] if columns else []):
            statement = f"update {table.name} set {assigned}"
            yield Try("move", OTHER, statement, again, joins=owner == victim)
            if standing := material.standing.get(loser or ""):
                where = _where(table, standing)
                yield Try("move", OTHER, f"{statement} where {where}", again, owner == victim)


def _upserts(material: Material, actor: Actor, victim: str) -> Iterator[Try]:
    """Inserts that conflict with the victim's row: of a row of the victim, and of the actor."""
    table, standing = material.table, material.standing.get(victim)
    for owner in (victim, actor.user or ""):
        row = material.payloads.get((owner, victim), material.payloads.get((owner, owner)))
        for key in table.keys[:3] if standing and row is not None else ():
            values = {name: _value(table, name, (standing or {}).get(name)) for name in key}
            if "null" in values.values() or any(table.column(name).generated for name in key):
                continue
            payload = _insertable(table, actor, {**(row or {}), **values})
            may = {column.name for column in table.allowed(actor.role, "u")} or set(payload)
            open_ = [c.name for c in table.columns if not c.generated and c.identity != "a"]
            change = [name for name in open_ if name in payload and name in may - {*key}]
            change = change or [name for name in open_ if name in may - {*key}][:1] or list(key)
            assigned = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in change)
            target = ", ".join(map(quote, key))
            statement = f"{insert(table, payload)} on conflict ({target}) do update set {assigned}"
            yield Try("upsert", OTHER, statement, {})


def _change(material: Material, actor: Actor, victim: str) -> str:
    """An assignment that leaves every row valid: the victim's value of a column without a key.

    It is a literal, because reading a column applies the policies for SELECT (CREATE POLICY,
    "Policies Applied by Command Type"). If all columns have keys, a column is assigned to itself.
    """
    table, standing = material.table, material.standing.get(victim)
    if standing is None:
        return ""
    special = {name for columns in table.unique.values() for name in columns}
    special |= {name for key in table.foreign_keys for name in key.columns}
    special |= set(material.tenant.get(victim, {}))
    plain = [
        column
        for column in table.allowed(actor.role, "u") or table.columns
        if not column.generated and not column.identity and column.type.plain
    ]
    if not plain:
        return ""
    for column in plain:
        if column.name not in special:
            return f"{column.quoted} = {_value(table, column.name, standing[column.name])}"
    return f"{plain[0].quoted} = {plain[0].quoted}"


def _returning(material: Material, actor: Actor) -> str:
    readable = [column.quoted for column in material.table.allowed(actor.role, "r")]
    return f" returning {', '.join(readable) or '*'}"


def _insertable(table: Relation, actor: Actor, row: Row) -> Row:
    """The columns of a row that the role may insert; all columns if it may insert none."""
    may = {column.name for column in table.allowed(actor.role, "i")}
    return {name: value for name, value in row.items() if name in may or not may}


def _where(table: Relation, standing: Mapping[str, str | None] | None) -> str:
    """A condition that finds a row: by its first key; without a key, by all comparable columns."""
    names = table.keys[0] if table.keys else [c.name for c in table.columns if c.type.comparable]
    return " and ".join(
        f"{quote(name)} is not distinct from {_value(table, name, (standing or {}).get(name))}"
        for name in names
    )


def _value(table: Relation, name: str, text: str | None) -> str:
    return "null" if text is None else f"{literal(text)}::{table.column(name).type.name}"


def out_of_the_way(removal: str) -> str:
    """SQL that runs `removal` without triggers and foreign key checks."""
    return f"{_ALONE.format(mode='replica')}; {removal}; {_ALONE.format(mode='origin')}"
