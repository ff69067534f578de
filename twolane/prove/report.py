"""The findings of `db.prove`: as a matrix, as JSON, as a refusal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from twolane.guards.refusal import Refusal
from twolane.prove import attempts as prove
from twolane.prove import causes
from twolane.prove.attempts import FAILED, OPERATIONS, OTHER, OWN, Attempt
from twolane.text import counted, shortened

WIDTH = 10
_POLICY = "new row violates row-level security policy"
SHOWN = 30
FAILS = " fails: "
# An object, and its rows: who and whose, and the verdict of each operation; the first names them.
_Block = tuple[str, list[tuple[str, Sequence[str]]]]


@dataclass(frozen=True)
class Proof:
    """The outcome of all attempts.

    database: "shadow" or "local"; the proof used a copy of it. closed: tables on which the data
    API's roles have no rights. tenants: table → the column that identifies a row's owner, or None.
    understood: the same in words.
    gaps: tables without an attempt → why. uncalled: functions without a successful call → why.
    insertable: tables with a policy for inserts. closes: the SQL that closes what was found.
    cause: what lets an attempt through. setting: the SQL that makes the rows for it.
    published: tables that Realtime broadcasts without row level security. without_policy: tables of
    the platform that no policy opens. as_owner: what asks for session_user, which was the owner of
    the copy.
    """

    database: str
    attempts: Sequence[Attempt]
    shared: Sequence[str]
    tenants: Mapping[str, str | None]
    understood: Mapping[str, str]
    closed: Sequence[str]
    gaps: Mapping[str, str]
    uncalled: Mapping[str, str]
    insertable: Collection[str]
    closes: Callable[[Attempt], str] = lambda _: ""
    cause: Callable[[Attempt], str] = lambda attempt: attempt.object
    setting: Callable[[Attempt], str] = lambda _: ""
    published: Sequence[str] = ()
    without_policy: Sequence[str] = ()
    as_owner: Sequence[str] = ()

    @cached_property
    def cells(self) -> Mapping[tuple[str, str, str, str], Attempt]:
        """(object, who, whose, operation) → the attempt with the worst verdict."""
        return prove.merged(self.attempts)

    @cached_property
    def findings(self) -> list[Attempt]:
        found = prove.findings(self.cells.values(), self.shared)
        return causes.merged_truncates(found)

    @cached_property
    def undecided(self) -> list[Attempt]:
        """Attempts that prove nothing: neither a grant nor a policy stopped them.

        Or a policy stopped them for a reason other than the tenant: it refuses an own row, too.
        """
        return [
            attempt
            for attempt in self.cells.values()
            if (attempt.verdict == FAILED and attempt.whose == OTHER)
            or (attempt.detail.startswith(_POLICY) and self._is_own_insert(attempt))
            if attempt.object not in self.uncalled
        ]

    def _is_own_insert(self, attempt: Attempt) -> bool:
        own = (attempt.whose, attempt.operation) == (OWN, "insert")
        return own and attempt.object in self.insertable


def tenancy(proof: Proof) -> Refusal | None:
    """G15: refuses if somebody sees or changes a row of another tenant, or a table is untried."""
    findings = finding_lines(proof)
    gaps = gap_lines(proof, " (so nothing else is proven of it)" if findings else "")
    failing = [name for name, reason in proof.gaps.items() if FAILS in reason]
    correct = "correct grants and policies in supabase/sql, then: invoke db.prove"
    if findings:
        reason, first = "Rows can be seen or changed by another tenant, or by anon:", correct
    elif failing:
        reason, first = "These could not be tried, so nothing is proven of them:", correct
    elif gaps:
        reason = "No row could be made in these tables, so nothing is proven of them:"
        name = next(iter(proof.gaps))
        first = f"""say what a row needs, in pyproject.toml: [tool.twolane.prove.rows.'{name}']"""
    else:
        return None
    return Refusal("G15", "tenancy", reason, first, details=_limited([*findings, *gaps]))


def finding_lines(proof: Proof) -> list[str]:
    """`public.contacts · select · user A, user B: sees rows of another`; each finding once."""
    lines = []
    for cause, found in _by_cause(proof).items():
        names = list(dict.fromkeys(attempt.object for attempt in found))
        if len(names) == 1:
            why = f"; {cause}" if cause == causes.NO_TENANT else ""
            lines += _lines(replace(a, detail=a.detail + why) for a in found)
            continue
        who = ", ".join(dict.fromkeys(attempt.who.partition(" (")[0] for attempt in found))
        operations = ", ".join(dict.fromkeys(attempt.operation for attempt in found))
        lines += causes.under(f"{cause} ({len(names)}) · {operations} · {who}:", names)
    return lines


def _by_cause(proof: Proof) -> dict[str, list[Attempt]]:
    return causes.together((proof.cause(attempt), attempt) for attempt in proof.findings)


def gap_lines(proof: Proof, note: str = "") -> list[str]:
    """`public.notes: no value is known for place`; of several with one cause, the cause first."""
    lines = []
    groups = causes.together((causes.of_gap(why), name) for name, why in proof.gaps.items())
    for cause, names in groups.items():
        if len(names) == 1:
            lines.append(f"{names[0]}: {proof.gaps[names[0]]}{note}")
        else:
            lines += causes.under(f"{cause} ({len(names)}){note}:", names)
    return lines


def uncalled_lines(proof: Proof) -> list[str]:
    """`public.a(uuid) could not be called: why`; functions with one reason together."""
    reasons = causes.together((reason, name) for name, reason in proof.uncalled.items())
    return [f"{', '.join(names)} could not be called: {why}" for why, names in reasons.items()]


def first_proof(proof: Proof) -> list[str]:
    """Lines: how to see the first finding for oneself, and what would close it."""
    if not proof.findings:
        return []
    worst = proof.findings[0]
    closes = proof.closes(worst)
    lines = [f"To see it, in a copy: {worst.object} · {worst.operation}"]
    lines += [line for text in (proof.setting(worst), worst.script) for line in text.splitlines()]
    return [*lines, *(["To close it:", *closes.split("\n")] if closes else [])]


def not_tried(proof: Proof) -> list[str]:
    """What no attempt covers, so that nobody takes it for proven."""
    return [
        *(f"{name}: no policy opens it" for name in proof.without_policy),
        "storage.buckets: who may list, make and change buckets",
        "what errors of unique keys, foreign keys and sequences tell about rows of others",
        *(f"{name}: asks session_user, which is not authenticator here" for name in proof.as_owner),
        *(f"{name}: Realtime broadcasts it, row level security is off" for name in proof.published),
    ]


def undecided_lines(proof: Proof) -> list[str]:
    """Attempts that prove nothing; what several objects have in common once."""
    lines = []
    for why, found in causes.together((a.detail, a) for a in proof.undecided).items():
        names = list(dict.fromkeys(attempt.object for attempt in found))
        operations = ", ".join(dict.fromkeys(attempt.operation for attempt in found))
        lines += _lines(found) if len(names) == 1 else [f"{', '.join(names)} · {operations}: {why}"]
    return lines


def _lines(attempts: Iterable[Attempt]) -> list[str]:
    lines: dict[tuple[str, str, str], dict[str, None]] = {}
    for a in attempts:
        lines.setdefault((a.object, a.operation, a.detail), {})[a.who.partition(" (")[0]] = None
    return [f"{name} · {op} · {', '.join(who)}: {what}" for (name, op, what), who in lines.items()]


def _limited(lines: Sequence[str]) -> list[str]:
    return shortened(lines, SHOWN, "; all: invoke db.prove --json")


def matrix(proof: Proof, room: int) -> list[str]:
    """Lines for each object: who, whose rows, and the verdict of each operation.

    room: the width of the terminal; where it is small, who and whose are a line of their own.
    """
    blocks: list[_Block] = []
    cells = _short(proof)
    by_name = sorted(cells, key=lambda key: key[0])
    for name, group in groupby(by_name, key=lambda key: key[0]):
        keys = list(group)
        operations = [op for op in (*OPERATIONS, "call") if any(key[3] == op for key in keys)]
        rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for who, whose in dict.fromkeys((who, whose) for _, who, whose, _ in keys):
            row = tuple(_cell(cells.get((name, who, whose, op)), proof) for op in operations)
            rows.setdefault((whose, row), []).append(who)
        alike: list[tuple[str, Sequence[str]]] = [
            (f"{', '.join(who)}: {whose}", row) for (whose, row), who in rows.items()
        ]
        alike.sort(key=lambda labelled: OWN not in labelled[0])
        blocks.append((f"{name}   {_note(proof, name)}".rstrip(), [("", operations), *alike]))
    lines = _side_by_side(blocks)
    if max(map(len, lines), default=0) > room:
        lines = _one_below_the_other(blocks)
    return [*lines, *(f"{name}   closed to anon and authenticated" for name in proof.closed)]


def _side_by_side(blocks: Sequence[_Block]) -> list[str]:
    width = max((len(label) for _, rows in blocks for label, _ in rows), default=0)
    lines = []
    for title, labelled in blocks:
        lines.append(title)
        for label, line in labelled:
            columns = "".join(f"{cell:<{WIDTH}}" for cell in line)
            lines.append(f"  {label:<{width}}  {columns}".rstrip())
    return lines


def _one_below_the_other(blocks: Sequence[_Block]) -> list[str]:
    lines = []
    for title, labelled in blocks:
        columns = zip(*(row for _, row in labelled), strict=True)
        widths = [max(map(len, column)) + 1 for column in columns]
        lines.append(title)
        for label, line in labelled:
            lines += [f"  {label}"] if label else []
            lines.append(f"    {''.join(map(str.ljust, line, widths))}".rstrip())
    return lines


def _short(proof: Proof) -> dict[tuple[str, str, str, str], Attempt]:
    """The cells; one actor stands for all shapes of forged claims."""
    return prove.merged([replace(a, who=a.who.partition(" (")[0]) for a in proof.attempts])


def _note(proof: Proof, name: str) -> str:
    if name in proof.shared:
        return "shared"
    return f"tenant: {proof.understood[name]}" if proof.understood.get(name) else ""


def _cell(attempt: Attempt | None, proof: Proof) -> str:
    if attempt is None:
        return "·"
    is_finding = prove.is_finding(attempt, proof.shared)
    return attempt.verdict.upper() if is_finding else attempt.verdict


def conclusion(proof: Proof) -> str:
    """The last line of a proof without findings: it claims no more than was tried."""
    tried = f"{summary(proof)}, none reached a row of another"
    if proof.undecided or proof.uncalled:
        return f"No break found: {tried}. What is named above could not be tried."
    return f"Tenancy holds: {tried}."


def summary(proof: Proof) -> str:
    kinds = {kind: len({a.object for a in proof.attempts if a.kind == kind}) for kind in _KINDS}
    words = ", ".join(counted(n, kind) for kind, n in kinds.items() if n)
    return f"{len(proof.attempts)} attempts on {words or 'no tables'}"


_KINDS = ("table", "view", "function")


def as_json(proof: Proof) -> dict[str, Any]:
    """The whole proof; the guide's page on JSON documents it."""
    return {
        "database": proof.database,
        "proven": not proof.findings and not proof.gaps,
        "tables": [
            {
                "table": name,
                "tenant": tenant,
                "understood": proof.understood[name],
                "shared": name in proof.shared,
            }
            for name, tenant in proof.tenants.items()
        ],
        "closed": list(proof.closed),
        "findings": [
            {
                **_attempt(finding),
                "setup": proof.setting(finding),
                "script": finding.script,
                "closes": proof.closes(finding),
                "cause": proof.cause(finding),
            }
            for finding in proof.findings
        ],
        "gaps": [
            {"object": name, "reason": reason, "cause": causes.of_gap(reason)}
            for name, reason in proof.gaps.items()
        ],
        "causes": [
            {"cause": cause, "objects": list(dict.fromkeys(attempt.object for attempt in found))}
            for cause, found in _by_cause(proof).items()
        ],
        "uncalled": [{"object": name, "reason": why} for name, why in proof.uncalled.items()],
        "undecided": list(map(_attempt, proof.undecided)),
        "not_tried": not_tried(proof),
        "matrix": [
            {key: value for key, value in _attempt(cell).items() if key != "statement"}
            for cell in proof.cells.values()
        ],
    }


def as_kept(proof: Proof) -> dict[str, Any]:
    """The same, with the statement behind each cell of the matrix: for a page that shows it."""
    return as_json(proof) | {"matrix": list(map(_attempt, proof.cells.values()))}


def _attempt(attempt: Attempt) -> dict[str, str]:
    return {
        "object": attempt.object,
        "kind": attempt.kind,
        "who": attempt.who,
        "rows": attempt.whose,
        "operation": attempt.operation,
        "verdict": attempt.verdict,
        "detail": attempt.detail,
        "statement": attempt.statement,
    }


def uncalled(attempts: Sequence[Attempt], signatures: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Functions without a successful call, each with the error of its last call."""
    called: dict[str, list[Attempt]] = {signature: [] for signature in signatures}
    for attempt in attempts:
        if attempt.object in called:
            called[attempt.object].append(attempt)
    for signature, calls in called.items():
        if all(call.verdict == FAILED for call in calls):
            yield signature, calls[-1].detail if calls else "its arguments can't be made"
