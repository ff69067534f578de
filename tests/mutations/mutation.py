"""What a mutation is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """Statements, their undoing, and the facts that differ: `+ added`, `- removed`, `~ changed`.

    `since` is the oldest major version that knows the statements.
    """

    apply: str
    undo: str
    facts: str
    since: int = 15


def remade(drop: str, before: str, after: str, facts: str, since: int = 15) -> Mutation:
    """For what no `alter` changes: dropped, and made again otherwise."""
    return Mutation(f"{drop}; {after}", f"{drop}; {before}", facts, since)


def listed(parameters: Mapping[str, str]) -> str:
    """As `create` wants them between brackets."""
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())


M = Mutation
