"""Text from outside as text that only shows: names of smears and metrics come from files."""

from __future__ import annotations

import re
from typing import Final

_ACTING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""Controls of terminals (C0 and C1), of the direction of writing, of lines; halves of characters; no characters."""


def plain(text: str) -> str:
    """Return text with a replacement character for each one that would act and not show; lines and tabs stay."""
    return _ACTING.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the same on one line, with single spaces."""
    return " ".join(plain(text).split())
