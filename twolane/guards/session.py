"""G16 session: protects a push from statements that can't be in its one transaction.

`create index concurrently` is one. Half of a push would stay if a later statement failed.
"""

from __future__ import annotations

from twolane.guards.refusal import Refusal
from twolane.state.plan import Plan


def session(plan: Plan) -> Refusal | None:
    """G16: a push is one transaction; a statement that can't be in one needs a session, by hand."""
    if not plan.needs_session:
        return None
    return Refusal(
        "G16",
        "session",
        "A push is one transaction, and the waiting migrations do what can't be in one:",
        "do it by hand over a session, port 5432 and not the transaction pooler's 6543: "
        'invoke db.psql -c "…"; then let the revision make it only where it is absent, '
        "op.create_index(…, if_not_exists=True)",
        details=plan.needs_session.splitlines(),
    )
