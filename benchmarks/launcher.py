"""Runs one command and writes its times and memory: a separate program, for `python -I -S`.

On Linux a process starts with its parent's peak of memory (at `exec`, `setmax_mm_hiwater_rss` in
fs/exec.c). So the parent of a measured process must be small: this program is that parent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress

INTERVAL = 0.01
PAGE = os.sysconf("SC_PAGE_SIZE")
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2) of each system


def main(report: str, limit: float, command: list[str]) -> None:
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        _become(command)
    watch = Watch(child, limit)
    watch.start()
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    watch.stop()
    found = {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": max(watch.peak, usage.ru_maxrss * MAXRSS_UNIT),
        "code": os.waitstatus_to_exitcode(status),
        "over_limit": watch.killed,
    }
    with open(report, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is not small
        json.dump(found, file)


def _become(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
        os._exit(127)


class Watch(threading.Thread):
    """Samples the memory of a process and its descendants; kills them at the time limit."""

    def __init__(self, root: int, limit: float) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.deadline = time.monotonic() + limit
        self.peak = 0
        self.killed = False
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(INTERVAL):
            self.peak = max(self.peak, sum(map(resident, tree(self.root))))
            if time.monotonic() > self.deadline and not self.killed:
                self.killed = True
                for process in tree(self.root):
                    _kill(process)

    def stop(self) -> None:
        self.over.set()
        self.join()


def tree(root: int) -> list[int]:
    """A process and its descendants, from /proc (Linux); on other systems only the process."""
    found = [root]
    for process in found:
        for thread in _listed(f"/proc/{process}/task"):
            found += map(int, _read(f"/proc/{process}/task/{thread}/children").split())
    return found


def resident(process: int) -> int:
    """Bytes in memory, including shared pages; 0 for a process that has ended."""
    fields = _read(f"/proc/{process}/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
