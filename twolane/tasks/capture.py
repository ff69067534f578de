"""Lane A: `db.capture` writes what was changed by hand as an SQL file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console, screens
from twolane.tasks.command import Different, command
from twolane.tasks.console import done, say, warn
from twolane.tasks.options import COMMIT, JSON, TARGET
from twolane.text import shortened

if TYPE_CHECKING:
    from twolane.capture.capture import Captured
    from twolane.state.state import State

MESSAGE = "chore(db): capture changes made by hand as SQL"


@command(
    "db.capture",
    iterable=["rename"],
    help={
        "target": TARGET,
        "name": "Name of the new SQL file; without it, 60_captured_ and the date.",
        "rename": "What was renamed by hand: contacts.email:contacts.mail; repeatable.",
        "dry_run": "Print the file and write nothing.",
        "json": JSON,
        "commit": COMMIT,
    },
)
def capture(
    c: Context,
    target: str | None = None,
    name: str | None = None,
    rename: Sequence[str] | None = None,
    dry_run: bool = False,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Lane A: write what was changed by hand as an SQL file.

    The file is proven on the shadow before it is written.

    Example:
      invoke db.capture --name contact_phones
    """
    from twolane.capture import capture as capture_files
    from twolane.capture import renamed
    from twolane.guards import guards
    from twolane.postgres import connections
    from twolane.state.connected import work_on

    stem = f"60_captured_{date.today():%Y_%m_%d}" if name is None else _stem(name)
    with work_on(target, console) as work:
        refuse(guards.order(work.repo), guards.applied_history(work.repo, work.ledger))
        state = work.state()
        refuse(
            guards.lost_record(state),
            None if state.is_mirrored else guards.one_lane_for_push(state),
        )
        owner = connections.owner(work.connection)
        placed = capture_files.columns(work.connection)
    if state.replay_error:
        raise state.replay_error
    if name is None:
        stem = capture_files.free_stem(state.repo, stem)
    texts = _renames(state, rename or ())
    renames = renamed.read(state, texts)
    found = capture_files.read(state, owner, placed, stem, console.working, renames)
    made = [] if dry_run else found.files
    paths = capture_files.write(state.repo.config, made) if made else []
    if json:
        console.print_json(_as_json(found, texts, state, written=bool(paths)))
    else:
        _show(state, found, written=bool(paths), dry_run=dry_run)
        _show_renamed(state, texts, paths)
        if paths:
            _say_next(state, found, paths, commit)
    undone = any(file.name in found.undone for file in found.files)
    if found.left or state.renamed.swapped or undone:
        raise Different


def _renames(state: State, asked: Sequence[str]) -> list[str]:
    """The renames that the record knows, those asked for, and those that the person at the terminal
    says were made."""
    from twolane.capture import renamed

    known = [pair.text for pair in renamed.known(state)]
    found = list(dict.fromkeys([*known, *asked]))
    if not console.is_asked():
        return found
    return [*found, *screens.ask_renames(renamed.likely(state, found), "renamed by hand")]


def _say_next(state: State, found: Captured, paths: Sequence[Path], commit: bool) -> None:
    from twolane.facts import differences

    say("Next:  invoke db.apply   (changes nothing there, records the file)")
    say("       invoke db.sync")
    what = differences.flat(found.made)
    console.suggest(state.repo.config.root, paths, MESSAGE, commit, what)


def _show_renamed(state: State, texts: Sequence[str], paths: Sequence[Path]) -> None:
    """Prints what the file renames, what else may be a rename, and names that went round."""
    from twolane.capture import renamed
    from twolane.tasks import mirror_screen

    for text in texts:
        done(f"Renamed by hand, and so in the file; rows stay: {text.replace(':', ' → ')}")
    for pair in renamed.likely(state, texts):
        old, new = pair.halves
        warn(f"{old} is dropped and {new} added; the data of the first are lost elsewhere.")
        if paths:
            say(f"  If {new} is {old}, renamed, take {paths[0].name} and its line away, and then:")
        else:
            say(f"  If {new} is {old}, renamed:")
        say(f"  invoke db.capture --rename {pair.text}")
    mirror_screen.show_swapped(state.renamed.swapped)


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
    from twolane.capture.capture import NO_REASON
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
        warn("What differs from what the files make is taken as changed by hand. If a")
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
        # Those that Postgres gave no reason for mostly hang on the others.
        known = sorted(found.left, key=lambda each: each.reason == NO_REASON)
        told = (f"{differences.flat([each.change])[0]}\n      {each.reason}" for each in known)
        for text in shortened(list(told)):
            say(f"    {text}")
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


def _as_json(found: Captured, texts: Sequence[str], state: State, written: bool) -> dict[str, Any]:
    """`{"files", "captured", "left", "loses", "undone", "reordered", "written"}`.

    A file is `{"name", "after_migrations", "text"}`; captured: changes as in `db.diff --json`;
    left: the same, each with its `reason`. Where there are such: renamed, as
    `--rename` takes them; swapped, facts whose names went round.
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
        **({"renamed": list(texts)} if texts else {}),
        **({"swapped": list(state.renamed.swapped)} if state.renamed.swapped else {}),
    }
