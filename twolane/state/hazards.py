"""The hazards of a plan, each with the safe way and the consent that it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from twolane import blocks
from twolane.errors import Failure
from twolane.facts import catalog, identities
from twolane.facts.catalog import Change
from twolane.state.plan import Plan
from twolane.text import meant

CONSENT = ("drop", "narrow", "rewrite", "undo", "write")

# Type changes, from → to, that keep every value (Postgres manual, chapter 8).
_WIDER = {
    ("smallint", "integer"),
    ("smallint", "bigint"),
    ("smallint", "numeric"),
    ("integer", "bigint"),
    ("integer", "numeric"),
    ("integer", "double precision"),
    ("bigint", "numeric"),
    ("real", "double precision"),
    *((kind, "text") for kind in ("character varying", "json", "uuid", "numeric", "boolean")),
    *((kind, "text") for kind in ("smallint", "integer", "bigint", "date")),
    ("cidr", "inet"),
}
# The decimal digits that a type's values have at most.
_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
# Here a larger number in brackets takes every value of a smaller one; not so for `vector(3)`.
_GROWING = ("character varying", "bit varying", "time", "interval")
_FILLED = {"default", "identity", "generated"}


_LATER = "add it NOT VALID, and validate it in a later revision"
# What a new constraint does to a table with rows (Postgres manual, ALTER TABLE), by its type.
_CHECKED = {
    "check": f"every row is checked under a lock: {_LATER}",
    "foreign key": f"every row is checked under a lock on both tables: {_LATER}",
    "exclude": "its index is built while nobody reads or writes: do it in a quiet hour",
}
_BUILT = (
    "its index is built while nobody reads or writes: build a unique index concurrently first, in "
    "an online revision, and add the constraint using it"
)


@dataclass(frozen=True)
class Hazard:
    """One danger. Its key, `drop:notes.body`, is what `--allow` takes where consent is needed."""

    kind: str
    what: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.what}"

    @property
    def needs_consent(self) -> bool:
        return self.kind in CONSENT


def find(plan: Plan) -> list[Hazard]:
    """The hazards of a plan: those that need consent first, then by name."""
    stages = [(*_of_changes(stage), *_of_effects(stage)) for stage in plan.in_stages]
    found = {hazard.key: hazard for stage in stages for hazard in stage}
    return sorted(found.values(), key=lambda hazard: (not hazard.needs_consent, hazard.key))


def _of_changes(plan: Plan) -> Iterator[Hazard]:
    renamed, gone = plan.effects.renamed, plan.effects.gone
    for identity in sorted(plan.owned):
        if identity in gone and not _is_computed(plan, identity):
            yield Hazard("drop", short(identity), "its data are lost for good")
        elif identities.kind(identity) == "column":
            yield from _column(
                identity,
                plan.before[identity],
                plan.after.get(renamed.get(identity, identity)),
                plan.is_online,
            )
    tables = {
        renamed.get(i, i) for i in plan.before if identities.kind(i) == "table" and i not in gone
    }
    known = {*renamed.values(), *plan.effects.kept}
    for change in plan.changes:
        table = f"table {identities.relation(change.identity)}"
        if change.sign != "+" or table not in tables or change.identity in known:
            continue
        if not _is_brought_online(plan, change.identity):
            yield from _added(change)


_QUIET = re.compile(
    r"create (unique )?index concurrently|.* not valid$|.* using index |.* validate constraint ",
    re.IGNORECASE | re.DOTALL,
)


def _is_brought_online(plan: Plan, identity: str) -> bool:
    """Whether it comes by steps of an online revision that make nobody wait for long."""
    about = [step.sql for step in plan.steps if identity in step.touches]
    return plan.is_online and all(_QUIET.match(blocks.uncommented(sql).strip()) for sql in about)


def _is_computed(plan: Plan, identity: str) -> bool:
    """Whether it is a column whose values are computed, and are again where it comes back."""
    texts = (plan.before[identity], plan.after.get(identity, "{}"))
    return all("generated" in catalog.definition(text) for text in texts)


def _column(
    identity: str, before: str, after: str | None, is_online: bool = False
) -> Iterator[Hazard]:
    if after is None or before == after:
        return
    name, old, new = short(identity), catalog.definition(before), catalog.definition(after)
    if new.get("not_null") and not old.get("not_null"):
        reads = "" if is_online else "reads the whole table, and "
        yield Hazard("not-null", name, f"{reads}fails where a row has null")
    if "generated" in old and "generated" in new:
        return  # its values are computed anew
    if old["type"] != new["type"] and not widens(old["type"], new["type"]):
        text = f"{old['type']} → {new['type']}: values that don't fit fail or are cut"
        yield Hazard("narrow", name, text)


def _added(change: Change) -> Iterator[Hazard]:
    """Hazards of an addition to a table that existed before and may have rows."""
    name, parts = short(change.identity), catalog.definition(change.after or "{}")
    match identities.kind(change.identity):
        case "column" if "not_null" in parts and not _FILLED & parts.keys():
            advice = "give it a server_default, or add it nullable, fill it, then set NOT NULL"
            yield Hazard("not-null", name, f"fails where the table has rows: {advice}")
        case "index":
            yield Hazard("index", name, "built without CONCURRENTLY: writes wait until it is done")
        case "constraint" if not parts["definition"].endswith("NOT VALID"):
            yield Hazard("constraint", name, _CHECKED.get(parts["type"], _BUILT))


def _of_effects(plan: Plan) -> Iterator[Hazard]:
    for function, name in plan.mentions.items():
        text = f"its body names {name}, which is gone then; Postgres finds that out when it runs"
        yield Hazard("function", short(function), text)
    for table in plan.effects.rewritten:
        text = "every row is written anew, or lost (truncate), and nobody reads meanwhile"
        yield Hazard("rewrite", plain(table), text)
    yield from writes(plan, plan.effects.traces.written)
    until = "while its step runs" if plan.is_online else "until the push has finished"
    for table, what in plan.effects.locked.items():
        yield Hazard("lock", plain(table), f"blocks {what} {until}")


def writes(plan: Plan, tables: Collection[str]) -> list[Hazard]:
    """The hazards of lane B's tables whose rows are written; a partition goes with its parent."""
    own = [table for table in sorted(tables) if plan.owns(table)]
    whole = [table for table in own if table not in plan.partitions]
    text = "its rows are written; how many, shows only where there are any"
    return [Hazard("write", plain(table), text) for table in whole or own]


def widens(before: str, after: str) -> bool:
    """Whether every value of the one type is one of the other: `varchar(10)` → `varchar(20)`."""
    (one, old), (other, new) = _type(before), _type(after)
    if other == "numeric" and new and one in _DIGITS:
        return new[0] - [*new, 0][1] >= _DIGITS[one]
    if one != other:
        return (one, other) in _WIDER and not new
    if not new:
        return True
    if one == "numeric" and old:
        scale, wider = ([*digits, 0][1] for digits in (old, new))
        return wider >= scale and new[0] - wider >= old[0] - scale
    return one.startswith(_GROWING) and bool(old) and old <= new


def _type(text: str) -> tuple[str, list[int]]:
    """`numeric(10,2)` → `("numeric", [10, 2])`; `time(3) with time zone` keeps its tail."""
    name, opened, rest = text.partition("(")
    inner, _, tail = rest.partition(")")
    numbers = [part.strip() for part in inner.split(",")] if opened else []
    if not all(number.isdecimal() for number in numbers):
        return text, []
    return f"{name}{tail}", [int(number) for number in numbers]


def short(identity: str) -> str:
    """`column public.notes.body` → `notes.body`; another schema than `public` stays."""
    return plain(_bare(identity))


def _bare(identity: str) -> str:
    return identity.removeprefix(identities.kind(identity) + " ")


def plain(name: str) -> str:
    """`public.notes` → `notes`, without quotes."""
    return identities.plain(name).removeprefix("public.")


def unmet(found: Sequence[Hazard], allowed: Sequence[str]) -> list[Hazard]:
    """The hazards whose consent is not among those given; `public.` may be left out or given."""
    met = given(allowed)
    return [hazard for hazard in found if hazard.needs_consent and hazard.key not in met]


def given(allowed: Sequence[str]) -> set[str]:
    """The keys of the hazards that these consents fit."""
    return set(map(_normal, allowed))


def expect_known(found: Sequence[Hazard], allowed: Sequence[str], plan: Plan | None = None) -> None:
    """Raises a `Failure` for a consent that no hazard of the plan asks for: it may be a slip.

    Whether rows of the app's tables are written may depend on the rows that the database has.
    """
    keys = [hazard.key for hazard in found if hazard.needs_consent]
    for consent in allowed:
        if _normal(consent) not in [*keys, *_may_write(plan)]:
            known = ", ".join(keys) or "no hazard that needs consent"
            raise Failure(
                f"--allow {consent} fits nothing in this plan; it has: {known}. "
                f"{meant(consent, keys)}".rstrip(),
                "invoke db.push --dry-run",
            )


def _may_write(plan: Plan | None) -> Iterator[str]:
    for identity in plan.owned if plan else ():
        if identities.kind(identity) == "table":
            yield f"write:{short(identity)}"


def _normal(consent: str) -> str:
    return consent.replace(":public.", ":", 1)
