"""Whole workflows: wait for a study, and run a smear from its files to its report, again from where it stopped."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hemato_lab.api import requests
from hemato_lab.api.creating import Creating
from hemato_lab.api.effects import pause, work
from hemato_lab.api.journal import FAILED, OPEN, READY, TASKS_ASKED
from hemato_lab.api.locks import RunLock
from hemato_lab.api.tasking import Tasking
from hemato_lab.api.uploading import Uploading, prepared
from hemato_lab.errors import (
    DeadlineError,
    HematoError,
    NotFoundError,
    StudyError,
    StudyFailedError,
)
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.files import UploadFile
    from hemato_lab.api.journal import JournalledStudy
    from hemato_lab.api.models import StudyStatus, TaskReport
    from hemato_lab.api.progress import Progress

logger = logging.getLogger(__name__)
T = TypeVar("T")
DEFAULT_WAIT_S = 1800.0
DEFAULT_RUN_S = 3600.0


@dataclass(frozen=True, slots=True)
class RemoteStudy:
    """A study that ran to its report.

    Attributes
    ----------
    pbs_study_id : str
        The service's id.
    service : str
        Base address of the service.
    report : Report
        The latest report. In the later dialect it names the study and its files alone; the rest is in `task_reports`.
    files : mapping of str to str
        Name on this machine of each file, and the id by which the service knows it. For files that went in an archive:
        of each archive, and the first of its ids.
    tasks : tuple of str
        What was asked.
    task_reports : mapping of str to TaskReport
        The later dialect only: by task.
    resumed : bool
        Whether an earlier run of the same files, tasks and tags had begun it.
    """

    pbs_study_id: str
    service: str
    report: Report = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    tasks: tuple[str, ...]
    task_reports: Mapping[str, TaskReport] = field(default_factory=dict, repr=False)
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    """What is to be run."""

    files: tuple[UploadFile, ...]
    tasks: tuple[str, ...]
    tags: Mapping[str, str]
    rbc_diameter: float | None
    key: str
    until: float
    parallel: int
    progress: Progress | bool


class Running(Creating, Tasking, Uploading):
    """Everything the service offers; what both clients are made of."""

    def wait(
        self, study_id: str, *, task: str | None = None, deadline_s: float = DEFAULT_WAIT_S
    ) -> Operation[StudyStatus]:
        """Wait until the report of a study is ready (workflow 1, step 4).

        The status is asked for with growing pauses; a callback, if there is one, cuts the pause short.

        Parameters
        ----------
        study_id : str
            The study.
        task : str or None
            Which task's status; only the later dialect tells them apart.
        deadline_s : float
            Seconds to wait at most.

        Raises
        ------
        StudyFailedError
            If the service says so.
        DeadlineError
            If it is not ready in time; waiting can go on with another call.
        """
        until = self.caller.clock.monotonic() + deadline_s
        subject = yield from self._subject(study_id)
        polls = 0
        while True:
            left = max(0.001, until - self.caller.clock.monotonic())
            limit_s = min(left, self.caller.policy.call_s)
            found = yield from self._patiently(partial(self.status, study_id, task, limit_s=limit_s), until)
            if found.is_ready:
                self._spend(subject)
                return found
            if found.is_failed:
                self._spend(subject)
                problem = f"the service says that it failed: {found.progress_message}".rstrip(": ")
                raise StudyFailedError(self.caller.secrets.scrub(problem), subject=study_id, hint="run it once more")
            wait_s = self.caller.policy.poll_wait_s(polls)
            if self.caller.clock.monotonic() + wait_s >= until:
                raise DeadlineError(
                    f"not ready after {deadline_s:.4g} s: {found.report_status[:40]}, {found.progress:.0%}",
                    subject=study_id,
                    hint="wait once more, it goes on",
                )
            polls += 1
            yield from pause(wait_s, hints=self.callbacks.hints if self.callbacks else None, subject=subject)

    def _subject(self, study_id: str) -> Operation[str]:
        """Return what callbacks about a study are signed for; in workflow 2 that was done before it had an id."""
        known = yield from work(self.journal.study, self.address, study_id)
        return study_id if known is None or not known.reference else known.reference

    def _spend(self, subject: str) -> None:
        if self.callbacks is not None:
            self.callbacks.spend(subject)

    def run(
        self,
        source: Any,
        *,
        tasks: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        deadline_s: float = DEFAULT_RUN_S,
        fresh: bool = False,
        zip_above: int | None = None,
        parallel: int = 8,
        progress: Progress | bool = False,
        rbc_diameter: float | None = None,
    ) -> Operation[RemoteStudy]:
        """Run workflow 1 from files to report: create, upload, request tasks, wait, fetch.

        Everything is in the journal, so that the same call in another process goes on where this one stopped: the same
        files, tasks and tags at the same service are the same run. A run that has ended fetches its report again; one
        that the service failed begins anew.

        Parameters
        ----------
        source : Smear, path, bytes, image, array, or a sequence of these
            See `files_of`.
        tasks : sequence of str or None
            What to do; the dialect's one task when None.
        tags : mapping of str to str
            Labels, never of a patient; those of the smear when None.
        deadline_s : float
            Seconds for all of it. Errors that may pass are met with patience until then.
        fresh : bool
            Make a new study even if there is one.
        zip_above, parallel, progress, rbc_diameter
            See `upload`.

        Raises
        ------
        LockedError
            If the same run is under way elsewhere.
        StudyError
            If the study fails, or its report is about other files.
        HematoError
            Of the step that did not succeed in time.
        """
        names = self.tasks_or_default(tasks)
        pairs = requests.checked_tags(getattr(source, "tags", None) if tags is None else tags)
        until = self.caller.clock.monotonic() + deadline_s
        files = yield from work(prepared, source, zip_above)
        key = self._key(files, names, pairs, rbc_diameter)
        lock = RunLock(self.journal.path.parent / "locks", key)
        yield from work(lock.acquire)
        try:
            run = _Run(files, names, pairs, rbc_diameter, key, until, parallel, progress)
            return (yield from self._run(run, fresh=fresh))
        finally:
            lock.release()

    def _key(
        self, files: Sequence[UploadFile], tasks: Sequence[str], tags: Mapping[str, str], rbc_diameter: float | None
    ) -> str:
        """Return what tells runs apart: where, which bytes in which order, what is asked, and how it is labelled."""
        said = [self.address, [file.file_id for file in files], sorted(tasks), sorted(tags.items()), rbc_diameter]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def _run(self, run: _Run, *, fresh: bool) -> Operation[RemoteStudy]:
        earlier = None if fresh else (yield from work(self.journal.study_of_run, self.address, run.key))
        if earlier is not None and earlier.state == FAILED:
            earlier = None
        if earlier is None:
            created = yield from self._patiently(partial(self.create_for, run.tags, run.key), run.until)
            study_id = created.pbs_study_id
        else:
            study_id = earlier.study_id
            logger.info("%s: goes on, it was %s", study_id, earlier.state)
        try:
            yield from self._up_to_ready(run, study_id, earlier)
            return (yield from self._fetched(run, study_id, resumed=earlier is not None))
        except NotFoundError:
            if earlier is None:
                raise
        raise StudyError(
            "the service no longer knows this study, which an earlier run began",
            subject=study_id,
            hint="begin anew: fresh=True, or --fresh",
        )

    def _up_to_ready(self, run: _Run, study_id: str, earlier: JournalledStudy | None) -> Operation[None]:
        state = OPEN if earlier is None else earlier.state
        if state == OPEN:
            yield from self._patiently(
                lambda: self.upload(
                    study_id,
                    run.files,
                    parallel=run.parallel,
                    progress=run.progress,
                    rbc_diameter=run.rbc_diameter,
                    limit_s=self._left(run, self.caller.policy.upload_s),
                ),
                run.until,
            )
        if state in {OPEN, TASKS_ASKED}:
            yield from self._patiently(
                lambda: self.request_tasks(study_id, run.tasks, limit_s=self._left(run, self.caller.policy.call_s)),
                run.until,
            )
        if state != READY:
            for task in run.tasks if self.dialect == "2024" else run.tasks[:1]:
                yield from self.wait(study_id, task=task, deadline_s=self._left(run))

    def _left(self, run: _Run, most: float = float("inf")) -> float:
        return min(most, max(0.001, run.until - self.caller.clock.monotonic()))

    def _fetched(self, run: _Run, study_id: str, *, resumed: bool) -> Operation[RemoteStudy]:
        known = yield from work(self.journal.acknowledged, self.address, study_id)
        task_reports: dict[str, TaskReport] = {}
        if self.dialect == "2024":
            for task in run.tasks:
                task_reports[task] = yield from self._patiently(partial(self.task_report, study_id, task), run.until)
            report = Report(study_id, tuple(one for ids in known.values() for one in ids))
        else:
            report = yield from self._patiently(partial(self.report, study_id), run.until)
        named = {file.name: known[file.file_id][0] for file in run.files if file.file_id in known}
        return RemoteStudy(study_id, self.address, report, named, run.tasks, task_reports, resumed)

    def _patiently(self, make: Callable[[], Operation[T]], until: float) -> Operation[T]:
        """Repeat an operation whose errors may pass, until a time; each has its own tries and waits already."""
        rounds = 0
        while True:
            try:
                return (yield from make())
            except HematoError as caught:
                error = caught
            rounds += 1
            wait_s = self.caller.policy.wait_s(rounds, error)
            if not error.retryable or self.caller.clock.monotonic() + wait_s >= until:
                raise error
            logger.info("%s, next round in %.1f s", error.code, wait_s)
            yield from pause(wait_s)
