import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hemato_lab.batch import running
from hemato_lab.batch.engines.dask import DaskEngine
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import SMEARS_FOLDER
from hemato_lab.batch.running import run_batch
from hemato_lab.errors import BatchError, MissingDependencyError
from tests.batch.counting import LOG, copied_all, deadly_all, noted
from tests.batch.inline import Inline, states
from tests.batch.making import phantom_entries, plain_entries, tree

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning", "ignore:.*:DeprecationWarning"),
    pytest.mark.usefixtures("only_the_engine_matters"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of two workers that gives work up after its worker died twice."""
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    log = tmp_path_factory.mktemp("log") / "log.txt"
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.nanny.environ": {LOG: str(log)}}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as made,
    ):
        made.log = log
        yield made


@pytest.fixture
def entries(tmp_path: Path) -> list[SmearEntry]:
    return plain_entries(tmp_path / "files", 40)


def worker_process_ids(cluster: Any) -> list[int]:
    return [nanny.process.pid for nanny in cluster.workers.values() if nanny.process is not None]


@pytest.mark.parametrize("per_task", [1, 7])
def test_a_cluster_writes_what_processes_write(cluster: Any, entries: list[SmearEntry], tmp_path: Path, per_task: int):
    run_batch(entries, tmp_path / "inline", engine=Inline())
    engine = DaskEngine(cluster.scheduler_address, per_task=per_task, task=copied_all)
    counts: list[int] = []
    result = run_batch(entries, tmp_path / "dask", engine=engine, progress=lambda _, done, __: counts.append(done))
    assert states(result) == 40 * "d"
    assert counts == list(range(1, 41))
    assert tree(tmp_path / "dask" / SMEARS_FOLDER) == tree(tmp_path / "inline" / SMEARS_FOLDER)


def test_killed_workers_lose_nothing(cluster: Any, entries: list[SmearEntry], tmp_path: Path):
    run_batch(entries, tmp_path / "inline", engine=Inline())
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    killed: list[int] = []

    def progress(_: str, done: int, __: int) -> None:
        if done in {5, 20}:
            alive = worker_process_ids(cluster)
            os.kill(alive[-1], signal.SIGKILL)
            killed.append(alive[-1])

    result = run_batch(entries, tmp_path / "dask", engine=engine, window=4, progress=progress)
    assert len(killed) == 2
    assert states(result) == 40 * "d"
    assert tree(tmp_path / "dask" / SMEARS_FOLDER) == tree(tmp_path / "inline" / SMEARS_FOLDER)


def test_work_that_kills_its_workers_fails_alone(
    cluster: Any, entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(LOG, str(cluster.log))
    entries = entries[:6]
    entries[4] = replace(entries[4], smear_id="deadly", tags={"deadly": "1000"})
    engine = DaskEngine(cluster.scheduler_address, per_task=3, task=deadly_all)
    result = run_batch(entries, tmp_path / "dask", engine=engine)
    assert states(result) == "ddddfd"
    assert result.failed[0].error_code == "worker-died"
    assert "died, 2 times" in result.failed[0].error
    assert noted().count("deadly") == 4


def test_a_mistake_on_the_way_to_a_worker_is_a_failure(cluster: Any, entries: list[SmearEntry], tmp_path: Path):
    engine = DaskEngine(cluster.scheduler_address, task=mistaken)
    result = run_batch(entries[:2], tmp_path / "dask", engine=engine)
    assert [one.error_code for one in result.failed] == ["internal", "internal"]


def mistaken(_: object) -> tuple[()]:
    raise ZeroDivisionError


def test_workers_with_other_versions_are_refused_before_anything_is_done(
    cluster: Any, entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from hemato_lab.errors import ConfigError

    monkeypatch.setattr(running, "digest", lambda _: "other")
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    with pytest.raises(ConfigError, match="other versions"):
        run_batch(entries, tmp_path / "dask", engine=engine)
    assert not (tmp_path / "dask" / SMEARS_FOLDER).exists()


def test_a_scheduler_that_is_not_there_is_a_typed_error(
    entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dask = pytest.importorskip("dask")
    engine = DaskEngine("tcp://127.0.0.1:9", task=copied_all)
    with dask.config.set({"distributed.comm.timeouts.connect": "500ms"}), pytest.raises(BatchError, match="reached"):
        run_batch(entries, tmp_path / "dask", engine=engine)


def test_a_scheduler_that_goes_away_is_a_typed_error_and_the_run_goes_on_later(
    entries: list[SmearEntry], tmp_path: Path
):
    pytest.importorskip("distributed")
    program = (
        "import sys, distributed\n"
        "if __name__ == '__main__':\n"
        "    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol='tcp://',\n"
        "                                  dashboard_address="127.0.0.1:0") as cluster:\n"
        "        print(cluster.scheduler_address, flush=True)\n"
        "        sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload] # noqa: S603
        engine = DaskEngine(process.stdout.readline().strip(), task=copied_all)

        def progress(_: str, done: int, __: int) -> None:
            if done == 3:
                process.kill()

        with pytest.raises(BatchError, match="cannot be reached"):
            run_batch(entries, tmp_path / "dask", engine=engine, progress=progress)
    last = Inline()
    assert states(run_batch(entries, tmp_path / "dask", engine=last)) == 40 * "d"
    assert len(last.carried_out) <= 40 - 3


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"hemato-lab\[dask\]"):
        DaskEngine("local:2")


@pytest.mark.slow
def test_an_adaptive_cluster_grows_and_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    entries = phantom_entries(tmp_path / "files", 60)
    seen: set[int] = set()
    engine = DaskEngine("local:1-2")
    result = run_batch(entries, tmp_path / "dask", engine=engine, progress=lambda *_: seen.add(engine.workers))
    assert states(result) == 60 * "d"
    assert max(seen) == 2
    run_batch(entries, tmp_path / "local", workers=2)
    assert tree(tmp_path / "dask" / SMEARS_FOLDER) == tree(tmp_path / "local" / SMEARS_FOLDER)
