"""G13 exposed: what the data API's roles can reach past row level security. Facts → findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from twolane.facts import identities
from twolane.facts.catalog import Snapshot, definition
from twolane.facts.relations import Relation, Routine, exposed_schemas, reach, relations, routines
from twolane.guards.findings import ERROR, WARNING, Finding

_ON = ("true", "on", "yes", "1")


def find(facts: Snapshot, app: Set[str], tenant: str) -> Iterator[Finding]:
    """Findings on what is exposed in the schemas that `anon` or `authenticated` may use.

    `app` are the identities of lane B's facts, `tenant` the tenant column's name. Grants count as
    the shadow has them, with one exception: a table without RLS is an error whether or not it is
    granted, since older Supabase projects grant every new table to `anon`, and the shadow can't
    know which kind is meant.

    - a table without RLS, or such a partition, which can be read past its parent's policies
    - a table with RLS and no policy that gives access: nobody can use it. An error for a tenant's
      table of lane A; a warning for one of lane B, whose policies lane A makes after the push. For
      another table a warning if it is granted, else it is meant for `service_role`
    - a view that is granted and reads with its owner's rights, without `security_invoker`
    - a materialized view or foreign table that is granted: neither can have policies
    - a `security definer` function that may be called and whose search_path is the caller's
    """
    exposed, granted = exposed_schemas(facts), reach(facts)
    for relation in relations(facts):
        if relation.schema not in exposed:
            continue
        roles = granted.get(f"{relation.kind} {relation.name}", frozenset())
        if relation.kind == "table":
            is_app = f"table {relation.name}" in app
            yield from _table(relation, roles, tenant in relation.columns, is_app)
        elif roles:
            yield from _other(relation, roles)
    for routine in open_definers(facts):
        yield _finding(
            routine.plain,
            f"The {routine.kind} {routine.plain} runs with its owner's rights, "
            f"{_names(granted[routine.identity])} can call it, and it finds tables by the "
            "caller's search_path.",
            f"alter {routine.kind} {routine.name} set search_path = '', and qualify names in it",
        )


def _table(table: Relation, roles: Set[str], is_tenants: bool, is_app: bool) -> Iterator[Finding]:
    if not table.rls:
        who = _names(roles) if roles else "on a project that grants by default, everybody"
        yield _finding(
            table.plain,
            f"The table {table.plain} has no row level security: {who} can reach every row.",
            f"alter table {table.name} enable row level security; then its policies: "
            f"{way_in(table.plain, is_app)}",
        )
    elif is_closed(table, is_tenants or bool(roles)):
        yield _finding(
            table.plain,
            f"The table {table.plain} has row level security and no policy: nobody but "
            "service_role can use it.",
            way_in(table.plain, is_app),
            ERROR if is_tenants and not is_app else WARNING,
        )


def way_in(table: str, is_app: bool) -> str:
    """How a table gets its policies: the app's by a command, one of lane A in an SQL file."""
    if is_app:
        return f"invoke db.rls {table.removeprefix('public.')}"
    return "create policy … in its SQL file in supabase/sql, then: invoke db.apply"


def closed(facts: Snapshot, tenant: str) -> list[Relation]:
    """The tables that G13 names since no policy opens them: a tenant's, and those granted."""
    names = _without_policy(facts)
    if not names:
        return []
    exposed, granted = exposed_schemas(facts), reach(facts)
    about = {i: text for i, text in facts.items() if identities.relation(i) in names}
    return [
        table
        for table in relations(about)
        if table.kind == "table"
        and table.schema in exposed
        and is_closed(table, tenant in table.columns or f"table {table.name}" in granted)
    ]


def is_closed(table: Relation, is_for_users: bool) -> bool:
    return table.rls and not table.is_partition and not _has_way_in(table) and is_for_users


def _without_policy(facts: Snapshot) -> set[str]:
    """The tables with row level security, less those with a policy that gives access."""
    secured = {i.removeprefix("rls ") for i in facts if i.startswith("rls ")}
    opened = {
        identities.relation(identity)
        for identity, text in facts.items()
        if identity.startswith("policy ") and _gives_access(definition(text))
    }
    return {name for name in secured if name not in opened}


def _has_way_in(table: Relation) -> bool:
    return any(map(_gives_access, table.policies.values()))


def _gives_access(policy: Mapping[str, Any]) -> bool:
    """Whether a policy is a way in; a restrictive one only limits it (manual, CREATE POLICY)."""
    return not policy.get("restrictive")


def _other(relation: Relation, roles: Set[str]) -> Iterator[Finding]:
    if relation.kind == "view":
        if not _is_invoker(relation):
            yield _finding(
                relation.plain,
                f"The view {relation.plain} asks as its owner, past row level security, and "
                f"{_names(roles)} can reach it.",
                f"alter view {relation.name} set (security_invoker = true), in its SQL file",
            )
        return
    yield _finding(
        relation.plain,
        f"The {relation.kind} {relation.plain} can't have row level security, and "
        f"{_names(roles)} can reach it.",
        f"revoke all on {relation.name} from public, anon, authenticated; or move it into a schema "
        "that is not exposed",
    )


def _is_invoker(view: Relation) -> bool:
    options = dict(option.split("=", 1) for option in view.parts.get("options", ()))
    return options.get("security_invoker", "").lower() in _ON


def open_definers(facts: Snapshot) -> list[Routine]:
    """The `security definer` functions that an API can call and whose search_path is not pinned.

    A trigger's function can't be called.
    """
    exposed, granted = exposed_schemas(facts), reach(facts)
    return [
        routine
        for routine in routines(facts)
        if routine.schema in exposed
        and routine.identity in granted
        and routine.is_definer
        and not routine.is_pinned
        and not routine.is_trigger
    ]


def _names(roles: Set[str]) -> str:
    """`anon and authenticated`; everybody, where the grant is to public."""
    return "everybody" if "public" in roles else " and ".join(sorted(roles))


def _finding(subject: str, message: str, first: str, level: str = ERROR) -> Finding:
    return Finding("exposed", subject, message, first, "G13", level)
