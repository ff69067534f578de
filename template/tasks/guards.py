"""The guards: state → Refusal, or None. One function for each row of the README's table.

They know nothing of Invoke, of printing or of connections. Commands call them in their bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import catalog, hazards
from .catalog import Change
from .config import Config, Target
from .hazards import Hazard
from .ledger import Ledger
from .plan import Plan
from .revisions import heads, up_to
from .state import Repo, State, default_grants, grantee, pending, waiting

RLS_TRIGGER = "enable_rls_on_new_tables"


@dataclass(frozen=True)
class Refusal:
    """Why a step is refused, the facts or names concerned, and the next command."""

    code: str
    name: str
    reason: str
    first: str
    changes: Sequence[Change] = ()
    details: Sequence[str] = ()


def target(config: Config, target: Target, ledger: Ledger, confirm: str | None) -> Refusal | None:
    """G01: production is changed on purpose, or not at all.

    A database is protected by `pyproject.toml`, or by the label that it contains, so its URL is
    also refused under another name.
    """
    name = ledger.protected_as or (target.name if target.protected else None)
    if name is None:
        return None
    if config.in_ci:
        return Refusal(
            "G01",
            "target",
            f"{name} is protected, and this runs in CI:",
            "run it from a person's machine",
        )
    if confirm != name:
        known = "" if name == target.name else f" (reached as target {target.name})"
        return Refusal(
            "G01",
            "target",
            f"This database is protected as {name}{known}.",
            f"repeat with --confirm {name}",
        )
    return None


def embedded_only(target: Target) -> Refusal | None:
    """G01 for `db.reset`: it never drops a database with a URL."""
    if target.variable is None:
        return None
    return Refusal(
        "G01",
        "target",
        f"Target {target.name} is not the embedded database.",
        "invoke db.reset --target local",
    )


def one_lane_for_push(state: State) -> Refusal | None:
    """G02 for lane B: no push, no gen while SQL files wait. With work in both lanes, A goes first.

    Files after the mark build on the migrations, so they don't block a waiting revision.
    """
    files = state.pending_before or (() if state.waiting else state.pending_after)
    if not files:
        return None
    first = "invoke db.apply" if state.ledger.applied else "invoke db.bootstrap"
    return Refusal(
        "G02",
        "one-lane",
        "Lane A has unfinished work; these SQL files are new or changed, and not applied:",
        first,
        details=[file.name for file in files],
    )


def one_lane_for_gen(state: State) -> Refusal | None:
    """G02 for `db.gen`: as for a push, but files after the mark may exist before their table."""
    return one_lane_for_push(state) if state.pending_before else None


def one_lane_for_apply(repo: Repo, ledger: Ledger, names: Sequence[str]) -> Refusal | None:
    """G02 for lane A: no apply while a revision waits, unless lane A has work before it."""
    todo = waiting(repo, ledger)
    early = {file.name for file in pending(repo.order.before, ledger)}
    if not todo or (early and early.issuperset(names)):
        return None
    return Refusal(
        "G02",
        "one-lane",
        "Lane B has unfinished work; these revisions wait to be pushed:",
        "invoke db.push",
        details=[f"{r.id}  {r.title}" for r in todo],
    )


def stale_mirror(state: State) -> Refusal | None:
    """G03: at a push, the database must match the mirror."""
    if not state.drift:
        return None
    return Refusal(
        "G03",
        "stale-mirror",
        "The live database changed since the last sync:",
        "invoke db.sync",
        state.drift,
    )


def scope(app_tables: frozenset[str], introspected: frozenset[str]) -> Refusal | None:
    """G04: a table belongs to one lane. Both arguments hold `schema.table`."""
    both = sorted(app_tables & introspected)
    if not both:
        return None
    return Refusal(
        "G04",
        "scope",
        "These tables are in app.py and, made by SQL, in the database's mirror as well:",
        f"take {both[0]} out of app.py, or drop it from the database and: invoke db.sync",
        details=both,
    )


def metadata(is_app_metadata: bool) -> Refusal | None:
    """G04: Alembic compares the app's metadata and nothing else."""
    if is_app_metadata:
        return None
    return Refusal(
        "G04",
        "scope",
        "migrations/env.py gives Alembic other metadata than AppBase's, to drop what that lacks.",
        "restore target_metadata in migrations/env.py",
    )


def baseline(plan: Plan) -> Refusal | None:
    """G05: a migration changes only what lane B owns, however it is written."""
    made = {c.identity for c in plan.changes if c.before is None}
    touched = [c for c in plan.changes if not _is_lane_b(c, plan, made)]
    lost = _lost_unseen(plan)
    if not touched and not lost:
        return None
    return Refusal(
        "G05",
        "baseline",
        "Run on the shadow, the waiting migrations change what they do not own:",
        f"take it out of {plan.revisions[-1].path.name}; such changes go into supabase/sql/",
        touched,
        [f"{identity}   its data are lost or written anew" for identity in lost],
    )


def _lost_unseen(plan: Plan) -> list[str]:
    """Objects that lane B does not own and whose data are lost without a change of their facts.

    A migration may drop such an object and make it again, or rewrite it.
    """
    lost = {*plan.effects.gone, *(f"table {table}" for table in plan.effects.rewritten)}
    return sorted(i for i in lost - plan.owned if i in plan.after)


def _is_lane_b(change: Change, plan: Plan, made: set[str]) -> bool:
    if change.after is None and catalog.relation(change.identity) in plan.dropped:
        return True
    if change.before is not None:
        return change.identity in plan.owned
    about = catalog.about(change.identity)
    if about in plan.before:
        return about in plan.owned
    table = catalog.relation(change.identity)
    hosts = (
        [f"{kind} {table}" for kind in (*catalog.RELATION_KINDS, "domain", "composite type")]
        if table
        else []
    )
    return not hosts or any(host in plan.owned or host in made for host in hosts)


def _is_left_open(table: str, plan: Plan) -> bool:
    """Whether a new table lacks the RLS that the event trigger of `05_guardrails.sql` gave it."""
    is_given = f"event trigger {RLS_TRIGGER}" in plan.before and table.startswith("public.")
    return is_given and f"rls {table}" not in plan.after


def destructive(found: Sequence[Hazard], allowed: Sequence[str]) -> Refusal | None:
    """G06: a plan that gives up data needs consent, by name."""
    unmet = hazards.unmet(found, allowed)
    if not unmet:
        return None
    consents = " ".join(f"--allow {hazard.key}" for hazard in unmet)
    return Refusal(
        "G06",
        "destructive",
        "The plan gives up data:",
        f"if it is meant, repeat with {consents}",
        details=[f"{hazard.key}   {hazard.text}" for hazard in unmet],
    )


def sql_only(plan: Plan) -> Refusal | None:
    """G07: access rights, extensions and vector indexes belong to lane A.

    A new table's RLS by the event trigger and its default privileges come from the database, not
    from the migration.
    """
    given = default_grants(plan.before)
    touched = [change for change in plan.changes if _is_sql_only(change, plan, given)]
    if not touched:
        return None
    return Refusal(
        "G07",
        "sql-only",
        "Run on the shadow, the waiting migrations do what belongs to SQL files:",
        f"take it out of {plan.revisions[-1].path.name}, and write it into a file under "
        "supabase/sql/, listed after @migrations in bootstrap.txt",
        touched,
    )


def _is_sql_only(change: Change, plan: Plan, given: frozenset[tuple[str, str]]) -> bool:
    kind, table = catalog.kind(change.identity), catalog.relation(change.identity)
    if table in plan.dropped or (change.sign == "-" and table is None and kind == "grant"):
        return False
    is_new = f"table {table}" not in plan.before
    match kind:
        case "table" if change.sign == "+" and change.identity not in plan.effects.renamed.values():
            return _is_left_open(str(table), plan)
        case "policy" | "extension" | "default privileges":
            return True
        case "rls":
            return not is_new or "forced" in catalog.definition(change.after or "{}")
        case "index":
            method = str(catalog.definition(change.after or "{}").get("definition", ""))
            return any(f" USING {name} " in method for name in ("hnsw", "ivfflat"))
        case "grant":
            about, role = str(catalog.about(change.identity)), grantee(change.identity)
            # Postgres itself lets everybody use new types and run new functions.
            by_itself = role == "public" and table is None
            return about in plan.before or not (by_itself or (role, change.after) in given)
    return False


def order(repo: Repo) -> Refusal | None:
    """G09: `bootstrap.txt` lists each SQL file once, in the order of application."""
    order = repo.order
    details = [
        *(f"{name}: in supabase/sql, not in bootstrap.txt" for name in order.unlisted),
        *(f"{name}: in bootstrap.txt, not in supabase/sql" for name in order.missing),
        *(f"{name}: in bootstrap.txt more than once" for name in order.repeated),
    ]
    if not details:
        return None
    return Refusal(
        "G09",
        "order",
        "supabase/bootstrap.txt and the folder supabase/sql don't agree:",
        "give each file its place in supabase/bootstrap.txt",
        details=details,
    )


def app_drift(state: State) -> Refusal | None:
    """G10: only revisions change the app's tables."""
    if not state.app_drift:
        return None
    return Refusal(
        "G10",
        "app-drift",
        "The app's tables were changed by hand; no revision makes this:",
        "undo it in the database (invoke db.psql), and make it by app.py and invoke db.gen",
        state.app_drift,
    )


def session(plan: Plan) -> Refusal | None:
    """G16: a push is one transaction; a statement that can't be in one needs a session, by hand."""
    if not plan.needs_session:
        return None
    return Refusal(
        "G16",
        "session",
        "A push is one transaction, and the waiting migrations do what can't be in one:",
        "do it by hand over a session, port 5432 and not the transaction pooler's 6543: "
        'invoke db.psql -c "…"; then let the revision make it only where it is absent, '
        "op.create_index(…, if_not_exists=True)",
        details=plan.needs_session.splitlines(),
    )


def history(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11: one straight history, known in full, unchanged once applied."""
    several = heads(repo.revisions)
    if len(several) < 2:
        return applied_history(repo, ledger)
    return Refusal(
        "G11",
        "history",
        "The revisions have several heads:",
        "set down_revision of the one that is not pushed yet to the other's id",
        details=several,
    )


def applied_history(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11, the part for `db.sync`, too: the repo has each applied revision, unchanged.

    Ownership comes from replay, so the tables of a missing revision would count as lane A's and
    enter the mirror.
    """
    if ledger.revision and all(r.id != ledger.revision for r in repo.revisions):
        return Refusal(
            "G11",
            "history",
            "The database is at a revision that the repo does not have:",
            "check out the branch that has it: git log --all -- migrations/versions",
            details=[ledger.revision],
        )
    edited = [
        r
        for r in up_to(repo.revisions, ledger.revision)
        if ledger.pushed.get(r.id, r.digest) != r.digest
    ]
    if not edited:
        return None
    return Refusal(
        "G11",
        "history",
        "These revisions were edited after they had been pushed:",
        f"restore {edited[0].path.name} (git checkout), and put the change into a new revision",
        details=[f"{r.id}  {r.title}" for r in edited],
    )
