"""``kill -9`` at 40 points of a run, and the same call once more in another process."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import Journal
from hemato_lab.api.runners import BlockingRunner
from hemato_lab.formats.stored import file_id_of
from tests.api import killed
from tests.api.fake_service import FakeService
from tests.api.loopback import LoopbackServer
from tests.twin.twin_service import TwinServer, TwinService

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
POINTS = 40
WHICH = ("fake", "twin")
OF_THE_TWIN = range(2, POINTS, 5)
"""Points that the twin meets in the normal run; the others are in the slow one."""


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.api.killed"])
    return context


def at(point: int, which: str) -> Any:
    marks = [pytest.mark.slow] if which == "twin" and point not in OF_THE_TWIN else []
    return pytest.param(point, which, id=f"{which}-{point}", marks=marks)


@pytest.fixture
def serve(tmp_path: Path) -> Callable[[str], Any]:
    """Return a function that makes a server and its service, the fake or the twin."""

    def make(which: str) -> Any:
        if which == "fake":
            return LoopbackServer(FakeService(static_tokens={killed.TOKEN}))
        (tmp_path / "twin").mkdir()
        return TwinServer(TwinService(tmp_path / "twin", host="127.0.0.1", static_tokens={killed.TOKEN}))

    return make


@pytest.mark.parametrize(("point", "which"), [at(point, which) for which in WHICH for point in range(POINTS)])
def test_a_killed_run_goes_on_where_it_stopped(point: int, which: str, serve, processes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with serve(which) as server:
        service = server.service
        victim = processes.Process(target=killed.run_and_die, args=(server.url, str(path), point))
        victim.start()
        victim.join()
        assert victim.exitcode == -signal.SIGKILL
        acknowledged = what_the_journal_has(path, server.url)
        sent_before = {file_id: times for one in service.studies.values() for file_id, times in received(one).items()}
        with killed.client(server.url, str(path)) as api:
            study = api.run(killed.FILES, tags=killed.TAGS, parallel=2)
            orphans = {orphan.request_id for orphan in api.possible_orphans()}
        assert_nothing_was_lost(service, study, acknowledged, sent_before, orphans)


def assert_nothing_was_lost(service: Any, study: Any, acknowledged: set[str], sent_before: Any, orphans: Any) -> None:
    expected = {file_id_of(content) for content in killed.FILES}
    there = service.studies[study.pbs_study_id]
    assert set(there.files) == set(study.report.file_ids) == expected
    assert (there.tags, there.tasks, there.tasks_requested) == (killed.TAGS, ["pbs_v1"], 1)
    for file_id in acknowledged:
        assert there.files[file_id].received == sent_before[file_id], "no byte of it was sent again"
    others = [one for study_id, one in service.studies.items() if study_id != study.pbs_study_id]
    assert {one.request_id for one in others} <= orphans
    assert not any(one.files for one in others)


def what_the_journal_has(path: Path, url: str) -> set[str]:
    if not path.exists():
        return set()
    with Journal(path) as journal:
        return {file_id for study in journal.studies() for file_id in journal.acknowledged(url, study.study_id)}


def received(study) -> dict[str, int]:
    return {file_id: stored.received for file_id, stored in study.files.items()}


def test_the_points_reach_from_the_first_step_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the run longer than the points, its end would never be tried."""
    service = FakeService()
    service.static_tokens.add(killed.TOKEN)
    with LoopbackServer(service) as server, killed.client(server.url, str(tmp_path / "journal.sqlite3")) as api:
        count, do = 0, BlockingRunner._do

        def counted(runner, effect):
            nonlocal count
            count += 1
            return do(runner, effect)

        monkeypatch.setattr(BlockingRunner, "_do", counted)
        api.run(killed.FILES, tags=killed.TAGS, parallel=1)
    assert POINTS <= count <= POINTS + 8
