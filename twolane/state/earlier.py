"""What an earlier text of an SQL file made, and its newest one neither makes nor takes away.

It stays in the database as the file is changed. A stand in which those texts run, too, has it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.facts import identities
from twolane.facts.catalog import Snapshot
from twolane.repo import ledger as records
from twolane.repo.ledger import Ledger
from twolane.repo.sqlfiles import SqlFile, of_text
from twolane.state.stand import Stand

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Sides:
    """base: the facts as twolane left the database. live: what it has. made, standing: what the
    repo's files make, and the newest texts that the database ran."""

    base: Snapshot | None
    live: Snapshot
    made: Snapshot
    standing: Snapshot

    def unexplained(self) -> frozenset[str]:
        """The identities of what nobody did by hand, and no newest text makes so."""
        if self.base is None:
            return frozenset()
        every = self.live.keys() | self.standing.keys()
        return frozenset(
            identity
            for identity in every
            if self.live.get(identity) != self.standing.get(identity)
            and self.live.get(identity) == self.base.get(identity)
            and self.live.get(identity) != self.made.get(identity)
            and identities.kind(identity) != "owner"
        )


def with_texts(
    stand: Stand, ledger: Ledger, connection: Connection[Any], unexplained: Collection[str]
) -> Stand:
    """The stand, with the earlier texts that name what is unexplained, each before the newest of
    its file; the same stand if there are none."""
    digests = [d for file in stand.files for d in ledger.earlier.get(file.name, ())]
    if not (unexplained and digests):
        return stand
    words = {_own_name(identity) for identity in unexplained}
    found: dict[str, list[str]] = {}
    for name, text in records.earlier_texts(connection, digests):
        if any(word in text for word in words):
            found.setdefault(name, []).append(text)

    def whole(files: Collection[SqlFile]) -> tuple[SqlFile, ...]:
        return tuple(
            each
            for file in files
            for each in (
                *(of_text(file.name, t, file.after_migrations) for t in found.get(file.name, ())),
                file,
            )
        )

    return Stand(whole(stand.before), stand.history, stand.foreign, whole(stand.after))


def _own_name(identity: str) -> str:
    """`policy public.contacts.own` → `own`; `grant table public.contacts to anon` → `contacts`."""
    inner = identities.about(identity) or identity
    name = inner.removeprefix(identities.kind(inner) + " ").partition("(")[0]
    return identities.unquote(identities.split_name(name)[-1])
