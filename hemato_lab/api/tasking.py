"""Asking for the tasks of a study: once, even when the answer is lost (api/DECISIONS.md section 4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hemato_lab.api import requests
from hemato_lab.api.answers import read
from hemato_lab.api.calling import Tries
from hemato_lab.api.calls import Calls
from hemato_lab.api.effects import pause, work
from hemato_lab.api.journal import OPEN, TASKS_ACCEPTED, TASKS_ASKED
from hemato_lab.api.models import STATUSES, TasksAccepted
from hemato_lab.api.policy import certainly_not_done
from hemato_lab.errors import HematoError, NotFoundError, StudyClosedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.api.effects import Operation


class Tasking(Calls):
    """The call that closes a study."""

    def request_tasks(
        self,
        study_id: str,
        tasks: Sequence[str] | None = None,
        *,
        callback_url: str | None = None,
        limit_s: float | None = None,
    ) -> Operation[TasksAccepted]:
        """Ask for the tasks of a study, which closes it for uploads (workflow 1, step 3).

        When a try ends without an answer, the status tells whether it was heard before it is repeated.

        Parameters
        ----------
        study_id : str
            The study.
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
        names = self.tasks_or_default(tasks)
        deadline = self.caller.clock.monotonic() + (self.caller.policy.call_s if limit_s is None else limit_s)
        known = yield from work(self.journal.study, self.address, study_id)
        if known is not None and known.state not in {OPEN, TASKS_ASKED}:
            raise _closed(study_id)
        maybe_heard = known is not None and known.state == TASKS_ASKED
        yield from self.note(study_id, TASKS_ASKED, names)
        count = 0
        while True:
            if maybe_heard and (yield from self._was_heard(study_id, deadline)):
                accepted = TasksAccepted(pbs_study_id=study_id, tasks=list(names))
                break
            count += 1
            try:
                accepted = yield from self._ask(study_id, names, callback_url, deadline, maybe_heard=maybe_heard)
                break
            except HematoError as caught:
                error = caught
            if not self.caller.policy.tries_left(count, error):
                raise error
            wait_s = self.caller.policy.wait_s(count, error)
            if wait_s >= deadline - self.caller.clock.monotonic():
                raise error
            yield from pause(wait_s)
            maybe_heard = maybe_heard or not certainly_not_done(error)
        yield from self.note(study_id, TASKS_ACCEPTED, names)
        return accepted

    def _ask(
        self, study_id: str, tasks: tuple[str, ...], callback_url: str | None, deadline: float, *, maybe_heard: bool
    ) -> Operation[TasksAccepted]:
        """Ask, again and again as long as it certainly was not heard."""
        if callback_url is None and self.callbacks is not None:
            callback_url = self.callbacks.url(study_id)
        request = requests.request_tasks(study_id, tasks, callback_url)
        left = max(0.001, deadline - self.caller.clock.monotonic())
        tries: Tries[TasksAccepted] = Tries(may_repeat=certainly_not_done)
        try:
            return (yield from self.caller.call(request, partial(read, TasksAccepted), limit_s=left, tries=tries))
        except StudyClosedError:
            yield from self.note(study_id, TASKS_ACCEPTED)
        if not maybe_heard:
            raise _closed(study_id)
        return TasksAccepted(pbs_study_id=study_id, tasks=list(tasks))

    def _was_heard(self, study_id: str, deadline: float) -> Operation[bool]:
        """Tell by its status whether a study has tasks: it then is one of the four documented ones."""
        left = max(0.001, deadline - self.caller.clock.monotonic())
        try:
            found = yield from self.status(study_id, limit_s=left)
        except NotFoundError:
            return False
        return found.report_status in STATUSES


def _closed(study_id: str) -> StudyClosedError:
    return StudyClosedError("tasks were requested already", subject=study_id, hint="wait for its report")
