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
from hemato_lab.batch.engines import dask_watch
from hemato_lab.batch.engines.dask import DaskEngine
from hemato_lab.batch.engines.dask_worker import dask_setup
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import JOURNAL_FILE, SMEARS_FOLDER
from hemato_lab.batch.inputs import register
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.model import LOCAL_STAGE, Settings, Work
from hemato_lab.batch.running import run_batch
from hemato_lab.errors import BatchError, ConfigError, MissingDependencyError
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
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as made,
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
    monkeypatch.setattr(running, "digest", lambda _: "other")
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    with pytest.raises(ConfigError, match="other versions"):
        run_batch(entries, tmp_path / "dask", settings=Settings(detector="classical"), engine=engine)
    assert not (tmp_path / "dask" / SMEARS_FOLDER).exists()


def test_a_worker_that_joins_later_with_other_versions_stops_the_run_and_fails_no_smear(
    cluster: Any, entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(running, "digest", lambda _: "agreed")
    preload = tmp_path / "late.py"
    preload.write_text("from hemato_lab.batch import pinning\npinning.pinned = lambda _: {'version': 'late'}\n")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--no-nanny"]
    command += ["--no-dashboard", "--nthreads", "1", "--preload", str(preload)]
    late: list[subprocess.Popen[bytes]] = []

    def progress(_: str, done: int, __: int) -> None:
        if done == 3:
            late.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))  # noqa: S603
            cluster.wait_for_workers(3, timeout=30)

    on_workers(cluster, agree)
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    try:
        with pytest.raises(ConfigError, match=r"Dask worker tcp://.*other versions"):
            run_batch(entries, tmp_path / "dask", engine=engine, progress=progress)
    finally:
        for process in late:
            process.terminate()
            process.wait()
    assert failed_in(tmp_path / "dask") == []


def test_workers_that_do_not_see_the_images_stop_the_run_and_fail_no_smear(
    cluster: Any, entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    relative = [replace(one, paths=tuple(os.path.relpath(path) for path in one.paths)) for one in entries]
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    with pytest.raises(ConfigError, match=r"Dask worker tcp://.*does not find what is there.*under the same paths"):
        run_batch(relative, tmp_path / "dask", engine=engine)
    assert failed_in(tmp_path / "dask") == []


def test_bytes_that_changed_for_everyone_are_the_failure_of_their_smear(cluster: Any, entries: list[SmearEntry]):
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    work = work_on(entries[0])
    Path(entries[0].paths[0]).write_bytes(b"something else")
    try:
        engine.submit((work,))
        assert [one.error_code for one in engine.wait()] == ["integrity"]
    finally:
        engine.close()


def test_workers_without_the_package_are_named_before_and_during_a_run(
    cluster: Any, entries: list[SmearEntry], monkeypatch: pytest.MonkeyPatch
):
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    other = DaskEngine(cluster.scheduler_address, task=copied_all)
    try:
        engine.submit((work_on(entries[0]),))
        engine.wait()
        on_workers(cluster, hide_package)
        engine.submit((work_on(entries[1]),))
        with pytest.raises(ConfigError, match=r"Dask worker tcp://.*cannot work for this batch"):
            engine.wait()
        with pytest.raises(ConfigError, match=r"Dask worker tcp://.*cannot work for this batch"):
            other.submit((work_on(entries[1]),))
    finally:
        on_workers(cluster, show_package)
        engine.close()
        other.close()


def test_a_cluster_that_loses_all_workers_is_told_and_then_a_typed_error(
    cluster: Any,
    entries: list[SmearEntry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    for name, value in (("_FIRST_WORKER_S", 1.0), ("_WARN_S", 0.3), ("LOOK_S", 0.0)):
        monkeypatch.setattr(dask_watch, name, value)
    monkeypatch.setattr("hemato_lab.batch.engines.dask.LOOK_S", 0.1)
    monkeypatch.setattr("hemato_lab.batch.engines.dask._FETCH_S", (0.1, 0.1))
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)

    def progress(_: str, done: int, __: int) -> None:
        if done == 3:
            cluster.scale(0)

    try:
        with pytest.raises(BatchError, match="has no workers: none for 1 s"):
            run_batch(entries, tmp_path / "dask", engine=engine, progress=progress)
        assert "the Dask cluster has no workers; the batch waits 1 s for one" in caplog.messages
        with pytest.raises(BatchError, match="has no workers: none for 1 s"):
            run_batch(entries, tmp_path / "dask", engine=DaskEngine(cluster.scheduler_address, task=copied_all))
    finally:
        cluster.scale(2)
        cluster.wait_for_workers(2, timeout=30)
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    assert states(run_batch(entries, tmp_path / "dask", engine=engine)) == 40 * "d"


OTHER_KINDS = ["http://h:1", "foo://x:1", "ucx://h:1", "inproc://x", "local:0", "local:3-2", "local:", "8"]
NO_PLACES = ["tcp://localhost", "tcp://h:abc", "tcp://h:0", "tcp://h:65536", "tcp://h:1/x", "tcp://:1", "tcp://::1:1"]


@pytest.mark.parametrize("address", [*OTHER_KINDS, *NO_PLACES])
def test_what_is_no_address_is_refused_at_once(address: str):
    with pytest.raises(ConfigError, match="is no Dask cluster"):
        DaskEngine(address)


@pytest.mark.parametrize("address", ["tcp://h:1", "tcp://[::1]:8786", "tls://h:65535", "local:2"])
def test_addresses_of_schedulers_are_taken(address: str):
    pytest.importorskip("distributed")
    DaskEngine(address).close()


@pytest.mark.parametrize("certificate", [None, "missing.pem"])
def test_an_encrypted_connection_needs_certificates(entries: list[SmearEntry], certificate: str | None):
    dask = pytest.importorskip("dask")
    keys = ("ca-file", "client.cert", "client.key")
    engine = DaskEngine("tls://127.0.0.1:9", task=copied_all)
    with (
        dask.config.set({f"distributed.comm.tls.{key}": certificate for key in keys}),
        pytest.raises(ConfigError, match=r"certificates.*distributed\.comm\.tls"),
    ):
        engine.submit((work_on(entries[0]),))


def test_whatever_dask_raises_is_a_typed_error(entries: list[SmearEntry], monkeypatch: pytest.MonkeyPatch):
    distributed = pytest.importorskip("distributed")

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("no event loop")

    monkeypatch.setattr(distributed, "Client", failing)
    engine = DaskEngine("tcp://127.0.0.1:9", task=copied_all)
    with pytest.raises(BatchError, match="cannot be used: RuntimeError: no event loop"):
        engine.submit((work_on(entries[0]),))


def test_a_cluster_that_cannot_be_left_is_told_and_nothing_is_lost(
    cluster: Any,
    entries: list[SmearEntry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    distributed = pytest.importorskip("distributed")
    leave = distributed.Client.__exit__

    def failing(client: Any, *told: object) -> None:
        leave(client, *told)
        raise TimeoutError("it does not answer")

    monkeypatch.setattr(distributed.Client, "__exit__", failing)
    engine = DaskEngine(cluster.scheduler_address, task=copied_all)
    assert states(run_batch(entries[:2], tmp_path / "dask", engine=engine)) == "dd"
    assert "not left cleanly: it does not answer" in caplog.text


def work_on(entry: SmearEntry) -> Work:
    return Work(entry, tuple(one.file_id for one in register(entry)), Settings(detector="classical"))


def failed_in(out: Path) -> list[str]:
    with Journal(out / JOURNAL_FILE) as journal:
        return [smear_id for smear_id, one in journal.records(LOCAL_STAGE).items() if one.state == "failed"]


def on_workers(cluster: Any, function: Any) -> None:
    import distributed

    with distributed.Client(cluster, set_as_default=False) as client:
        client.run(function)


def agree() -> None:
    from hemato_lab.batch import pinning

    pinning._agreed.add("agreed")


def hide_package() -> None:
    """What a worker without the package does when a function of it arrives."""
    for name in ("hemato_lab.batch.pinning", "hemato_lab.batch.engines.dask_worker"):
        hidden[name] = sys.modules.pop(name, None)
        sys.modules[name] = None  # type: ignore[assignment]


def show_package() -> None:
    sys.modules.update(hidden)
    hidden.clear()


hidden: dict[str, Any] = {}


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
        "                                  dashboard_address='127.0.0.1:0') as cluster:\n"
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


def test_workers_forget_what_is_for_the_coordinator_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in ("HEMATO_LAB_TOKEN", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LANGUAGE", "de")
    dask_setup(None)
    assert "secret" not in os.environ.values()
    assert os.environ["LANGUAGE"] == "de"
