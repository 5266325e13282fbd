"""The OpenAPI document as the tests use it: validators of its schemas, and all that is an answer in it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from hemato_lab.twin.openapi import document

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "urn:the-document"


@cache
def described() -> dict[str, Any]:
    return document(version="0.0.1", servers=("http://127.0.0.1:8765",))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema whose references lead into the document; formats count."""
    resource = Resource(contents=described(), specification=DRAFT202012)
    return Draft202012Validator(
        _leading_to_document(schema),
        registry=Registry().with_resource(URI, resource),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def _leading_to_document(node: Any) -> Any:
    if isinstance(node, list):
        return [_leading_to_document(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: f"{URI}{value}" if key == "$ref" else _leading_to_document(value) for key, value in node.items()}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give method, path and Operation Object of each operation."""
    for path, item in described()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def answer_schema(method: str, path: str, status: int) -> dict[str, Any]:
    """Return the schema of an answer; a status that is not documented is a KeyError."""
    content = described()["paths"][path][method.lower()]["responses"][str(status)]["content"]
    schema: dict[str, Any] = next(iter(content.values()))["schema"]
    return schema
