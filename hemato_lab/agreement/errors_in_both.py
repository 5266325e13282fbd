"""Lines through samples of which both values have errors; many at once, one for each row of weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from hemato_lab.agreement.pairs import Floats

MOST_ROUNDS: Final = 100
"""Of reweighting; data that need more have no weighted line."""
_SETTLED: Final = 1e-12
"""Change of the slope, and of the intercept in means of the first method, below which weights are final."""
_ROUNDING: Final = 1e-14
"""Share of the spread that is rounding."""
_BLOCK: Final = 1_000_000
"""Weights held at once while each sample is left out in turn."""


class Fit(Protocol):
    """Lines of the same samples with different weights.

    Parameters are the two methods' values, shape (n,), the weights, shape (m, n), 0 for a sample that is left out,
    and the ratio of the variances of errors, first over second. Returns slopes and intercepts, shape (m,), NaN where
    there is no line.
    """

    def __call__(self, first: Floats, second: Floats, weights: Floats, ratio: float, /) -> tuple[Floats, Floats]:
        """Return slopes and intercepts."""
        ...


def plain_lines(first: Floats, second: Floats, weights: Floats, ratio: float) -> tuple[Floats, Floats]:
    """Return the Deming lines for given weights; see `Fit`."""
    total = weights.sum(axis=1)
    mean_x, mean_y = (np.einsum("ij,j->i", weights, values) / total for values in (first, second))
    away_x, away_y = first - mean_x[:, None], second - mean_y[:, None]
    spread_x, spread_y, together = (
        np.einsum("ij,ij,ij->i", weights, one, other)
        for one, other in ((away_x, away_x), (away_y, away_y), (away_x, away_y))
    )
    slope = _slope(spread_x, spread_y, together, ratio)
    return slope, mean_y - slope * mean_x


def _slope(spread_x: Floats, spread_y: Floats, together: Floats, ratio: float) -> Floats:
    """Return slopes from sums of squares; NaN where no direction is better than others, or the line is upright."""
    lead = spread_x - ratio * spread_y
    root = np.hypot(lead, 2 * math.sqrt(ratio) * together)
    # Of the two forms of the root the one that adds instead of cancelling.
    above = np.where(lead >= 0, 2 * together, root - lead)
    below = np.where(lead >= 0, lead + root, 2 * ratio * together)
    noise = _ROUNDING * (spread_x + ratio * spread_y)
    defined = (root > noise) & (np.abs(below) > noise)
    slope = np.full(len(above), np.nan)
    np.divide(above, below, out=slope, where=defined)
    return slope


def weighted_lines(first: Floats, second: Floats, weights: Floats, ratio: float) -> tuple[Floats, Floats]:
    """Return the lines with Linnet's weights, one over the square of the level, on top of those given; see `Fit`."""
    size = float(first.mean())
    slope, intercept = plain_lines(first, second, weights, ratio)
    unsettled = np.flatnonzero(np.isfinite(slope))
    for _ in range(MOST_ROUNDS):
        if not len(unsettled):
            break
        kept = weights[unsettled]
        levels = np.where(kept > 0, _levels(first, second, slope[unsettled], intercept[unsettled], ratio), size)
        below = np.any(levels <= 0, axis=1)
        slope[unsettled[below]] = intercept[unsettled[below]] = np.nan
        unsettled, kept, levels = unsettled[~below], kept[~below], levels[~below]
        new_slope, new_intercept = plain_lines(first, second, kept * (size / levels) ** 2, ratio)
        changed = np.abs(new_slope - slope[unsettled]) + np.abs(new_intercept - intercept[unsettled]) / size
        slope[unsettled], intercept[unsettled] = new_slope, new_intercept
        unsettled = unsettled[changed > _SETTLED]
    slope[unsettled] = intercept[unsettled] = np.nan
    return slope, intercept


def _levels(first: Floats, second: Floats, slope: Floats, intercept: Floats, ratio: float) -> Floats:
    """Return the level of each sample between its two true values, shape (m, n)."""
    rest = second - intercept[:, None] - slope[:, None] * first
    shrink = 1 + ratio * slope[:, None] ** 2
    true_x = first + ratio * slope[:, None] * rest / shrink
    true_y = second - rest / shrink
    return (true_x + ratio * true_y) / (1 + ratio)


def lines_without_each(fit: Fit, first: Floats, second: Floats, ratio: float) -> Floats:
    """Return slope and intercept without each of the samples, shape (n, 2)."""
    size = len(first)
    found = np.empty((size, 2))
    step = max(1, _BLOCK // size)
    for start in range(0, size, step):
        left_out = np.arange(start, min(start + step, size))
        weights = np.ones((len(left_out), size))
        weights[np.arange(len(left_out)), left_out] = 0
        found[left_out, 0], found[left_out, 1] = fit(first, second, weights, ratio)
    return found
