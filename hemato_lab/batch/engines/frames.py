"""Objects through a pipe between two processes of ours, one after the other."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any, Final

_LENGTH: Final = struct.Struct("<Q")


def send(stream: IO[bytes], content: Any) -> None:
    """Write an object.

    Raises
    ------
    OSError
        If the other side is gone.
    """
    packed = pickle.dumps(content)
    stream.write(_LENGTH.pack(len(packed)))
    stream.write(packed)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Wait for an object and return it.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return pickle.loads(_exactly(stream, length))  # noqa: S301 (the pipe is private to the two)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("the other side of a pipe is gone")
    return content
