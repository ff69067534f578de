"""The report of `db.status`: where a target stands, and the next command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from twolane.errors import Failure
from twolane.facts import differences
from twolane.facts.catalog import Change
from twolane.facts.identities import RELATION_KINDS, kind
from twolane.guards import exposed
from twolane.guards.history import RECORD
from twolane.guards.refusal import Refusal, Refused
from twolane.lanes import app_changes
from twolane.postgres import branches
from twolane.repo.halfway import DOWN, Half
from twolane.state.connected import Work
from twolane.state.state import State
from twolane.telling import Working

NOTHING = "nothing to do"
ADOPT = "invoke db.adopt"
CAPTURE = "invoke db.capture"
DEPLOY = "invoke db.deploy"


@dataclass(frozen=True)
class Report:
    """The state of one target. Files and revisions by name; changes as facts.

    branch: the git branch that the embedded database is for, if each has its own. ungenerated:
    whether `app.py` has changes that no revision makes; None if a problem hides it. closed: the
    tables that no policy opens, and none of a file that waits → how they get one. For people
    alone, mirror: what there is to say of the mirror beside the drift; edited: the pending files
    that the database has run in another form.
    """

    target: str
    postgres: str
    protected: bool
    bootstrapped: bool
    revision: str | None
    pending_files: Sequence[str]
    late_files: Sequence[str]
    drift: Sequence[Change]
    unmade: Sequence[Change]
    waiting: Sequence[str]
    ungenerated: bool | None
    app_drift: Sequence[Change]
    problem: str | None
    next: str
    branch: str | None
    closed: Mapping[str, str] = field(default_factory=dict)
    mirror: str = ""
    edited: frozenset[str] = frozenset()


def read(state: State, server_version: int, blocked: Refusal | None, working: Working) -> Report:
    """The findings; compares the models with the shadow if nothing else is wrong."""
    problem = _words(blocked) if blocked else None
    ungenerated, way_on = None, ""
    if state.replay_error:
        problem, way_on = state.replay_error.message, state.replay_error.first
    if not blocked:
        try:
            ungenerated = app_changes.has_changes(state.repo, working)
        except Failure as failure:
            problem, way_on = failure.message, failure.first
        except Refused as refused:
            problem, way_on = _words(refused.refusal), refused.refusal.first
    step = blocked.first if blocked else next_step(state, ungenerated)
    return Report(
        target=state.target.name,
        postgres=_version(server_version),
        protected=bool(state.target.protected or state.ledger.protected_as),
        bootstrapped=bool(state.ledger.applied),
        revision=state.ledger.revision,
        pending_files=[file.name for file in state.pending_before],
        late_files=[file.name for file in state.pending_after],
        drift=state.drift,
        unmade=[*state.uncaptured, *state.left_over],
        waiting=_waiting(state),
        ungenerated=ungenerated,
        app_drift=state.app_drift,
        problem=problem,
        next=way_on if way_on and step == NOTHING else step,
        branch=branches.of_target(state.repo.config, state.target),
        closed=_closed(state),
        mirror=_mirror(state),
        edited=frozenset(state.ledger.applied),
    )


def _closed(state: State) -> dict[str, str]:
    """The tables that no policy opens → how they get one; G13's findings, as far as not ignored."""
    config = state.repo.config
    still = {t.name for t in exposed.closed(state.replayed or state.live, config.tenant_column)}
    return {
        table.plain: exposed.way_in(table.plain, f"table {table.name}" in state.app)
        for table in exposed.closed(state.live, config.tenant_column)
        if table.name in still
        and not any(fnmatchcase(f"G13:{table.plain}", entry) for entry in config.ignore)
    }


def _waiting(state: State) -> list[str]:
    """The revisions that wait, and how far an online one is that was cut short."""
    half = state.ledger.half
    far = {half.revision: _how_far(half)} if half else {}
    titles = {r.id: r.title for r in state.waiting}
    titles |= {name: "" for name in far if name not in titles}
    return [f"{name}  {title}{far.get(name, '')}" for name, title in titles.items()]


def _how_far(half: Half) -> str:
    way = "on its way down, " if half.way == DOWN else ""
    return f" ({way}online, cut short: {len(half.done)} of {half.steps} steps are done)"


def _mirror(state: State) -> str:
    """How the mirror stands to a database in which nothing was changed by hand since."""
    if state.unsynced:
        return "behind: SQL files made what it does not show yet; invoke db.sync"
    if state.elsewhere:
        first, *more = state.elsewhere
        rest = f" and {len(more)} more" if more else ""
        return f"fresh: but no SQL file makes {first}{rest}, which another database got by hand"
    if state.pending_before or state.pending_after or state.waiting:
        return "fresh: the database was not changed by hand"
    return "fresh: the lock is what the live database has"


def of_another_branch(work: Work, blocked: Refusal) -> Report:
    """The report where the database has what another branch made: nothing else is said of it."""
    return Report(
        target=work.target.name,
        postgres=_version(work.connection.info.server_version),
        protected=bool(work.target.protected or work.ledger.protected_as),
        bootstrapped=bool(work.ledger.applied),
        revision=work.ledger.revision,
        pending_files=(),
        late_files=(),
        drift=(),
        unmade=(),
        waiting=(),
        ungenerated=None,
        app_drift=(),
        problem=_words(blocked),
        next=blocked.first,
        branch=branches.of_target(work.config, work.target),
    )


def _version(number: int) -> str:
    return f"{number // 10_000}.{number % 10_000}"


def _words(refusal: Refusal) -> str:
    return "\n    ".join([refusal.reason, *refusal.details])


def next_step(state: State, ungenerated: bool | None) -> str:
    """The next command to run. Lane A goes first; files after the mark follow their revision."""
    if state.ledger.half and state.ledger.half.way == DOWN:
        return "invoke db.downgrade --to -1"
    if state.unrecorded:
        return RECORD
    if state.pending_before and not state.ledger.applied:
        return ADOPT if _is_older(state) else "invoke db.bootstrap"
    if state.is_behind and not (state.drift or state.app_drift):
        return DEPLOY
    if state.pending_before:
        return "invoke db.apply"
    if state.drift or state.unsynced:
        return "invoke db.sync"
    if state.app_drift:
        return "undo the change by hand of the app's tables: invoke db.psql"
    if state.waiting:
        return "invoke db.push"
    if ungenerated:
        return 'invoke db.gen -m "…"'
    if state.pending_after:
        return "invoke db.apply"
    if state.left_over:
        return DEPLOY
    return CAPTURE if state.uncaptured else NOTHING


def _is_older(state: State) -> bool:
    """Whether the database is older: it has tables, and the service has no own SQL files yet."""
    tables = [c for c in state.uncaptured if c.sign == "+" and kind(c.identity) in RELATION_KINDS]
    if not tables or state.repo.revisions:
        return False
    from twolane.repo.starter import STARTER

    return all(file.name in STARTER for file in state.repo.order.files)


def as_json(report: Report) -> dict[str, Any]:
    """The report for scripts: its fields, changes in the form of `db.diff --json`."""
    changes = ("drift", "unmade", "app_drift")
    return {
        name: differences.as_json(value) if name in changes else value
        for name, value in vars(report).items()
        if name not in ("mirror", "edited") and (name not in ("branch", "closed") or value)
    }
