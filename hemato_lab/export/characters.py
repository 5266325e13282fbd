"""Texts from outside made fit for formats that cannot hold every character."""

from __future__ import annotations

import re
from typing import Final

_NOT_PRINTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
"""Control characters and halves of characters: neither XML nor a person can read them."""
_REPLACEMENT: Final = "\ufffd"


def storable(text: str) -> str:
    r"""Return text that UTF-8 can hold: a byte of a file name that is no character is spelled as ``\udc80``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    """Return text for XML and for people: characters that neither can show become the replacement character."""
    return _NOT_PRINTED.sub(_REPLACEMENT, text)


def one_line(text: str) -> str:
    """Return printable text in one line, without spaces around it."""
    return " ".join(printable(text).split())
