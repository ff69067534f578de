"""Commands on several targets: what is shown of all of them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from invoke.exceptions import Exit

from twolane.fleet import outcomes, run
from twolane.fleet.outcomes import Outcome
from twolane.fleet.run import Ask as Ask
from twolane.fleet.run import Done, words
from twolane.tasks import console, mirror_screen, screens
from twolane.text import clean

_COLORS = {
    outcomes.REFUSAL: "red",
    outcomes.FAILURE: "red",
    outcomes.CUT: "red",
    outcomes.DIFFERENCE: "yellow",
    outcomes.NOT_STARTED: "yellow",
    outcomes.LEFT_OUT: "dim",
}
Show = Callable[[Mapping[str, Any]], None]


def status(ask: Ask, json: bool) -> None:
    """Shows the status of each target; protected ones are shown like any other."""
    done = run.look(ask, words("db.status"), console)
    if json:
        console.print_json(outcomes.status_json(done.outcomes))
    else:
        _show_table(
            outcomes.status_table(done.outcomes, console.room(a_line_each=True)), done.outcomes
        )
        for problem, names in outcomes.problems(done.outcomes).items():
            console.warn(f"{', '.join(names)}: {problem}")
    _leave(done)


def sync_check(ask: Ask, json: bool) -> None:
    """Checks whether each target matches the mirror."""
    done = run.look(ask, words("db.sync", check=True), console)
    _report(done, json, {outcomes.DIFFERENCE: mirror_screen.show_check})
    _leave(done)


def apply(ask: Ask, files: Sequence[str], allow: Sequence[str], json: bool) -> None:
    """Runs lane A on each target: the SQL files that are new or changed there, or those named."""
    done = run.run(ask, words("db.apply", file=files, allow=allow), console, replays=False)
    _report(done, json, aloud={})
    if not json and (applied := done.of(outcomes.DONE)) and not done.code:
        console.say(f"Next:  invoke db.sync --target {shlex.quote(applied[0].target)}")
        console.say(f"Then:  invoke db.sync --check --target {shlex.quote(ask.target)}")
    _leave(done)


def push(
    ask: Ask, dry_run: bool, allow: Sequence[str], to: str | None, json: bool, commit: bool
) -> None:
    """Runs lane B on each target: the revisions that wait there."""
    done = run.run(ask, words("db.push", dry_run=dry_run, allow=allow, to=to), console)
    plan = partial(screens.show_push, dry_run=True, to=to, allowed=allow)
    _report(
        done, json, dict.fromkeys((outcomes.PLANNED, outcomes.NOTHING), plan) if dry_run else {}
    )
    if not json and (titles := _titles(done.of(outcomes.DONE))):
        console.suggest_revisions(done.config, titles, commit)
    _leave(done)


def deploy(ask: Ask, dry_run: bool, plan: str | None, allow: Sequence[str], json: bool) -> None:
    """Brings each target to what the repo says."""
    done = run.run(ask, words("db.deploy", dry_run=dry_run, plan=plan, allow=allow), console)
    show = partial(screens.show_deploy, dry_run=True, allowed=allow)
    _report(
        done, json, dict.fromkeys((outcomes.PLANNED, outcomes.NOTHING), show) if dry_run else {}
    )
    _leave(done)


def _titles(pushed: Iterable[Outcome]) -> list[str]:
    """Titles of the revisions pushed to any target, in the order of the target with the most."""
    parts = sorted((outcome.result["revisions"] for outcome in pushed), key=len, reverse=True)
    return list({revision["id"]: revision["title"] for part in parts for revision in part}.values())


def _leave(done: Done) -> None:
    """Ends the command with its exit code, unless that is 0."""
    if done.code:
        raise Exit(code=done.code)


def _report(done: Done, json: bool, aloud: Mapping[str, Show]) -> None:
    """Prints one row per target; before that, each failure, and each result of an outcome in
    `aloud`."""
    if json:
        console.print_json(outcomes.as_json(done.outcomes))
        return
    for report, found in outcomes.alike(done.of(*aloud), lambda outcome: outcome.report):
        _head(found, sys.stdout)
        with console.about(found[0].target):
            aloud[found[0].outcome](report)
        print()
    for _, found in outcomes.alike(done.of(*outcomes.FAILED), outcomes.words_of_any_target):
        _head(found, sys.stderr)
        print(f"{clean(outcomes.words(found[0]))}\n", file=sys.stderr)
    for line, names in outcomes.warnings(done.of(outcomes.DONE)).items():
        console.warn(f"{', '.join(names)}: {line}")
    _show_table(outcomes.table(done.outcomes, console.room(a_line_each=True)), done.outcomes)
    tally = f"{outcomes.tally(done.outcomes)}."
    if done.of(*outcomes.FAILED, outcomes.NOT_STARTED, outcomes.CUT):
        mend = "Mend what is said above, then run" if done.of(*outcomes.FAILED) else "Run"
        console.error(tally, f"{mend} the same command again; it goes on with the rest.")
    elif done.code:
        console.say(tally)
    else:
        console.done(tally)


def _head(found: Sequence[Outcome], stream: Any) -> None:
    sys.stdout.flush()
    names = ", ".join(outcome.target for outcome in found)
    print(console.paint(f"{names}:", "bold", stream), file=stream)


def _show_table(lines: Sequence[str], found: Sequence[Outcome]) -> None:
    print(lines[0])
    for line, outcome in zip(lines[1:], found, strict=True):
        color = _COLORS.get(outcome.outcome)
        print(console.paint(line, color) if color else line)
