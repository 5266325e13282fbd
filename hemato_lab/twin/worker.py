"""A process that analyses one study after the other: ``python -m hemato_lab.twin.worker FOLDER NAME``.

It ends when the server does: its standard input is a pipe whose other end only the server has.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import HematoError
from hemato_lab.twin import jobs, studies
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.leases import LeaseLostError, Progress, signs_of_life
from hemato_lab.twin.store import Store

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from hemato_lab.twin.jobs import Job

_LOOK_S: Final = 0.1
_LEAST_PRIORITY_STEP: Final = 5
"""Added to the process's niceness: answers come before analyses."""
_CACHE_BYTES: Final = 64 << 20
"""Decoded images kept: a few fields, so that several workers fit into a small machine."""
_LOGGER: Final = logging.getLogger(__name__)


def work_on(folder: Path, connection: sqlite3.Connection, job: Job) -> None:
    """Analyse the images of a study and write its report, or why there is none."""
    from hemato_lab.twin.analysing import analyse_images
    from hemato_lab.twin.reporting import documented_results
    from hemato_lab.twin.task_reports import task_results

    study = studies.study_by_id(connection, job.study_id)
    files = studies.images_of(connection, job.study_id)
    progress = Progress(folder, job)
    try:
        if study is None:
            return
        with signs_of_life(folder, job, hangs=progress.is_silent):
            analysis = analyse_images(
                files,
                Store(folder).path,
                rbc_diameter_px=study.rbc_diameter,
                parameters=job.parameters,
                progress=progress,
            )
        results = documented_results(analysis, job.study_id, [one.file_id for one in files])
        of_tasks = task_results(analysis, study.tasks)
    except HematoError as error:
        with transaction(connection):
            jobs.fail(connection, job, f"{error.problem[:1].upper()}{error.problem[1:]}"[:300], time.time())
    except LeaseLostError:
        _LOGGER.warning("job %d was given to another worker", job.job_id)
    else:
        with transaction(connection):
            jobs.finish(connection, job, results, of_tasks, time.time())
    finally:
        progress.close()


def run(folder: Path, name: str, *, work: Callable[[Path, sqlite3.Connection, Job], None] = work_on) -> None:
    """Work for ever."""
    connection = open_database(folder)
    while True:
        with transaction(connection):
            job = jobs.lease(connection, "analyse", name, time.time())
        if job is None:
            _wait_for_work(connection)
        else:
            work(folder, connection, job)


def _wait_for_work(connection: sqlite3.Connection) -> None:
    """Wait until a job may be there; reading disturbs nobody, a look inside a transaction would."""
    while not connection.execute(
        "SELECT 1 FROM jobs WHERE kind = 'analyse' AND (state = 'queued' OR (state = 'leased' AND lease_until < ?))",
        (time.time(),),
    ).fetchone():
        time.sleep(_LOOK_S)


def _end_with_the_server() -> None:
    def watch() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="twin-server-watch", daemon=True).start()


def main() -> None:
    """Run a worker process."""
    _end_with_the_server()
    if hasattr(os, "nice"):
        os.nice(_LEAST_PRIORITY_STEP)
    folder, name = Path(sys.argv[1]).absolute(), sys.argv[2]
    from hemato_lab.formats import caching

    caching.WHOLE_IMAGES.capacity_bytes = _CACHE_BYTES
    from hemato_lab.pipeline.steps import check_settings

    check_settings()  # loads what every job needs before the first one waits for it
    run(folder, name)


if __name__ == "__main__":
    main()
