"""One place where what decoders throw becomes an error of this package.

On damaged files Pillow leaks ``ValueError``, ``SyntaxError``, ``OSError`` and ``struct.error``, simplejpeg
``ValueError`` and zlib its own error; none of them names the file.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECODER_ERRORS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)


def damaged(label: str, *, stage: str, reason: str) -> UnreadableInputError:
    """Return the error of a damaged file.

    Parameters
    ----------
    label : str
        The file.
    stage : str
        What was being done: ``read``, ``header``, ``decode`` or ``unpack``; a note of the error, for a traceback.
    reason : str
        What is wrong.
    """
    error = UnreadableInputError(
        f"damaged or cut short: {reason}", subject=label, hint="copy or export the image again from its source"
    )
    error.add_note(f"stage: {stage}")
    return error


@contextmanager
def decoder_errors(label: str, *, stage: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a damaged file into `UnreadableInputError`."""
    try:
        yield
    except _DECODER_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise damaged(label, stage=stage, reason=reason[:200]) from error


@contextmanager
def naming_content(file_id: str) -> Iterator[None]:
    """Note the hash of the content on errors of damage, so that a traceback tells which bytes were damaged."""
    try:
        yield
    except UnreadableInputError as error:
        note = f"content: {file_id}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        raise


def cannot_open(label: str, error: OSError) -> UnreadableInputError:
    """Return the error of a file or folder that the operating system does not hand out."""
    if isinstance(error, FileNotFoundError):
        return UnreadableInputError("does not exist", subject=label, hint="check the path")
    if isinstance(error, PermissionError):
        return UnreadableInputError("may not be read: permission denied", subject=label, hint="ask for read access")
    return UnreadableInputError(
        f"cannot be read: {error.strerror or error}", subject=label, hint="check the disk or the link"
    )
