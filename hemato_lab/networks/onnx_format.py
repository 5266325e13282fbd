"""What an ONNX file contains, read from its bytes before a runtime sees them.

An ONNX file is one protobuf message (https://protobuf.dev/programming-guides/encoding, messages and field numbers from
onnx.proto of https://github.com/onnx/onnx). Only the messages that can hold tensors, operators or metadata are walked;
each byte is looked at once at most. What the runtime might read otherwise than this module is refused: a known field
of another wire type, groups, and field numbers that onnx.proto has not had.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN_DOMAINS: Final = frozenset({"", "ai.onnx", "com.microsoft"})
"""Operator sets that the runtime brings itself."""

MESSAGES_IN: Final = MappingProxyType(
    {
        "ModelProto": {7: "GraphProto", 14: "StringStringEntryProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
        "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
        "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
        "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
        "NodeProto": {5: "AttributeProto"},
        "AttributeProto": {
            5: "TensorProto",
            6: "GraphProto",
            10: "TensorProto",
            11: "GraphProto",
            22: "SparseTensorProto",
            23: "SparseTensorProto",
        },
        "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
        "TensorProto": {},
    }
)
"""For each message that is walked: the fields to go on with, and what they hold."""

LAST_FIELDS: Final = MappingProxyType(
    {
        "ModelProto": 26,
        "TrainingInfoProto": 4,
        "GraphProto": 16,
        "FunctionProto": 14,
        "NodeProto": 10,
        "AttributeProto": 23,
        "SparseTensorProto": 3,
        "TensorProto": 16,
    }
)
"""The highest field number of each in onnx.proto up to IR version 14; what a later one holds is not known here."""

_DOMAIN_FIELDS: Final = frozenset({("NodeProto", 7), ("FunctionProto", 10)})
_EXTERNAL_DATA: Final = ("TensorProto", 13)
_DATA_LOCATION: Final = ("TensorProto", 14)
_METADATA: Final = "StringStringEntryProto"

_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_FIXED_WIDTHS: Final = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_EXPORT_AGAIN: Final = "export the model again as one plain ONNX file"


def read_metadata(data: bytes, *, subject: str) -> dict[str, str]:
    """Refuse a model that reaches beyond its own file, and return its metadata.

    Parameters
    ----------
    data : bytes
        The whole file.
    subject : str
        What errors call it.

    Raises
    ------
    ModelError
        If any tensor, wherever it stands, keeps its data in another file; if an operator or function belongs to a
        domain beside `KNOWN_DOMAINS`; if a key of the metadata stands twice; or if the bytes are no ONNX model.
    """
    try:
        return _walk(data, subject)
    except _DamagedError as error:
        raise ModelError(f"is no ONNX model: {error}", subject=subject, hint="the file is damaged") from error


class _DamagedError(ValueError):
    """The bytes do not follow the format."""


def _walk(data: bytes, subject: str) -> dict[str, str]:
    metadata: dict[str, str] = {}
    waiting = [("ModelProto", memoryview(data))]
    while waiting:
        message, content = waiting.pop()
        for number, value in _fields(content):
            if number > LAST_FIELDS[message]:
                raise _DamagedError(f"field {number} of a {message}")
            inner = MESSAGES_IN[message].get(number)
            if inner == _METADATA:
                key, text = _entry(_bytes(value))
                if key in metadata:
                    raise ModelError(f"its metadata have {key} twice", subject=subject, hint=_EXPORT_AGAIN)
                metadata[key] = text
            elif inner is not None:
                waiting.append((inner, _bytes(value)))
            else:
                _check_field(message, number, value, subject)
    return metadata


def _check_field(message: str, number: int, value: int | memoryview, subject: str) -> None:
    field = (message, number)
    if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0):
        raise ModelError("keeps data in another file", subject=subject, hint=_EXPORT_AGAIN)
    if field in _DOMAIN_FIELDS and (domain := _text(value)) not in KNOWN_DOMAINS:
        raise ModelError(f"needs operators of the domain {domain!r}", subject=subject, hint=_EXPORT_AGAIN)


def _entry(content: memoryview) -> tuple[str, str]:
    entry = {number: _text(value) for number, value in _fields(content)}
    return entry.get(1, ""), entry.get(2, "")


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Give the number and the value of every field of one message, a number or the bytes."""
    position, end = 0, len(content)
    while position < end:
        tag, position = _varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise _DamagedError("a field without a number")
        if wire_type == _VARINT:
            value, position = _varint(content, position)
            yield number, value
            continue
        if wire_type == _LENGTH_DELIMITED:
            width, position = _varint(content, position)
        elif wire_type in _FIXED_WIDTHS:
            width = _FIXED_WIDTHS[wire_type]
        else:
            raise _DamagedError(f"wire type {wire_type}")
        start, position = position, position + width
        if position > end:
            raise _DamagedError("it ends too early")
        if wire_type == _LENGTH_DELIMITED:
            yield number, content[start:position]
        else:
            yield number, int.from_bytes(content[start:position], "little")


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(content[position : position + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, position + shift + 1
    raise _DamagedError("a number without an end")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _DamagedError("a number where a message must stand")
    return value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_bytes(value)).decode()
    except UnicodeDecodeError as error:
        raise _DamagedError("a text that is not UTF-8") from error
