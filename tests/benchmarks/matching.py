"""Time and memory of matching two readings: ``python -m tests.benchmarks.matching``.

Two readings of 100,000 cells each, as crowded as red cells lie in a film (half of the area covered), in one field; with
gates of one and two red-cell radii, once alike (moved, 3 % missed) and once unlike. Correctness first: on 2,000 cells
the pairs are together as good as those of scipy's assignment on the full matrix, which also gives the ratio of times.
Exit status 1 when one takes 10 s or more, or memory beyond 1 GB.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from hemato_lab.agreement.matching import match_points

CELLS = 100_000
COVERED = 0.5
MOST_SECONDS = 10.0
MOST_MEGABYTES = 1000
TURNS = 3


def readings(count: int, gate: float, *, alike: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of two readings in gates."""
    random = np.random.default_rng(7)
    side = np.sqrt(count * np.pi / COVERED)
    first = random.random((count, 2)) * side
    second = random.random((count, 2)) * side
    if alike:
        moved = first + random.normal(0, 0.2, first.shape)
        second = np.where(random.random((count, 1)) < 0.97, moved, second)
    return first / gate, second[random.permutation(count)] / gate


def seconds(first: np.ndarray, second: np.ndarray) -> tuple[float, int]:
    taken = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        found = match_points(first, second)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken), len(found)


def against_scipy(count: int) -> float:
    """Return how many times the time of scipy's full matrix is ours, after both were found to be as good."""
    first, second = readings(count, 1.0, alike=True)
    begun = time.perf_counter()
    cut = np.minimum(cdist(first, second), 1.0)
    best = float((1 - cut[linear_sum_assignment(cut)]).sum())
    full = time.perf_counter() - begun
    found = match_points(first, second)
    assert abs(float((1 - found.distance).sum()) - best) < 1e-6
    return full / seconds(first, second)[0]


def main() -> int:
    print(f"2,000 x 2,000 cells: as good as scipy's full matrix, {against_scipy(2000):.0f} times as fast")
    worst = 0.0
    for gate in (1.0, 2.0):
        for alike in (True, False):
            taken, pairs = seconds(*readings(CELLS, gate, alike=alike))
            worst = max(worst, taken)
            kind = "alike" if alike else "unlike"
            print(f"{CELLS:,} x {CELLS:,} cells, gate {gate:g} radii, {kind}: {taken:.2f} s, {pairs:,} pairs")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"slowest {worst:.2f} s (less than {MOST_SECONDS:g}), memory of the process {megabytes:.0f} MB")
    return int(worst >= MOST_SECONDS or megabytes > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
