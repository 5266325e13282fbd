"""Errors of the service, the way to it, and what comes back: what goes wrong between two machines.

No error here holds a token, a signed address or a body that was sent. What the service says of an error is kept in
three parts, because only `APIError.user_message` is meant for people (api/DECISIONS.md row 34).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors.root import HematoError, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping


class TransportError(HematoError):
    """A request did not reach the service, or its answer did not come back."""

    code = "transport"
    retryable = True

    def __init__(self, problem: str, *, subject: str = "", hint: str = "", outcome: Outcome = "nothing done") -> None:
        super().__init__(problem, subject=subject, hint=hint)
        self.outcome = outcome


class ConnectionFailedError(TransportError):
    """No connection could be made, or it broke."""

    code = "connection-failed"


class TimedOutError(TransportError):
    """One phase of an exchange (connect, write, read) took longer than it may."""

    code = "timed-out"


class DeadlineError(TransportError):
    """The whole call took longer than it may."""

    code = "deadline"


class TLSError(TransportError):
    """The encrypted connection could not be set up; the certificate is not trusted, or the other side speaks no TLS."""

    code = "tls"
    retryable = False


class OutcomeUnknownError(TransportError):
    """The request may have been done and must not be repeated blindly."""

    code = "outcome-unknown"
    retryable = False


class APIError(HematoError):
    """The service answered with an error.

    Attributes
    ----------
    status : int
        HTTP status.
    error : str
        The service's own message, for engineers; secrets in it are blotted out.
    user_message : str
        The service's words for people.
    debug_info : mapping
        As sent, secrets blotted out.
    retry_after_s : float or None
        How long the service asks to wait.
    """

    code = "api"
    status: int = 0

    def __init__(
        self,
        problem: str,
        *,
        subject: str = "",
        hint: str = "",
        status: int | None = None,
        error: str = "",
        user_message: str = "",
        debug_info: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(problem, subject=subject, hint=hint)
        self.status = type(self).status if status is None else status
        self.error = error
        self.user_message = user_message
        self.debug_info = dict(debug_info or {})
        self.retry_after_s = retry_after_s
        self.retryable = self.status in RETRYABLE_STATUSES
        self.outcome = "refused" if 400 <= self.status < 500 or self.status == 503 else "unknown"


RETRYABLE_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which the same request may succeed (api/DECISIONS.md section 4)."""


class BadRequestError(APIError):
    """400: the request is invalid."""

    code = "bad-request"
    status = 400


class UnauthorizedError(APIError):
    """401: the token is not signed by a known key, or not valid."""

    code = "unauthorized"
    status = 401


class ExpiredTokenError(UnauthorizedError):
    """401: the token has expired."""

    code = "expired-token"


class ClockSkewError(UnauthorizedError):
    """401: the clocks of this machine and of the service differ too much."""

    code = "clock-skew"


class ForbiddenError(APIError):
    """403: the token does not permit this."""

    code = "forbidden"
    status = 403


class NotFoundError(APIError):
    """404: there is no such study, or it is another organisation's."""

    code = "not-found"
    status = 404


class MethodNotAllowedError(APIError):
    """405: the method is not one of this resource."""

    code = "method-not-allowed"
    status = 405


class NotAcceptableError(APIError):
    """406: something else than JSON was asked for."""

    code = "not-acceptable"
    status = 406


class TeapotError(APIError):
    """418: the service is a teapot; it says so for debugging."""

    code = "teapot"
    status = 418


class ThrottledError(APIError):
    """429: too many requests; see `retry_after_s`."""

    code = "throttled"
    status = 429


class ServerError(APIError):
    """500: the service had a problem of its own."""

    code = "server"
    status = 500


class UnavailableError(APIError):
    """503: the service is temporarily offline; see `retry_after_s`."""

    code = "unavailable"
    status = 503


class ResponseError(HematoError):
    """An answer came that cannot be used."""

    code = "response"
    outcome = "unknown"


class NotJSONError(ResponseError):
    """The answer is no JSON: a page of a proxy, or cut short."""

    code = "not-json"
    retryable = True


class TruncatedResponseError(ResponseError):
    """The connection ended before the answer did."""

    code = "truncated"
    retryable = True


class SchemaMismatchError(ResponseError):
    """The answer is JSON, but not of the documented shape, or about something else than was asked."""

    code = "schema-mismatch"
    retryable = True


class ResponseTooLargeError(ResponseError):
    """The answer is longer than the limit, packed or unpacked; reading stopped there."""

    code = "response-too-large"
    retryable = True


class StudyError(HematoError):
    """A study cannot go on as asked."""

    code = "study"


class StudyFailedError(StudyError):
    """The service says that the study failed."""

    code = "study-failed"


class ReportNotReadyError(StudyError):
    """The report does not exist yet."""

    code = "report-not-ready"
    retryable = True


class StudyClosedError(StudyError):
    """Tasks were requested already, so no more files can be added."""

    code = "study-closed"


class OtherFilesError(StudyError):
    """The report, or an acknowledgement, is about other files than those that were uploaded."""

    code = "other-files"


class CallbackError(HematoError):
    """A call from outside that is not one of the service's."""

    code = "callback"


class ForgedCallbackError(CallbackError):
    """The signature in the address is not ours."""

    code = "forged-callback"


class StaleCallbackError(CallbackError):
    """The address is no longer, or not yet, valid."""

    code = "stale-callback"


class ReplayedCallbackError(CallbackError):
    """The address was used up when its study ended."""

    code = "replayed-callback"


class SecurityError(HematoError):
    """Something unsafe was refused."""

    code = "security"


class InsecureAddressError(SecurityError):
    """The address is plain http beyond this machine, or holds a user name, or is no address at all."""

    code = "insecure-address"


class BlockedAddressError(SecurityError):
    """The address leads to a machine that must not be reached: this one, its network, or one that is not public."""

    code = "blocked-address"


class RedirectRefusedError(SecurityError):
    """The service sent the client elsewhere; credentials are never carried along."""

    code = "redirect-refused"
    retryable = True
