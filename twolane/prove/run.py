"""All attempts on tables and views: every actor, every operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from twolane.prove.attempts import (
    ALLOWED,
    OTHER,
    OWN,
    Actor,
    Attempt,
    Outcome,
    Try,
    attempt,
)
from twolane.prove.choice import Unmakeable
from twolane.prove.disclosure import Reading
from twolane.prove.rows import insert
from twolane.prove.schema import Relation
from twolane.prove.stage import Stage, selection
from twolane.prove.writes import Material, writes
from twolane.sql import literal


@dataclass
class Run:
    stage: Stage
    _materials: dict[str, Material] = field(default_factory=dict)

    def attempts(self, shown: Callable[[str], Any]) -> list[Attempt]:
        """All possible attempts; calls `shown` with the name of each actor in turn."""
        stage = self.stage
        found = [attempt for actor in stage.actors for attempt in self._reads(actor)]
        stage.open = frozenset(a.object for a in found if (a.whose, a.verdict) == (OTHER, ALLOWED))
        for actor in stage.actors:
            with shown(f"trying as {actor.name}"):
                for table in stage.tables:
                    found += self._writes(table, actor)
                for view in stage.schema.views:
                    found += self._through(view, actor)
        return found

    def _reads(self, actor: Actor) -> Iterator[Attempt]:
        """Attempts to read: what an actor sees must not depend on the rows of others."""
        relations = [*self.stage.tables, *self.stage.schema.views]
        queries = {relation.name: selection(relation, actor.role) for relation in relations}
        others = self.stage.victims(actor)

        def read() -> dict[str, Reading]:
            self.stage.rows.refresh(self.stage.session)
            return {name: self.stage.read(actor, query) for name, query in queries.items()}

        with self.stage.rolled_back():
            full = read()
        with self.stage.without(others):
            alone = read()
        with self.stage.rolled_back():  # later, so that what the clock changes differs here too
            again = read()
        for relation in relations:
            seen, own = full[relation.name], alone[relation.name]
            for whose in (OWN, OTHER) if actor.user else (OTHER,):
                if whose == OTHER:
                    outcome = self.stage.disclosure.compare(actor, seen, again[relation.name], own)
                else:
                    outcome = Outcome(count=own.total()) if isinstance(own, Counter) else own
                yield attempt(
                    relation.name,
                    kind(relation),
                    actor,
                    Try("select", whose, queries[relation.name], {}),
                    outcome,
                )

    def _writes(self, table: Relation, actor: Actor) -> Iterator[Attempt]:
        others = self.stage.victims(actor)
        trials = writes(self._material(table), actor, others[0])
        if not table.rights[actor.role]:
            # Postgres looks at rights before it looks at anything else of a statement.
            trials = iter({(trial.operation, trial.whose): trial for trial in trials}.values())
        for trial in trials:
            outcome = self.stage.attempt(actor, trial, [table], others)
            if outcome.effect or not trial.quiet:
                yield attempt(table.name, "table", actor, trial, outcome)

    def _through(self, view: Relation, actor: Actor) -> Iterator[Attempt]:
        """Attempts to change rows through a view, if the view can be updated."""
        others = self.stage.victims(actor)
        if view.kind == "materialized view":
            return
        columns = [column for column in view.columns if column.type.plain]
        trials = [Try("delete", OTHER, f"delete from {view.name}", {})]
        if columns and "u" in view.rights[actor.role]:
            column = next((c for c in columns if "u" in c.rights[actor.role]), columns[0])
            value = f"(select x from (select {column.quoted} as x from {view.name}) as y limit 1)"
            with self.stage.rolled_back():
                (known,) = self.stage.session.ask(f"select {value}::text")
            if known is not None:
                change = f"{column.quoted} = {literal(known)}::{column.type.name}"
                trials.append(Try("update", OTHER, f"update {view.name} set {change}", {}))
        trials += self._into(view, actor, others[0])
        for trial in trials:
            outcome = self.stage.attempt(actor, trial, self.stage.schema.tables, others)
            if trial.quiet and not outcome.effect:
                continue
            if outcome.state not in ("55000", "0A000"):  # the view can't be updated
                yield attempt(view.name, "view", actor, trial, outcome)

    def _into(self, view: Relation, actor: Actor, victim: str) -> Iterator[Try]:
        """Inserts of the victim's rows through a view, and updates that give rows away."""
        spelled = {c.name for c in view.allowed(actor.role, "i")}
        for table in self.stage.tables_of(view) if spelled else ():
            material = self._material(table)
            names = columns_behind(self.stage.schema.source(view.name))
            for row in [material.payloads.get((victim, victim)), *material.further]:
                values = {
                    column: row[names.get(column, column)]
                    for column in spelled
                    if row and names.get(column, column) in row
                }
                if values:
                    yield Try("insert", OTHER, insert(view, values), {}, quiet=True)
        for table in self.stage.tables_of(view):
            names = columns_behind(self.stage.schema.source(view.name))
            tenant = self._material(table).tenant.get(victim, {})
            for column in view.allowed(actor.role, "u"):
                if value := tenant.get(names.get(column.name, column.name)):
                    change = f"update {view.name} set {column.quoted} = {value}"
                    yield Try("move", OTHER, change, {}, quiet=True)

    def _material(self, table: Relation) -> Material:
        if table.name not in self._materials:
            rows = self.stage.rows
            everybody = list(rows.users)
            payloads = {}
            for owner in rows.usual:
                for parents in rows.usual:
                    try:
                        payloads[owner, parents] = rows.payload(table, owner, parents)
                    except Unmakeable:
                        continue
            self._materials[table.name] = Material(
                table,
                payloads,
                {u: held[0][1] for u in everybody if (held := rows.held[table.name, u])},
                {user: rows.tenant(table, user) for user in everybody},
                {user: rows.links(table, user) for user in everybody},
                {user: self.stage.removal(table, user) for user in everybody},
                self._belongs_to(table),
                rows.varied_payloads(table),
                rows.variety.rights(table),
            )
        return self._materials[table.name]

    def _belongs_to(self, table: Relation) -> str:
        owners = self.stage.rows.owners
        if table.name in owners.members:
            return "members"
        return "organization" if owners.is_organizations(table) else "user"


def columns_behind(definition: str) -> dict[str, str]:
    """Column of a view → column of the table behind it, where it is just that."""
    from pglast import parse_sql

    statement: Any = parse_sql(definition)[0].stmt if definition else None
    found = {}
    for target in getattr(statement, "targetList", None) or ():
        fields = getattr(target.val, "fields", None) or ()
        if fields and hasattr(fields[-1], "sval"):
            found[target.name or fields[-1].sval] = fields[-1].sval
    return found


def kind(relation: Relation) -> str:
    return "table" if relation.is_table else "view"
