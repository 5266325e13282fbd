"""Jobs: one worker at a time, one report a job, whoever dies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hemato_lab.twin import callbacks, jobs, studies
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.leases import Progress
from tests.twin.conftest import NOW

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., studies.Study]


def lease(connection: sqlite3.Connection, now: float = NOW, worker: str = "w") -> jobs.Job | None:
    with transaction(connection):
        return jobs.lease(connection, "analyse", worker, now)


def test_the_oldest_job_goes_first_and_to_one(connection: sqlite3.Connection, make_study: Make) -> None:
    ids = [make_study(1, tasks=("pbs_v1",)).study_id for _ in range(3)]
    taken = [lease(connection) for _ in range(4)]
    assert [None if one is None else one.study_id for one in taken] == [*ids, None]
    assert len({one.lease for one in taken if one}) == 3


def test_a_lease_runs_out_and_its_holder_cannot_finish(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(1, tasks=("pbs_v1",))
    first = lease(connection)
    assert first is not None
    assert lease(connection, NOW + jobs.LEASE_S) is None
    second = lease(connection, NOW + jobs.LEASE_S + 1)
    assert second is not None
    assert (second.job_id, second.attempts) == (first.job_id, 2)
    with transaction(connection):
        assert jobs.finish(connection, first, '{"by": 1}', {}, NOW) == 0
        assert not jobs.fail(connection, first, "no", NOW)
        assert not jobs.close(connection, first)
        assert not jobs.renew(connection, first, NOW)
        assert jobs.finish(connection, second, '{"by": 2}', {}, NOW) == 1
        assert jobs.finish(connection, second, '{"by": 2}', {}, NOW) == 0
    reports = connection.execute("SELECT results FROM reports WHERE study_id = ?", (study.study_id,)).fetchall()
    assert [row[0] for row in reports] == ['{"by": 2}']


def test_a_sign_of_life_prolongs_a_lease(connection: sqlite3.Connection, make_study: Make) -> None:
    make_study(1, tasks=("pbs_v1",))
    job = lease(connection)
    assert job is not None
    with transaction(connection):
        assert jobs.renew(connection, job, NOW + jobs.LEASE_S, 0.5)
    assert lease(connection, NOW + jobs.LEASE_S + 1) is None
    study = studies.study_by_id(connection, job.study_id)
    assert study is not None
    assert (study.state, study.progress) == ("processing", 0.5)


def test_a_job_that_kills_its_workers_fails(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(1, tasks=("pbs_v1",))
    for attempt in range(jobs.MOST_ATTEMPTS):
        job = lease(connection, worker=f"w{attempt}")
        assert job is not None
        with transaction(connection):
            assert jobs.release(connection, f"w{attempt}") == 1
            assert jobs.release(connection, "another") == 0
    assert lease(connection) is None
    found = studies.study_by_id(connection, study.study_id)
    assert found is not None
    assert (found.state, found.progress_message) == ("failed", jobs.DIED)


def test_a_job_that_kills_its_workers_lets_the_next_one_through(
    connection: sqlite3.Connection, make_study: Make
) -> None:
    make_study(1, tasks=("pbs_v1",))
    connection.execute("UPDATE jobs SET attempts = ?", (jobs.MOST_ATTEMPTS,))
    other = make_study(1, tasks=("pbs_v1",))
    job = lease(connection)
    assert job is not None
    assert job.study_id == other.study_id


def test_a_new_server_gives_all_leases_back(connection: sqlite3.Connection, leased: jobs.Job) -> None:
    assert lease(connection, time.time()) is None
    with transaction(connection):
        assert jobs.release_all(connection) == 1
        assert not jobs.finish(connection, leased, "{}", {}, NOW)
    again = lease(connection)
    assert again is not None
    assert again.attempts == 1, "the server's end is no attempt of the job"


def test_the_end_of_a_study_is_told_once(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(1)
    with transaction(connection):
        studies.request_tasks(connection, study, ("pbs_v1",), "https://example.org/done", NOW)
    job = lease(connection)
    assert job is not None
    with transaction(connection):
        jobs.finish(connection, job, "{}", {}, NOW)
    due = callbacks.due(connection, NOW)
    assert due is not None
    assert (due.url, due.body["report_status"], due.body["pbs_study_id"]) == (
        "https://example.org/done",
        "ready",
        study.study_id,
    )
    assert len(callbacks.states(connection, study.study_id)) == 1


def test_progress_is_noted_and_a_lost_lease_is_seen(
    connection: sqlite3.Connection, leased: jobs.Job, tmp_path: Path
) -> None:
    progress = Progress(tmp_path, leased)
    progress(1, 4)
    progress(2, 4)  # too soon after the first to be worth a commit
    progress.close()
    other = open_database(tmp_path)
    study = studies.study_by_id(other, leased.study_id)
    other.close()
    assert study is not None
    assert study.progress == 0.25


def test_counts_are_complete(connection: sqlite3.Connection, make_study: Make) -> None:
    make_study(1, tasks=("pbs_v1",))
    make_study(1, tasks=("pbs_v1",))
    lease(connection)
    assert jobs.counts(connection) == {"queued": 1, "leased": 1, "done": 0, "failed": 0}
