"""Commands on several targets at once, each in a child process with a connection of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One target, and the words after `invoke` that do the work on it."""

    target: str
    words: Sequence[str]


@dataclass(frozen=True)
class Ended:
    """A job that is over. code: None if it was never started; interrupted: it was told to stop."""

    target: str
    code: int | None = None
    out: str = ""
    err: str = ""
    interrupted: bool = False


@dataclass
class Crew:
    """Child processes that run in `root`, at most `bound` at a time. After the first failure no
    other is started, unless `carry_on` is set; those that run finish."""

    root: Path
    bound: int
    carry_on: bool
    started: Callable[[Job], None]
    ended: Callable[[Ended], None]
    signals: int = field(default=0, init=False)
    _at_work: dict[Future[tuple[str, str]], tuple[Job, subprocess.Popen[str]]] = field(
        default_factory=dict, init=False
    )

    def run(self, jobs: Sequence[Job]) -> list[Ended]:
        """Runs the jobs in their order; one `Ended` for each, in that order.

        On Ctrl-C it interrupts the children and waits while they roll back; on the next Ctrl-C it
        kills them. `signals` is the number of these signals.
        """
        todo, over = deque(jobs), dict[str, Ended]()
        with ThreadPoolExecutor(self.bound) as pool, self._hearing_signals():
            while True:
                is_open = self.carry_on or not any(end.code for end in over.values())
                while todo and is_open and not self.signals and len(self._at_work) < self.bound:
                    self._start(pool, todo.popleft())
                if not self._at_work:
                    break
                # With no time limit, Windows would not notice a Ctrl-C before a child has ended.
                for future in wait(self._at_work, timeout=1, return_when=FIRST_COMPLETED).done:
                    end = self._end(future)
                    over[end.target] = end
                    self.ended(end)
        return [over.get(job.target, Ended(job.target)) for job in jobs]

    def _start(self, pool: ThreadPoolExecutor, job: Job) -> None:
        self.started(job)
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *job.words],
            cwd=self.root,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # so that only we send it Ctrl-C, once
        )
        self._at_work[pool.submit(process.communicate)] = (job, process)
        if self.signals:
            _interrupt(process)

    def _end(self, future: Future[tuple[str, str]]) -> Ended:
        job, process = self._at_work.pop(future)
        out, err = future.result()
        return Ended(job.target, process.returncode, out, err, bool(self.signals))

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        """Passes signals that would end this process on to the children. It uses a handler: an
        exception between two lines could leave a child unknown. Ignored signals (by nohup, say)
        stay ignored."""
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        heard = [number for number in numbers if before[number] is not signal.SIG_IGN]
        for number in heard:
            signal.signal(number, self._pass_on)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, before[number])

    def _pass_on(self, number: int, frame: Any) -> None:
        self.signals += 1
        for _, process in list(self._at_work.values()):
            if self.signals > 1:
                process.kill()
            else:
                _interrupt(process)


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Interrupts the child; on Windows the console itself does so."""
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
