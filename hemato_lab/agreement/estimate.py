"""A figure of agreement and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its confidence limits.

    Attributes
    ----------
    value : float
        NaN where the data do not define it.
    low, high : float
        Confidence limits in the same unit; NaN where the data do not define them.
    method : str
        How the limits were made, for people.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    method: str = ""

    @property
    def defined(self) -> bool:
        """Whether there is a value at all."""
        return not math.isnan(self.value)

    def covers(self, value: float) -> bool:
        """Tell whether a value lies within the limits; False where there are none."""
        return self.low <= value <= self.high

    def text(self, digits: int = 3) -> str:
        """Return the figure with its limits for people, ``undefined`` where there is none."""
        if not self.defined:
            return "undefined"
        shown = f"{self.value:.{digits}g}"
        if math.isnan(self.low) or math.isnan(self.high):
            return shown
        return f"{shown} ({self.low:.{digits}g} to {self.high:.{digits}g})"
