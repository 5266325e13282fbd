"""The simple calls of the documented surface, as operations (see `effects`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.api import requests
from hemato_lab.api.answers import read, read_bare, read_hello, read_report, read_task_report
from hemato_lab.api.auth import PasswordAuth
from hemato_lab.api.effects import work
from hemato_lab.api.journal import FAILED, READY
from hemato_lab.api.models import Heartbeat, Hello, Login, StudyStatus, TaskReport
from hemato_lab.errors import CredentialError, OtherFilesError
from hemato_lab.report.document import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hemato_lab.api.calling import Caller
    from hemato_lab.api.effects import Operation
    from hemato_lab.api.hints import Hints
    from hemato_lab.api.journal import Journal, JournalledStudy, PossibleOrphan
    from hemato_lab.api.requests import Dialect, Study
    from hemato_lab.report import Report

DEFAULT_TASKS: Final[dict[Dialect, tuple[str, ...]]] = {"documented": ("pbs_v1",), "2024": ("MALARIA_ANY_ANY",)}
"""The one task that each dialect names."""


class Callbacks(Protocol):
    """Where the service can call us back; `CallbackReceiver` is one."""

    @property
    def hints(self) -> Hints:
        """Where the calls are told."""
        ...

    def url(self, subject: str) -> str:
        """Return the address to call about a study or a sample."""
        ...

    def spend(self, subject: str) -> None:
        """Accept no more calls about it."""
        ...


class Calls:
    """Calls that change nothing, over one `Caller` and one `Journal`.

    Parameters
    ----------
    caller : Caller
        Makes the calls.
    journal : Journal
        Notes what must not be lost.
    dialect : str
        ``documented`` or ``2024``.
    strict : bool
        Whether a file id that differs from ours is an error instead of a warning (api/DECISIONS.md row 14).
    callbacks : Callbacks or None
        Where the service calls back.
    """

    def __init__(
        self, caller: Caller, journal: Journal, *, dialect: Dialect, strict: bool, callbacks: Callbacks | None = None
    ) -> None:
        self.caller = caller
        self.journal = journal
        self.dialect: Dialect = dialect
        self.strict = strict
        self.callbacks = callbacks

    @property
    def address(self) -> str:
        """Base address of the service, by which the journal knows it."""
        return self.caller.endpoint.base_url

    def tasks_or_default(self, tasks: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the names of tasks, checked; the one that the dialect names when None is given."""
        return requests.checked_tasks(DEFAULT_TASKS[self.dialect] if tasks is None else tasks)

    def note(self, study_id: str, state: str, tasks: Sequence[str] | None = None) -> Operation[None]:
        """Write the state of a study into the journal."""
        now = self.caller.clock.wall()
        yield from work(self.journal.set_state, self.address, study_id, state, now, tasks=tasks)

    def login(self) -> Operation[Login]:
        """Log in now with the user's name and password, instead of with the first call that needs it.

        Raises
        ------
        CredentialError
            If the client was not made with `PasswordAuth`.
        UnauthorizedError
            If the service refuses them.
        """
        authentication = self.caller.authentication
        if not isinstance(authentication, PasswordAuth):
            raise CredentialError(
                "only a user with a password logs in", subject="login", hint="give auth=PasswordAuth(...)"
            )
        return (yield from authentication.log_in(self.caller.audience()))

    def hello(self) -> Operation[Hello]:
        """Ask whether the service accepts our token; a refusal comes back with every reason in words."""
        return (yield from self.caller.call(requests.hello(), read_hello))

    def heartbeat(self) -> Operation[Heartbeat]:
        """Ask whether the service is alive; needs no credentials."""
        return (yield from self.caller.call(requests.heartbeat(), partial(read_bare, Heartbeat)))

    def possible_orphans(self) -> Operation[list[PossibleOrphan]]:
        """Return the tries of this service that may have made a study whose id never came back."""
        return (yield from work(self.journal.possible_orphans, self.address))

    def settle_orphan(self, request_id: str) -> Operation[bool]:
        """Note that somebody looked after a possible orphan, so that it is listed no more; tells whether it was one."""
        return (yield from work(self.journal.settle, request_id))

    def studies(self, tags: Mapping[str, str] | None = None) -> Operation[list[JournalledStudy]]:
        """Return the studies that were made from this machine, the latest first, that have all of these tags.

        The service has no search; this is the journal's own index (api/DECISIONS.md row 28).
        """
        return (yield from work(self.journal.studies, self.address, requests.checked_tags(tags)))

    def status(self, study: Study, task: str | None = None, *, limit_s: float | None = None) -> Operation[StudyStatus]:
        """Ask how far a study is (workflow 1, step 4).

        Parameters
        ----------
        study : str or StudyCreated
            The study, or its id.
        task : str or None
            Only the later dialect has a status for each task; the one that it names when None.
        limit_s : float or None
            Seconds for the whole call; that of the policy when None.
        """
        study_id = requests.id_of(study)
        of_task = (task or self.tasks_or_default()[0]) if self.dialect == "2024" else ""
        request = requests.status(study_id, of_task)
        found = yield from self.caller.call(request, partial(read, StudyStatus), limit_s=limit_s)
        if self.dialect == "documented" and (found.is_ready or found.is_failed):
            yield from self.note(study_id, READY if found.is_ready else FAILED)
        return found

    def report(self, study: Study, version: int | None = None, *, limit_s: float | None = None) -> Operation[Report]:
        """Fetch the latest report, or an earlier version of it (workflow 1, step 5).

        Parameters
        ----------
        study : str or StudyCreated
            The study, or its id.
        version : int or None
            From 1 on; the latest when None.
        limit_s : float or None
            Seconds for the whole call; that of the policy when None.

        Raises
        ------
        ReportNotReadyError
            If there is none yet.
        OtherFilesError
            If it is about other files than the journal knows to have been uploaded (api/DECISIONS.md section 4).
        """
        study_id = requests.id_of(study)
        report = yield from self.caller.call(requests.report(study_id, version), read_report, limit_s=limit_s)
        uploaded = yield from work(self.journal.acknowledged, self.address, study_id)
        _check_files(report, uploaded)
        for remark in _counts_that_differ(report):
            self.caller.warn(remark)
        return report

    def task_report(
        self, study: Study, task: str | None = None, *, limit_s: float | None = None
    ) -> Operation[TaskReport]:
        """Fetch the report of one task; only in the later dialect (api/DECISIONS.md section 5). Raises as `report`."""
        study_id = requests.id_of(study)
        name = task or self.tasks_or_default()[0]
        understand = partial(read_task_report, TaskReport, name)
        return (yield from self.caller.call(requests.task_report(study_id, name), understand, limit_s=limit_s))


def _check_files(report: Report, uploaded: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a report about other files: each image has to be in it, by one of its ids, and nothing else may be.

    An image that went in an archive may be named by its own hash or by the archive's (api/DECISIONS.md row 13).
    """
    if not uploaded:
        return
    named = set(report.file_ids)
    allowed = {one for file_id, ids in uploaded.items() for one in (file_id, *ids)}
    missing = sum(named.isdisjoint((file_id, *ids)) for file_id, ids in uploaded.items())
    foreign = len(named - allowed)
    if missing or foreign:
        raise OtherFilesError(
            f"the report is not about the files that were uploaded: {missing} are missing, {foreign} are others",
            subject=report.pbs_study_id,
            hint="do not use it; tell the vendor",
        )


def _counts_that_differ(report: Report) -> Iterator[str]:
    """Tell of findings whose count is not that of their places (api/DECISIONS.md row 20)."""
    for name, finding in report.morphological_findings.items():
        count = number_of(finding.count)
        if finding.heat_map and count is not None and count != len(finding.heat_map):
            places = len(finding.heat_map)
            yield f"{report.pbs_study_id}: {name[:60]} has a count of {finding.count[:20]} and {places} places"
