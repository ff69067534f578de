"""A table changes its lane: no change to the database but the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.errors import Failure
from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done, say
from twolane.tasks.options import COMMIT, JSON, TARGET
from twolane.tasks.positionals import needless_with

if TYPE_CHECKING:
    from twolane.moves.move import Move
    from twolane.state.state import State


_TABLE = "The table, or several with commas; another schema's as schema.table."
_DRY_RUN = "Say what would be written, and write nothing."


@command(
    "db.own",
    positional=["table"],
    help={
        "table": _TABLE,
        "all": "Every table of the SQL lane that an app can own.",
        "target": TARGET,
        "dry_run": _DRY_RUN,
        "json": JSON,
        "commit": COMMIT,
    },
)
def own(
    c: Context,
    table: str | None = None,
    all: bool = False,
    target: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Both lanes: a table of the SQL lane becomes the app's.

    Its class moves to app.py; its data stay as they are.

    Example:
      invoke db.own contacts --dry-run
    """
    from twolane.moves import own as moves

    names = _names(table)
    if bool(names) == all:
        raise Failure("Name a table, or say --all.", "invoke db.own contacts")

    def plan(state: State, owner: str) -> Move:
        return moves.plan(state, names, all, console.working)

    _move(plan, target, dry_run, json, commit, "the app's", "invoke db.push")


needless_with(own, "table", "all")


@command(
    "db.disown",
    positional=["table"],
    help={
        "table": _TABLE,
        "target": TARGET,
        "dry_run": _DRY_RUN,
        "json": JSON,
        "commit": COMMIT,
    },
)
def disown(
    c: Context,
    table: str | None = None,
    target: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Both lanes: a table of the app becomes the SQL lane's.

    An SQL file makes it from then on; its data stay as they are.

    Example:
      invoke db.disown notes --dry-run
    """
    from twolane.moves import disown as moves

    names = _names(table)
    if not names:
        raise Failure("Name a table.", "invoke db.disown notes")

    def plan(state: State, owner: str) -> Move:
        return moves.plan(state, owner, names, console.working)

    _move(plan, target, dry_run, json, commit, "the SQL lane's", "invoke db.deploy")


def _names(table: str | None) -> list[str]:
    return [name.strip() for name in (table or "").split(",") if name.strip()]


def _move(
    plan: Callable[[State, str], Move],
    target: str | None,
    dry_run: bool,
    json: bool,
    commit: bool,
    whose: str,
    then: str,
) -> None:
    from twolane.guards import guards
    from twolane.moves import move
    from twolane.postgres import connections
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        refuse(guards.order(work.repo), guards.history(work.repo, work.ledger))
        state = work.state()
        refuse(
            guards.one_lane_for_push(state),
            guards.one_lane_for_apply(work.repo, work.ledger, ()),
            guards.stale_mirror(state),
            guards.app_drift(state),
        )
        if state.replay_error:
            raise state.replay_error
        owner = connections.owner(work.connection)
    refuse(move.unfinished(state.repo, console.working))
    made = plan(state, owner)
    config = state.repo.config
    files = [path.relative_to(config.root).as_posix() for path in made.texts]
    if made.tables and not dry_run:
        move.write(config, made.texts)
    if json:
        console.print_json(_as_json(made, files, bool(made.tables) and not dry_run))
        return
    _show(made, files, whose, dry_run)
    if made.tables and not dry_run:
        say(f"Next:  {then}   (changes nothing there but the record)")
        console.suggest(config.root, list(made.texts), console.feat([made.title]), commit)


def _show(made: Move, files: Sequence[str], whose: str, dry_run: bool) -> None:
    for note in made.notes:
        console.warn(note)
    names = ", ".join(made.names)
    if not made.tables:
        done(f"Nothing to do: it is {whose} already.")
        return
    if dry_run:
        done(f"Dry run, nothing was written. To make {names} {whose}, it would write:")
    else:
        done(f"{names} {'is' if len(made.names) == 1 else 'are'} {whose} now. Wrote:")
    for name in files:
        say(f"  {name}")


def _as_json(made: Move, files: Sequence[str], written: bool) -> dict[str, Any]:
    """`{"tables", "files", "notes", "written"}`; files: their paths from the service's folder."""
    return {
        "tables": made.names,
        "files": list(files),
        "notes": list(made.notes),
        "written": written,
    }
