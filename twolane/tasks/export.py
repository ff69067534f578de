"""Both lanes as migrations: for the Supabase CLI, preview branches, the GitHub integration."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.guards.refusal import Refusal, refuse
from twolane.tasks import console
from twolane.tasks.command import Different, command
from twolane.tasks.console import done, say
from twolane.tasks.options import COMMIT, JSON
from twolane.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twolane.config import Config
    from twolane.deploy.deployment import Deployment
    from twolane.export.export import Written
    from twolane.repo.contents import Repo
    from twolane.repo.supabase_migrations import Migration
    from twolane.state.connected import Work


@command(
    "db.export",
    help={
        "message": "What changed, in a few words, for the migration's name.",
        "check": "Write nothing; exit with 3 if something is not exported yet.",
        "json": JSON,
        "commit": COMMIT,
    },
)
def export(
    c: Context,
    message: str | None = None,
    check: bool = False,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Both lanes: write what is new as a migration for Supabase.

    It goes into supabase/migrations/, which `supabase start`, preview
    branches and the GitHub integration run; a database that did is level.

    Example:
      invoke db.export -m "notes and their policies"
    """
    from twolane import config
    from twolane.export import export as exporting
    from twolane.repo import contents, supabase_migrations

    repo = contents.read_repo(config.load())
    there = supabase_migrations.read(repo.config.root)
    exporting.expect_ours(there, repo.config.root)
    with exporting.standing(repo, there, console) as work:
        found = _prepare(work, there)
        written = exporting.Written((), ())
        if not found.is_empty:
            written = exporting.write(work, found, there, message)
            if not check:
                exporting.save(repo.config, written.migrations)
    told = as_json(written, is_written=not check)
    console.print_json(told) if json else _show(told, len(there))
    if check and written.migrations:
        raise Different
    if json:
        return
    for text in (*_of_cli(repo.config), *_of_mirror(repo)):
        console.warn(text)
    if written.migrations and not check:
        what = "chore(db): export migrations for the Supabase CLI"
        folder = supabase_migrations.folder(repo.config)
        console.suggest(repo.config.root, [folder], what, commit, told["parts"])


def _prepare(work: Work, there: Sequence[Migration]) -> Deployment:
    """What the migrations lack of the repo, judged by the guards that judge a deploy."""
    from twolane.deploy import deployment
    from twolane.export import export as exporting
    from twolane.guards import guards

    refuse(
        guards.order(work.repo),
        _lost(work, there),
        guards.history(work.repo, work.ledger),
    )
    state = exporting.state_of(work)
    found = deployment.prepare(work, state)
    refuse(
        guards.session(found.plan),
        guards.broken(found.plan, state.replay_error) if found.plan.effects.renamed else None,
        guards.baseline(found.plan),
        guards.sql_only(found.plan),
        guards.broken(found.plan, state.replay_error),
        deployment.not_the_repo(found),
    )
    return found


def _lost(work: Work, there: Sequence[Migration]) -> Refusal | None:
    """G11: the repo has each revision that a migration brings."""
    from twolane.repo import lineage, supabase_migrations

    lost = lineage.foreign(work.repo, work.ledger)
    if not lost:
        return None
    brought = [supabase_migrations.at_revision(had.id) for had in lost]
    first = next(n for n, each in enumerate(there) if any(text in each.text for text in brought))
    return Refusal(
        "G11",
        "history",
        "The migrations bring revisions that the repo does not have:",
        f"git rm {' '.join(each.path for each in there[first:])} && invoke db.export   (if no "
        "database that stays has run them; else restore the revision: git log --all -- "
        "migrations/versions)",
        details=[f"{had.id}  {had.title}".rstrip() for had in lost],
    )


def as_json(written: Written, is_written: bool) -> dict[str, Any]:
    """`{"migrations", "parts", "hazards", "asking", "rows", "written"}`.

    migrations: paths of those that are new. parts: what they bring: SQL files and revisions.
    hazards: what a database with rows loses by them, `{"key", "text"}`. asking: the revisions that
    read rows in Python. rows: tables in which a migration writes otherwise than by Alembic's SQL.
    """
    return {
        "migrations": [each.path for each in written.migrations],
        "parts": list(written.titles),
        "hazards": [{"key": each.key, "text": each.text} for each in written.hazards],
        "asking": list(written.asking),
        "rows": list(written.rows),
        "written": is_written and bool(written.migrations),
    }


def _show(told: dict[str, Any], before: int) -> None:
    if not told["migrations"]:
        done("Nothing to export: supabase/migrations/ makes what the repo says.")
        return
    names = ", ".join(told["migrations"])
    done(f"Wrote {names}:") if told["written"] else say("Not exported yet:")
    for title in told["parts"]:
        say(clean_line(f"    {title}"))
    for hazard in told["hazards"]:
        console.warn(clean_line(f"{hazard['key']}  {hazard['text']}"))
    for title in told["asking"]:
        console.warn(
            clean_line(
                f"{title}: it reads rows in Python. The migration has what it sent to an empty "
                "database; one with rows gets it right by db.push"
            )
        )
    for line in told["rows"]:
        console.warn(
            f"{line}: a revision writes past Alembic, which the migration can't have; write the "
            "rows by op.execute, op.bulk_insert or an SQL file"
        )
    if told["written"]:
        earlier = f" after the {before} before" if before else ""
        say(f"Replayed{earlier} on the shadow: a database that runs it is what the repo says.")


def _of_cli(config: Config) -> Iterator[str]:
    """What in `supabase/config.toml` keeps the CLI from running what is there."""
    from twolane.deploy import seed

    path = config.sql.parent / "config.toml"
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("db", {})
    except (OSError, ValueError):
        return
    if said.get("migrations", {}).get("enabled") is False:
        yield "supabase/config.toml: [db.migrations] enabled = false, so the CLI runs no migration"
    if said.get("seed", {}).get("enabled") is False and seed.file(config):
        yield "supabase/config.toml: [db.seed] enabled = false, so the CLI leaves out seed.sql"


def _of_mirror(repo: Repo) -> Iterator[str]:
    """Whether `db.status` of such a database would find the mirror behind."""
    from twolane.check import mirror
    from twolane.check.replayed import Replayed

    if any(change.sign != "-" for change in mirror.stale(Replayed(repo, console.working))):
        yield (
            "The mirror is behind what the SQL files make, and db.status will say so there too: "
            "invoke db.apply, then invoke db.sync"
        )
