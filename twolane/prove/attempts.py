"""Attempts: who tries which statement on whose rows, and the verdict. Pure: `stage` runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twolane.sql import literal

ALLOWED, FAILED, FILTERED, DENIED = "allowed", "failed", "filtered", "denied"
# From the worst to the best: a cell with several attempts shows the worst.
WORST_FIRST = (ALLOWED, FAILED, FILTERED, DENIED)
OWN, OTHER = "own", "other's"
OPERATIONS = ("select", "insert", "update", "move", "delete", "upsert", "returning", "truncate")
# insufficient_privilege: a missing grant or a policy (ExecWithCheckOptions in
# src/backend/executor/execMain.c). invalid_text_…: a claim that is not a uuid or not JSON.
# raise_exception: a trigger or a function refuses.
_DENIALS = ("42501", "22P02", "P0001")
STILL_REFERRED_TO = ("23503", "23001")


@dataclass(frozen=True)
class Actor:
    """The sender of a statement: role, JWT claims, the claim `sub`, headers of the request.

    user: A, B or another of the users whose rows there are, or None. metadata: what the user wrote
    into their own row of auth.users. is_guise: somebody else tries everything, without the like.
    """

    name: str
    role: str
    claims: str
    sub: str = ""
    user: str | None = None
    headers: str = ""
    metadata: str = ""
    is_guise: bool = False


@dataclass(frozen=True)
class Try:
    """One statement. again: SQLSTATE → what to prepare, as superuser, for a second try.

    joins: the statement links the actor's own row to a row of another; we then look at what the
    actor sees. quiet: it counts only if it has an effect. first: what to prepare, as superuser.
    gains: the effect, in words, if the statement changes any row.
    """

    operation: str
    whose: str
    statement: str
    again: Mapping[str, str]
    joins: bool = False
    quiet: bool = False
    first: str = ""
    gains: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a statement. effect: its effect on rows of others, in words; '' for none.

    told: the error's message, detail and hint, as the data API passes them on. evidence: a row
    that it reached, as text.
    """

    state: str = ""
    message: str = ""
    count: int = 0
    effect: str = ""
    told: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Attempt:
    """One attempt of a cell: the object, who tried what on whose rows, the verdict, and why.

    script: the statement with the role and claims before it, ready to paste. evidence: a row that
    it reached, as text.
    """

    object: str
    kind: str
    who: str
    whose: str
    operation: str
    verdict: str
    detail: str
    statement: str
    state: str = ""
    script: str = ""
    evidence: str = ""


def actors(users: Mapping[str, str], claims: Callable[[str], Mapping[str, Any]]) -> list[Actor]:
    """Each user, and actors who are no user: without claims, with malformed claims, anon.

    claims: the claims of a user.
    """
    found = [
        Actor(f"user {name}", "authenticated", json.dumps(claims(name)), user, name)
        for name, user in users.items()
    ]
    other = next(iter(users.values()))
    return [
        *found,
        Actor("no claims", "authenticated", ""),
        Actor("forged claims (an array)", "authenticated", json.dumps([{"sub": other}])),
        Actor("forged claims (sub is no uuid)", "authenticated", '{"sub": "x\' or true --"}'),
        Actor("forged claims (no JSON)", "authenticated", other),
        Actor("anon", "anon", '{"role": "anon"}'),
    ]


def victims(actor: Actor, users: Mapping[str, str]) -> list[str]:
    """The users whose rows the actor may not see or change."""
    return [name for name in users if name != actor.user]


def attempt(name: str, kind: str, actor: Actor, trial: Try, outcome: Outcome) -> Attempt:
    """The attempt that a try and its outcome make."""
    return Attempt(
        name,
        kind,
        actor.name,
        trial.whose,
        trial.operation,
        verdict(outcome, trial.whose, trial.joins),
        outcome.effect or outcome.message,
        trial.statement,
        outcome.state,
        script(actor, trial) if outcome.effect else "",
        outcome.evidence,
    )


def script(actor: Actor, trial: Try) -> str:
    """The statement as the actor sends it, in a transaction that is rolled back."""
    settings = {
        "request.jwt.claims": actor.claims,
        "request.jwt.claim.sub": actor.sub,
        "request.headers": actor.headers,
    }
    lines = [f"set local role {actor.role};"]
    lines += [
        f"select set_config('{name}', {literal(value)}, true);"
        for name, value in settings.items()
        if value
    ]
    if actor.metadata:
        own = f"update auth.users set raw_user_meta_data = {literal(actor.metadata)}"
        lines.insert(0, f"{own} where id = {literal(actor.sub)};")
    if trial.first:
        lines.insert(0, f"{trial.first};")
    return "\n".join(["begin;", *lines, f"{trial.statement};", "rollback;"])


def verdict(outcome: Outcome, whose: str, joins: bool = False) -> str:
    if outcome.effect:
        return ALLOWED
    if joins and outcome.state in STILL_REFERRED_TO:
        return DENIED  # the key has several columns, so it refused a reference to another's row
    if outcome.state:
        return DENIED if outcome.state in _DENIALS else FAILED
    return ALLOWED if whose == OWN and outcome.count > 0 else FILTERED


def merged(attempts: Sequence[Attempt]) -> dict[tuple[str, str, str, str], Attempt]:
    """(object, who, whose, operation) → the attempt with the worst verdict."""
    cells: dict[tuple[str, str, str, str], Attempt] = {}
    for attempt in attempts:
        key = (attempt.object, attempt.who, attempt.whose, attempt.operation)
        known = cells.get(key)
        rank = WORST_FIRST.index
        if known is None or rank(attempt.verdict) < rank(known.verdict):
            cells[key] = attempt
    return cells


def findings(cells: Iterable[Attempt], shared: Sequence[str]) -> list[Attempt]:
    """The merged attempts that break tenant isolation."""
    return [attempt for attempt in cells if is_finding(attempt, shared)]


def is_finding(attempt: Attempt, shared: Sequence[str]) -> bool:
    """Whether it shows or changes rows of others; all may read a shared object."""
    may_be_read = attempt.operation in ("select", "call") and attempt.object in shared
    return attempt.whose == OTHER and attempt.verdict == ALLOWED and not may_be_read
