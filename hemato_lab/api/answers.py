"""What an answer means: pure functions from an `Answer` to a typed result or a typed error.

Whatever a server sends, nothing but the results named here and the package's own errors comes out.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from hemato_lab.api.models import Hello, Wire
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
    NotJSONError,
    RedirectRefusedError,
    ReportFormatError,
    ReportNotReadyError,
    SchemaMismatchError,
    ServerError,
    StudyClosedError,
    TeapotError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from hemato_lab.report import Report
from hemato_lab.report.document import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.api.messages import Answer, Request
    from hemato_lab.api.redaction import Secrets

logger = logging.getLogger(__name__)
Model = TypeVar("Model", bound=Wire)

STUDY_CLOSED: Final = "study_closed"
REPORT_NOT_READY: Final = "report_not_ready"
_DEEPEST: Final = 64
_LONGEST_MESSAGE: Final = 500
_LONGEST_TEXT: Final = 2000
_MOST_NODES: Final = 200
"""What is kept of an error's debug_info: texts up to a length, and so many values; an error is no place for a book."""
CLOCKS_DIFFER_S: Final = 60.0
"""More than this between two clocks is worth a word when a token is refused."""

_BY_STATUS: Final[dict[int, tuple[type[APIError], str, str]]] = {
    400: (BadRequestError, "the request is invalid", "see error and debug_info of this exception"),
    401: (UnauthorizedError, "the token is refused", "hello() lists the reasons"),
    403: (ForbiddenError, "the token does not permit this", "ask for the role or region that does"),
    404: (NotFoundError, "not found", "check the id; another organisation's study is answered so too"),
    405: (MethodNotAllowedError, "the method is not one of this resource", "check the address of the service"),
    406: (NotAcceptableError, "the service answers in JSON only", "ask for application/json"),
    418: (TeapotError, "the service is a teapot", "it says so for debugging only"),
    429: (ThrottledError, "too many requests", "wait, then try again"),
    500: (ServerError, "the service had a problem of its own", "try again later"),
    503: (UnavailableError, "the service is temporarily offline", "try again later"),
}


class ServiceWarning(UserWarning):
    """The service contradicts itself or its document, in a way that can be lived with."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is needed to read an answer: what was asked, our clock, and the secrets to blot out.

    Contradictions that can be lived with are left in `remarks`; the caller warns of them when all else is done.
    """

    request: Request
    now: float
    secrets: Secrets
    skew_s: float = 0.0
    remarks: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """What errors are about."""
        return self.request.study_id or self.request.name


def document_of(answer: Answer, reading: Reading) -> dict[str, Any]:
    """Return the JSON object of a successful answer.

    Raises
    ------
    HematoError
        Of the answer's status, if it is not one of 2xx; NotJSONError or SchemaMismatchError if it is no JSON object.
    """
    if not answer.succeeded:
        raise error_of(answer, reading)
    try:
        document = parse(answer.body)
    except ReportFormatError:
        problem = f"answered {answer.status} with something that is no JSON"
        raise NotJSONError(problem, subject=reading.subject, hint="check the address; a proxy may answer") from None
    if not isinstance(document, dict):
        raise SchemaMismatchError("the answer is no JSON object", subject=reading.subject, hint=_WRONG)
    if _is_deep(document):
        raise SchemaMismatchError("the answer is nested too deeply", subject=reading.subject, hint=_WRONG)
    stated = document.get("status")
    if isinstance(stated, int) and not isinstance(stated, bool) and stated != answer.status:
        if 400 <= stated < 600 and not document.get("results"):
            error = error_of(answer, reading, status=stated, document=document)
            error.outcome = "unknown"  # HTTP says that it was done
            raise error
        reading.remarks.append(
            f"{reading.request.name}: the body says status {str(stated)[:20]}, HTTP says {answer.status}"
        )
    return document


def _is_deep(document: dict[str, Any]) -> bool:
    """Tell whether JSON is so deep that what copies or reads it by recursion could fail."""
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        members = (member for each in level for member in (each.values() if isinstance(each, dict) else each))
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return False
    return True


_WRONG: Final = "the service may have changed; see .raw of a good answer and the vendor's document"


def results_of(document: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Return the results of an envelope.

    Raises
    ------
    SchemaMismatchError
        If there are none.
    """
    results = document.get("results")
    if not isinstance(results, dict):
        raise SchemaMismatchError("the answer has no results", subject=reading.subject, hint=_WRONG)
    return results


def read(model: type[Model], answer: Answer, reading: Reading) -> Model:
    """Return the typed results of an answer, once they are about what was asked.

    Raises
    ------
    HematoError
        As `document_of`; SchemaMismatchError for other members, or another study.
    """
    document = document_of(answer, reading)
    return _model(model, results_of(document, reading), document, reading)


def read_bare(model: type[Model], answer: Answer, reading: Reading) -> Model:
    """Return the typed results of an answer that may come without an envelope, as the heartbeat does."""
    document = document_of(answer, reading)
    return _model(model, document.get("results", document), document, reading)


def read_hello(answer: Answer, reading: Reading) -> Hello:
    """Return whether a token is accepted; a refusal is a result here, with its reasons in words."""
    try:
        document = document_of(answer, reading)
    except UnauthorizedError:
        document = _document_or_nothing(answer)
    else:
        return Hello.of({"accepted": True, "claims": results_of(document, reading)}, document)
    reasons = _reasons(document, reading) + _clock_reason(answer, reading)
    return Hello.of({"accepted": False, "reasons": reasons}, _kept(document, reading))


def read_report(answer: Answer, reading: Reading) -> Report:
    """Return the report of a study.

    Raises
    ------
    ReportNotReadyError
        For 404, and for 202 without results (api/DECISIONS.md row 17).
    SchemaMismatchError
        If it is no report, or another study's.
    """
    document = _document_of_report(answer, reading)
    results = results_of(document, reading)
    try:
        if "pbs_study_id" not in results and "pbs_id" in results:  # row 1
            document = {**document, "results": {"pbs_study_id": results["pbs_id"], **results}}
            report = Report.from_json(document)
        else:
            report = Report.from_json(answer.body)
    except ReportFormatError as error:
        place = reading.secrets.scrub(error.subject[:_LONGEST_TEXT])[:80]
        problem = f"the report does not follow the documented schema at {place}"
        raise SchemaMismatchError(problem, subject=reading.subject, hint=_WRONG) from None
    if report.pbs_study_id != reading.request.study_id:
        raise _about_another(reading)
    return report


def read_task_report(model: type[Model], task: str, answer: Answer, reading: Reading) -> Model:
    """Return the report of one task in the later dialect; raises as `read_report`."""
    document = _document_of_report(answer, reading)
    results = results_of(document, reading)
    reports = results.get("report")
    stated = results.get("pbs_study_id", reading.request.study_id)
    if stated != reading.request.study_id:
        raise _about_another(reading)
    if not isinstance(reports, dict) or task not in reports:
        raise SchemaMismatchError("the answer has no report of this task", subject=reading.subject, hint=_WRONG)
    return _model(model, reports[task], document, reading)


def _document_of_report(answer: Answer, reading: Reading) -> dict[str, Any]:
    """Return the document of an answer that may say, by HTTP or in its body, that there is no report yet (row 17)."""
    try:
        document = document_of(answer, reading)
    except NotFoundError:
        document = None
    if document is None or (202 in (answer.status, document.get("status")) and not document.get("results")):
        raise _not_ready(reading)
    return document


def _model(model: type[Model], results: Any, document: dict[str, Any], reading: Reading) -> Model:
    try:
        result = model.of(results, document)
    except ValidationError as error:
        places = sorted(
            # Only names that the document knows: those of the answer may be anything.
            {str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"][:1]}
            & set(model.model_fields)
        )
        problem = f"the answer does not follow the documented shape at {', '.join(places) or 'results'}"
        raise SchemaMismatchError(problem, subject=reading.subject, hint=_WRONG) from None
    asked = reading.request.study_id
    if asked and getattr(result, "pbs_study_id", asked) != asked:
        raise _about_another(reading)
    return result


def _about_another(reading: Reading) -> SchemaMismatchError:
    return SchemaMismatchError("the answer is about another study", subject=reading.subject, hint="ask again")


def _not_ready(reading: Reading) -> ReportNotReadyError:
    return ReportNotReadyError("there is no report yet", subject=reading.subject, hint="wait() for it, or check the id")


def error_of(
    answer: Answer, reading: Reading, *, status: int | None = None, document: dict[str, Any] | None = None
) -> HematoError:
    """Return the error that an answer is, with the service's own words in their three parts (row 34)."""
    code = answer.status if status is None else status
    said = _document_or_nothing(answer) if document is None else document
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
        debug_info=_kept(debug, reading) if isinstance(debug, dict) else None,
        retry_after_s=retry_after_s(answer.headers, reading.now + reading.skew_s),
    )


def _unauthorized(message: str, answer: Answer, reading: Reading) -> tuple[type[APIError], str, str]:
    if not reading.request.authenticated:
        return UnauthorizedError, "the login is refused", "check user and password"
    words = message.lower().replace(_VAGUE, "")
    if _clock_reason(answer, reading) or "future" in words or "skew" in words:
        return ClockSkewError, "the token is refused, and the clocks differ", "set the clock of this machine"
    if "expired" in words or "too old" in words:
        return ExpiredTokenError, "the token has expired", "log in again, or sign a new token"
    return _BY_STATUS[401]


def _clock_reason(answer: Answer, reading: Reading) -> list[str]:
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


def _reasons(document: dict[str, Any], reading: Reading) -> list[str]:
    """Return the reasons of a refusal: the service's own words, explained where only a code came."""
    debug = document.get("debug_info")
    listed = debug.get("reasons") if isinstance(debug, dict) else None
    found = listed if isinstance(listed, list) else [document.get("user_message") or document.get("error")]
    texts = [_text(each, reading) for each in found[:_MOST_NODES]]
    meanings = {text: _meaning(text.lower().replace("-", "_")) for text in texts if " " not in text}
    return [f"{meanings[text]} ({text})" if meanings.get(text) else text for text in texts if text]


def _has_code(message: str, code: str) -> bool:
    return code in message.lower().replace("-", "_").replace(" ", "_")


def _document_or_nothing(answer: Answer) -> dict[str, Any]:
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
    text = value[: 2 * _LONGEST_TEXT].encode("utf-8", "replace").decode()  # half a surrogate can be printed nowhere
    return " ".join(reading.secrets.scrub_beginning(text, _LONGEST_TEXT).split())[:_LONGEST_MESSAGE]


def _kept(document: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Return JSON for people to look at: the beginning of it, without secrets."""
    shorten = partial(reading.secrets.scrub_beginning, length=_LONGEST_TEXT)
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


def warn_of_service(message: str) -> None:
    """Warn of a contradiction that can be lived with."""
    logger.warning(message)
    warnings.warn(message, ServiceWarning, stacklevel=2)
