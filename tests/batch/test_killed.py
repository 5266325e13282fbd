import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import SMEARS_FOLDER, smear_folder
from hemato_lab.batch.inputs import register
from hemato_lab.batch.model import Settings, Work
from hemato_lab.batch.work import carry_out
from tests.batch.counting import LOG
from tests.batch.making import phantom_entries, plain_entries, tree

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
WINDOW = 4
_END_S = 120


class Coordinator:
    """A batch in a process that may be killed and started again."""

    def __init__(self, folder: Path, entries: list[SmearEntry], task: str, dask: str = "") -> None:
        self.out = folder / "out"
        self.log = folder / "log.txt"
        self.errors = folder / "errors.txt"
        self._plan = folder / "plan.json"
        plan = {
            "entries": [one.to_dict() for one in entries],
            "out": str(self.out),
            "task": task,
            "workers": WORKERS,
            "window": WINDOW,
            "dask": dask,
        }
        folder.mkdir(exist_ok=True)
        self._plan.write_text(json.dumps(plan), encoding="utf-8")

    def change(self, **plan: object) -> None:
        """Run in another way from now on."""
        now = json.loads(self._plan.read_text(encoding="utf-8"))
        self._plan.write_text(json.dumps({**now, **plan}), encoding="utf-8")

    def start(self) -> subprocess.Popen[str]:
        with self.errors.open("ab") as errors:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "tests.batch.coordinator", str(self._plan)],
                cwd=ROOT,
                env={**os.environ, LOG: str(self.log)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def finish(self) -> str:
        """Run until it ends and return the last that it told."""
        with self.start() as process:
            told, _ = process.communicate(timeout=_END_S)
        assert process.returncode == 0, self.errors.read_text(encoding="utf-8")
        return told.splitlines()[-1]

    def run_until_killed(self, commits: int, pause_s: float) -> None:
        """Kill the coordinator, and it alone, a moment after so many commits; all that it told of is kept."""
        with self.start() as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(commits)]
            time.sleep(pause_s)
            process.kill()
            told += process.stdout.read().splitlines()
        done = len(list(self.out.glob(f"{SMEARS_FOLDER}/*/cells.csv")))
        assert done >= max((int(line.split()[0]) for line in told if " of " in line), default=0)

    def carried_out(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


def workers_alive(out: Path) -> list[int]:
    """Return the worker processes whose environment names a log beside the results folder."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            mark = f"{LOG}={out.parent / 'log.txt'}".encode()
            if process.name.isdecimal() and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def campaign(folder: Path, entries: list[SmearEntry], *, task: str, kills: int, seed: int, dask: str = "") -> None:
    """Kill a batch again and again, and compare what it wrote in the end with an undisturbed one."""
    undisturbed = Coordinator(folder / "undisturbed", entries, task)
    assert undisturbed.finish() == f"done {len(entries)}, failed 0"
    killed = kill_again_and_again(folder, entries, task=task, kills=kills, seed=seed, dask=dask)
    assert tree(killed.out / SMEARS_FOLDER) == tree(undisturbed.out / SMEARS_FOLDER)


def kill_again_and_again(
    folder: Path, entries: list[SmearEntry], *, task: str, kills: int, seed: int, dask: str = ""
) -> Coordinator:
    """Kill a batch at random points, let it finish then, and check how much was done twice."""
    killed = Coordinator(folder / "killed", entries, task, dask)
    chance = np.random.default_rng(seed)
    for _ in range(kills):
        left = len(entries) - len(list(killed.out.glob(f"{SMEARS_FOLDER}/*/cells.csv")))
        killed.run_until_killed(int(chance.integers(max(1, 2 * left // kills))), chance.random() * 0.05)
    assert killed.finish() == f"done {len(entries)}, failed 0"
    assert set(killed.carried_out()) == {one.smear_id for one in entries}
    assert len(killed.carried_out()) - len(entries) <= kills * WINDOW
    return killed


def test_what_a_killed_batch_wrote_is_what_an_undisturbed_one_writes(tmp_path: Path):
    campaign(tmp_path, plain_entries(tmp_path / "files", 30), task="copied", kills=3, seed=1)


def test_a_batch_of_real_analyses_survives_kills(tmp_path: Path):
    entries = phantom_entries(tmp_path / "files", 6)
    killed = kill_again_and_again(tmp_path, entries, task="analysed", kills=1, seed=2)
    settings = Settings(detector="classical")
    for entry in entries:
        work = Work(entry, tuple(one.file_id for one in register(entry)), settings)
        assert tree(smear_folder(killed.out, entry.smear_id)) == carry_out(work).files


def retry_again_and_again(folder: Path, *, smears: int, kills: int, seed: int) -> None:
    """Change the files of half of the smears, kill the retry at random points, and compare with an undisturbed run."""
    entries = plain_entries(folder / "files", smears)
    killed = Coordinator(folder / "killed", entries, "copied")
    assert killed.finish() == f"done {smears}, failed 0"
    for number, entry in enumerate(entries[::2]):
        Path(entry.paths[0]).write_bytes(f"changed {number}\n".encode() * 60)
    assert killed.finish() == f"done {smears // 2}, failed {smears // 2}"
    undisturbed = Coordinator(folder / "undisturbed", entries, "copied")
    assert undisturbed.finish() == f"done {smears}, failed 0"
    killed.change(retry_failed=True)
    before = len(killed.carried_out())
    chance = np.random.default_rng(seed)
    for _ in range(kills):
        killed.run_until_killed(int(chance.integers(smears // 2)), chance.random() * 0.05)
    assert killed.finish() == f"done {smears}, failed 0"
    assert len(killed.carried_out()) - before - smears // 2 <= kills * WINDOW
    assert tree(killed.out / SMEARS_FOLDER) == tree(undisturbed.out / SMEARS_FOLDER)


def test_a_retry_that_is_killed_is_made_good_by_the_same_retry(tmp_path: Path):
    retry_again_and_again(tmp_path, smears=20, kills=2, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_retries_survive_many_kills(tmp_path: Path, seed: int):
    retry_again_and_again(tmp_path, smears=100, kills=30, seed=200 + seed)


@pytest.mark.slow
def test_a_thousand_fields_survive_forty_kills(tmp_path: Path):
    campaign(tmp_path, phantom_entries(tmp_path / "files", 1000), task="analysed", kills=40, seed=3)


@pytest.mark.slow
def test_a_killed_batch_on_dask_is_what_an_undisturbed_one_on_processes_is(tmp_path: Path):
    pytest.importorskip("distributed")
    entries = phantom_entries(tmp_path / "files", 60)
    campaign(tmp_path, entries, task="analysed", kills=4, seed=4, dask="local:2")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_two_thousand_kills_lose_nothing(tmp_path: Path, seed: int):
    campaign(tmp_path, plain_entries(tmp_path / "files", 200), task="copied", kills=40, seed=100 + seed)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_coordinator(tmp_path: Path):
    killed = Coordinator(tmp_path / "killed", plain_entries(tmp_path / "files", 30), "copied")
    with killed.start() as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(workers_alive(killed.out)) == 1 + WORKERS
        process.kill()
    assert _none_is_left(killed.out)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("dask", ["", pytest.param("local:2", marks=pytest.mark.slow)])
def test_an_interrupted_batch_stops_its_workers_and_goes_on_later(tmp_path: Path, dask: str):
    stopped = Coordinator(tmp_path / "stopped", plain_entries(tmp_path / "files", 30), "copied", dask)
    with stopped.start() as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.wait(_END_S)
    assert process.returncode != 0
    assert stopped.errors.read_text(encoding="utf-8").splitlines().count("KeyboardInterrupt") == 1
    assert _none_is_left(stopped.out)
    assert not list(stopped.out.rglob("*.part"))
    assert stopped.finish() == "done 30, failed 0"
    assert len(stopped.carried_out()) <= 30 + WINDOW


def _none_is_left(out: Path) -> bool:
    until = time.monotonic() + _END_S
    while workers_alive(out) and time.monotonic() < until:
        time.sleep(0.05)
    return not workers_alive(out)
