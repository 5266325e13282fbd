"""In the place of the worker processes: a report at once, or after so many questions for the status."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin import jobs, studies
from tests.api.fake_reports import documented_report, later_report

if TYPE_CHECKING:
    import sqlite3

    from hemato_lab.twin.jobs import Job
    from hemato_lab.twin.service import Service
    from hemato_lab.twin.studies import Study
    from tests.twin.twin_service import TwinService

NAME = "stand-in"
FOR_EVER = 1e12
"""A time after that of any test: leases never end."""


class WorkerStandIn:
    """Takes jobs, and ends them when their time has come; how often the status was asked for is the time."""

    def __init__(self, owner: TwinService) -> None:
        self._owner = owner
        self._jobs: dict[str, Job] = {}

    async def advance(self, service: Service, method: str, path: str) -> None:
        """Do what is due before a question about a study is answered."""
        first, *rest = path.strip("/").split("/")
        if method != "GET" or first != "pbs" or len(rest) < 2:
            return
        study = studies.study_by_id(service.reader, rest[0])
        if study is None or study.state not in {"queued", "processing"}:
            return
        notes = self._owner.notes[study.study_id]
        share = 1.0
        if notes.status_reads < self._owner.polls_until_ready:
            share = notes.status_reads / self._owner.polls_until_ready
        notes.status_reads += rest[1] == "status"
        if share:
            await service.write(partial(self._work, study=study, share=share, now=service.now()))

    def _work(self, connection: sqlite3.Connection, study: Study, share: float, now: float) -> None:
        self._take_jobs(connection, now)
        job = self._jobs[study.study_id]
        if share < 1:
            jobs.renew(connection, job, FOR_EVER, share)
        elif self._owner.fail_studies:
            jobs.fail(connection, job, "", now)
        else:
            report(connection, job, study, now)

    def _take_jobs(self, connection: sqlite3.Connection, now: float) -> None:
        """Take every job that waits; what workflow 2 asks for counts as downloaded."""
        while job := jobs.lease(connection, "download", NAME, FOR_EVER):
            study = studies.study_by_id(connection, job.study_id)
            assert study is not None
            urls = study.source.get("files") or [study.source["list_url"]]
            files = [studies.StudyFile(file_id_of(url.encode()), "", "png", 1) for url in urls]
            studies.analyse_downloads(connection, job.study_id, files, now)
            jobs.close(connection, job)
        while job := jobs.lease(connection, "analyse", NAME, FOR_EVER):
            self._jobs[job.study_id] = job

    def report_again(self, connection: sqlite3.Connection, study_id: str, now: float) -> None:
        """Make the next version of a report."""
        studies.analyse_again(connection, study_id, {}, now)
        self._take_jobs(connection, now)
        study = studies.study_by_id(connection, study_id)
        assert study is not None
        report(connection, self._jobs[study_id], study, now)


def report(connection: sqlite3.Connection, job: Job, study: Study, now: float) -> None:
    """End a job with a report that is made up."""
    file_ids = [one.file_id for one in studies.images_of(connection, study.study_id)]
    version = studies.newest_report(connection, study.study_id) + 1
    results = json.dumps(documented_report(study.study_id, file_ids, version))
    of_tasks: dict[str, Any] = {
        task: later_report(study.study_id, file_ids, task)["report"][task] for task in study.tasks
    }
    jobs.finish(connection, job, results, of_tasks, now)
