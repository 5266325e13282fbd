"""The description of the API for programs: an OpenAPI 3.1 document, from the same table as the routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.twin.documented_answers import JSON_TYPE, REFUSAL, answers_of
from hemato_lab.twin.examples import BODIES, CALLBACK, STUDY_ID
from hemato_lab.twin.schemas import FILE_TYPES, reference, schemas
from hemato_lab.twin.surface import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hemato_lab.twin.surface import Operation, Parameter

Part = dict[str, Any]

_ABOUT: Final = f"""\
A twin of the Hemato.AI Diagnostic API on your own machine, answered by the analysis of hemato_lab. It is not the
vendor's service, and its reports are not the vendor's.

{RESEARCH_USE_NOTICE}

Shapes are those of the vendor's document. What the vendor does not explain has a meaning of our own, and says "ours".
Answers other than pages are JSON, in the envelope unless an operation says otherwise. `user_message` is for end users,
`error` is a code for programs, `debug_info` is for developers. A server that was started with faults on purpose answers
any operation with any status of the table of errors.
"""
_RAW: Final = "raw"
_BEARER: Final = "bearer"
_TAGS: Final = {
    False: {"name": "Hemato.AI", "description": "The vendor's surface, and its later dialect."},
    True: {"name": "twin", "description": "Ours: not part of the vendor's surface."},
}
_PATH_PARAMETERS: Final = {
    "study_id": {"schema": reference("StudyId"), "example": STUDY_ID},
    "task": {"schema": reference("Task"), "example": "MALARIA_ANY_ANY"},
}


def document(*, version: str, servers: Sequence[str] = ()) -> Part:
    """Return the OpenAPI document.

    Parameters
    ----------
    version : str
        Of the package.
    servers : sequence of str
        Addresses that the API is served at.
    """
    paths: Part = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    described: Part = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hemato.AI Diagnostic API, twin",
            "summary": RESEARCH_USE_NOTICE,
            "description": _ABOUT,
            "version": version,
        },
        "tags": list(_TAGS.values()),
        "paths": paths,
        "components": {"schemas": {**schemas(), "Refusal": REFUSAL}, "securitySchemes": _security_schemes()},
    }
    if servers:
        described["servers"] = [{"url": server} for server in servers]
    return described


def _security_schemes() -> Part:
    hint = "A JSON Web Token: of a login, or signed with RS256 and a registered key."
    return {
        _RAW: {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"{hint} As it is, as in the vendor's document.",
        },
        _BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"{hint} As in the vendor's later dialect.",
        },
    }


def _operation(operation: Operation) -> Part:
    described: Part = {
        "operationId": operation.identifier,
        "summary": operation.summary,
        "tags": [_TAGS[operation.ours]["name"]],
        "security": _security(operation),
        "responses": answers_of(operation),
    }
    if operation.description:
        described["description"] = operation.description
    parameters = [*_path_parameters(operation.path), *map(_parameter, operation.parameters)]
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = _body(operation.body)
    if operation.body in {"NewStudy", "TaskRequest"}:
        described["callbacks"] = {"studyChanged": {"{$request.body#/callback_url}": {"post": _callback()}}}
    return described


def _security(operation: Operation) -> list[Part]:
    both: list[Part] = [{_RAW: []}, {_BEARER: []}]
    if operation.authenticated:
        return both
    return {"hello": [*both, {}], "heartbeat": [{}, {_BEARER: []}]}.get(operation.name, [])


def _path_parameters(path: str) -> Iterable[Part]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]}


def _parameter(parameter: Parameter) -> Part:
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }
    # OpenAPI knows no parameters of which only the beginning is fixed; the members of an exploded object come closest.
    return described | ({"style": "form", "explode": True} if parameter.is_family else {})


def _body(schema: str) -> Part:
    if schema == "File":
        content: Part = {kind: {"schema": reference("File")} for kind in FILE_TYPES}
    else:
        examples = {name: {"value": value} for name, value in BODIES[schema].items()}
        content = {JSON_TYPE: {"schema": reference(schema), "examples": examples}}
    return {"required": schema != "NewStudy", "content": content}


def _callback() -> Part:
    content = {JSON_TYPE: {"schema": reference("Callback"), "examples": {"ready": {"value": CALLBACK}}}}
    return {
        "summary": "The report of a study is ready, the study failed, or its files were downloaded",
        "security": [],
        "requestBody": {"content": content},
        "responses": {"2XX": {"description": "Delivered. After anything else it is tried again, later and later."}},
    }
