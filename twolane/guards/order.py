"""G09 order: protects from SQL files that nobody runs, and from a list that names lost files."""

from __future__ import annotations

from twolane.guards.refusal import Refusal
from twolane.repo.contents import Repo


def order(repo: Repo) -> Refusal | None:
    """G09: `bootstrap.txt` lists each SQL file once, in the order of application."""
    order = repo.order
    details = [
        *(f"{name}: in supabase/sql, not in bootstrap.txt" for name in order.unlisted),
        *(f"{name}: in bootstrap.txt, not in supabase/sql" for name in order.missing),
        *(f"{name}: in bootstrap.txt more than once" for name in order.repeated),
    ]
    if not details:
        return None
    return Refusal(
        "G09",
        "order",
        "supabase/bootstrap.txt and the folder supabase/sql don't agree:",
        "give each file its place in supabase/bootstrap.txt",
        details=details,
    )
