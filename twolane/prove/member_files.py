"""The files of `db.rls --org`: for the tables that were named, or for all that follow. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from twolane.errors import Failure
from twolane.prove import member_helpers, organizations, policies, policy_text
from twolane.prove.member_policies import MemberPolicies
from twolane.prove.organizations import Organization
from twolane.prove.policy_text import Surroundings
from twolane.prove.schema import Relation


@dataclass(frozen=True)
class MemberFiles:
    """helpers: the name of the file with the functions. left_out: tables to be named, if meant."""

    organization: Organization
    helpers: str
    texts: Mapping[str, str]
    left_out: Sequence[str]


def of(
    spelled: str,
    names: Sequence[str],
    around: Surroundings,
    column: str | None,
    read_only: bool,
    functions: Collection[str],
) -> MemberFiles:
    """The files for these tables, or, of none named, for all that follow by themselves.

    functions: the facts' identities of functions that no file of `db.rls` has made.

    Raises:
        Failure: `spelled` names no organization, or a table can't be opened to its members.
    """
    organization = organizations.find(spelled, around)
    found = MemberPolicies(around, organization, read_only)
    tables = [policies.find(name, around) for name in names] or found.tables()
    if not tables:
        raise Failure(
            f"The revisions make no table of {organization.table.name}: all are lane A's, and so "
            "are their policies.",
            "Edit those in supabase/sql, then: invoke db.apply",
        )
    for name in member_helpers.names(organization):
        if f"function {name}()" in functions:
            raise Failure(
                f"A function {name}() is there already, and db.rls would write over it.",
                "Give it another name in its SQL file, and in what calls it; then: invoke db.apply",
            )
    found = replace(found, opening={table.name for table in tables})
    helpers = member_helpers.file_name(organization)
    texts = {helpers: member_helpers.render(organization)}
    texts |= {policy_text.file_name(t): found.render(t, _named(t, column)) for t in tables}
    left_out = [] if names else [table.name for table in found.left_out()]
    return MemberFiles(organization, helpers, texts, left_out)


def _named(table: Relation, column: str | None) -> str | None:
    if column:
        policies.check_column(table, column, "--column")
    return column
