"""Limits of figures whose errors are normal, and straight lines by least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.agreement.pairs import Floats


def two_sided_t(confidence: float, freedom: int) -> float:
    """Return the quantile of Student's distribution for two-sided limits; NaN without a degree of freedom.

    Raises
    ------
    ConfigError
        If the confidence is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence of {confidence} is outside (0, 1)", hint="use 0.95 for 95 % limits")
    return float(stdtrit(freedom, (1 + confidence) / 2)) if freedom > 0 else math.nan


def t_estimate(value: float, error: float, freedom: int, confidence: float, method: str) -> Estimate:
    """Return a figure with the limits ``value ± t × standard error``."""
    half = two_sided_t(confidence, freedom) * error
    return Estimate(value, value - half, value + half, method)


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through something that may change with the level.

    Attributes
    ----------
    slope : Estimate
        Change with one unit of the level.
    intercept : float
        Value at level 0.
    p_value : float
        Two-sided, of no change at all.
    """

    slope: Estimate
    intercept: float
    p_value: float

    @property
    def rises(self) -> bool:
        """Whether the limits of the slope lie above 0."""
        return self.slope.low > 0

    @property
    def falls(self) -> bool:
        """Whether the limits of the slope lie below 0."""
        return self.slope.high < 0


NO_TREND = Trend(Estimate(math.nan, method="undefined"), math.nan, math.nan)


def fit_trend(levels: Floats, values: Floats, confidence: float) -> Trend:
    """Return the line of least squares; undefined (NaN) for fewer than three values or a single level.

    Parameters
    ----------
    levels, values : array of float, shape (n,)
    confidence : float
        Of the limits of the slope, which have n - 2 degrees of freedom.
    """
    size = len(levels)
    if size < 3:
        return NO_TREND
    away = levels - levels.mean()
    spread = float(away @ away)
    if spread <= (np.finfo(np.float64).eps * np.abs(levels).max()) ** 2 * size:
        return NO_TREND
    slope = float(away @ values) / spread
    rest = values - values.mean() - slope * away
    error = math.sqrt(float(rest @ rest) / (size - 2) / spread)
    estimate = t_estimate(slope, error, size - 2, confidence, "least squares")
    p_value = 2 * float(stdtr(size - 2, -abs(slope) / error)) if error > 0 else float(slope == 0)
    return Trend(estimate, float(values.mean() - slope * levels.mean()), p_value)
