"""G16 session: protects a push from statements that can't be in its one transaction.

`create index concurrently` is one. Half of a push would stay if a later statement failed. An online
revision runs such statements step by step, which takes a session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twolane.guards.refusal import Refusal
from twolane.repo.lineage import Had
from twolane.repo.revisions import Revision
from twolane.state.plan import Plan


def session(plan: Plan) -> Refusal | None:
    """G16: a push is one transaction; what can't be in one is in an online revision."""
    if not plan.needs_session:
        return None
    return Refusal(
        "G16",
        "session",
        "A push is one transaction, and the waiting migrations do what can't be in one:",
        "put it into a revision of its own that says  online = True  below down_revision "
        '(invoke db.gen --empty -m "…"), and push that over a session: port 5432 and not the '
        "transaction pooler's 6543",
        details=plan.needs_session.splitlines(),
    )


def pooled(
    revisions: Sequence[Revision] | Sequence[Had], is_shared: Callable[[], bool]
) -> Refusal | None:
    """G16: an online revision has a session, up and down.

    is_shared: asks whether the connection leads to a transaction pooler.
    """
    online = [f"{each.id}  {each.title}".rstrip() for each in revisions if each.online]
    if not (online and is_shared()):
        return None
    return Refusal(
        "G16",
        "session",
        "An online revision takes a session, and the URL leads to a transaction pooler:",
        "let the URL lead to a session, port 5432 and not the transaction pooler's 6543, then "
        "run the same command again",
        details=online,
    )
