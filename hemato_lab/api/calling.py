"""One call with all its tries: credentials, deadline, waits, and what is tried again (api/DECISIONS.md section 4)."""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from hemato_lab import __version__
from hemato_lab.api import requests
from hemato_lab.api.answers import read
from hemato_lab.api.auth import Audience
from hemato_lab.api.bodies import ACCEPTED_ENCODINGS
from hemato_lab.api.effects import pause, send, work
from hemato_lab.api.messages import REQUEST_ID_HEADER, Outgoing
from hemato_lab.api.models import Login
from hemato_lab.api.policy import Policy, server_time
from hemato_lab.api.reading import Reading, warn_of_service
from hemato_lab.api.redaction import Secrets
from hemato_lab.errors import CredentialError, DeadlineError, HematoError, StudyError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from hemato_lab.api.auth import Authentication
    from hemato_lab.api.clock import Clock
    from hemato_lab.api.effects import Operation
    from hemato_lab.api.messages import Answer, Request
    from hemato_lab.api.regions import Endpoint

logger = logging.getLogger(__name__)
T = TypeVar("T")

_LONG_ANSWER: Final = 1 << 18
_NOTICED_SKEW_S: Final = 2.0
_BELIEVED_SKEW_S: Final = 86400.0
"""A service whose clock is further off is not followed: tokens for another day would be signed on its word."""


@dataclass(frozen=True, slots=True)
class Tries(Generic[T]):
    """What is to happen around each try of a call; all operations.

    Attributes
    ----------
    may_repeat : callable or None
        Tells of an error whether the request may be sent again at all; None repeats freely.
    begin : callable or None
        Before each try, with the id that goes along with it.
    accept : callable or None
        After a try that brought a result, with its id and the result; an error it raises is the try's.
    end : callable or None
        After a failed try, with its id and error.
    """

    may_repeat: Callable[[HematoError], bool] | None = None
    begin: Callable[[str], Operation[None]] | None = None
    accept: Callable[[str, T], Operation[None]] | None = None
    end: Callable[[str, HematoError], Operation[None]] | None = None


class Caller:
    """Makes calls to one address on behalf of one user.

    Parameters
    ----------
    endpoint : Endpoint
        Where.
    authentication : Authentication or None
        Who; None can call only what needs no token.
    policy : Policy
        How often and how long.
    clock : Clock
        The time.
    auth_scheme : str
        ``raw`` as the document has it, or ``bearer`` (api/DECISIONS.md row 5).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        authentication: Authentication | None,
        *,
        policy: Policy,
        clock: Clock,
        auth_scheme: str,
    ) -> None:
        self.endpoint = endpoint
        self.authentication = authentication
        self.policy = policy
        self.clock = clock
        self.secrets = Secrets()
        self._scheme = auth_scheme
        self._skew_s = 0.0
        self._claimed: set[str] = set()
        self._lock = threading.Lock()

    @property
    def skew_s(self) -> float:
        """Seconds that the service's clock is ahead of ours, learned from its answers."""
        return self._skew_s

    def warn(self, message: str) -> None:
        """Warn of a contradiction of the service's that can be lived with; its own words may hold our secrets."""
        warn_of_service(self.secrets.scrub(message))

    def claim(self, study_id: str) -> bool:
        """Tell whether an answer is the first of this process to name a new study."""
        with self._lock:
            is_first = study_id not in self._claimed
            self._claimed.add(study_id)
            return is_first

    def log_in(self, limit_s: float | None, user: str, pass_hash: SecretStr) -> Operation[Login]:
        """Ask for a session's token, within seconds."""
        self.secrets.hold(pass_hash.get_secret_value())
        request = requests.login(user, pass_hash.get_secret_value())
        return (yield from self.call(request, partial(read, Login), limit_s=limit_s))

    def call(
        self,
        request: Request,
        understand: Callable[[Answer, Reading], T],
        *,
        limit_s: float | None = None,
        tries: Tries[T] | None = None,
    ) -> Operation[T]:
        """Send a request until its answer can be used, and return what it means.

        Parameters
        ----------
        request : Request
            What to ask.
        understand : callable
            Turns the answer into a result or an error.
        limit_s : float or None
            Seconds for all tries; that of the policy when None.
        tries : Tries or None
            What happens around each.

        Raises
        ------
        HematoError
            The error of the last try; DeadlineError when the time was over in the middle of one.
        """
        around: Tries[T] = Tries() if tries is None else tries
        total_s = self.policy.call_s if limit_s is None else limit_s
        deadline = self.clock.monotonic() + total_s
        count, renewed, refused = 0, False, None
        while True:
            count += 1
            # A login has tries of its own; when they are used up nothing was asked, so nothing is to be noted.
            token = yield from self._token(request, refused, deadline)
            request_id = str(uuid.uuid4())
            if around.begin is not None:
                yield from around.begin(request_id)
            try:
                answer = yield from self._exchange(request, request_id, token, deadline)
                reading = Reading(request, self.clock.wall(), self.secrets, self._skew_s)
                # Long reports take seconds to read, in which an event loop must not stand still.
                is_long = len(answer.body) > _LONG_ANSWER
                result = (yield from work(understand, answer, reading)) if is_long else understand(answer, reading)
                if around.accept is not None:
                    yield from around.accept(request_id, result)
                for remark in reading.remarks:
                    self.warn(remark)
                return result  # noqa: TRY300 (an else would come after the accept of another try)
            except HematoError as caught:
                error = _with_total(caught, total_s, deadline - self.clock.monotonic())
            if around.end is not None:
                yield from around.end(request_id, error)
            if isinstance(error, UnauthorizedError) and not renewed and self._can_renew(token):
                refused, renewed = token, True
                continue
            wait_s = self._wait_s(count, error, around.may_repeat, deadline)
            logger.info("%s: try %d ended with %s, next in %.1f s", request.name, count, error.code, wait_s)
            yield from pause(wait_s)

    def _wait_s(
        self, count: int, error: HematoError, may_repeat: Callable[[HematoError], bool] | None, deadline: float
    ) -> float:
        """Return how long to wait before the next try; raises the error if there is none."""
        # What a study says of itself (not ready yet) does not change by asking at once: that is what wait() is for.
        allowed = not isinstance(error, StudyError) and (may_repeat is None or may_repeat(error))
        if not allowed or not self.policy.tries_left(count, error):
            raise error
        wait_s = self.policy.wait_s(count, error)
        if wait_s >= deadline - self.clock.monotonic():
            raise error
        return wait_s

    def _can_renew(self, token: SecretStr | None) -> bool:
        return token is not None and self.authentication is not None and self.authentication.renewable

    def _token(self, request: Request, refused: SecretStr | None, deadline: float) -> Operation[SecretStr | None]:
        if not request.authenticated:
            return None
        if self.authentication is None:
            raise CredentialError(
                "needs credentials", subject=request.name, hint="give auth=PasswordAuth, KeyAuth or TokenAuth"
            )
        left = max(0.001, deadline - self.clock.monotonic())
        token = yield from self.authentication.token(self.audience(left), refused)
        self.secrets.hold(token.get_secret_value())
        return token

    def audience(self, limit_s: float | None = None) -> Audience:
        """Return whom our tokens are for, and how to log in within seconds."""
        log_in = partial(self.log_in, limit_s)
        return Audience(self.endpoint.base_url, self.endpoint.audience, self.server_now, self.clock.monotonic, log_in)

    def server_now(self) -> float:
        """Return the Unix time by the service's clock."""
        return self.clock.wall() + self._skew_s

    def _exchange(
        self, request: Request, request_id: str, token: SecretStr | None, deadline: float
    ) -> Operation[Answer]:
        began = self.clock.monotonic()
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_ENCODINGS,
            "User-Agent": f"hemato_lab/{__version__}",
            REQUEST_ID_HEADER: request_id,
            **request.headers,
        }
        if request.content_type:
            headers["Content-Type"] = request.content_type
        if token is not None:
            headers["Authorization"] = ("Bearer " if self._scheme == "bearer" else "") + token.get_secret_value()
        outgoing = Outgoing(
            request, self.endpoint.base_url + request.path, headers, self.policy.timeouts, max(0.001, deadline - began)
        )
        del headers
        answer = yield from send(outgoing)
        logger.debug("%s: %d in %.3f s", request.name, answer.status, self.clock.monotonic() - began)
        self._learn_skew(answer)
        return answer

    def _learn_skew(self, answer: Answer) -> None:
        theirs = server_time(answer.headers)
        if theirs is None:
            return
        skew = theirs - self.clock.wall()
        with self._lock:
            # A Date has whole seconds, so a second's difference is none.
            self._skew_s = skew if _NOTICED_SKEW_S < abs(skew) < _BELIEVED_SKEW_S else 0.0


def _with_total(error: HematoError, total_s: float, left_s: float) -> HematoError:
    """Return the error with the whole time of the call in its words, not what was left of it for the last try."""
    if not isinstance(error, DeadlineError) or left_s > 0:
        return error
    return DeadlineError(
        f"took longer than the {total_s:.4g} s it may",
        subject=error.subject,
        hint="give it more time, or try again later",
        outcome=error.outcome,
    )
