"""Side-by-side timing: contenders take turns, and the median CPU time of each counts."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TURN_MS = 20.0


@dataclass(frozen=True)
class Verdict:
    """One goal: how many times faster than a peer (or the share of a peer's time), and whether that is enough."""

    goal: str
    subject: str
    peer: str
    ours_ms: float
    peer_ms: float
    required: float

    @property
    def ratio(self) -> float:
        return self.peer_ms / self.ours_ms

    @property
    def met(self) -> bool:
        return self.ratio >= self.required


def milliseconds(call: Callable[[], Any], times: int) -> float:
    start = time.process_time_ns()
    for _ in range(times):
        call()
    return (time.process_time_ns() - start) / 1e6 / times


def median_milliseconds(contenders: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median CPU milliseconds of each contender.

    All are called once before. Then they take turns, each called as often in its turn as fills `TURN_MS`, so that short
    calls are not charged for the caches that the longer ones before them emptied.
    """
    for call in contenders.values():
        call()
    times = {name: max(1, math.ceil(TURN_MS / milliseconds(call, 1))) for name, call in contenders.items()}
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            spent[name].append(milliseconds(call, times[name]))
    return {name: statistics.median(values) for name, values in spent.items()}


def verdicts(goal: str, subject: str, spent: Mapping[str, float], required: Mapping[str, float]) -> list[Verdict]:
    """Compare ``spent["ours"]`` with each peer that has a required ratio."""
    return [Verdict(goal, subject, peer, spent["ours"], spent[peer], ratio) for peer, ratio in required.items()]


def table(rows: list[Verdict]) -> str:
    lines = [f"{'goal':<34} {'image':<22} {'against':<34} {'ours ms':>9} {'peer ms':>12} {'ratio':>8} {'need':>6}"]
    lines += [
        f"{row.goal:<34} {row.subject:<22} {row.peer:<34} {row.ours_ms:9.3f} {row.peer_ms:12.2f} "
        f"{row.ratio:7.1f}x {row.required:5.0f}x  {'met' if row.met else 'MISSED'}"
        for row in rows
    ]
    return "\n".join(lines)
