"""What an answer means: pure functions from an `Answer` to a typed result or a typed error.

Whatever a server sends, nothing but the results named here and the package's own errors comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from hemato_lab.api.models import Hello, Wire
from hemato_lab.api.refusals import LONGEST_TEXT, clock_reason, document_or_nothing, error_of, kept, reasons_of
from hemato_lab.errors import (
    NotFoundError,
    NotJSONError,
    ReportFormatError,
    ReportNotReadyError,
    SchemaMismatchError,
    UnauthorizedError,
)
from hemato_lab.report import Report
from hemato_lab.report.document import parse

if TYPE_CHECKING:
    from hemato_lab.api.messages import Answer
    from hemato_lab.api.reading import Reading

Model = TypeVar("Model", bound=Wire)

_DEEPEST: Final = 64


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
    # A login brings the token that it is about; nothing else has a reason to, and what is in an answer gets around.
    if reading.request.authenticated and reading.secrets.are_in(answer.body):
        raise SchemaMismatchError("the answer repeats a secret of ours", subject=reading.subject, hint=_WRONG)
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
        document = document_or_nothing(answer)
    else:
        return Hello.of({"accepted": True, "claims": results_of(document, reading)}, document)
    reasons = reasons_of(document, reading) + clock_reason(answer, reading)
    return Hello.of({"accepted": False, "reasons": reasons}, kept(document, reading))


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
        place = reading.secrets.scrub(error.subject[:LONGEST_TEXT])[:80]
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
    hint = "wait for it, or check the id and the version"
    return ReportNotReadyError("there is no report yet", subject=reading.subject, hint=hint)
