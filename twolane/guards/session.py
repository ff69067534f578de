"""G16 session: protects a push from statements that can't be in its one transaction.

`create index concurrently` is one. Half of a push would stay if a later statement failed. An online
revision runs such statements step by step, which takes a session.
"""

from __future__ import annotations

from twolane.guards.refusal import Refusal
from twolane.state.plan import Plan


def session(plan: Plan, is_shared: bool = False) -> Refusal | None:
    """G16: what can't be in a transaction is in an online revision, and that has a session.

    is_shared: whether the connection leads to a transaction pooler.
    """
    online = [f"{r.id}  {r.title}".rstrip() for r in plan.revisions if r.online]
    if plan.needs_session:
        return Refusal(
            "G16",
            "session",
            "A push is one transaction, and the waiting migrations do what can't be in one:",
            "put it into a revision of its own that says  online = True  below down_revision "
            '(invoke db.gen --empty -m "…"), and push that over a session: port 5432 and not the '
            "transaction pooler's 6543",
            details=plan.needs_session.splitlines(),
        )
    if online and is_shared:
        return Refusal(
            "G16",
            "session",
            "An online revision takes a session, and the URL leads to a transaction pooler:",
            "let the URL lead to a session, port 5432 and not the transaction pooler's 6543, then "
            "run the same command again",
            details=online,
        )
    return None
