"""Numbers for people and files: quantised, so that the last bits of a processor's mathematics never show."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

SIGNIFICANT_DIGITS: Final = 4
"""Counting a million cells would justify no more."""


def number_text(value: float, digits: int = SIGNIFICANT_DIGITS) -> str:
    """Return a number rounded to significant digits, never in exponent notation: 12345.6 becomes ``12350``."""
    return "0" if value == 0 else format(Decimal(f"{value:.{digits - 1}e}"), "f")


def quantised(value: float, digits: int = SIGNIFICANT_DIGITS) -> float:
    """Return a number rounded to significant digits."""
    return float(number_text(value, digits))


def written_limit(value: float, digits: int = SIGNIFICANT_DIGITS) -> float | None:
    """Return a limit rounded to significant digits; None for an infinite one, which JSON cannot hold."""
    return quantised(value, digits) if math.isfinite(value) else None
