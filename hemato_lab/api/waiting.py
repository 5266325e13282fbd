"""Waiting for a study, and patience with errors that may pass."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeVar

from hemato_lab.api import requests
from hemato_lab.api.calls import Calls
from hemato_lab.api.effects import pause, work
from hemato_lab.api.models import STATUSES
from hemato_lab.errors import (
    APIError,
    DeadlineError,
    HematoError,
    ReportNotReadyError,
    StudyFailedError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.models import StudyStatus
    from hemato_lab.api.requests import Study

logger = logging.getLogger(__name__)
T = TypeVar("T")
DEFAULT_WAIT_S: Final = 1800.0
_ROUNDS_OF_NONSENSE: Final = 3
"""So many rounds of tries may end with an answer that came and cannot be used; the service has changed then."""


class Waiting(Calls):
    """Calls that take as long as a study does."""

    def wait(
        self, study: Study, *, task: str | None = None, deadline_s: float = DEFAULT_WAIT_S
    ) -> Operation[StudyStatus]:
        """Wait until the report of a study is ready (workflow 1, step 4).

        The status is asked for with growing pauses; a callback, if there is one, cuts the pause short.

        Parameters
        ----------
        study : str or StudyCreated
            The study, or its id.
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
        study_id = requests.id_of(study)
        until = self.caller.clock.monotonic() + deadline_s
        subject = yield from self._subject(study_id)
        polls, known = 0, "nothing was heard of it"

        def ask() -> Operation[StudyStatus]:
            return self.status(study_id, task, limit_s=self.left(until))

        while True:
            try:
                found = yield from self.patiently(ask, until)
            except DeadlineError:
                raise _not_in_time(study_id, deadline_s, known) from None
            word = self.caller.secrets.scrub_beginning(found.report_status, 40)
            before, known = known, f"{word}, {found.progress:.0%}"
            if known != before:
                logger.info("%s: %s", study_id, known)
            if found.is_ready or found.is_failed:
                self._spend(subject)
            if found.is_ready:
                return found
            if found.is_failed:
                raise self.failure_of(study_id, found)
            left = until - self.caller.clock.monotonic()
            if left <= 0:
                raise _not_in_time(study_id, deadline_s, known)
            wait_s = min(left, self.caller.policy.poll_wait_s(polls))
            polls += 1
            yield from pause(wait_s, hints=self.callbacks.hints if self.callbacks else None, subject=subject)

    def failure_of(self, study_id: str, found: StudyStatus) -> StudyFailedError:
        """Return the error of a study that the service says failed."""
        said = self.caller.secrets.scrub_beginning(found.progress_message, 500)
        return StudyFailedError(
            f"the service says that it failed: {said}".rstrip(": "), subject=study_id, hint="run it once more"
        )

    def _subject(self, study_id: str) -> Operation[str]:
        """Return what callbacks about a study are signed for; in workflow 2 that was done before it had an id."""
        known = yield from work(self.journal.study, self.address, study_id)
        return study_id if known is None or not known.reference else known.reference

    def _spend(self, subject: str) -> None:
        if self.callbacks is not None:
            self.callbacks.spend(subject)

    def left(self, until: float, most: float | None = None) -> float:
        """Return the seconds that one call may take."""
        longest = self.caller.policy.call_s if most is None else most
        return min(longest, max(0.001, until - self.caller.clock.monotonic()))

    def patiently(self, make: Callable[[], Operation[T]], until: float) -> Operation[T]:
        """Repeat an operation whose errors may pass, until a time; each has its own tries and waits already."""
        rounds, nonsense = 0, 0
        while True:
            try:
                return (yield from make())
            except HematoError as caught:
                error = caught
            rounds += 1
            nonsense += not isinstance(error, TransportError | APIError | ReportNotReadyError)
            wait_s = self.caller.policy.wait_s(rounds, error)
            no_time = self.caller.clock.monotonic() + wait_s >= until
            if no_time or not error.retryable or nonsense >= _ROUNDS_OF_NONSENSE:
                raise error
            logger.info("%s, next round in %.1f s", error.code, wait_s)
            yield from pause(wait_s)


def _not_in_time(study_id: str, deadline_s: float, known: str) -> DeadlineError:
    problem = f"not ready after {deadline_s:.3g} s: {known}"
    under_way = known.partition(",")[0] in STATUSES
    hint = "wait once more, it goes on" if under_way else "wait once more, if its tasks were requested"
    return DeadlineError(problem, subject=study_id, hint=hint)
