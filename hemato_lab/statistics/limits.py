"""Confidence limits of counts and proportions.

Exact limits come from the inverse incomplete gamma and beta functions, to which the chi-squared and beta quantiles of
DOMAIN.md section 2.7 are equal; `scipy.special` has them without the cost of `scipy.stats`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import betaincinv, gammaincinv, ndtri

from hemato_lab.errors import ConfigError


class Limits(NamedTuple):
    """A confidence interval, both ends in the unit of the estimate."""

    low: float
    high: float

    def scaled(self, factor: float) -> Limits:
        """Return the limits of the estimate times a positive factor."""
        return Limits(self.low * factor, self.high * factor)

    def widened(self, estimate: float, factor: float, *, highest: float = math.inf) -> Limits:
        """Return limits whose distances from the estimate are `factor` times as long, within [0, `highest`]."""
        low = estimate - (estimate - self.low) * factor
        high = estimate + (self.high - estimate) * factor
        return Limits(max(0.0, low), min(highest, high))

    def widened_ratio(self, estimate: float, factor: float) -> Limits:
        """Return limits `factor` times as far from a positive estimate in logarithms; those of 0 stay."""
        if estimate == 0:
            return self
        return Limits(estimate * (self.low / estimate) ** factor, estimate * (self.high / estimate) ** factor)


def poisson_limits(count: int, *, confidence: float = 0.95) -> Limits:
    """Return the exact (Garwood) limits of a Poisson mean.

    Parameters
    ----------
    count : int
        What was counted, at least 0.
    confidence : float
        In (0, 1).

    Returns
    -------
    Limits
        In cells; ``chi2.ppf(a / 2, 2 k) / 2`` and ``chi2.ppf(1 - a / 2, 2 k + 2) / 2`` (DOMAIN.md section 2.7).

    Raises
    ------
    ConfigError
        If the count is negative or the confidence impossible.
    """
    tail = _tail(confidence)
    if count < 0:
        raise ConfigError(f"a count of {count} cells is impossible")
    low = float(gammaincinv(count, tail)) if count else 0.0
    return Limits(low, float(gammaincinv(count + 1, 1 - tail)))


def clopper_pearson_limits(successes: int, trials: int, *, confidence: float = 0.95) -> Limits:
    """Return the exact limits of a proportion, the ones for reports (DOMAIN.md section 2.7).

    Parameters
    ----------
    successes, trials : int
        Cells of the class, and all cells; no trial at all leaves everything possible, (0, 1).
    confidence : float
        In (0, 1).

    Raises
    ------
    ConfigError
        If the counts contradict each other or the confidence is impossible.
    """
    tail = _tail(confidence)
    _check_proportion(successes, trials)
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return Limits(low, high)


def wilson_limits(successes: int, trials: int, *, confidence: float = 0.95) -> Limits:
    """Return the score limits of a proportion, the ones for plots (DOMAIN.md section 2.7).

    Parameters
    ----------
    successes, trials : int
        Cells of the class, and all cells; no trial at all leaves everything possible, (0, 1).
    confidence : float
        In (0, 1).

    Raises
    ------
    ConfigError
        If the counts contradict each other or the confidence is impossible.
    """
    z = float(ndtri(1 - _tail(confidence)))
    _check_proportion(successes, trials)
    if not trials:
        return Limits(0.0, 1.0)
    share, shrink = successes / trials, 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / shrink
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return Limits(low, high)


def odds(limits: Limits) -> Limits:
    """Return the limits of p / (1 - p) from those of p; the upper end is infinite at p = 1."""
    return Limits(*(share / (1 - share) if share < 1 else math.inf for share in limits))


def two_sided_z(confidence: float = 0.95) -> float:
    """Return the normal deviate of two-sided limits, 1.96 for 95 %."""
    return float(ndtri(1 - _tail(confidence)))


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence of {confidence} is outside (0, 1)", hint="use 0.95 for 95 % limits")
    return (1 - confidence) / 2


def _check_proportion(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ConfigError(f"{successes} of {trials} cells is impossible")
