"""The doctor's checks of the lanes: mirror, pending work, the app's columns, the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.config import Config, Target
from twolane.doctor.findings import error, info, warning
from twolane.facts import differences, identities
from twolane.facts.catalog import Change
from twolane.guards import guards
from twolane.guards.checks import examines
from twolane.guards.findings import Finding, from_refusal
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.ledger import Ledger
from twolane.state.state import State

_MORE = "for all of it: invoke db.status"


@examines("mirror", "the lock against the database", "state")
def mirror(state: State) -> Iterator[Finding]:
    """Reports drift: models and lock differ from the live database (G03)."""
    if state.drift and state.ledger.applied:
        yield warning(
            "schema.lock.json",
            f"The live database changed since the last sync, {differences.count(state.drift)}:",
            f"invoke db.sync; {_MORE}",
            differences.flat(state.drift),
        )


@examines("work", "pending files and revisions", "repo", "ledger")
def work(repo: Repo, ledger: Ledger) -> Iterator[Finding]:
    """Explains why a lane refuses: the other lane has pending work (G02)."""
    if not ledger.applied:
        yield info("supabase/sql", "This database was never bootstrapped.", "invoke db.bootstrap")
        return
    if files := pending(repo.order.files, ledger):
        yield info(
            "supabase/sql",
            "These SQL files are not applied as they are now:",
            f"invoke db.apply; {_MORE}",
            [f"{f.name}   {'changed' if f.name in ledger.applied else 'new'}" for f in files],
        )
    if revisions := waiting(repo, ledger):
        yield info(
            "migrations",
            "These revisions wait to be pushed:",
            f"invoke db.push; {_MORE}",
            [f"{revision.id}  {revision.title}" for revision in revisions],
        )


@examines("replay", "the repo's files, run on the shadow", "state")
def replayed(state: State) -> Iterator[Finding]:
    """Reports files that the live database once ran and an empty one can't run any more: without
    them, we can't tell which lane a table belongs to."""
    if problem := state.replay_error:
        message, *details = problem.message.splitlines()
        yield error(state.target.name, message, problem.first, details)


@examines("app-columns", "the app's tables", "state")
def app_columns(state: State) -> Iterator[Finding]:
    """Reports live columns on the app's tables that app.py does not know: the ORM wants to drop
    them."""
    if refusal := guards.app_drift(state):
        yield warning(
            "app.py", refusal.reason, refusal.first, differences.flat(list(refusal.changes))
        )
    by_hand = {change.identity for change in state.app_drift}
    tables = {identities.relation(i) for i in state.applied_app if identities.kind(i) == "table"}
    by_sql = [
        Change(identity, None, text)
        for identity, text in state.sql_lane.items()
        if identities.kind(identity) == "column"
        and identities.relation(identity) in tables
        and identity not in by_hand
    ]
    if by_sql:
        yield info(
            "app.py",
            "SQL files give the app's tables columns that app.py doesn't know; db.gen leaves them "
            "alone:",
            "To have them in the models, make them by app.py and a revision instead",
            differences.flat(by_sql),
        )


@examines("label", "the name it is protected under", "config", "target", "ledger")
def label(config: Config, target: Target, ledger: Ledger) -> Iterator[Finding]:
    """Reports a protected database that was reached under another name: it keeps the name under
    which it was first protected, whatever URL leads to it (G01)."""
    name = ledger.protected_as
    if name is None or (name == target.name and target.protected):
        return
    named = config.targets.get(name)
    if named is None:
        message = f"This database is protected as {name}, and no target in pyproject.toml is {name}"
    elif not named.protected:
        message = f"This database is protected as {name}, and pyproject.toml does not protect it"
    else:
        message = f"This database is protected as {name}, and was reached as {target.name}"
    yield warning(
        target.name,
        f"{message}: changes need --confirm {name}.",
        f"Compare the URL of {target.name} with that of {name}; give the target its own name",
    )


@examines("history", "what it ran, the repo", "repo", "ledger")
def applied(repo: Repo, ledger: Ledger) -> Iterator[Finding]:
    """Reports a history that differs from the repo's (G11), and explains what stays in a database
    after its file is gone."""
    if refusal := guards.applied_history(repo, ledger):
        yield from_refusal(refusal, "migrations")
    known = {file.name for file in repo.order.files}
    if gone := sorted(ledger.applied.keys() - known):
        yield info(
            "supabase/sql",
            "The database ran SQL files that the repo no longer has; what they made stays:",
            "If it should go: drop it in a file that stays, or in a new one",
            gone,
        )
