"""What G01 asks of a database before a command changes it: whose it is, and whether by mistake."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.config import Target
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.postgres import places, transactions
from twolane.repo import entries, identity, ledger
from twolane.repo.contents import Repo
from twolane.repo.identity import Service
from twolane.repo.ledger import Ledger

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Contact:
    """A database, as it is met.

    service: whose database it is, as it says itself. another: the same, if that is not this repo's
    service; the embedded database is its folder's own. protected_as: the target's name if it is
    protected, by pyproject.toml under any URL or by itself. unknown: tables that the repo doesn't
    know, in a database that twolane was never in. has_revisions: the repo has some.
    """

    target: Target
    service: Service | None
    another: Service | None
    protected_as: str | None
    unknown: tuple[str, ...]
    has_revisions: bool = False


def read(repo: Repo, target: Target, connection: Connection[Any], done: Ledger) -> Contact:
    service = identity.of_database(connection)
    is_ours = service is None or target.variable is None or identity.is_ours(repo.config, service)
    protected_as = done.protected_as or (target.name if target.protected else None)
    protected_as = protected_as or places.protected_twin(repo.config, target, connection)
    unknown = _unknown(repo.lock, catalog.read(connection)) if done.is_empty else ()
    another = None if is_ours else service
    return Contact(target, service, another, protected_as, unknown, bool(repo.revisions))


def _unknown(lock: Snapshot, live: Snapshot) -> tuple[str, ...]:
    """The tables that the mirror does not have with these columns and types.

    An adopted database has no other. Defaults are not compared: Postgres may print one expression
    in two forms.
    """
    found = {
        identities.relation(identity)
        for identity, text in live.items()
        if identities.kind(identity) in ("table", "column") and not _is_known(lock, identity, text)
    }
    return tuple(sorted(name for name in found if name and f"table {name}" in live))


def _is_known(lock: Snapshot, identity: str, text: str) -> bool:
    if identity not in lock:
        return False
    one, other = catalog.definition(lock[identity]), catalog.definition(text)
    return bool(one.get("type") == other.get("type"))


def sign(repo: Repo, contact: Contact, connection: Connection[Any], before: Ledger) -> None:
    """Writes into a database that the command changed whose it is, and that it is protected.

    One that the role may not write to stays as it is.
    """
    from psycopg import errors

    name, known = contact.protected_as, contact.service
    is_labelled = name is None or before.protected_as == name
    is_known = known is not None and identity.is_current(repo.config, known)
    if (is_known and is_labelled) or ledger.read(connection) == before:
        return
    with suppress(errors.InsufficientPrivilege), transactions.transaction(connection):
        if not is_known:
            identity.record(connection, identity.of_repo(repo.config), known)
        if name is not None:
            entries.label(connection, name)
