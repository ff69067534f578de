"""One command on several targets: the options of each child, and the outcomes of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from twolane import config, exit_codes
from twolane.config import SEVERAL, Config
from twolane.errors import Failure
from twolane.fleet import outcomes
from twolane.fleet.children import Crew, Ended, Job
from twolane.fleet.outcomes import Outcome
from twolane.postgres import targets
from twolane.repo import contents
from twolane.shadow.stages import Replays
from twolane.telling import Tell


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
        return exit_codes.INTERRUPTED if self.interrupted else outcomes.exit_code(self.outcomes)


def words(command: str, **options: bool | str | Sequence[str] | None) -> list[str]:
    """What follows `invoke` in a child, which prints JSON.

    An option is `--flag`, `--name=text`, or the latter once for each text.
    """
    found = [command, "--json"]
    for name, value in options.items():
        word = f"--{name.replace('_', '-')}"
        texts = [value] if isinstance(value, str) else value
        found += [word] * texts if isinstance(texts, bool) else [f"{word}={t}" for t in texts or ()]
    return found


def run(ask: Ask, words: Sequence[str], tell: Tell, *, replays: bool = True) -> Done:
    """Runs the command on each target that was chosen, and tells when each begins and ends.

    replays: whether the command needs the repo's files on the shadow.

    Raises:
        Failure: a target doesn't exist, or `jobs` is not a number from 1 on.
    """
    return _run(ask, words, tell, reading=False, replays=replays)


def look(ask: Ask, words: Sequence[str], tell: Tell) -> Done:
    """Runs a command that changes nothing on each target, protected ones too; see `run`."""
    return _run(ask, words, tell, reading=True, replays=True)


def _run(ask: Ask, words: Sequence[str], tell: Tell, reading: bool, replays: bool) -> Done:
    if not ask.jobs.isdecimal() or int(ask.jobs) < 1:
        raise Failure(f"--jobs takes a number from 1 on, not {ask.jobs!r}.", "Say --jobs 4")
    settings = config.load()
    meant = targets.select(settings, ask.target, reading)
    if replays:
        _warm(settings, tell)

    def started(job: Job) -> None:
        if not reading:
            tell.note(f"{job.target}: started")

    def ended(end: Ended) -> None:
        outcome = outcomes.read(end, words)
        if not reading:
            parts = (end.target, outcome.outcome, outcomes.brief(outcome))
            tell.note(": ".join(filter(None, parts)))

    crew = Crew(settings.root, int(ask.jobs), ask.carry_on or reading, started, ended)
    confirmed = {name.strip() for name in (ask.confirm or "").split(SEVERAL)} & meant.named
    jobs = [_job(name, words, name in confirmed) for name in meant.chosen]
    with tell.working(f"asking {len(jobs)} databases") if reading else nullcontext():
        ends = crew.run(jobs)
    found = [outcomes.read(end, words) for end in ends]
    left_out = [Outcome(n, outcomes.LEFT_OUT, why) for n, why in meant.left_out.items()]
    return Done(settings, [*found, *left_out], bool(crew.signals))


def _job(name: str, words: Sequence[str], is_confirmed: bool) -> Job:
    """The job for a target. Only a target that was named in full is confirmed, by that name."""
    consent = [f"--confirm={name}"] if is_confirmed else []
    return Job(name, [*words, f"--target={name}", *consent])


def _warm(settings: Config, tell: Tell) -> None:
    """Replays the repo's files once, so that the children find a finished shadow.

    It ignores a failure: each child fails in the same way, and reports it.
    """
    with suppress(Failure):
        Replays(contents.read_repo(settings), tell.working).whole()
