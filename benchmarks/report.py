"""Results as rows: ratios, aims, growth; a table for people, JSON for the record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .measure import Result
from .workloads import Aim, Workload

MEMORY_AIM = Aim(1 / 4, 1_000)
GROWTH_AIM = 1.1
GROWTH_FROM = 100
MIB = 2**20


@dataclass(frozen=True)
class Row:
    """Our result and that of one peer (or none), for one number of tables (or independent of it).

    aim: the goal for the ratio of times. most: the largest number of seconds for ours.
    """

    workload: str
    size: int | None
    ours: Result
    peer: Result | None
    aim: Aim | None = None
    most: float | None = None

    @property
    def time_ratio(self) -> float | None:
        """Our time divided by the peer's; an upper bound if the peer was stopped at the limit."""
        return _ratio(self.ours.seconds, self.peer.seconds if self.peer else None)

    @property
    def cpu_ratio(self) -> float | None:
        """Like `time_ratio`, of the CPU time with that of the servers."""
        return _ratio(self.ours.cpu, self.peer.cpu if self.peer else None)

    @property
    def memory_ratio(self) -> float | None:
        return _ratio(self.ours.peak, self.peer.peak if self.peer else None)

    @property
    def met(self) -> bool | None:
        """Whether the time meets the aim; None if there is no aim, or the answer is unknown."""
        if self.most is not None:
            return None if self.ours.seconds is None else self.ours.seconds <= self.most
        is_bound = bool(self.peer and self.peer.over_limit)
        return _met(self.aim, self.size, self.time_ratio, is_bound)

    @property
    def memory_met(self) -> bool | None:
        aim = MEMORY_AIM if self.size is not None else None
        return _met(aim, self.size, self.memory_ratio, bool(self.peer and self.peer.over_limit))


def rows(workload: Workload, size: int | None, results: Sequence[Result]) -> list[Row]:
    """One row for each peer; each row has our result, the first one."""
    ours, *others = results
    others += [Result(name, [], reason) for name, reason in workload.missing.items()]
    if not others:
        return [Row(workload.name, size, ours, None, most=workload.most)]
    return [Row(workload.name, size, ours, peer, workload.aims.get(peer.name)) for peer in others]


@dataclass(frozen=True)
class Growth:
    """How the time of a command grows: as the number of tables to the power of `exponent`.

    Fitted to the sizes from 100 on. steepest: the largest exponent between two neighbouring sizes.
    """

    workload: str
    exponent: float
    steepest: float
    sizes: Sequence[int]

    @property
    def met(self) -> bool:
        return self.exponent <= GROWTH_AIM


def growth(found: Iterable[Row]) -> list[Growth]:
    """The growth of each workload that was measured at two or more sizes from 100 on."""
    times: dict[str, dict[int, float]] = {}
    for row in found:
        if row.size is not None and row.size >= GROWTH_FROM and row.ours.seconds:
            times.setdefault(row.workload, {})[row.size] = row.ours.seconds
    return [_fit(workload, points) for workload, points in times.items() if len(points) > 1]


def _fit(workload: str, points: dict[int, float]) -> Growth:
    """Fits a line to the logarithms by least squares."""
    logs = sorted((math.log(size), math.log(seconds)) for size, seconds in points.items())
    x_mean = sum(x for x, _ in logs) / len(logs)
    y_mean = sum(y for _, y in logs) / len(logs)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum(
        (x - x_mean) ** 2 for x, _ in logs
    )
    steepest = max((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairwise(logs))
    return Growth(workload, slope, steepest, sorted(points))


def _ratio(ours: float | None, peer: float | None) -> float | None:
    return ours / peer if ours and peer else None


def _met(aim: Aim | None, size: int | None, ratio: float | None, is_bound: bool) -> bool | None:
    """Whether the ratio meets the aim; None if that is unknown.

    The ratio to a stopped peer is an upper bound: it can prove an aim met, but not missed.
    """
    if aim is None or ratio is None or aim.size not in (None, size):
        return None
    return True if ratio <= aim.ratio else None if is_bound else False


# For people


def table(found: Sequence[Row]) -> str:
    """The rows as a table: medians of seconds and MiB; `<` and `>` mark bounds."""
    head = ["workload", "tables", "ours", "", "peer", "", "", "time", "aim", ""]
    head += ["CPU", "memory", ""]
    lines = [head, *map(_cells, found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = {1, 2, 3, 5, 6, 7, 10, 11}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> list[str]:
    bound = "<" if row.peer and row.peer.over_limit else ""
    return [
        row.workload,
        f"{row.size:,}" if row.size else "",
        *_result(row.ours),
        row.peer.name if row.peer else "",
        *(_result(row.peer) if row.peer else ["", ""]),
        f"{bound}{_times(row.time_ratio)}",
        _aim(row),
        _verdict(row.met),
        f"{bound}{_times(row.cpu_ratio)}",
        f"{bound}{_times(row.memory_ratio)}",
        _verdict(row.memory_met),
    ]


def _result(result: Result) -> list[str]:
    if result.seconds is None or result.peak is None:
        return [result.reason, ""]
    bound = "> " if result.over_limit else ""
    return [f"{bound}{result.seconds:.3g} s", f"{result.peak / MIB:.0f} MiB"]


def _aim(row: Row) -> str:
    if row.most is not None:
        return f"≤ {row.most:g} s"
    return f"≤ {_times(row.aim.ratio)}" if row.aim else ""


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g} ×"


def _verdict(met: bool | None) -> str:
    return {True: "✓", False: "✗", None: ""}[met]


def growth_lines(found: Sequence[Growth]) -> str:
    width = max((len(each.workload) for each in found), default=0)
    return "\n".join(
        f"{each.workload.ljust(width)}  {each.sizes[0]:,} to {each.sizes[-1]:,} tables: "
        f"exponent {each.exponent:.2f}, steepest step {each.steepest:.2f}  "
        f"(≤ {GROWTH_AIM}) {_verdict(each.met)}"
        for each in found
    )


# For the record


def as_json(found: Sequence[Row]) -> dict[str, Any]:
    """`{"rows": […], "growth": […]}`; times in seconds, memory in bytes, all runs listed."""
    return {"rows": [_row_json(row) for row in found], "growth": [vars(g) for g in growth(found)]}


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "workload": row.workload,
        "tables": row.size,
        "ours": _result_json(row.ours),
        "peer": _result_json(row.peer) if row.peer else None,
        "time_ratio": row.time_ratio,
        "aim": row.aim.ratio if row.aim else row.most,
        "met": row.met,
        "cpu_ratio": row.cpu_ratio,
        "memory_ratio": row.memory_ratio,
        "memory_met": row.memory_met,
    }


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "seconds": result.seconds,
        "cpu": result.cpu,
        "peak": result.peak,
        "over_limit": result.over_limit,
        "reason": result.reason,
        "runs": [
            {"seconds": run.seconds, "cpu": round(run.cpu, 3), "peak": run.peak}
            for run in result.runs
        ],
    }
