"""Speed goals against their peers: ``python -m tests.benchmarks`` for goals 1 to 5, each on one thread.

Every peer's output is compared with ours before any clock runs. ``python -m tests.benchmarks detection`` is goal 7, the
whole way from a file to its table of cells; its --help tells more. With HEMATO_LAB_DATASETS naming a folder that holds
real sets, real fields are timed too. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.stopwatch import Verdict

REPEATS = 9
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def kernels() -> int:
    import cv2

    from tests.benchmarks import components, density, distance, images, instances, stains
    from tests.benchmarks.stopwatch import table

    cv2.setNumThreads(1)
    rows: list[Verdict] = []
    for subject in images.subjects():
        for goal in (components, stains, distance, instances):
            rows += goal.run(subject, REPEATS)
    rows += density.run(REPEATS)
    rows.sort(key=lambda row: row.goal)
    print(table(rows))
    missed = sum(not row.met for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} met; median CPU time on one thread, contenders in turns")
    return int(missed > 0)


def main(arguments: Sequence[str]) -> int:
    os.environ.update(ONE_THREAD)  # before the libraries that read it are loaded
    if not arguments:
        return kernels()
    if arguments[0] != "detection":
        print(f"no part is called {arguments[0]!r}: name detection, or nothing", file=sys.stderr)
        return 2
    from tests.benchmarks import detection

    return detection.main(arguments[1:])


sys.exit(main(sys.argv[1:]))
