"""What the OpenAPI document says of an operation's answers: the success, and each status of its refusals."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.twin.examples import RESULTS, VERSION
from hemato_lab.twin.refusals import MESSAGE_OF, STATUS_OF
from hemato_lab.twin.schemas import reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemato_lab.twin.surface import Operation

Part = dict[str, Any]

JSON_TYPE: Final = "application/json"
PAGE_TYPE: Final = "text/html"
REFUSAL: Final[Part] = {
    "type": "object",
    "description": "An answer that is none of 2xx.",
    "required": ["status", "results", "error", "user_message", "debug_info"],
    "properties": {
        "status": {"type": "integer", "description": "The HTTP status."},
        "results": {"type": "object", "maxProperties": 0},
        "error": {"type": "string", "description": "A code for programs."},
        "user_message": {"type": "string", "minLength": 1, "description": "Plain words for end users."},
        "debug_info": {"type": "object", "description": "For developers."},
    },
}
_STATUS_TEXTS: Final = {
    400: "The request is invalid; error says how. HTTP's 409, 413, 415 and 422 are answered so too.",
    401: "The token is missing, not signed correctly or expired, or the login is wrong. /auth/hello lists the reasons.",
    403: "The token does not permit this.",
    404: "Not found, or not there for you.",
    405: "This resource has no such method.",
    406: "Something other than JSON was asked for.",
    418: "A teapot, for debugging.",
    429: "Too many requests.",
    500: "A problem of the server.",
    503: "The server cannot do this at the moment.",
}
_RETRY_AFTER: Final[Part] = {
    "description": "Seconds to wait.",
    "required": True,
    "schema": {"type": "integer", "minimum": 0},
}
_HEADERS: Final[dict[int, Part]] = {
    405: {"Allow": {"description": "Methods that there are.", "required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}
_REASONS: Final[Part] = {
    "type": "object",
    "required": ["reasons"],
    "properties": {
        "reasons": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "Code of every reason to refuse the token.",
        }
    },
}
_DEBUG_INFO: Final = {"delta": "463.021938ms", "version": VERSION}
_AFTER_CREATION: Final = ("upload", "request_tasks", "status", "report")


def answers_of(operation: Operation) -> Part:
    """Return the Responses Object of an operation."""
    statuses = [each for each in (operation.success, operation.later_success) if each is not None]
    successes = {str(status): _success(operation, status) for status in statuses}
    return {**successes, **dict(_refusals(operation))}


def _success(operation: Operation, status: int) -> Part:
    schema, example = reference(operation.results), RESULTS[operation.results]
    around, within = _envelope(status, schema), _in_envelope(status, example)
    shown, examples = {
        "envelope": (around, {"success": within}),
        "either": ({"anyOf": [schema, around]}, {"success": example, "success_in_the_later_dialect": within}),
    }.get(operation.form, (schema, {"success": example}))
    media = {"schema": shown, "examples": _examples(examples)}
    response: Part = {
        "description": "Done.",
        "content": {PAGE_TYPE if operation.is_page else JSON_TYPE: media},
    }
    if operation.name == "create":
        response["links"] = {name: _link(name) for name in _AFTER_CREATION}
    return response


def _envelope(status: int, results: Part) -> Part:
    """Return the schema of the vendor's envelope, of which the samples leave out all members but the results."""
    return {
        "type": "object",
        "description": "The twin sends all five members.",
        "required": ["results"],
        "properties": {
            "status": {"const": status},
            "results": results,
            "error": {"const": ""},
            "user_message": {"type": "string"},
            "debug_info": {"type": "object"},
        },
    }


def _in_envelope(status: int, results: Any, error: str = "", message: str = "", **debug_info: Any) -> Part:
    return {
        "status": status,
        "results": results,
        "error": error,
        "user_message": message,
        "debug_info": {**_DEBUG_INFO, **debug_info},
    }


def _examples(values: dict[str, Any]) -> Part:
    return {name: {"value": value} for name, value in values.items()}


def _link(name: str) -> Part:
    return {"operationId": name, "parameters": {"path.study_id": "$response.body#/results/pbs_study_id"}}


def _refusals(operation: Operation) -> Iterable[tuple[str, Part]]:
    codes = sorted(operation.refusals, key=lambda code: (STATUS_OF[code], code))
    for status, of_status in groupby(codes, key=STATUS_OF.__getitem__):
        yield str(status), _refusal(operation, status, list(of_status))


def _refusal(operation: Operation, status: int, codes: list[str]) -> Part:
    narrowed: Part = {"status": {"const": status}, "error": {"enum": codes}}
    explained = {}
    if operation.name == "hello" and status == 401:
        narrowed["debug_info"] = _REASONS
        explained = {"reasons": ["token_expired", "wrong_audience"]}
    values = {code: _in_envelope(status, {}, code, MESSAGE_OF[code], **explained) for code in codes}
    schema = {"allOf": [reference("Refusal"), {"properties": narrowed}]}
    response: Part = {
        "description": _STATUS_TEXTS[status],
        "content": {JSON_TYPE: {"schema": schema, "examples": _examples(values)}},
    }
    return response | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
