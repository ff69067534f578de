"""From empty to ready, through both lanes."""

from __future__ import annotations

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.app_lane import carry_out
from twolane.tasks.command import command
from twolane.tasks.console import done, say
from twolane.tasks.options import COMMIT, CONFIRM, TARGET
from twolane.tasks.sql_lane import write_mirror


@command("db.bootstrap", help={"target": TARGET, "confirm": CONFIRM, "commit": COMMIT})
def bootstrap(
    c: Context, target: str | None = None, confirm: str | None = None, commit: bool = False
) -> None:
    """From empty to ready: SQL files, migrations, sync. Run again, it does what is left."""
    from twolane.guards import guards
    from twolane.lanes import apply as lane_a
    from twolane.repo import contents
    from twolane.state import hazards, plan
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        order = work.repo.order
        refuse(
            guards.target(work.config, work.target, work.ledger, confirm),
            guards.order(work.repo),
            guards.history(work.repo, work.ledger),
        )
        say(f"Bootstrapping target {work.target.name}:")
        early = contents.pending(order.before, work.ledger)
        lane_a.apply(work.connection, work.target, early, console)
        standing = work.state()
        if work.ledger.applied:
            refuse(guards.stale_mirror(standing), guards.app_drift(standing))
        todo = plan.make(work.repo, standing.ledger, console.working)
        found = hazards.find(todo)
        refuse(
            guards.session(todo),
            guards.baseline(todo),
            guards.sql_only(todo),
            guards.destructive(found, ()),
        )
        if todo.revisions:
            screens.show_plan(screens.plan_json(todo, found))
            carry_out(work, standing, todo)
        late = contents.pending(order.after, work.ledger)
        lane_a.apply(work.connection, work.target, late, console)
        done("The database is ready.")
        write_mirror(work, work.state(), commit)
