"""Hundreds of studies through a network in which three exchanges of ten go wrong: none lost, doubled or mixed up."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import AsyncClient, Client, Clock, Journal, Policy, RemoteStudy, TokenAuth
from hemato_lab.formats.stored import file_id_of
from tests.api.fake_service import FakeService
from tests.api.pictures import jpeg
from tests.api.transports import Fault, FaultyTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "token-of-the-campaign"  # noqa: S105 (made up)
FILES = 5


class Hurry:
    """A clock whose waits cost nothing; for any number of threads."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._skipped += seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def clock(self) -> Clock:
        return Clock(monotonic=self.monotonic, wall=time.time, sleep=self.sleep)


def files_of_study(number: int) -> list[bytes]:
    return [jpeg(file, f"of study {number}") for file in range(FILES)]


def faulty(service: Any, seed: int) -> FaultyTransport:
    return FaultyTransport(service, 0.3, seed=seed)


@pytest.fixture
def service(make_service: Callable[..., Any]) -> Any:
    return make_service(static_tokens={TOKEN}, record=False, keep_bodies=False)


def run_blocking(transport: FaultyTransport, path: Path, studies: int) -> list[RemoteStudy]:
    """One study after the other, its files side by side."""
    with Client("eu", auth=TokenAuth(TOKEN), transport=transport, journal=path, clock=Hurry().clock()) as api:
        return [
            api.run(files_of_study(number), tags={"study": str(number)}, parallel=3, deadline_s=1e6)
            for number in range(studies)
        ]


def run_side_by_side(transport: FaultyTransport, path: Path, studies: int) -> list[RemoteStudy]:
    """Sixteen studies at a time on one event loop."""

    async def all_of_them() -> list[RemoteStudy]:
        places = asyncio.Semaphore(16)
        clock = Hurry().clock()
        # Sixteen share one hurried clock, on which each one's waits count for all.
        leisurely = Policy(call_s=1e9, upload_s=1e9)
        settings = {"auth": TokenAuth(TOKEN), "transport": transport, "journal": path, "policy": leisurely}
        async with AsyncClient("eu", clock=clock, **settings) as api:

            async def one(number: int) -> RemoteStudy:
                async with places:
                    tags = {"study": str(number)}
                    return await api.run(files_of_study(number), tags=tags, parallel=3, deadline_s=1e9)

            return list(await asyncio.gather(*(one(number) for number in range(studies))))

    return asyncio.run(all_of_them())


def assert_nothing_was_lost(transport: FaultyTransport, path: Path, studies: list[RemoteStudy]) -> None:
    made = transport.service.studies
    asked = 0
    for number, study in enumerate(studies):
        there = made[study.pbs_study_id]
        expected = [file_id_of(content) for content in files_of_study(number)]
        assert there.tags == {"study": str(number)}
        assert set(there.files) == set(expected)
        assert set(study.report.file_ids) == set(expected)
        assert there.tasks == ["pbs_v1"]
        asked += there.tasks_requested
    assert asked <= 1.05 * len(studies), "a repeated request is refused by the service, and hardly ever made"
    claimed = {study.pbs_study_id for study in studies}
    assert len(claimed) == len(studies)
    orphans = [study for study_id, study in made.items() if study_id not in claimed]
    assert bool(orphans) is not transport.service.honour_idempotency_key, "so many faults make some, if anything does"
    with Journal(path) as journal:
        noted = {orphan.request_id for orphan in journal.possible_orphans()}
        assert {study.request_id for study in orphans} <= noted
        assert {study.study_id for study in journal.studies()} == claimed
    assert not any(study.files or study.tasks for study in orphans)
    assert set(transport.injected) == set(Fault)


@pytest.mark.parametrize("run", [run_blocking, run_side_by_side])
def test_a_hundred_studies_survive_a_network_that_fails_three_times_of_ten(run, service: Any, tmp_path: Path) -> None:
    transport = faulty(service, seed=1)
    # The twin has a database and a disk behind it; the whole number is run against it by the slow test.
    studies = run(transport, tmp_path / "journal.sqlite3", 100 if isinstance(service, FakeService) else 40)
    assert_nothing_was_lost(transport, tmp_path / "journal.sqlite3", studies)


@pytest.mark.slow
@pytest.mark.parametrize("run", [run_blocking, run_side_by_side])
def test_10000_studies_survive_it(run, service: Any, tmp_path: Path) -> None:
    transport = faulty(service, seed=2)
    studies = run(transport, tmp_path / "journal.sqlite3", 5000)
    assert_nothing_was_lost(transport, tmp_path / "journal.sqlite3", studies)
