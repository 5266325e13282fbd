"""One message with bytes in it: the length of the head, the head as JSON, and the buffers.

The same as ``js/loopback_transport.js`` packs and unpacks.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hemato_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LENGTH: Final = struct.Struct("<I")
_SIZES: Final = "sizes"


def pack_frame(head: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> bytes:
    """Return a frame of a JSON-ready head and buffers; raises ValueError for NaN, which no page can read."""
    sized = {**head, _SIZES: [len(one) for one in buffers]}
    text = json.dumps(sized, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"".join((_LENGTH.pack(len(text)), text, *buffers))


def unpack_frame(frame: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Return the head and the buffers of a frame.

    Raises
    ------
    InputError
        If the bytes are no frame.
    """
    if len(frame) < _LENGTH.size:
        raise _malformed("it is too short")
    begin = _LENGTH.size + _LENGTH.unpack_from(frame)[0]
    head = _head(frame[_LENGTH.size : begin])
    sizes = head.pop(_SIZES, None)
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise _malformed("its sizes are no list of lengths")
    if begin + sum(sizes) != len(frame):
        raise _malformed("its length is not that of its parts")
    buffers = []
    for size in sizes:
        buffers.append(frame[begin : begin + size])
        begin += size
    return head, buffers


def _head(text: bytes) -> dict[str, Any]:
    try:
        head = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _malformed("its head is no JSON") from error
    if not isinstance(head, dict):
        raise _malformed("its head is no object")
    return head


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python would take."""
    raise ValueError(constant)


def _malformed(problem: str) -> InputError:
    return InputError(f"this is no message of a page of hemato-lab: {problem}")
