"""Lane A: `db.capture` writes what was changed by hand as an SQL file."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.command import Different, command
from twolane.tasks.console import done, say, warn
from twolane.tasks.options import COMMIT, JSON, TARGET
from twolane.text import MOST, shortened

if TYPE_CHECKING:
    from twolane.capture.capture import Captured
    from twolane.state.state import State

MESSAGE = "chore(db): capture changes made by hand as SQL"


@command(
    "db.capture",
    help={
        "target": TARGET,
        "name": "Name of the new SQL file; without it, 60_captured_ and the date.",
        "dry_run": "Print the file and write nothing.",
        "json": JSON,
        "commit": COMMIT,
    },
)
def capture(
    c: Context,
    target: str | None = None,
    name: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Lane A: write what was changed by hand in the live database as an SQL file, proven first."""
    from twolane.capture import capture as capture_files
    from twolane.guards import guards
    from twolane.postgres import connections
    from twolane.state.connected import work_on

    stem = f"60_captured_{date.today():%Y_%m_%d}" if name is None else _stem(name)
    with work_on(target, console) as work:
        refuse(guards.order(work.repo), guards.applied_history(work.repo, work.ledger))
        state = work.state()
        refuse(None if state.is_mirrored else guards.one_lane_for_push(state))
        owner = connections.owner(work.connection)
        placed = capture_files.columns(work.connection)
    if state.replay_error:
        raise state.replay_error
    if name is None:
        stem = capture_files.free_stem(state.repo, stem)
    found = capture_files.read(state, owner, placed, stem, console.working)
    paths = []
    if found.files and not dry_run:
        paths = capture_files.write(state.repo.config, found.files)
    if json:
        console.print_json(_as_json(found, written=bool(paths)))
    else:
        _show(state, found, written=bool(paths), dry_run=dry_run)
    if paths and not json:
        say("Next:  invoke db.apply   (changes nothing there, records the file)")
        say("       invoke db.sync")
        console.suggest(state.repo.config.root, paths, MESSAGE, commit)
    if found.left or any(file.name in found.undone for file in found.files):
        raise Different


def _stem(name: str) -> str:
    """The file's name, without `.sql`.

    Raises:
        Failure: a name that some systems don't allow, or that leads to another folder.
    """
    from twolane.errors import Failure

    stem = name.removesuffix(".sql")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", stem):
        raise Failure(
            f"{name!r} is no name for an SQL file.",
            "Letters, digits, _ and - alone: invoke db.capture --name 60_hotfix",
        )
    return stem


def _show(state: State, found: Captured, written: bool, dry_run: bool) -> None:
    from twolane.facts import differences
    from twolane.tasks import mirror_screen

    if dry_run:
        for file in found.files:
            say(f"-- supabase/sql/{file.name}{_place(file.after_migrations)}\n{file.text}")
    if found.files:
        names = ", ".join(file.name for file in found.files)
        verb = "Wrote" if written else "Dry run, nothing was written:"
        done(f"{verb} {names}, which makes {differences.count(found.made)}:")
        screens.show_objects(found.made)
    if any(change.before for change in found.made):
        warn("Where this database differs from what the files make, it was changed by hand. If a")
        say("  file was edited to no effect instead, delete the capture and its line.")
        mirror_screen.say_way_back(found.made)
    for lost in found.loses:
        warn(f"Another database that runs it gives up {lost}.")
    for name, lines in found.undone.items():
        warn(f"{name} undoes this when it runs again (G08); change it there as well:")
        for line in shortened(lines):
            say(f"    {line}")
    if found.reordered:
        warn("The columns of these tables stand in another order where the files make them; name")
        say("  them in every insert and `select *`: " + ", ".join(shortened(found.reordered)))
    if found.left:
        warn(f"Not captured, {differences.count([each.change for each in found.left])}:")
        for each in found.left[:MOST]:
            (line,) = differences.flat([each.change])
            say(f"    {line}\n      {each.reason}")
    if not state.uncaptured:
        done("Nothing to capture: the SQL files make all that lane A has.")
    elif not found.left:
        done(f"Proven on the shadow: the files make just what target {state.target.name} has.")
    if state.app_drift:
        warn("The app's tables are not what their revisions make (G10); that is lane B's: undo it")
        say("  (invoke db.psql), or make just that by app.py and invoke db.gen:")
        screens.show_changes(state.app_drift)


def _place(after: bool) -> str:
    return ", after @migrations" if after else ""


def _as_json(found: Captured, written: bool) -> dict[str, Any]:
    """`{"files", "captured", "left", "loses", "undone", "reordered", "written"}`.

    A file is `{"name", "after_migrations", "text"}`; captured: changes as in `db.diff --json`;
    left: the same, each with its `reason`.
    """
    from twolane.facts import differences

    return {
        "files": [
            {"name": f.name, "after_migrations": f.after_migrations, "text": f.text}
            for f in found.files
        ],
        "captured": differences.as_json(found.made),
        "left": [
            {**differences.as_json([each.change])[0], "reason": each.reason} for each in found.left
        ],
        "loses": list(found.loses),
        "undone": {name: list(lines) for name, lines in found.undone.items()},
        "reordered": list(found.reordered),
        "written": written,
    }
