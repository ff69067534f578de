"""G07 sql-only: keeps rights, owners, policies, extensions and vector indexes out of migrations.

They belong to lane A, whose files are applied again when they change.
"""

from __future__ import annotations

from twolane.facts import catalog, identities
from twolane.facts.catalog import Change, default_grants
from twolane.facts.identities import grantee
from twolane.guards.refusal import Refusal
from twolane.state.plan import Plan

# What works beyond the tables of the app: on all statements, on all values of a type, or elsewhere.
_WIDE = frozenset(
    {
        *("policy", "extension", "default privileges", "event trigger", "language", "cast"),
        *(
            "transform",
            "conversion",
            "operator",
            "operator class",
            "operator family",
            "access method",
        ),
        *("operator of access method", "function of access method"),
        *("foreign-data wrapper", "server", "user mapping", "subscription"),
        *("publication", "publication schema"),
    }
)
# Postgres itself lets everybody run new functions and use new types (manual, 5.8).
FOR_ALL = frozenset(
    {
        *("function", "procedure", "aggregate"),
        *("type", "enum", "domain", "composite type", "range type"),
    }
)

RLS_TRIGGER = "enable_rls_on_new_tables"
"""The event trigger of `05_guardrails.sql`."""


def sql_only(plan: Plan) -> Refusal | None:
    """G07: access rights, owners, extensions, vector indexes and what works beyond the app's tables
    belong to lane A.

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
    kind, table = identities.kind(change.identity), identities.relation(change.identity)
    if change.identity in plan.follows or table in plan.dropped:
        return False
    gone = identities.about(change.identity) not in plan.after
    if change.sign == "-" and kind == "grant" and (table is None or gone):
        return False
    is_new = f"table {table}" not in plan.before
    match kind:
        case "table" if change.sign == "+" and change.identity not in plan.effects.renamed.values():
            return _is_left_open(str(table), plan)
        case _ if kind in _WIDE:
            return True
        case "owner":
            return change.after is not None and not _is_carried(change, plan)
        case "rls":
            return not is_new or "forced" in catalog.definition(change.after or "{}")
        case "index":
            method = str(catalog.definition(change.after or "{}").get("definition", ""))
            return any(f" USING {name} " in method for name in ("hnsw", "ivfflat"))
        case "grant":
            about, role = str(identities.about(change.identity)), grantee(change.identity)
            by_itself = role == "public" and identities.kind(about) in FOR_ALL
            by_itself = by_itself and "grant_option" not in catalog.definition(change.after or "{}")
            return about in plan.before or not (by_itself or (role, change.after) in given)
    return False


def _is_carried(change: Change, plan: Plan) -> bool:
    """Whether a renamed table only keeps its owner."""
    about = identities.about(change.identity)
    before = (old for old, new in plan.effects.renamed.items() if new == about)
    return any(plan.before.get(f"owner {old}") == change.after for old in before)


def _is_left_open(table: str, plan: Plan) -> bool:
    """Whether a new table lacks the RLS that the event trigger gave it."""
    is_given = f"event trigger {RLS_TRIGGER}" in plan.before and table.startswith("public.")
    return is_given and (table in plan.effects.closed or f"rls {table}" not in plan.after)
