"""Tables, views and routines rebuilt from a snapshot's facts, and who may reach them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot

Parts = dict[str, Any]

# The roles of Supabase's data API, and PUBLIC, which means every role.
API_ROLES = ("anon", "authenticated", "public")


@dataclass
class Relation:
    """A table, view or foreign table.

    kind: as in its fact. The keys of columns, constraints, … are names without quotes.
    """

    kind: str
    name: str
    parts: Parts
    columns: dict[str, Parts] = field(default_factory=dict)
    constraints: dict[str, Parts] = field(default_factory=dict)
    indexes: dict[str, Parts] = field(default_factory=dict)
    policies: dict[str, Parts] = field(default_factory=dict)
    rls: bool = False

    @property
    def schema(self) -> str:
        return schema_of(self.name)

    @property
    def plain(self) -> str:
        return identities.plain(self.name)

    @property
    def is_partition(self) -> bool:
        return "bound" in self.parts


@dataclass(frozen=True)
class Routine:
    """A function or procedure; its name includes the types of its arguments."""

    kind: str
    name: str
    definition: str

    @property
    def identity(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def plain(self) -> str:
        """The name without quotes; the arguments unchanged."""
        name = re.match(r'(?:"[^"]*"|[^"(])*', self.name)
        end = name.end() if name else 0
        return identities.plain(self.name[:end]) + self.name[end:]

    @property
    def schema(self) -> str:
        return schema_of(self.name)

    @property
    def _options(self) -> str:
        """The text between the arguments and the body, as `pg_get_functiondef` prints it."""
        return re.split(r"\n(?:AS |BEGIN ATOMIC|RETURN )", self.definition, maxsplit=1)[0]

    @property
    def is_definer(self) -> bool:
        return " SECURITY DEFINER" in self._options

    @property
    def is_pinned(self) -> bool:
        """Whether the names in its body mean the same objects for every caller.

        Postgres resolves the names of a BEGIN ATOMIC body when it creates the function (manual,
        CREATE FUNCTION, sql_body). A body in C does not use search_path.
        """
        has_text = "\nAS $" in self.definition
        return not has_text or "\n SET search_path " in f"{self._options}\n"

    @property
    def is_trigger(self) -> bool:
        return bool(re.search(r"^ RETURNS (event_)?trigger$", self._options, re.M))


def relations(facts: Snapshot) -> list[Relation]:
    """The tables and views of a snapshot, with columns, constraints, …, sorted by name."""
    found: dict[str, Relation] = {}
    for identity, text in facts.items():
        if (kind := identities.kind(identity)) in identities.RELATION_KINDS:
            name = identity.removeprefix(f"{kind} ")
            found[name] = Relation(kind, name, catalog.definition(text))
    for identity, text in facts.items():
        kind = identities.kind(identity)
        if kind not in ("column", "constraint", "index", "policy", "rls"):
            continue
        relation = found.get(str(identities.relation(identity)))
        if relation is None:  # a domain's constraint, a policy on a platform table
            continue
        parts = catalog.definition(text)
        part = identities.unquote(identities.split_name(identity.removeprefix(f"{kind} "))[-1])
        match kind:
            case "column":
                relation.columns[part] = parts
            case "constraint":
                relation.constraints[part] = parts
            case "index":
                relation.indexes[part] = parts
            case "policy":
                relation.policies[part] = parts
            case "rls":
                relation.rls = bool(parts.get("enabled"))
    return [found[name] for name in sorted(found)]


def routines(facts: Snapshot) -> list[Routine]:
    """The functions and procedures of a snapshot."""
    return [
        Routine(kind, identity.removeprefix(f"{kind} "), catalog.definition(text)["definition"])
        for identity, text in facts.items()
        if (kind := identities.kind(identity)) in ("function", "procedure")
    ]


def exposed_schemas(facts: Snapshot) -> frozenset[str]:
    """The schemas that `anon` or `authenticated` may use; names as in facts.

    Each project sets in the dashboard which of them the data API serves. The API cannot reach a
    schema that these roles may not use.
    """
    return frozenset(
        about.removeprefix("schema ")
        for about, _, privileges in _grants(facts)
        if identities.kind(about) == "schema" and {"USAGE", "ALL"} & set(privileges)
    )


def reach(facts: Snapshot) -> Mapping[str, frozenset[str]]:
    """Fact identity → the roles of the data API that hold some privilege on it.

    A grant on a column counts as a grant on its table or view, too.
    """
    held: dict[str, set[str]] = {}
    for about, role, privileges in _grants(facts):
        if privileges:
            held.setdefault(about, set()).add(role)
            if identities.kind(about) == "column":
                for kind in identities.RELATION_KINDS:
                    held.setdefault(f"{kind} {identities.relation(about)}", set()).add(role)
    return {identity: frozenset(roles) for identity, roles in held.items()}


def _grants(facts: Snapshot) -> Iterator[tuple[str, str, Sequence[str]]]:
    """The grants to the roles of the data API: (identity of the object, role, privileges)."""
    for identity, text in facts.items():
        role = identity.rpartition(" to ")[2]
        if identity.startswith("grant ") and role in API_ROLES:
            yield str(identities.about(identity)), role, catalog.definition(text)["privileges"]


def schema_of(name: str) -> str:
    """The schema part of a dotted name, with its quotes; ignores the arguments of a routine."""
    return identities.split_name(name)[0]
