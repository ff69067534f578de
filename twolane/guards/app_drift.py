"""G10 app-drift: protects the app's tables from changes that no revision makes.

Such a change is in one database alone, and the next revision would build on it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from twolane.ddl import render
from twolane.facts import identities
from twolane.facts.catalog import Change
from twolane.guards.refusal import Refusal
from twolane.state.state import State


def app_drift(state: State, declared: Collection[str] = ()) -> Refusal | None:
    """G10: only revisions change the app's tables.

    declared: facts that `app.py` has just so, for which a revision is about to be written.
    """
    changes = [change for change in state.app_drift if change.identity not in declared]
    if not changes:
        return None
    first = (
        "undo it in the database (invoke db.psql), or write a new column into app.py just so; then "
        'invoke db.gen -m "…"'
    )
    if all(identities.relation(c.identity) in state.partitions for c in changes):
        first = (
            "where partitions come and go at run time, name them in [tool.twolane] of "
            'pyproject.toml: partitions = ["…_*"]; else make them by a revision or an SQL file'
        )
    return Refusal(
        "G10",
        "app-drift",
        "The app's tables were changed by hand; no revision makes this:",
        first,
        changes,
        _as_it_was(state, changes),
    )


def _as_it_was(state: State, changes: Sequence[Change]) -> list[str]:
    """The statements that bring back what is gone or changed, to be pasted into `db.psql`."""
    back = [Change(c.identity, c.after, c.before) for c in changes if c.before is not None]
    wanted = {c.identity: c.after for c in back if c.after is not None}
    statements = render.render(back, {**state.live, **wanted}).statements
    return [f"as it was: {' '.join(each.sql.split())}" for each in statements]
