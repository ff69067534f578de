"""The facts of a snapshot put together again as tables, and who may reach what. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import catalog
from .catalog import Snapshot

Parts = dict[str, Any]

# The roles of Supabase's data API, and the one that stands for everybody.
API_ROLES = ("anon", "authenticated", "public")


@dataclass
class Relation:
    """A table, view or foreign table. kind: as in its fact; columns, … by name without quotes."""

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
        return catalog.plain(self.name)

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
        """The name without quotes, the arguments as they are."""
        name = re.match(r'(?:"[^"]*"|[^"(])*', self.name)
        end = name.end() if name else 0
        return catalog.plain(self.name[:end]) + self.name[end:]

    @property
    def schema(self) -> str:
        return schema_of(self.name)

    @property
    def _options(self) -> str:
        """What stands between the arguments and the body, in `pg_get_functiondef`'s words."""
        return re.split(r"\n(?:AS |BEGIN ATOMIC|RETURN )", self.definition, maxsplit=1)[0]

    @property
    def is_definer(self) -> bool:
        return " SECURITY DEFINER" in self._options

    @property
    def is_pinned(self) -> bool:
        """Whether names in it mean the same for every caller.

        A body in SQL's own form (BEGIN ATOMIC) was resolved when the function was made (manual,
        CREATE FUNCTION, sql_body); a body in C knows no search_path.
        """
        has_text = "\nAS $" in self.definition
        return not has_text or "\n SET search_path " in f"{self._options}\n"

    @property
    def is_trigger(self) -> bool:
        return bool(re.search(r"^ RETURNS (event_)?trigger$", self._options, re.M))


def relations(facts: Snapshot) -> list[Relation]:
    """The tables and views of a snapshot with all that hangs on them, by name."""
    found: dict[str, Relation] = {}
    for identity, text in facts.items():
        if (kind := catalog.kind(identity)) in catalog.RELATION_KINDS:
            name = identity.removeprefix(f"{kind} ")
            found[name] = Relation(kind, name, catalog.definition(text))
    for identity, text in facts.items():
        kind = catalog.kind(identity)
        if kind not in ("column", "constraint", "index", "policy", "rls"):
            continue
        relation = found.get(str(catalog.relation(identity)))
        if relation is None:  # a domain's constraint, a policy on a table of the platform's
            continue
        parts = catalog.definition(text)
        part = catalog.unquote(catalog.split_name(identity.removeprefix(f"{kind} "))[-1])
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
        if (kind := catalog.kind(identity)) in ("function", "procedure")
    ]


def exposed_schemas(facts: Snapshot) -> frozenset[str]:
    """The schemas that `anon` or `authenticated` may use, by name as in facts.

    Which of them the data API serves is a setting of each project, one line in the dashboard. What
    these roles may not use, no API reaches on their behalf.
    """
    return frozenset(
        about.removeprefix("schema ")
        for about, _, privileges in _grants(facts)
        if catalog.kind(about) == "schema" and {"USAGE", "ALL"} & set(privileges)
    )


def reach(facts: Snapshot) -> Mapping[str, frozenset[str]]:
    """Fact identity → the roles of the data API that hold some privilege on it.

    What is granted on a column counts for its table or view, too.
    """
    held: dict[str, set[str]] = {}
    for about, role, privileges in _grants(facts):
        if privileges:
            held.setdefault(about, set()).add(role)
            if catalog.kind(about) == "column":
                for kind in catalog.RELATION_KINDS:
                    held.setdefault(f"{kind} {catalog.relation(about)}", set()).add(role)
    return {identity: frozenset(roles) for identity, roles in held.items()}


def _grants(facts: Snapshot) -> Iterator[tuple[str, str, Sequence[str]]]:
    """What is granted to the roles of the data API: on what, to whom, which privileges."""
    for identity, text in facts.items():
        role = identity.rpartition(" to ")[2]
        if identity.startswith("grant ") and role in API_ROLES:
            yield str(catalog.about(identity)), role, catalog.definition(text)["privileges"]


def schema_of(name: str) -> str:
    """The schema in a dotted name, quoted as it is there; a routine's arguments don't count."""
    return catalog.split_name(name)[0]
