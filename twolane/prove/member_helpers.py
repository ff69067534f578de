"""The functions that policies ask who is a member of what. Pure.

A policy of the members' table that asks that table would never end ("infinite recursion"). So
`security definer` functions ask it, in a schema that no role of the data API may use: a policy
needs only `execute` (https://supabase.com/docs/guides/database/postgres/row-level-security).
"""

from __future__ import annotations

from collections.abc import Mapping

from twolane.facts import identities
from twolane.prove import policy_text
from twolane.prove.organizations import Organization
from twolane.sql import ident, literal

SCHEMA = "private"
NAME = 40
MY, MANAGED, OWNED = "my", "my_managed", "my_owned"


def name(organization: Organization, which: str = MY) -> str:
    """`private.my_organizations`, a function that returns keys of organizations."""
    plain = identities.plain(organization.table.name).removeprefix("public.").replace(".", "_")
    short = plain.encode()[:NAME].decode(errors="ignore")
    return f"{SCHEMA}.{ident(f'{which}_{short}')}"


def names(organization: Organization) -> list[str]:
    """All of them."""
    return [name(organization, which) for which in _conditions(organization)]


def file_name(organization: Organization) -> str:
    """`20_members_of_organizations.sql`."""
    return policy_text.file_name(organization.table).replace("20_rls_", "20_members_of_")


def render(organization: Organization) -> str:
    """The text of the file that makes them."""
    understood = "\n-- ".join(organization.understood)
    parts = [
        "-- Whose member the current user is, for policies to ask. What was understood:\n--\n"
        f"-- {understood}\n--\n"
        "-- They run as their owner, so that a policy of the members' table may ask that table.\n"
        "-- A policy needs no usage on their schema, and without it the data API can't call them."
        f"\n--\n-- Safe to run again.\n\n{policy_text.NO_NEWS}",
        f"create schema if not exists {SCHEMA};",
    ]
    found = _conditions(organization).items()
    parts += [_function(organization, which, condition) for which, condition in found]
    return "\n\n".join(parts) + "\n"


def _conditions(organization: Organization) -> Mapping[str, str]:
    """Which function → what it asks of a member besides who it is."""
    found = {MY: ""}
    role = f"member.{ident(organization.role)}" if organization.role else ""
    if role and organization.managing:
        managing = ", ".join(map(literal, organization.managing))
        found[MANAGED] = f"{role} in ({managing})"
    elif role:
        found[MANAGED] = role
    if len(organization.managing) > 1:
        found[OWNED] = f"{role} = {literal(organization.managing[0])}"
    return found


def _function(organization: Organization, which: str, condition: str) -> str:
    function, members = f"{name(organization, which)}()", organization.members
    column = ident(organization.column)
    further = f"\n  and {condition}" if condition else ""
    return (
        f"create or replace function {function}\n"
        f"returns setof {members.column(organization.column).type.name}\n"
        "language sql stable security definer\nset search_path = ''\nas $$\n"
        f"  select member.{column} from {members.name} as member\n"
        f"  where member.{organization.is_me}{further}\n$$;\n\n"
        f"revoke all on function {function}\nfrom public, anon, authenticated, service_role;\n"
        f"grant execute on function {function} to authenticated;"
    )
