"""Asking for the tasks of a study: once, even when the answer is lost (api/DECISIONS.md section 4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hemato_lab.api import requests
from hemato_lab.api.answers import read
from hemato_lab.api.calling import Tries
from hemato_lab.api.calls import Calls
from hemato_lab.api.effects import pause, work
from hemato_lab.api.journal import OPEN, TASKS_ACCEPTED, TASKS_ASKED
from hemato_lab.api.models import QUEUED, STATUSES, TasksAccepted
from hemato_lab.api.policy import certainly_not_done
from hemato_lab.errors import ConfigError, HematoError, NotFoundError, StudyClosedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.messages import Request
    from hemato_lab.api.requests import Study


_POLLS_OF_QUEUED: Final = 4


class Tasking(Calls):
    """The call that closes a study."""

    def request_tasks(
        self,
        study: Study,
        tasks: Sequence[str] | None = None,
        *,
        callback_url: str | None = None,
        limit_s: float | None = None,
    ) -> Operation[TasksAccepted]:
        """Ask for the tasks of a study, which closes it for uploads (workflow 1, step 3).

        When a try ends without an answer, the status tells whether it was heard before it is repeated.

        Parameters
        ----------
        study : str or StudyCreated
            The study, or its id.
        tasks : sequence of str or None
            What to do; the dialect's one task when None.
        callback_url : str or None
            Called when the report is ready; the client's own callbacks are used when there are any and this is None.
        limit_s : float or None
            Seconds for all of it; those of a call when None.

        Raises
        ------
        StudyClosedError
            If tasks were requested before.
        HematoError
            Of the last try.
        """
        study_id = requests.id_of(study)
        names = self.tasks_or_default(tasks)
        deadline = self.caller.clock.monotonic() + (self.caller.policy.call_s if limit_s is None else limit_s)
        if callback_url is None and self.callbacks is not None:
            callback_url = self.callbacks.url(study_id)
        request = requests.request_tasks(study_id, names, callback_url)
        known = yield from work(self.journal.study, self.address, study_id)
        maybe_heard = known is not None and known.state == TASKS_ASKED
        if known is not None and (known.state not in {OPEN, TASKS_ASKED} or (maybe_heard and known.tasks != names)):
            raise _closed(study_id, known.tasks)
        yield from self.note(study_id, TASKS_ASKED, names)
        accepted = yield from self._until_heard(request, names, deadline, maybe_heard=maybe_heard)
        yield from self.note(study_id, TASKS_ACCEPTED, names)
        return accepted

    def _until_heard(
        self, request: Request, tasks: tuple[str, ...], deadline: float, *, maybe_heard: bool
    ) -> Operation[TasksAccepted]:
        """Ask until the request was heard for certain; between two tries the status is read if it may have been."""
        heard = TasksAccepted(pbs_study_id=request.study_id, tasks=list(tasks))
        count = 0
        while True:
            if maybe_heard and (yield from self._was_heard(request.study_id, tasks[0], deadline)):
                return heard
            count += 1
            left = max(0.001, deadline - self.caller.clock.monotonic())
            once: Tries[TasksAccepted] = Tries(may_repeat=lambda error: False)  # noqa: ARG005 (none)
            try:
                return (yield from self.caller.call(request, partial(read, TasksAccepted), limit_s=left, tries=once))
            except StudyClosedError:
                if maybe_heard:
                    return heard
                yield from self.note(request.study_id, TASKS_ACCEPTED)
                raise
            except HematoError as caught:
                error = caught
            maybe_heard = maybe_heard or not (certainly_not_done(error) or isinstance(error, ConfigError))
            wait_s = self.caller.policy.wait_s(count, error)
            no_time = wait_s >= deadline - self.caller.clock.monotonic()
            if no_time or not self.caller.policy.tries_left(count, error):
                if not maybe_heard:
                    yield from self.note(request.study_id, OPEN)
                raise error
            yield from pause(wait_s)

    def _was_heard(self, study_id: str, task: str, deadline: float) -> Operation[bool]:
        """Tell by its status whether a study has tasks.

        ``queued`` without progress may be said of one that still waits to be asked (the document knows no word for
        that). If it stays so for a while, asking once more tells, as a closed study refuses.
        """
        for poll in range(_POLLS_OF_QUEUED):
            left = max(0.001, deadline - self.caller.clock.monotonic())
            try:
                found = yield from self.status(study_id, task, limit_s=left)
            except NotFoundError:
                return False
            if found.report_status != QUEUED or found.progress > 0:
                return found.report_status in STATUSES
            yield from pause(min(left, self.caller.policy.poll_wait_s(poll)))
        return False


def _closed(study_id: str, tasks: Sequence[str]) -> StudyClosedError:
    asked = f" ({', '.join(tasks)})" if tasks else ""
    return StudyClosedError(f"tasks were requested already{asked}", subject=study_id, hint="wait for its report")
