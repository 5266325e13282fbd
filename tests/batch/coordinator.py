"""A batch in a process of its own, for tests that kill it: ``python -m tests.batch.coordinator PLAN.json``.

The plan holds ``entries``, ``out``, ``task`` (a name in `tests.batch.counting`), ``workers``, ``window`` and, for Dask,
``dask``, and whether what failed is tried again, ``retry_failed``. What is done is told on the standard output, a line
a commit, as a user would see it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hemato_lab.batch import running
from hemato_lab.batch.engines.dask import DaskEngine
from hemato_lab.batch.engines.local import LocalEngine
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.model import Settings
from tests.batch import counting


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    engine: LocalEngine | DaskEngine = LocalEngine(plan["workers"], getattr(counting, plan["task"]))
    if plan.get("dask"):
        engine = DaskEngine(plan["dask"], task=getattr(counting, f"{plan['task']}_all"))
    if plan["task"] != "analysed":  # nothing is analysed, so neither models nor rules have to be looked at
        running.pinned = lambda settings: {"detector": settings.detector}
        running.digest = lambda _: ""
    result = running.run_batch(
        [SmearEntry.from_dict(one) for one in plan["entries"]],
        plan["out"],
        settings=Settings(detector="classical"),
        engine=engine,
        window=plan["window"],
        retry_failed=plan.get("retry_failed", False),
        progress=lambda _, done, total: print(f"{done} of {total}", flush=True),
    )
    print(f"done {result.count('done')}, failed {result.count('failed')}", flush=True)


if __name__ == "__main__":
    main()
