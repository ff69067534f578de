"""Both lanes: bring a database to what the repo says, from wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.command import command
from twolane.tasks.console import done, say
from twolane.tasks.options import ALLOW, CARRY_ON, COMMIT, CONFIRM, CONFIRMS, JOBS, TARGET, TARGETS
from twolane.tasks.sql_lane import write_mirror
from twolane.text import counted

if TYPE_CHECKING:
    from twolane.deploy.deployment import Deployment
    from twolane.state.connected import Work


@command(
    "db.deploy",
    iterable=["allow"],
    help={
        "target": TARGETS,
        "dry_run": "Stop at the plan, and print its digest.",
        "plan": "The digest of a plan that a person approved, several with commas; no other runs.",
        "allow": ALLOW,
        "confirm": CONFIRMS,
        "json": "Print the plan, and whether it was carried out, as JSON.",
        "jobs": JOBS,
        "carry_on": CARRY_ON,
    },
)
def deploy(
    c: Context,
    target: str | None = None,
    dry_run: bool = False,
    plan: str | None = None,
    allow: Sequence[str] | None = None,
    confirm: str | None = None,
    json: bool = False,
    jobs: str = "4",
    carry_on: bool = False,
) -> None:
    """Both lanes: bring a database to what the repo says.

    From wherever it stands: rehearsed on the shadow, one plan, verified.

    Example:
      invoke db.deploy --target staging --dry-run
      invoke db.deploy --target production --confirm production
    """
    from twolane.config import is_many
    from twolane.guards import guards
    from twolane.state.connected import work_on

    if is_many(target):
        from twolane.tasks import fleet

        ask = fleet.Ask(target, jobs, carry_on, confirm)
        fleet.deploy(ask, dry_run, plan, allow or (), json)
        return
    with work_on(target, console) as work:
        # In CI the plan is shown before a protected database is refused: it is what to approve.
        found = _prepare(work, confirm, plan, dry_run or work.config.in_ci)
        told = as_json(found)
        if not json:
            allowed = allow or () if plan is None else [h.key for h in found.hazards]
            screens.show_deploy(told, dry_run, allowed)
        if not dry_run:
            if not found.is_empty:
                refuse(guards.unapproved(work.config, work.contact, found.digest, plan))
            _consent(found, plan, allow or ())
            _carry_out(work, found, allow or ())
        if json:
            console.print_json({**told, "applied": not (dry_run or found.is_empty)})


@command(
    "db.bootstrap",
    iterable=["allow"],
    help={"target": TARGET, "allow": ALLOW, "confirm": CONFIRM, "commit": COMMIT},
)
def bootstrap(
    c: Context,
    target: str | None = None,
    allow: Sequence[str] | None = None,
    confirm: str | None = None,
    commit: bool = False,
) -> None:
    """Both lanes: from empty to ready; again, what is left.

    SQL files, migrations, seed (local database alone), sync.

    Example:
      invoke db.bootstrap
    """
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        say(f"Bootstrapping target {work.target.name}:")
        found = _prepare(work, confirm, None, later=False)
        if not work.ledger.is_empty and not found.is_empty:
            screens.show_deploy(as_json(found), dry_run=False, allowed=allow or ())
        _consent(found, None, allow or ())
        _carry_out(work, found, allow or ())
        _sow(work)
        done("The database is ready.")
        write_mirror(work, work.state(), commit)


def _prepare(work: Work, confirm: str | None, plan: str | None, later: bool) -> Deployment:
    """The deployment of a target, judged by all guards except consent.

    later: whether a protected target is refused later, or not changed at all.
    """
    from twolane.deploy import deployment
    from twolane.guards import guards

    refuse(
        guards.own_service(work.contact, confirm) or guards.first_contact(work.contact, confirm)
        if later
        else guards.target(work.config, work.contact, confirm, plan),
        guards.order(work.repo),
        guards.history(work.repo, work.ledger),
        guards.older_checkout(work.repo, work.ledger),
    )
    state = work.state()
    refuse(guards.lost_record(state))
    if state.ledger.applied:
        refuse(guards.drift(state), guards.app_drift(state))
    found = deployment.prepare(work, state)
    refuse(
        guards.session(found.plan),
        guards.pooled(found.plan.revisions, lambda: work.is_shared),
        guards.half_run(work.ledger, found.plan),
        guards.broken(found.plan, state.replay_error) if found.plan.effects.renamed else None,
        guards.baseline(found.plan),
        guards.sql_only(found.plan),
        guards.broken(found.plan, state.replay_error),
        deployment.not_the_repo(found),
        None if found.is_empty else guards.other_plan(found.digest, plan),
    )
    return found


def _consent(found: Deployment, plan: str | None, allow: Sequence[str]) -> None:
    """G06, unless a person approved just this plan."""
    from twolane.deploy import deployment
    from twolane.guards import guards

    for consent in deployment.idle(found, allow):
        console.note(f"--allow {consent} fits nothing in this plan")
    if plan is None:
        refuse(guards.destructive(found.hazards, allow))


def _carry_out(work: Work, found: Deployment, allow: Sequence[str]) -> None:
    from twolane.deploy import run
    from twolane.repo import consents

    if found.is_empty:
        if work.contact.protected_as is None:
            run.complete(work, found)
        return
    run.run(work, found, allow)
    _say_how_it_ends(work, found)
    if not work.config.in_ci:
        consents.keep(
            work.config, found.plan.revisions, [h.key for h in found.hazards if h.needs_consent]
        )


def _say_how_it_ends(work: Work, found: Deployment) -> None:
    """What was changed by hand before, a deployment leaves as it is."""
    name = work.target.name
    if found.state.uncaptured and (left := work.state().uncaptured):
        console.warn(
            f"All of the repo ran on target {name}. Not as the SQL files make it: "
            f"{counted(len(left), 'fact')}\n  invoke db.status"
        )
    else:
        done(f"Target {name} is what the repo says.")


def _sow(work: Work) -> None:
    """Rows for local work, into the embedded database alone."""
    from twolane.deploy import seed

    path = seed.file(work.config)
    if path is not None and work.target.variable is None:
        with console.working(path.name):
            seed.run(work.config, path)
        done(f"Ran {path.name}.")


def as_json(found: Deployment) -> dict[str, Any]:
    """`{"digest", "files", "late", "revisions", "statements", "left_over", "changes", "hazards",
    "renamed"}`.

    files: the names of the SQL files, in their order; late: those of them that run after the
    revisions. left_over: the statements that take away what
    no file makes any more. changes: from where the database stands to the end. The rest is as in
    `db.push --json`.
    """
    from twolane.facts import differences

    late = [file.name for file in (*found.plan.again, *found.late)]
    return {
        "digest": found.digest,
        "files": [*(file.name for file in found.early), *late],
        "late": late,
        **screens.plan_json(found.plan, found.hazards),
        "left_over": [statement.sql for statement in found.course.rest],
        "changes": differences.as_json(found.changes),
    }
