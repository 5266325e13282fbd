"""``kill -9`` of the server under load: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import random
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest

from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin.database import FILE_NAME
from tests.twin.conftest import image_bytes
from tests.twin.serving import Serving, results

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
CLIENTS = 4
FILES = 2
AT_WORK = 6
"""Every so many deaths wait until a worker is at work."""


@dataclass
class Acknowledged:
    """What the server promised."""

    files: dict[str, set[str]] = field(default_factory=dict)
    tasks: set[str] = field(default_factory=set)


class Load(threading.Thread):
    """A client that makes one study after the other and notes every acknowledgement; failures are deaths."""

    def __init__(self, serving: Serving, number: int) -> None:
        super().__init__(daemon=True)
        self._serving = serving
        self._chance = random.Random(number)  # noqa: S311
        self._number = number
        self.stopped = threading.Event()
        self.noted = Acknowledged()

    def run(self) -> None:
        client = self._serving.http()
        for study in range(1_000_000):
            if self.stopped.is_set():
                break
            try:
                self._one_study(client, study)
            except (httpx.TransportError, ValueError):
                time.sleep(0.05)
        client.close()

    def _one_study(self, client: httpx.Client, study: int) -> None:
        study_id = results(client.post("/pbs", json={}), 201)["pbs_study_id"]
        for number in range(FILES):
            content = image_bytes(1_000_000 * self._number + 10 * study + number, side=48)
            answer = client.post(
                f"/pbs/{study_id}/files",
                params={"file_name": f"{number}.png", "rbc_diameter": "16"},
                content=content,
                headers={"Content-Type": "image/png"},
            )
            assert results(answer, 201)["file_id"] == file_id_of(content)
            self.noted.files.setdefault(study_id, set()).add(file_id_of(content))
        if self._chance.random() < 0.15:
            results(client.post(f"/pbs/{study_id}/tasks", json={"diagnostic_tasks": ["pbs_v1"]}), 202)
            self.noted.tasks.add(study_id)


def kill_under_load(folder: Path, kills: int) -> Acknowledged:
    """Kill a server again and again, start it once more, wait until all work is done, and return what it promised."""
    chance = random.Random(kills)  # noqa: S311
    serving = Serving(folder)
    serving.start()
    loads = [Load(serving, number) for number in range(CLIENTS)]
    try:
        for load in loads:
            load.start()
        for number in range(kills):
            if number % AT_WORK == AT_WORK - 1:
                _wait_for_a_lease(folder)
            time.sleep(chance.uniform(0.0, 0.8))
            serving.kill()
            serving.start()
        for load in loads:
            load.stopped.set()
            load.join(60)
        _wait_for_all(folder)
    finally:
        serving.stop()
    noted = Acknowledged()
    for load in loads:
        assert not load.is_alive()
        noted.files |= load.noted.files
        noted.tasks |= load.noted.tasks
    return noted


def _wait_for_a_lease(folder: Path) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    until = time.monotonic() + 60
    while not connection.execute("SELECT 1 FROM jobs WHERE state = 'leased'").fetchone():
        assert time.monotonic() < until, "no worker takes a job"
        time.sleep(0.02)
    connection.close()


def _wait_for_all(folder: Path) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    until = time.monotonic() + 1800
    while time.monotonic() < until:
        (left,) = connection.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'leased')").fetchone()
        if not left:
            break
        time.sleep(0.2)
    connection.close()
    assert not left, f"{left} jobs were never done"


def check(folder: Path, noted: Acknowledged) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    for study_id, files in noted.files.items():
        rows = connection.execute("SELECT file_id FROM files WHERE study_id = ?", (study_id,)).fetchall()
        assert files <= {row[0] for row in rows}, "an acknowledged file is lost"
        for file_id in files:
            assert file_id_of((folder / "files" / file_id).read_bytes()) == file_id
    reports = dict(connection.execute("SELECT study_id, count(*) FROM reports GROUP BY study_id").fetchall())
    states = dict(connection.execute("SELECT study_id, state FROM studies").fetchall())
    for study_id in noted.tasks:
        assert (states[study_id], reports.get(study_id)) == ("ready", 1), "an acknowledged task is lost, or done twice"
    assert set(reports.values()) <= {1}
    jobs = connection.execute("SELECT count(*), count(DISTINCT study_id) FROM jobs").fetchone()
    assert jobs[0] == jobs[1], "a study was queued twice"
    connection.close()
    assert list((folder / "incoming").iterdir()) == []


def test_six_deaths_lose_and_double_nothing(tmp_path: Path) -> None:
    noted = kill_under_load(tmp_path, AT_WORK)
    assert len(noted.files) > 6
    assert noted.tasks
    check(tmp_path, noted)


@pytest.mark.slow
def test_five_hundred_deaths_lose_and_double_nothing(tmp_path: Path) -> None:
    noted = kill_under_load(tmp_path, 500)
    assert len(noted.tasks) > 100
    check(tmp_path, noted)
