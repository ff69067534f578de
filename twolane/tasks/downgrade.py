"""Lane B backwards: to an older revision, also from one that this checkout does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.command import command
from twolane.tasks.console import done, say
from twolane.tasks.options import ALLOW, CONFIRM, TARGET

if TYPE_CHECKING:
    from twolane.deploy.downgrade import Downgrade
    from twolane.deploy.route import Route
    from twolane.state.connected import Work


@command(
    "db.downgrade",
    iterable=["allow"],
    help={
        "to": "The revision to go back to; -1 for the one before, -2, …; base for none.",
        "target": TARGET,
        "dry_run": "Stop at the plan.",
        "allow": ALLOW,
        "confirm": CONFIRM,
        "json": "Print the plan, and whether it was carried out, as JSON.",
    },
)
def downgrade(
    c: Context,
    to: str | None = None,
    target: str | None = None,
    dry_run: bool = False,
    allow: Sequence[str] | None = None,
    confirm: str | None = None,
    json: bool = False,
) -> None:
    """Lane B: take revisions back.

    By their files, or by the database's own record of them.

    Example:
      invoke db.downgrade --to -1 --dry-run
    """
    from twolane.deploy import route, take_back
    from twolane.guards import guards
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        refuse(None if dry_run else guards.target(work.config, work.contact, confirm))
        way = route.choose(work.repo, work.ledger, to)
        found = _prepare(work, way) if way.back else None
        told = as_json(way, found)
        if not json:
            show(way, told, dry_run, allow or ())
        if found:
            _expect_known(found, allow or ())
            if not dry_run:
                refuse(guards.destructive(found.hazards, allow or ()))
        applied = (
            found is not None and not dry_run and take_back.carry_out(work, found, allow or ())
        )
        if json:
            console.print_json({**told, "applied": applied})
        elif found and not dry_run:
            done(f"Target {work.target.name} is at {way.end}.")
            say("Next:  invoke db.status")


def _prepare(work: Work, way: Route) -> Downgrade:
    """The rehearsed way back, judged by all guards except consent."""
    from twolane import git
    from twolane.deploy import downgrade, route
    from twolane.guards import guards

    lost = route.unrecorded(way)
    branches = git.branches_with(work.config.root, lost[0].id) if lost else []
    refuse(
        guards.edited_revision(work.repo, work.ledger),
        route.no_way_back(way, branches),
    )
    state = work.state()
    if not way.foreign:
        refuse(guards.drift(state), guards.app_drift(state))
    refuse(guards.half_pushed(work.ledger))
    found = downgrade.prepare(work, state, way)
    refuse(
        downgrade.touched_by_hand(found, state),
        guards.half_taken_back(work.ledger, found.steps),
        guards.pooled(way.back, lambda: work.is_shared),
    )
    return found


def _expect_known(found: Downgrade, allow: Sequence[str]) -> None:
    from twolane.errors import Failure
    from twolane.state import hazards

    try:
        hazards.expect_known(found.hazards, allow, found.plan)
    except Failure as failure:
        to = found.route.to or "base"
        failure.first = f"invoke db.downgrade --to {to} --dry-run"
        raise


def show(way: Route, told: dict[str, Any], dry_run: bool, allowed: Sequence[str]) -> None:
    """Prints what a downgrade will do, or would."""
    if not way.back:
        done(f"Nothing to take back: the database is at {way.end}.")
        return
    for had in way.back:
        by = "" if had.is_here else "   (by the database's record)"
        say(f"Takes back {had.id}  {had.title}{by}")
    for statement in told["statements"]:
        screens.show_statement(statement)
    screens.show_effects(told, allowed)
    if told["files"]:
        say(f"SQL files that have to run again: {', '.join(told['files'])}")
    if dry_run:
        say("Dry run: nothing was taken back.")


def as_json(way: Route, found: Downgrade | None) -> dict[str, Any]:
    """`{"to", "revisions", "statements", "changes", "hazards", "renamed", "files"}`.

    to: null for before the first revision. revisions: those taken back, the newest first. files:
    the SQL files that have to run again. The rest is as in `db.push --json`.
    """
    from twolane.state.plan import Plan

    plan = found.plan if found else Plan((), {}, {}, frozenset())
    return {
        **screens.plan_json(plan, found.hazards if found else ()),
        "to": way.to,
        "revisions": [{"id": had.id, "title": had.title} for had in way.back],
        "statements": list(found.statements) if found else [],
        "files": list(found.not_run) if found else [],
    }
