"""Figures as they are written to JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

DECIMALS: Final = 6
"""Enough for any figure of merit, and few enough that the last digits do not differ between processors."""


def rounded(value: float | None) -> float | int | None:
    """Return a figure with `DECIMALS` decimals; whole numbers stay whole, an undefined figure (NaN) becomes None."""
    if value is None or isinstance(value, int):
        return value
    return None if math.isnan(value) else round(float(value), DECIMALS)


def rounded_limits(limits: Mapping[str, tuple[float, float] | None]) -> dict[str, list[float | int | None] | None]:
    """Return pairs of limits as lists of rounded figures."""
    return {name: None if pair is None else [rounded(value) for value in pair] for name, pair in limits.items()}
