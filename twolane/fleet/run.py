"""One command on several targets: the options of each child, and the report on all of them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

from invoke.exceptions import Exit

from twolane import config, exit_codes, text
from twolane.config import SEVERAL, Config
from twolane.errors import Failure
from twolane.fleet import outcomes as fleet_report
from twolane.fleet.children import Crew, Ended, Job
from twolane.fleet.outcomes import Outcome
from twolane.postgres import targets
from twolane.repo import contents
from twolane.shadow.stages import Replays
from twolane.tasks import console

_COLORS = {
    fleet_report.REFUSAL: "red",
    fleet_report.FAILURE: "red",
    fleet_report.CUT: "red",
    fleet_report.DIFFERENCE: "yellow",
    fleet_report.NOT_STARTED: "yellow",
    fleet_report.LEFT_OUT: "dim",
}


@dataclass(frozen=True)
class Ask:
    """The options that steer a command on several targets, as they were typed.

    jobs: how many at a time. confirm: names of protected targets, with commas between them.
    """

    target: str
    jobs: str
    carry_on: bool = False
    confirm: str | None = None


@dataclass(frozen=True)
class Done:
    """The outcomes of all targets. interrupted: whether somebody pressed Ctrl-C meanwhile."""

    config: Config
    outcomes: Sequence[Outcome]
    interrupted: bool

    def of(self, *kinds: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.outcome in kinds]

    @property
    def code(self) -> int:
        """The exit code of the whole command."""
        return exit_codes.INTERRUPTED if self.interrupted else fleet_report.exit_code(self.outcomes)

    def leave(self) -> None:
        """Ends the command with its exit code, unless that is 0."""
        if self.code:
            raise Exit(code=self.code)


def status(ask: Ask, json: bool) -> None:
    """Shows the status of each target; protected ones are shown like any other."""
    done = _run(replace(ask, carry_on=True), ["db.status", "--json"], reading=True)
    if json:
        console.print_json(fleet_report.status_json(done.outcomes))
    else:
        _show(fleet_report.status_table(done.outcomes), done.outcomes)
        for problem, names in fleet_report.problems(done.outcomes).items():
            console.warn(f"{', '.join(names)}: {problem}")
    done.leave()


def sync_check(ask: Ask, json: bool) -> None:
    """Checks whether each target matches the mirror."""
    words = ["db.sync", "--check", *_words(json=json)]
    done = _run(replace(ask, carry_on=True), words, reading=True)
    _report(done, json, aloud=[fleet_report.DIFFERENCE])
    done.leave()


def apply(ask: Ask, files: Sequence[str]) -> None:
    """Runs lane A on each target: the SQL files that are new or changed there, or those named."""
    done = _run(ask, ["db.apply", *_words(file=files)], replays=False)
    _report(done)
    if (applied := done.of(fleet_report.DONE)) and not done.code:
        console.say(f"Next:  invoke db.sync --target {applied[0].target}")
        console.say(f"Then:  invoke db.sync --check --target {shlex.quote(ask.target)}")
    done.leave()


def push(
    ask: Ask, dry_run: bool, allow: Sequence[str], to: str | None, json: bool, commit: bool
) -> None:
    """Runs lane B on each target: the revisions that wait there."""
    words = _words(dry_run=dry_run, allow=allow, to=to, json=json or not dry_run)
    done = _run(ask, ["db.push", *words])
    _report(done, json, aloud=[fleet_report.PLANNED, fleet_report.NOTHING] if dry_run else [])
    if not json and (titles := _titles(done.of(fleet_report.DONE))):
        console.suggest_revisions(done.config, titles, commit)
    done.leave()


def _titles(pushed: Iterable[Outcome]) -> list[str]:
    """Titles of the revisions pushed to any target, in the order of the target with the most."""
    parts = sorted((outcome.result["revisions"] for outcome in pushed), key=len, reverse=True)
    return list({revision["id"]: revision["title"] for part in parts for revision in part}.values())


def _words(**options: bool | str | Sequence[str] | None) -> list[str]:
    """Options as words for a child: `--flag`, `--name=text`, or the latter once for each text."""
    words: list[str] = []
    for name, value in options.items():
        word = f"--{name.replace('_', '-')}"
        texts = [value] if isinstance(value, str) else value
        words += [word] * texts if isinstance(texts, bool) else [f"{word}={t}" for t in texts or ()]
    return words


def _run(ask: Ask, words: Sequence[str], reading: bool = False, replays: bool = True) -> Done:
    """Runs the command on each target that was chosen.

    Raises:
        Failure: a target doesn't exist, or `jobs` is not a number from 1 on.
    """
    if not ask.jobs.isdecimal() or int(ask.jobs) < 1:
        raise Failure(f"--jobs takes a number from 1 on, not {ask.jobs!r}.", "Say --jobs 4")
    settings = config.load()
    meant = targets.select(settings, ask.target, reading)
    if replays:
        _warm(settings)

    def started(job: Job) -> None:
        if not reading:
            console.note(f"{job.target}: started")

    def read(end: Ended) -> Outcome:
        return fleet_report.read(end, dry_run="--dry-run" in words)

    def ended(end: Ended) -> None:
        outcome = read(end)
        if not reading:
            parts = (end.target, outcome.outcome, fleet_report.brief(outcome))
            console.note(": ".join(filter(None, parts)))

    crew = Crew(settings.root, int(ask.jobs), ask.carry_on, started, ended)
    confirmed = {name.strip() for name in (ask.confirm or "").split(SEVERAL)} & meant.named
    jobs = [_job(name, words, name in confirmed) for name in meant.chosen]
    with console.working(f"asking {len(jobs)} databases") if reading else nullcontext():
        ends = crew.run(jobs)
    outcomes = [read(end) for end in ends]
    left_out = [Outcome(n, fleet_report.LEFT_OUT, why) for n, why in meant.left_out.items()]
    return Done(settings, [*outcomes, *left_out], bool(crew.signals))


def _job(name: str, words: Sequence[str], is_confirmed: bool) -> Job:
    """The job for a target. Only a target that was named in full is confirmed, by that name."""
    consent = [f"--confirm={name}"] if is_confirmed else []
    return Job(name, [*words, f"--target={name}", *consent])


def _warm(settings: Config) -> None:
    """Replays the repo's files once, so that the children find a finished shadow.

    It ignores a failure: each child fails in the same way, and reports it.
    """
    with suppress(Failure):
        Replays(contents.read_repo(settings), console.working).whole()


def _report(done: Done, json: bool = False, aloud: Sequence[str] = ()) -> None:
    """Prints the full output of failures and of outcomes in `aloud`, then one row per target."""
    if json:
        console.print_json(fleet_report.as_json(done.outcomes))
        return
    for kinds, stream in ((aloud, sys.stdout), (fleet_report.FAILED, sys.stderr)):
        for output, names in fleet_report.alike(done.of(*kinds)).items():
            sys.stdout.flush()
            print(console.paint(f"{', '.join(names)}:", "bold", stream), file=stream)
            print(f"{text.clean(output)}\n", file=stream)
    for line, names in fleet_report.warnings(done.of(fleet_report.DONE)).items():
        console.warn(f"{', '.join(names)}: {line}")
    _show(fleet_report.table(done.outcomes), done.outcomes)
    tally = f"{fleet_report.tally(done.outcomes)}."
    if done.of(*fleet_report.FAILED, fleet_report.NOT_STARTED, fleet_report.CUT):
        mend = "Mend what is said above, then run" if done.of(*fleet_report.FAILED) else "Run"
        console.error(tally, f"{mend} the same command again; it goes on with the rest.")
    elif done.code:
        console.say(tally)
    else:
        console.done(tally)


def _show(lines: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    print(lines[0])
    for line, outcome in zip(lines[1:], outcomes, strict=True):
        color = _COLORS.get(outcome.outcome)
        print(console.paint(line, color) if color else line)
