"""The simple calls of the documented surface, as operations (see `effects`)."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.api import requests
from hemato_lab.api.answers import ServiceWarning, read, read_bare, read_hello, read_report, read_task_report
from hemato_lab.api.auth import PasswordAuth
from hemato_lab.api.effects import work
from hemato_lab.api.journal import FAILED, READY
from hemato_lab.api.models import Heartbeat, Hello, Login, StudyStatus, TaskReport
from hemato_lab.errors import CredentialError, OtherFilesError
from hemato_lab.report.document import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.api.calling import Caller
    from hemato_lab.api.effects import Operation
    from hemato_lab.api.hints import Hints
    from hemato_lab.api.journal import Journal, JournalledStudy, PossibleOrphan
    from hemato_lab.api.requests import Dialect
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
        return (yield from authentication.log_in(self.caller.audience))

    def hello(self) -> Operation[Hello]:
        """Ask whether the service accepts our token; a refusal comes back with every reason in words."""
        return (yield from self.caller.call(requests.hello(), read_hello))

    def heartbeat(self) -> Operation[Heartbeat]:
        """Ask whether the service is alive; needs no credentials."""
        return (yield from self.caller.call(requests.heartbeat(), partial(read_bare, Heartbeat)))

    def possible_orphans(self) -> Operation[list[PossibleOrphan]]:
        """Return the tries of this service that may have made a study whose id never came back."""
        return (yield from work(self.journal.possible_orphans, self.address))

    def studies(self, tags: Mapping[str, str] | None = None) -> Operation[list[JournalledStudy]]:
        """Return the studies that were made from this machine, the latest first, that have all of these tags.

        The service has no search; this is the journal's own index (api/DECISIONS.md row 28).
        """
        return (yield from work(self.journal.studies, self.address, requests.checked_tags(tags)))

    def status(self, study_id: str, task: str | None = None, *, limit_s: float | None = None) -> Operation[StudyStatus]:
        """Ask how far a study is (workflow 1, step 4).

        Parameters
        ----------
        study_id : str
            The study.
        task : str or None
            Only the later dialect has a status for each task.
        limit_s : float or None
            Seconds for the whole call; that of the policy when None.
        """
        request = requests.status(study_id, (task or self.tasks_or_default()[0]) if self.dialect == "2024" else "")
        found = yield from self.caller.call(request, partial(read, StudyStatus), limit_s=limit_s)
        if found.is_ready or found.is_failed:
            yield from self.note(study_id, READY if found.is_ready else FAILED)
        return found

    def report(self, study_id: str, version: int | None = None) -> Operation[Report]:
        """Fetch the latest report, or an earlier version of it (workflow 1, step 5).

        Raises
        ------
        ReportNotReadyError
            If there is none yet.
        OtherFilesError
            If it is about other files than the journal knows to have been uploaded (api/DECISIONS.md section 4).
        """
        report = yield from self.caller.call(requests.report(study_id, version), read_report)
        _warn_of_counts(report)
        uploaded = yield from work(self.journal.acknowledged, self.address, study_id)
        expected = {remote_id for ids in uploaded.values() for remote_id in ids}
        if expected and set(report.file_ids) != expected:
            missing, foreign = len(expected - set(report.file_ids)), len(set(report.file_ids) - expected)
            raise OtherFilesError(
                f"the report is not about the files that were uploaded: {missing} are missing, {foreign} are others",
                subject=study_id,
                hint="do not use it; tell the vendor",
            )
        return report

    def task_report(self, study_id: str, task: str) -> Operation[TaskReport]:
        """Fetch the report of one task; only in the later dialect (api/DECISIONS.md section 5)."""
        understand = partial(read_task_report, TaskReport, task)
        return (yield from self.caller.call(requests.task_report(study_id, task), understand))


def _warn_of_counts(report: Report) -> None:
    """Warn of findings whose count is not that of their places (api/DECISIONS.md row 20)."""
    for name, finding in report.morphological_findings.items():
        count = number_of(finding.count)
        if finding.heat_map and count is not None and count != len(finding.heat_map):
            warnings.warn(
                f"{report.pbs_study_id}: {name[:60]} has a count of {finding.count} and {len(finding.heat_map)} places",
                ServiceWarning,
                stacklevel=2,
            )
