"""What a guard answers, and how a command is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twolane.facts.catalog import Change


class Refused(Exception):
    """A guard refused the command. Exit code 2."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def refuse(*refusals: Refusal | None) -> None:
    """Raises `Refused` with the first refusal, if there is one."""
    for refusal in refusals:
        if refusal:
            raise Refused(refusal)


@dataclass(frozen=True)
class Refusal:
    """Why a step is refused, the facts or names concerned, and the next command.

    code: the guard's, as G01; empty if no guard refuses.
    """

    code: str
    name: str
    reason: str
    first: str
    changes: Sequence[Change] = ()
    details: Sequence[str] = ()

    @property
    def head(self) -> str:
        """The guard's code and name; the name alone of a refusal by no guard."""
        return f"{self.code} {self.name}".lstrip()
