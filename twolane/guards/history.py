"""G11 history: protects the chain of revisions: one head, known in full, unchanged once applied.

What a revision made is found by running it again, so a lost or edited one hides who owns a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twolane import git
from twolane.guards.refusal import Refusal
from twolane.repo import lineage
from twolane.repo.contents import Repo, is_older
from twolane.repo.halfway import DOWN, Half
from twolane.repo.ledger import Ledger
from twolane.repo.locations import in_folder
from twolane.repo.revisions import heads
from twolane.state.plan import Plan
from twolane.state.state import State
from twolane.text import shortened


def history(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11: one straight history, known in full, unchanged once applied."""
    several = heads(repo.revisions)
    if len(several) < 2:
        return applied_history(repo, ledger)
    return Refusal(
        "G11",
        "history",
        "The revisions have several heads:",
        'invoke db.gen --merge -m "…"; or put them in line: '
        "set down_revision of the one that is not pushed yet to the other's id",
        details=several,
    )


def applied_history(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11, the part for `db.sync`, too: the repo has each applied revision, unchanged.

    Ownership comes from replay, so the tables of a missing revision would count as lane A's and
    enter the mirror.
    """
    return (
        foreign_revision(repo, ledger) or edited_revision(repo, ledger) or lost_half(repo, ledger)
    )


def lost_record(state: State) -> Refusal | None:
    """G11: a database has what revisions make, and its record says of none that it ran."""
    if not state.unrecorded:
        return None
    return Refusal(
        "G11",
        "history",
        "The database has tables that revisions make, and no record that they ran:",
        RECORD,
        details=shortened(state.unrecorded),
    )


RECORD = "invoke db.adopt --record"
"""Finds out where a database stands that lost its record."""


def foreign_revision(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11: the repo has the revision that the database is at; else its record leads back."""
    lost = lineage.foreign(repo, ledger)
    if not lost:
        return None
    to = lineage.common(repo, ledger)
    names = [f"{had.id}  {had.title}".rstrip() for had in lost]
    other = "check out the branch that has it: git log --all -- migrations/versions"
    return Refusal(
        "G11",
        "history",
        "The database is at a revision that the repo does not have:",
        f"invoke db.downgrade --to {to}" if to else other,
        details=[*names, f"or git pull, or {other}"] if to else names,
    )


def of_another_branch(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11, the parts that a switch of branch brings about: a revision, or a newer SQL file."""
    return foreign_revision(repo, ledger) or older_checkout(repo, ledger)


def edited_revision(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11: a revision that the database has is as it was pushed."""
    has = {had.id for had in lineage.of(repo, ledger)}
    edited = [
        revision
        for revision in repo.revisions
        if revision.id in has
        and not revision.is_recorded_as(ledger.pushed.get(revision.id, revision.digest))
    ]
    if not edited:
        return None
    path, name = in_folder(edited[0]), edited[0].path.name
    restore = f"restore {name} as it was pushed (git log -p --all -- {path})"
    if command := git.way_back(repo.config.root, [path]):
        restore = f"{command}   (to restore {name})"
    return Refusal(
        "G11",
        "history",
        "These revisions were edited after they had been pushed:",
        f"{restore}, and put the change into a new revision",
        details=[f"{r.id}  {r.title}" for r in edited],
    )


def lost_half(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11: the repo has the online revision that is half done in the database."""
    half = ledger.half
    if half is None or half.way == DOWN or any(r.id == half.revision for r in repo.revisions):
        return None
    files = f"'migrations/versions/*{half.revision}*'"
    commit = f"$(git log --all -1 --format=%h --diff-filter=AMR -- {files})"
    return _half(
        half,
        "is half done, and the repo has no such revision",
        f"git checkout {commit} -- {files}, then invoke db.push; to be rid of it, take the steps "
        "that are not done out of it before (and out of its downgrade), and invoke "
        "db.downgrade --to -1 after",
    )


def half_run(ledger: Ledger, plan: Plan) -> Refusal | None:
    """G11: an online revision that is on its way goes on with the steps that it began with.

    What comes after the steps that are done may be edited, above all the one that fails.
    """
    half = ledger.half
    if half is None:
        return None
    if half.way == DOWN:
        return _half(half, "is on its way down", "invoke db.downgrade --to -1")
    if not plan.revisions:
        return None
    stage = next((s for s in plan.in_stages if s.revisions[0].id == half.revision), None)
    if stage is None:
        return _half(
            half,
            "is half done, and the repo has no such revision that waits",
            "check out the branch that has it (git log --all -- migrations/versions), then: "
            "invoke db.push",
        )
    if tuple(step.sql for step in stage.steps[: len(half.done)]) != half.done:
        return _half(
            half,
            "is half done, and its steps that are done were edited since",
            f"restore those steps in {stage.revisions[0].path.name} (git checkout; what comes "
            "after them may change), then: invoke db.push",
        )
    return None


def half_pushed(ledger: Ledger) -> Refusal | None:
    """G11: an online revision that was cut short on its way up is finished first."""
    if ledger.half is None or ledger.half.way == DOWN:
        return None
    return _half(
        ledger.half,
        "is half done",
        "invoke db.push   (the steps after those that are done may be edited, or taken out)",
    )


def half_taken_back(ledger: Ledger, steps: Mapping[str, Sequence[str]]) -> Refusal | None:
    """G11: an online revision that is on its way down goes on with the steps that it began with.

    steps: online revision that is to go → the statements of its `downgrade()`.
    """
    half = ledger.half
    if half is None or tuple(steps.get(half.revision, ())[: len(half.done)]) == half.done:
        return None
    return _half(
        half,
        "is half taken back, and its steps that are done were edited since",
        "restore those steps in its downgrade() (git checkout; what comes after them may change), "
        "then: invoke db.downgrade --to -1",
    )


def _half(half: Half, why: str, first: str) -> Refusal:
    return Refusal(
        "G11",
        "history",
        f"The online revision {half.revision} {why}:",
        first,
        details=[f"step {n}, done: {' '.join(sql.split())}" for n, sql in enumerate(half.done, 1)],
    )


def older_checkout(repo: Repo, ledger: Ledger) -> Refusal | None:
    """G11 for SQL files: a checkout does not undo what the database has run since."""
    older = [file.name for file in repo.order.files if is_older(file, ledger)]
    if not older:
        return None
    return Refusal(
        "G11",
        "history",
        "The database ran these SQL files in this form before, and in a newer one since:",
        "git pull; or, if the older form is meant: "
        f"invoke db.apply {' '.join(f'--file {name}' for name in older)}",
        details=older,
    )
