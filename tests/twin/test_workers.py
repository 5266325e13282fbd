"""Worker processes: they end with the server, are replaced when they die, and what they held is done again."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

import hemato_lab as hl
from hemato_lab.twin import jobs, leases, studies
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.leases import Progress
from tests.twin.conftest import image_bytes

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: object, limit_s: float = 60) -> None:
    until = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def test_a_worker_that_is_killed_is_replaced_and_its_study_is_done(tmp_path: Path) -> None:
    with hl.Twin(tmp_path) as twin:
        workers = twin._running.workers
        assert workers is not None
        (first,) = workers.process_ids
        study = twin.client.create()
        for number in range(3):
            twin.client.upload(study, image_bytes(number, side=600), rbc_diameter=20.0)
        twin.client.request_tasks(study, ["pbs_v1"])
        wait_until(lambda: twin.client.status(study).report_status == "processing")
        os.kill(first, signal.SIGKILL)
        twin.client.wait(study)
        assert workers.process_ids != [first]
        connection = open_database(tmp_path)
        rows = connection.execute("SELECT attempts, state FROM jobs").fetchall()
        count = connection.execute("SELECT count(*) FROM reports").fetchone()[0]
        connection.close()
        left = workers.process_ids
    assert [(row["attempts"], row["state"]) for row in rows] == [(2, "done")]
    assert count == 1
    assert not any(is_alive(process_id) for process_id in left)


def test_an_analysis_that_hangs_ends_its_process(
    connection: sqlite3.Connection, leased: jobs.Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Progress(tmp_path, leased)
    assert not progress.is_silent()
    monkeypatch.setattr(leases, "LONGEST_SILENCE_S", -1.0)
    assert progress.is_silent()
    progress.close()
    monkeypatch.setattr(leases, "_SIGN_OF_LIFE_S", 0.01)
    codes: list[int] = []
    monkeypatch.setattr(leases.os, "_exit", codes.append)
    with leases.signs_of_life(tmp_path, leased, hangs=lambda: True):
        wait_until(lambda: codes)
    assert set(codes) == {leases.HUNG}


def test_a_lease_is_prolonged_while_the_work_says_nothing(
    connection: sqlite3.Connection, leased: jobs.Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_SIGN_OF_LIFE_S", 0.01)
    with transaction(connection):
        connection.execute("UPDATE jobs SET lease_until = 0")
    with leases.signs_of_life(tmp_path, leased):
        wait_until(lambda: connection.execute("SELECT lease_until FROM jobs").fetchone()[0] > time.time())
    study = studies.study_by_id(connection, leased.study_id)
    assert study is not None
    assert study.state == "processing"
