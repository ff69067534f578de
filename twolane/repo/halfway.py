"""An online revision that is on its way through a database: its steps, as the record has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

UP, DOWN = "up", "down"
"""The ways of an online revision through a database."""

COLUMNS = "revision, way, steps, step, statement, is_done, touches, place"
"""The columns of `twolane.steps` that `of_rows` takes."""


@dataclass(frozen=True)
class Half:
    """An online revision that is on its way, up or down, and not at its end.

    steps: how many there are. done: the statements of those that are done. touches: identities of
    the facts that a step changes which has begun and is not done. places: step → where a backfill
    stands.
    """

    revision: str
    way: str
    steps: int
    done: tuple[str, ...]
    touches: frozenset[str] = frozenset()
    places: Mapping[int, Any] = field(default_factory=dict)


def of_rows(rows: Sequence[Sequence[Any]]) -> Half | None:
    """The revision that is on its way, from its rows in the order of its steps."""
    if not rows:
        return None
    revision, way, steps = rows[-1][:3]
    done = tuple(statement for *_, statement, is_done, _, _ in rows if is_done)
    touches = frozenset(i for *_, is_done, touched, _ in rows if not is_done for i in touched)
    places = {step: place for *_, step, _, _, _, place in rows if place is not None}
    return Half(revision, way, steps, done, touches, places)


def begin(
    connection: Connection[Any],
    revision: str,
    way: str,
    digest: str,
    number: int,
    steps: int,
    statement: str,
    touches: Collection[str],
) -> None:
    """Records that a step of an online revision begins; what was recorded of it stays."""
    connection.execute(
        "insert into twolane.steps (revision, way, digest, step, steps, statement, touches) "
        "values (%s, %s, %s, %s, %s, %s, %s) on conflict (revision, way, step) do update "
        "set digest = excluded.digest, steps = excluded.steps, place = case "
        "when twolane.steps.statement = excluded.statement then twolane.steps.place end, "
        "statement = excluded.statement, touches = excluded.touches",
        (revision, way, digest, number, steps, statement, sorted(touches)),
    )


def finish(connection: Connection[Any], revision: str, way: str, number: int) -> None:
    """Records that a step is done."""
    connection.execute(
        "update twolane.steps set is_done = true, place = null, done_at = pg_catalog.now() "
        "where revision = %s and way = %s and step = %s",
        (revision, way, number),
    )


def place(
    connection: Connection[Any], revision: str, way: str, number: int, place: Sequence[str]
) -> None:
    """Records where a backfill stands: the last key that is done."""
    connection.execute(
        "update twolane.steps set place = pg_catalog.to_jsonb(%s::pg_catalog.text[]) "
        "where revision = %s and way = %s and step = %s",
        (list(place), revision, way, number),
    )


def forget(connection: Connection[Any], revision: str) -> None:
    """Takes the steps out of the record: the revision is at its end, up or down."""
    connection.execute("delete from twolane.steps where revision = %s", (revision,))
