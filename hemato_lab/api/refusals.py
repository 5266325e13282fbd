"""What a refusal means: pure functions from an answer that is none of 2xx to a typed error, in words for people."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hemato_lab.api.models import Wire
from hemato_lab.api.policy import retry_after_s, server_time
from hemato_lab.errors import (
    APIError,
    BadRequestError,
    ClockSkewError,
    ExpiredTokenError,
    ForbiddenError,
    HematoError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    RedirectRefusedError,
    ReportFormatError,
    ServerError,
    StudyClosedError,
    TeapotError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from hemato_lab.report.document import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.api.messages import Answer
    from hemato_lab.api.reading import Reading

Model = TypeVar("Model", bound=Wire)

STUDY_CLOSED: Final = "study_closed"
_DEEPEST: Final = 64
_LONGEST_MESSAGE: Final = 500
LONGEST_TEXT: Final = 2000
_MOST_NODES: Final = 200
"""What is kept of an error's debug_info: texts up to a length, and so many values; an error is no place for a book."""
CLOCKS_DIFFER_S: Final = 60.0
"""More than this between two clocks is worth a word when a token is refused."""

_BY_STATUS: Final[dict[int, tuple[type[APIError], str, str]]] = {
    400: (BadRequestError, "the request is invalid", "see error and debug_info of this exception"),
    401: (UnauthorizedError, "the token is refused", "hello lists the reasons"),
    403: (ForbiddenError, "the token does not permit this", "ask for the role or region that does"),
    404: (NotFoundError, "not found", "check the id; another organisation's study is answered so too"),
    405: (MethodNotAllowedError, "the method is not one of this resource", "check the address of the service"),
    406: (NotAcceptableError, "the service answers in JSON only", "ask for application/json"),
    418: (TeapotError, "the service is a teapot", "it says so for debugging only"),
    429: (ThrottledError, "too many requests", "wait, then try again"),
    500: (ServerError, "the service had a problem of its own", "try again later"),
    503: (UnavailableError, "the service is temporarily offline", "try again later"),
}


def error_of(
    answer: Answer, reading: Reading, *, status: int | None = None, document: dict[str, Any] | None = None
) -> HematoError:
    """Return the error that an answer is, with the service's own words in their three parts (row 34)."""
    code = answer.status if status is None else status
    said = document_or_nothing(answer) if document is None else document
    if 300 <= code < 400:
        problem = "the service sends the client elsewhere, where credentials must not go"
        return RedirectRefusedError(problem, subject=reading.subject, hint="check the address and the region")
    message = _text(said.get("error"), reading)
    if code == 400 and _has_code(message, STUDY_CLOSED):
        problem = "tasks were requested already, so no more can be added"
        return StudyClosedError(problem, subject=reading.subject, hint="create a new study")
    kind, problem, hint = _BY_STATUS.get(code, (APIError, f"the service answered {code}", "try again later"))
    if code == 401:
        kind, problem, hint = _unauthorized(message, answer, reading)
    for_people = _text(said.get("user_message"), reading)
    debug = said.get("debug_info")
    return kind(
        for_people or problem,
        subject=reading.subject,
        hint=hint,
        status=code,
        error=message,
        user_message=for_people,
        debug_info=kept(debug, reading) if isinstance(debug, dict) else None,
        retry_after_s=retry_after_s(answer.headers, reading.now + reading.skew_s),
    )


def _unauthorized(message: str, answer: Answer, reading: Reading) -> tuple[type[APIError], str, str]:
    if not reading.request.authenticated:
        return UnauthorizedError, "the login is refused", "check user and password"
    words = message.lower().replace(_VAGUE, "")
    if clock_reason(answer, reading) or "future" in words or "skew" in words:
        return ClockSkewError, "the token is refused, and the clocks differ", "set the clock of this machine"
    if "expired" in words or "too old" in words:
        return ExpiredTokenError, "the token has expired", "log in again, or sign a new token"
    return _BY_STATUS[401]


def clock_reason(answer: Answer, reading: Reading) -> list[str]:
    """Return that the clocks differ, in words, where the answer tells so."""
    theirs = server_time(answer.headers)
    if theirs is None or abs(theirs - reading.now) <= CLOCKS_DIFFER_S:
        return []
    ahead = reading.now - theirs
    return [f"the clock of this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the service's"]


_VAGUE: Final = "not correctly signed or expired"
"""The vendor's table says so of every 401."""
_CLAIMS: Final = {
    "missing_claim_": "the claim {} is missing",
    "wrong_type_": "the claim {} is not of the documented type",
}
_WORDS: Final = {
    "missing_token": "no token was sent",
    "malformed": "the token is no JSON Web Token",
    "duplicate": "a claim stands in the token twice",
    "expired": "the token has expired",
    "future": "the token was issued in the future: the clock of this machine is ahead",
    "too_old": "the token was issued more than an hour ago",
    "audience": "the token is for another host (aud)",
    "signature": "the signature does not fit the registered public key",
    "key": "the key id (kid) is not registered, or differs between payload and header",
    "kid": "the key id (kid) is not registered, or differs between payload and header",
    "issuer": "the issuer (iss) is no known organisation",
    "algorithm": "tokens must be signed with RS256",
    "role": "the role is none of admin, user, device, service, or not the user's",
    "user": "the user (sub) does not belong to the organisation of the key",
}
"""Words of a reason's code and what they mean to a person (claims of the vendor's table)."""


def _meaning(code: str) -> str:
    """Return what the code of a reason means, nothing for an unknown one or for words."""
    for prefix, meaning in _CLAIMS.items():
        if code.startswith(prefix):
            return meaning.format(code.removeprefix(prefix))
    parts = set(code.split("_"))
    return next((meaning for words, meaning in _WORDS.items() if parts.issuperset(words.split("_"))), "")


def reasons_of(document: dict[str, Any], reading: Reading) -> list[str]:
    """Return the reasons of a refusal: the service's own words, explained where only a code came."""
    debug = document.get("debug_info")
    listed = debug.get("reasons") if isinstance(debug, dict) else None
    found = listed if isinstance(listed, list) else [document.get("user_message") or document.get("error")]
    texts = [_text(each, reading) for each in found[:_MOST_NODES]]
    meanings = {text: _meaning(text.lower().replace("-", "_")) for text in texts if " " not in text}
    return [f"{meanings[text]} ({text})" if meanings.get(text) else text for text in texts if text]


def _has_code(message: str, code: str) -> bool:
    return code in message.lower().replace("-", "_").replace(" ", "_")


def document_or_nothing(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an error's answer, an empty one for a page of a proxy."""
    try:
        document = parse(answer.body)
    except ReportFormatError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Any, reading: Reading) -> str:
    """Return words of the service on one line; cut only once secrets are blotted out, as half a one is not known."""
    if not isinstance(value, str):
        return ""
    text = value[: 2 * LONGEST_TEXT].encode("utf-8", "replace").decode()  # half a surrogate can be printed nowhere
    return " ".join(reading.secrets.scrub_beginning(text, LONGEST_TEXT).split())[:_LONGEST_MESSAGE]


def kept(document: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Return JSON for people to look at: the beginning of it, without secrets."""
    shorten = partial(reading.secrets.scrub_beginning, length=LONGEST_TEXT)
    kept: dict[str, Any] = reading.secrets.scrub_tree(_beginning(document, [_MOST_NODES], shorten))
    return kept


def _beginning(value: Any, left: list[int], shorten: Callable[[str], str], depth: int = 0) -> Any:
    """Return so many values of some JSON as are left, with texts of a moderate length."""
    left[0] -= 1
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, dict) and depth < _DEEPEST:
        items = ((shorten(str(key)), item) for key, item in value.items() if left[0] > 0)
        return {key: _beginning(item, left, shorten, depth + 1) for key, item in items}
    if isinstance(value, list) and depth < _DEEPEST:
        return [_beginning(item, left, shorten, depth + 1) for item in value if left[0] > 0]
    return None if isinstance(value, dict | list) else value
