"""The whole of workflow 1: from the files of a smear to its report, in another process from where it stopped."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hemato_lab.api import requests
from hemato_lab.api.creating import Creating, Wish
from hemato_lab.api.effects import work
from hemato_lab.api.files import UploadFile, files_of
from hemato_lab.api.journal import FAILED, OPEN, READY, TASKS_ASKED
from hemato_lab.api.locks import RunLock
from hemato_lab.api.models import StudyCreated
from hemato_lab.api.privacy import warn_of_personal_tags
from hemato_lab.api.tasking import Tasking
from hemato_lab.api.uploading import Uploading
from hemato_lab.api.waiting import Waiting
from hemato_lab.errors import (
    NotFoundError,
    ReportNotReadyError,
    StudyError,
    StudyFailedError,
)
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.journal import JournalledStudy
    from hemato_lab.api.models import TaskReport
    from hemato_lab.api.progress import Progress

logger = logging.getLogger(__name__)
T = TypeVar("T")
DEFAULT_RUN_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One image of a study, here and there.

    Attributes
    ----------
    name : str
        On this machine.
    file_id : str
        By which a local report knows it (`Field.file_id`).
    remote_ids : tuple of str
        By which the service knows it; one as a rule, all of its archive's where the service does not tell which.
    """

    name: str
    file_id: str
    remote_ids: tuple[str, ...]


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
    files : tuple of RemoteFile
        Its images: their names and ids here, and the ids by which the service knows them.
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
    files: tuple[RemoteFile, ...] = field(repr=False)
    tasks: tuple[str, ...]
    task_reports: Mapping[str, TaskReport] = field(default_factory=dict, repr=False)
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    """What is to be run, until when, and how its files are sent."""

    files: tuple[UploadFile, ...]
    tasks: tuple[str, ...]
    tags: Mapping[str, str]
    key: str
    until: float
    sending: Mapping[str, Any]


class Running(Creating, Tasking, Uploading, Waiting):
    """Everything the service offers; what both clients are made of."""

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
        OutcomeUnknownError
            If time and again no usable answer to the creation came.
        HematoError
            Of the step that did not succeed in time.
        """
        sending = {"zip_above": zip_above, "parallel": parallel, "progress": progress, "rbc_diameter": rbc_diameter}
        run = yield from self._prepared(source, tasks, tags, deadline_s, sending)
        return (yield from self._locked(run, partial(self._run, run, fresh=fresh)))

    def start(
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
    ) -> Operation[StudyCreated]:
        """Begin a run: create, upload and request tasks, and leave the waiting to `wait` or a later `run`.

        Parameters, errors and resuming are those of `run`; what was started already is not started again.
        """
        sending = {"zip_above": zip_above, "parallel": parallel, "progress": progress, "rbc_diameter": rbc_diameter}
        run = yield from self._prepared(source, tasks, tags, deadline_s, sending)

        def begin() -> Operation[StudyCreated]:
            earlier = yield from self._earlier(run, fresh=fresh)
            study_id = yield from self._started(run, earlier)
            return StudyCreated(pbs_study_id=study_id)

        return (yield from self._locked(run, begin))

    def _prepared(
        self,
        source: Any,
        tasks: Sequence[str] | None,
        tags: Mapping[str, str] | None,
        deadline_s: float,
        sending: Mapping[str, Any],
    ) -> Operation[_Run]:
        """Look at everything that can be wrong with a run before anything is sent."""
        names = self.tasks_or_default(tasks)
        pairs = requests.checked_tags(getattr(source, "tags", None) if tags is None else tags)
        warn_of_personal_tags(pairs)
        until = self.caller.clock.monotonic() + deadline_s
        files = yield from work(files_of, source)
        # What tells runs apart: where, which bytes in which order, what is asked, and how it is labelled.
        said = [self.address, [file.file_id for file in files], sorted(names), sorted(pairs.items())]
        key = hashlib.sha256(json.dumps([*said, sending["rbc_diameter"]]).encode()).hexdigest()
        return _Run(files, names, pairs, key, until, sending)

    def _locked(self, run: _Run, make: Callable[[], Operation[T]]) -> Operation[T]:
        lock = RunLock(self.journal.path.parent / "locks", run.key)
        try:
            yield from work(lock.acquire)
            return (yield from make())
        finally:
            lock.release()

    def _run(self, run: _Run, *, fresh: bool) -> Operation[RemoteStudy]:
        earlier = yield from self._earlier(run, fresh=fresh)
        try:
            study_id = yield from self._started(run, earlier)
            if earlier is None or earlier.state != READY:
                yield from self._waited(run, study_id)
            return (yield from self._fetched(run, study_id, resumed=earlier is not None))
        except NotFoundError:
            if earlier is None:
                raise
        raise StudyError(
            "the service no longer knows this study, which an earlier run began",
            subject=earlier.study_id,
            hint="begin anew: fresh=True, or --fresh",
        )

    def _earlier(self, run: _Run, *, fresh: bool) -> Operation[JournalledStudy | None]:
        """Return the study that goes on, None where a new one has to be made."""
        earlier = None if fresh else (yield from work(self.journal.study_of_run, self.address, run.key))
        if earlier is None or earlier.state == FAILED:
            return None
        logger.info("%s: goes on, it was %s", earlier.study_id, earlier.state)
        return earlier

    def _started(self, run: _Run, earlier: JournalledStudy | None) -> Operation[str]:
        """Bring a run to where its tasks are accepted, and return the study's id."""
        if earlier is None:
            key = yield from work(self.journal.unknown_key, self.address, run.key)
            wish = Wish(self.caller.policy.attempts, run_key=run.key, tags=run.tags)
            wish.key = key or wish.key
            created = yield from self.patiently(lambda: self.fulfil(wish, self.left(run.until)), run.until)
            study_id, state = created.pbs_study_id, OPEN
        else:
            study_id, state = earlier.study_id, earlier.state
        if state == OPEN:
            most = self.caller.policy.upload_s
            send = partial(self.upload, study_id, run.files, **run.sending)
            yield from self.patiently(lambda: send(limit_s=self.left(run.until, most)), run.until)
        if state in {OPEN, TASKS_ASKED}:
            ask = partial(self.request_tasks, study_id, run.tasks)
            yield from self.patiently(lambda: ask(limit_s=self.left(run.until)), run.until)
        return study_id

    def _waited(self, run: _Run, study_id: str) -> Operation[None]:
        for task in run.tasks if self.dialect == "2024" else run.tasks[:1]:
            left = max(0.001, run.until - self.caller.clock.monotonic())
            try:
                yield from self.wait(study_id, task=task, deadline_s=left)
            except StudyFailedError:
                yield from self.note(study_id, FAILED)
                raise
        yield from self.note(study_id, READY)

    def _fetched(self, run: _Run, study_id: str, *, resumed: bool) -> Operation[RemoteStudy]:
        known = yield from work(self.journal.acknowledged, self.address, study_id)
        images = [image for file in run.files for image in file.images]
        task_reports: dict[str, TaskReport] = {}
        if self.dialect == "2024":
            for task in run.tasks:
                fetch = partial(self.task_report, study_id, task)
                now = partial(self._report_now, run, study_id, fetch)
                task_reports[task] = yield from self.patiently(now, run.until)
            report_ids = tuple(dict.fromkeys(one for image in images for one in known.get(image.file_id, ())))
            report = Report(study_id, report_ids)
        else:
            fetch_it = partial(self.report, study_id)
            report = yield from self.patiently(partial(self._report_now, run, study_id, fetch_it), run.until)
        files = tuple(RemoteFile(one.name, one.known_as, known.get(one.file_id, ())) for one in images)
        return RemoteStudy(study_id, self.address, report, files, run.tasks, task_reports, resumed)

    def _report_now(self, run: _Run, study_id: str, fetch: Callable[..., Operation[T]]) -> Operation[T]:
        """Fetch a report that is said to be ready; if it is not there, the status says whether the study is."""
        try:
            return (yield from fetch(limit_s=self.left(run.until)))
        except ReportNotReadyError as caught:
            error = caught
        found = yield from self.status(study_id, run.tasks[0], limit_s=self.left(run.until))
        raise self.failure_of(study_id, found) if found.is_failed else error
