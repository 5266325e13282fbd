"""Batches on every engine, side by side: ``python -m tests.benchmarks.batch``.

The same smears, synthetic fields of 640x480, are analysed into new folders by one worker process, by two, and by two
Dask workers with 16 fields a task; the engines are started once and take turns. All results are compared byte for byte
before anything is timed. What is timed is a whole `run_batch`: reading, hashing, analysing, writing, forcing to the
disk and noting in the journal. The median of the ratios of neighbouring turns counts. Processor seconds of all
processes are told beside it: on a busy machine they say more than the clock.

Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hemato_lab.batch.engines.dask import DaskEngine
from hemato_lab.batch.engines.local import LocalEngine
from hemato_lab.batch.folders import SMEARS_FOLDER
from hemato_lab.batch.running import run_batch
from tests.batch.making import phantom_entries, tree

if TYPE_CHECKING:
    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.model import Work, WorkResult

REQUIRED_SPEED_UP = 1.8
MOST_OVERHEAD = 0.10
FIELDS_A_TASK = 16


class Kept:
    """An engine that a run does not close, so that the next one finds it warm."""

    def __init__(self, engine: LocalEngine | DaskEngine) -> None:
        self.engine = engine
        self.per_task = engine.per_task

    @property
    def capacity(self) -> int:
        return self.engine.capacity

    def submit(self, works: tuple[Work, ...]) -> None:
        self.engine.submit(works)

    def wait(self) -> list[WorkResult]:
        return self.engine.wait()

    def close(self) -> None:
        pass

    def process_ids(self) -> list[int]:
        return list(self.engine.process_ids)


def spent_by(entries: list[SmearEntry], out: Path, engine: Kept) -> tuple[float, float]:
    """Return the seconds, and the processor seconds of this process and the workers, that a batch takes."""
    shutil.rmtree(out, ignore_errors=True)
    processes = [os.getpid(), *engine.process_ids()]
    begun, begun_processors = time.perf_counter(), sum(map(processor_seconds, processes))
    result = run_batch(entries, out, engine=engine)
    spent = time.perf_counter() - begun, sum(map(processor_seconds, processes)) - begun_processors
    assert result.count("done") == len(entries), [one.error for one in result.failed]
    return spent


def processor_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def take_turns(
    engines: dict[str, Kept], entries: list[SmearEntry], folder: Path, turns: int
) -> dict[str, list[tuple[float, float]]]:
    """Return what each engine spent in each turn; asserts first that all write the same."""
    for name, engine in engines.items():
        spent_by(entries, folder / name, engine)
    trees = {name: tree(folder / name / SMEARS_FOLDER) for name in engines}
    first, *others = trees.values()
    assert all(one == first for one in others), "engines write different bytes"
    print(f"{len(first)} files of {len(entries)} smears are the same on: {', '.join(engines)}", flush=True)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    for _ in range(turns):
        for name, engine in engines.items():
            spent[name].append(spent_by(entries, folder / name, engine))
    for name, values in spent.items():
        print(f"  {name}: {', '.join(f'{wall:.2f} s ({processors:.2f})' for wall, processors in values)}")
    return spent


def median_ratio(first: list[tuple[float, float]], second: list[tuple[float, float]], which: int) -> float:
    return statistics.median(one[which] / other[which] for one, other in zip(first, second, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smears", type=int, default=96)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    engines = {
        "one worker": Kept(LocalEngine(1)),
        "two workers": Kept(LocalEngine(2)),
        "Dask with two": Kept(DaskEngine("local:2", per_task=FIELDS_A_TASK)),
    }
    with tempfile.TemporaryDirectory() as place:
        entries = phantom_entries(Path(place, "images"), options.smears, size=(640, 480))
        spent = take_turns(engines, entries, Path(place), options.turns)
    for engine in engines.values():
        engine.engine.close()
    one, two, dask = spent.values()
    speed_up, overhead = median_ratio(one, two, 0), median_ratio(dask, two, 0) - 1
    processors = median_ratio(dask, two, 1) - 1
    print(f"two workers against one, on {os.cpu_count()} processors: {speed_up:.2f}x, need {REQUIRED_SPEED_UP}x")
    print(
        f"Dask against two processes, {FIELDS_A_TASK} fields a task: {overhead:+.1%} time, at most {MOST_OVERHEAD:.0%} "
        f"(processor time {processors:+.1%})"
    )
    return int(speed_up < REQUIRED_SPEED_UP or overhead > MOST_OVERHEAD)


if __name__ == "__main__":
    raise SystemExit(main())
