"""The CPU time of Postgres servers, from /proc (Linux); 0 on other systems.

On a machine that others use, a command's time says how busy they are; its CPU time, with that of
the servers that it asks, does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cpu(folders: Iterable[Path]) -> float:
    """The seconds of the servers with these data folders, and of all their processes so far.

    A process that ended counts with its parent, once that has seen the end.
    """
    return sum(map(_of_server, folders))


def _of_server(data: Path) -> float:
    try:
        server = int((data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    except (OSError, IndexError, ValueError):
        return 0.0
    return sum(map(_of_process, (server, *map(int, children))))


def _of_process(process: int) -> float:
    """Its own time and that of its ended children: proc(5), fields 14 to 17 of `stat`."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0.0
    return sum(map(int, text.rpartition(")")[2].split()[11:15])) / TICK
