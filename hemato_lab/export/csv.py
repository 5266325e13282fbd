"""The table of cells as comma-separated values, one row a cell."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

_TEXTS: Final = ("field_name", "name")
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
"""Begins what a spreadsheet would run; with apostrophes before it what `harmless` may have made of that."""


def render(analysis: Analysis) -> bytes:
    """Return the cells as UTF-8 CSV with four decimals.

    Text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    frame = analysis.to_frame()
    for column in _TEXTS:
        frame[column] = [harmless(text) for text in frame[column]]
    # A lone carriage return ends a line for most readers, and the writer quotes only its own end of lines.
    broken = any("\r" in text for column in _TEXTS for text in set(frame[column]))
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if broken else csv.QUOTE_MINIMAL
    table = frame.to_csv(index=False, float_format="%.4f", lineterminator="\n", quoting=quoting)
    return table.encode("utf-8", "backslashreplace")


def harmless(text: str) -> str:
    """Return text with an apostrophe before what a spreadsheet would run as a formula; `original` undoes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def original(text: str) -> str:
    """Return text as it was before `harmless`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
