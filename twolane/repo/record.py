"""The facts that a database had when twolane last changed it: the base of every comparison.

A change by hand is what the database has and its record does not. The facts are kept compressed in
`twolane.facts`, a bounded number of each kind.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Set
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.postgres.transactions import ask
from twolane.repo import look, numbering
from twolane.repo.ledger import Ledger
from twolane.repo.numbering import Numbers, Renamed

if TYPE_CHECKING:
    from psycopg import Connection

STOOD = "stood"
"""The facts as twolane's own commands left them; what was changed by hand is not in it."""
SEEN = "seen"
"""The facts with the changes by hand that a sync brought into the mirror."""
NUMBERS = "numbers"
"""The numbers of tables and columns as twolane's own commands left them: see `numbering`."""
KEPT = 10
"""So many of each kind stay, the newest."""


def advanced(base: Snapshot, before: Snapshot, after: Snapshot) -> Snapshot:
    """`base` with what one of twolane's steps changed, and nothing of what was there before it."""
    facts = dict(base)
    for change in catalog.diff(before, after):
        if change.after is None:
            facts.pop(change.identity, None)
        else:
            facts[change.identity] = change.after
    return dict(sorted(facts.items()))


def has(ledger: Ledger, kind: str) -> bool:
    """Whether the record says it, by twolane's own commands or by a migration that it wrote."""
    return kind in ledger.facts or look.after(kind) in ledger.facts


def read(connection: Connection[Any], ledger: Ledger, live: Snapshot) -> Snapshot | None:
    """The facts as twolane last left them, or None. Reads them only if they are not `live`'s."""
    if not has(ledger, STOOD):
        return None
    if _is_newest(ledger, STOOD, _packed(live)):
        return live
    return _newest(connection, STOOD)


def _is_newest(ledger: Ledger, kind: str, packed: bytes) -> bool:
    """Whether the record is known, by its digest alone, to say just that."""
    is_own = look.after(kind) not in ledger.facts
    return is_own and ledger.facts.get(kind) == _digest(packed)


def numbers(connection: Connection[Any], ledger: Ledger) -> Numbers:
    """The numbers of tables and columns as twolane last left them; none in an older record."""
    kept = _newest(connection, NUMBERS) if has(ledger, NUMBERS) else None
    return numbering.unpacked(kept) if kept else {}


def _newest(connection: Connection[Any], kind: str) -> Snapshot | None:
    """What the record says, with what the migrations changed since that were not run by twolane."""
    rows = ask(
        connection,
        "select kind, facts from twolane.facts where kind = any(%s) and id >= "
        "coalesce((select pg_catalog.max(id) from twolane.facts where kind = %s), 0) order by id",
        ([kind, look.before(kind), look.after(kind)], kind),
    ).fetchall()
    base: Snapshot | None = None
    before: Snapshot = {}
    for found, packed in rows:
        facts = _unpacked(packed, connection.info.user)
        if found == look.before(kind):
            before = facts
        elif found == kind or base is None:
            base = facts
        else:
            base = advanced(base, before, facts)
    return base


def renamed(connection: Connection[Any], ledger: Ledger) -> Renamed:
    """What was renamed by hand since, as far as the record has numbers."""
    if not has(ledger, NUMBERS):
        return numbering.NOTHING
    now = numbering.read(connection)
    if _is_newest(ledger, NUMBERS, _packed(numbering.packed(now))):
        return numbering.NOTHING
    return numbering.find(numbers(connection, ledger), now)


def past(connection: Connection[Any], ledger: Ledger, wanted: Set[str]) -> frozenset[str]:
    """Those of the wanted identities that the record has kept of any time, the newest first."""
    missing = set(wanted)
    if not ledger.facts or not missing:
        return frozenset()
    of_numbers = [NUMBERS, look.before(NUMBERS), look.after(NUMBERS)]
    rows = ask(
        connection,
        "select facts from twolane.facts where kind <> all(%s) order by id desc",
        (of_numbers,),
    ).fetchall()
    for (packed,) in rows:
        missing -= _unpacked(packed, connection.info.user).keys()
        if not missing:
            break
    return frozenset(wanted - missing)


def write(connection: Connection[Any], ledger: Ledger, kind: str, facts: Snapshot) -> None:
    """Records the facts in the open transaction, if they are new; the oldest beyond `KEPT` go.

    With the facts as twolane leaves them, the numbers of the tables and columns.
    """
    if kind == STOOD:
        write_numbers(connection, ledger, facts)
    packed = _packed(facts)
    if _is_newest(ledger, kind, packed):
        return
    connection.execute(
        "insert into twolane.facts (kind, digest, facts) values (%s, %s, %s)",
        (kind, _digest(packed), zlib.compress(packed)),
    )
    connection.execute(
        "delete from twolane.facts where kind = %s and id <= ("
        "select id from twolane.facts where kind = %s order by id desc limit 1 offset %s)",
        (kind, kind, KEPT),
    )
    if look.after(kind) in ledger.facts:
        looks = [look.before(kind), look.after(kind)]
        connection.execute("delete from twolane.facts where kind = any(%s)", (looks,))


def write_numbers(connection: Connection[Any], ledger: Ledger, stood: Snapshot) -> None:
    """Records the numbers of tables and columns. stood: the facts as twolane left them."""
    now = numbering.read(connection)
    known = numbering.advanced(numbers(connection, ledger), now, stood)
    write(connection, ledger, NUMBERS, numbering.packed(known))


def note(
    connection: Connection[Any],
    ledger: Ledger,
    before: Snapshot,
    after: Snapshot,
    base: Snapshot | None = None,
) -> None:
    """Records what a step changed, in the step's own transaction.

    base: the facts as twolane left them, for a database whose record is older than recorded facts.
    Without it such a database gets none: what of it was changed by hand is not known here.
    """
    known = read(connection, ledger, before)
    known = base if known is None else known
    if known is None and not ledger.is_empty:
        return
    write(connection, ledger, STOOD, advanced(before if known is None else known, before, after))


def _packed(facts: Snapshot) -> bytes:
    return json.dumps(dict(facts), ensure_ascii=False).encode()


def _unpacked(packed: bytes, user: str) -> Snapshot:
    """What was packed here, or what the database itself noted: plain JSON."""
    if not packed.startswith(b"{"):  # which zlib's header never does
        facts: dict[str, str] = json.loads(zlib.decompress(packed))
        return facts
    noted = json.loads(packed)
    return catalog.of_rows(list(noted.items()), user)


def _digest(text: bytes) -> str:
    return sha256(text).hexdigest()
