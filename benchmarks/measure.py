"""Measures time and peak memory of a command, or of several commands in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from . import progress, servers

LAUNCHER = Path(__file__).with_name("launcher.py")
FOREVER = 24 * 3600.0
# Variables that would change a measured command, or a program that it starts.
DROPPED = (
    "CI",
    "DATABASE_URL",
    "GITHUB_ACTIONS",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
    "SHADOW_DATABASE_URL",
    "TWOLANE_SERVICE",
    "VIRTUAL_ENV",
)
# Above SLOW seconds a command runs once after its warm-up; above VERY_SLOW its warm-up is its run.
SLOW, VERY_SLOW = 2.0, 10.0
# So long after a command the server has seen the end of the process that served it.
SETTLED = 0.05


class Broken(Exception):
    """A measured command failed, or did not do its work."""


@dataclass(frozen=True)
class Run:
    """One run.

    peak: bytes of all its processes together, without servers. cpu: seconds, with servers.
    """

    seconds: float
    peak: int
    code: int
    out: str
    err: str
    over_limit: bool = False
    cpu: float = 0.0


@dataclass(frozen=True)
class Subject:
    """A measured command, with its preparation and its check.

    check: returns a complaint about a run; an empty text means that the run did its work.
    """

    name: str
    command: Sequence[str]
    folder: Path
    check: Callable[[Run], str]
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    limit: float = FOREVER


@dataclass(frozen=True)
class Result:
    """All valid runs of one subject; or why there is none, and whether that is an error."""

    name: str
    runs: Sequence[Run]
    reason: str = ""
    broken: bool = False

    @property
    def seconds(self) -> float | None:
        return median(run.seconds for run in self.runs) if self.runs else None

    @property
    def cpu(self) -> float | None:
        return median(run.cpu for run in self.runs) if self.runs else None

    @property
    def peak(self) -> int | None:
        """The median of the runs' peaks, in bytes."""
        return int(median(run.peak for run in self.runs)) if self.runs else None

    @property
    def over_limit(self) -> bool:
        """Whether the time is only a lower bound."""
        return any(run.over_limit for run in self.runs)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED and not name.startswith(("INVOKE_", "PG"))
    }
    return kept | {"NO_COLOR": "1"} | dict(extra)


def run(subject: Subject, server: Path | None = None) -> Run:
    """Prepares the subject and runs it once.

    server: the data folder of the one that the command asks, beside that of its own folder.

    Raises:
        Broken: it failed, or its check complains. A run that reached its limit is not checked.
    """
    subject.before()
    asked = [*([server] if server else []), *(subject.folder / ".postgres").glob("[0-9]*")]
    before = servers.cpu(asked)
    with tempfile.TemporaryDirectory(prefix="twolane-bench-") as name:
        folder = Path(name)
        report, out, err = folder / "report", folder / "out", folder / "err"
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(report), str(subject.limit)]
        with out.open("wb") as out_file, err.open("wb") as err_file:
            subprocess.run(
                [*launcher, *subject.command],
                cwd=subject.folder,
                env=environment(subject.env),
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                check=True,
            )
        time.sleep(SETTLED)
        measured = json.loads(report.read_text())
        measured["cpu"] += servers.cpu(asked) - before
        found = Run(
            **measured,
            out=out.read_text(encoding="utf-8", errors="replace"),
            err=err.read_text(encoding="utf-8", errors="replace"),
        )
    if not found.over_limit and (complaint := subject.check(found)):
        tail = "\n".join((found.out + found.err).splitlines()[-15:])
        raise Broken(f"{subject.name}: {complaint} (exit code {found.code})\n{tail}")
    return found


def in_turns(subjects: Sequence[Subject], repeats: int, server: Path | None = None) -> list[Result]:
    """Runs each subject once to warm up, then all of them in turns; the first subject is ours.

    A peer that breaks gives a result with a reason. Of a very slow command the warm-up counts.

    Raises:
        Broken: our command broke.
    """
    runs: dict[str, list[Run]] = {}
    wanted: dict[str, int] = {}
    reasons: dict[str, str] = {}

    def once(subject: Subject, label: str) -> Run | None:
        with progress.working(f"  {subject.name}, {label}"):
            try:
                return run(subject, server)
            except Broken as problem:
                if subject is subjects[0]:
                    raise
                progress.note(str(problem))
                reasons[subject.name] = str(problem).splitlines()[0]
                return None

    for subject in subjects:
        if first := once(subject, "warming up"):
            wanted[subject.name] = _rounds(first, repeats)
            runs[subject.name] = [] if wanted[subject.name] else [first]
    for number in range(repeats):
        for subject in subjects:
            if number < wanted.get(subject.name, 0) and subject.name not in reasons:
                more = once(subject, f"run {number + 1} of {wanted[subject.name]}")
                runs[subject.name] += [more] if more else []
    return [
        Result(s.name, [], reasons[s.name], broken=True)
        if s.name in reasons
        else Result(s.name, runs[s.name])
        for s in subjects
    ]


def _rounds(first: Run, repeats: int) -> int:
    """The number of runs after the warm-up, odd or 0."""
    if first.over_limit or first.seconds > VERY_SLOW:
        return 0
    return repeats if first.seconds < SLOW else 1
