"""Checks that the migrations of the Supabase CLI bring what the repo has, where there are any."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.check.replayed import Replayed
from twolane.config import Config
from twolane.guards.checks import examines
from twolane.guards.findings import WARNING, Finding
from twolane.repo import supabase_migrations
from twolane.text import shortened


def are_there(config: Config) -> bool:
    """Whether `db.export` has written any."""
    return any(migration.is_ours for migration in supabase_migrations.read(config.root))


@examines("export", "supabase/migrations/ brings what the repo has", needs=("order", "history"))
def export(ground: Replayed) -> Iterator[Finding]:
    """`db.export` has nothing to write, as far as the texts tell; replays nothing."""
    repo, folder = ground.repo, supabase_migrations.FOLDER
    there = supabase_migrations.read(repo.config.root)
    lacking = supabase_migrations.lacking(
        there,
        {file.name: file.digest for file in repo.order.files},
        [revision.id for revision in repo.revisions],
    )
    edited = [each.path for each in there if each.is_edited or not each.is_ours]
    if edited:
        yield Finding(
            "export",
            edited[0],
            f"Not as db.export writes it: {', '.join(shortened(edited))}",
            "invoke db.export   (it says what to do)",
            level=WARNING,
        )
    elif lacking:
        yield Finding(
            "export",
            folder,
            f"A preview branch would lack {', '.join(shortened(lacking))}.",
            "invoke db.export, and commit",
            level=WARNING,
        )
