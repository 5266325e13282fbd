"""Lin's concordance, and the correlations of Pearson and Spearman.

Correlation says whether two methods rise together, not whether they agree: a method that gives always twice as much
has a correlation of 1 (Bland and Altman 1986). Concordance falls with every departure from the line of equality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.pairs import NAMES, Pairs, make_pairs
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.statistics.limits import two_sided_z

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from hemato_lab.agreement.pairs import Floats

_ROUNDING: Final = 1e-14
NO_SPREAD: Final = "one of the methods gives a single value, of which there is no correlation"
SINGLE_POINT: Final = "there is no spread between the samples to agree on"
FEW_FOR_LIMITS: Final = "too few samples for limits"


@dataclass(frozen=True, slots=True, eq=False)
class Concordance(Tabulated):
    """Lin's concordance correlation and what it is made of.

    Attributes
    ----------
    pairs : Pairs
    concordance : Estimate
        -1 to 1; 1 if all values are equal.
    precision : float
        Pearson's correlation: how far the samples scatter from a line.
    accuracy : float
        Lin's bias correction, 0 to 1: how far that line is from equality.
    location_shift : float
        Difference of the means in units of the geometric mean of both standard deviations; second minus first.
    scale_shift : float
        Standard deviation of the second over that of the first.
    confidence : float
    reason : str
        Why something is undefined (NaN); empty if all is defined.
    """

    pairs: Pairs
    concordance: Estimate
    precision: float
    accuracy: float
    location_shift: float
    scale_shift: float
    confidence: float
    reason: str = ""

    def rows(self) -> tuple[Row, ...]:
        """Return the concordance and its parts."""
        parts = {
            "precision": self.precision,
            "accuracy": self.accuracy,
            "location shift": self.location_shift,
            "scale shift": self.scale_shift,
        }
        found = [row("concordance", self.concordance)]
        found.extend(row(name, Estimate(value)) for name, value in parts.items())
        return tuple(found)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the samples with the line of equality and the line through their means with the ratio of spreads.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.correlation import draw_concordance

        return draw_concordance(self, axes)


@dataclass(frozen=True, slots=True, eq=False)
class Correlation(Tabulated):
    """A coefficient of correlation.

    Attributes
    ----------
    pairs : Pairs
    kind : {"Pearson", "Spearman"}
    coefficient : Estimate
        -1 to 1.
    confidence : float
    reason : str
        Why something is undefined (NaN); empty if all is defined.
    """

    pairs: Pairs
    kind: str
    coefficient: Estimate
    confidence: float
    reason: str = ""

    def rows(self) -> tuple[Row, ...]:
        """Return the coefficient."""
        return (row(f"{self.kind}'s correlation", self.coefficient),)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the samples, for Spearman's coefficient their ranks.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.correlation import draw_correlation

        return draw_correlation(self, axes)


def lin_concordance(
    first: ArrayLike,
    second: ArrayLike,
    *,
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> Concordance:
    """Return Lin's concordance correlation: ``2 cov / (var + var + (mean - mean)²)`` with variances over n.

    Lin, Biometrics 45 (1989) 255-268, with limits by the z transform and the variance as corrected in 56 (2000)
    324-325.

    Parameters
    ----------
    first, second : array of float, shape (n,)
        Values of the reference and of the method that is tested, in the same unit.
    confidence : float
    names, unit
        For people; see `Pairs`.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, or the confidence is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    z = two_sided_z(confidence)
    spreads, together, apart = _moments(pairs)
    total = spreads[0] ** 2 + spreads[1] ** 2 + apart**2
    if 0 in spreads:
        value, reason = (math.nan, SINGLE_POINT) if total == 0 else (0.0, NO_SPREAD)
        alone = Estimate(value, method="no limits")
        return Concordance(pairs, alone, math.nan, value, math.nan, math.nan, confidence, reason)
    value = 2 * together / total
    product = spreads[0] * spreads[1]
    precision, accuracy = _bounded(together / product), 2 * product / total
    shift = apart / math.sqrt(product)
    error = _error_of_z(len(pairs), value, precision, accuracy, 2 * apart**2 / total)
    estimate = _by_z(value, error * z)
    reason = FEW_FOR_LIMITS if math.isnan(estimate.low) else ""
    return Concordance(pairs, estimate, precision, accuracy, shift, spreads[1] / spreads[0], confidence, reason)


def pearson(
    first: ArrayLike,
    second: ArrayLike,
    *,
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> Correlation:
    """Return Pearson's correlation with limits by Fisher's z, ``1 / sqrt(n - 3)``.

    Parameters
    ----------
    first, second : array of float, shape (n,)
    confidence : float
    names, unit
        For people; see `Pairs`.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, or the confidence is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    return _correlation(pairs, pairs.first, pairs.second, "Pearson", confidence)


def spearman(
    first: ArrayLike,
    second: ArrayLike,
    *,
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> Correlation:
    """Return Spearman's rank correlation; equal values share their mean rank.

    Limits by Fisher's z with ``sqrt((1 + r²/2) / (n - 3))`` (Bonett and Wright, Psychometrika 65 (2000) 23-28).

    Parameters
    ----------
    first, second : array of float, shape (n,)
    confidence : float
    names, unit
        For people; see `Pairs`.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, or the confidence is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    return _correlation(pairs, ranks(pairs.first), ranks(pairs.second), "Spearman", confidence)


def ranks(values: Floats) -> Floats:
    """Return the rank of each value from 1, the mean of their ranks for equal values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean_ranks: Floats = (last - (count - 1) / 2)[place]
    return mean_ranks


def _correlation(pairs: Pairs, first: Floats, second: Floats, kind: str, confidence: float) -> Correlation:
    z = two_sided_z(confidence)
    spreads, together, _ = _moments(Pairs(first, second))
    if 0 in spreads:
        return Correlation(pairs, kind, Estimate(math.nan, method="undefined"), confidence, NO_SPREAD)
    value = _bounded(together / (spreads[0] * spreads[1]))
    excess = value**2 / 2 if kind == "Spearman" else 0.0
    error = math.sqrt((1 + excess) / (len(pairs) - 3)) if len(pairs) > 3 else math.nan
    estimate = _by_z(value, error * z)
    return Correlation(pairs, kind, estimate, confidence, FEW_FOR_LIMITS if math.isnan(estimate.low) else "")


def _moments(pairs: Pairs) -> tuple[tuple[float, float], float, float]:
    """Return both standard deviations (over n), the covariance, and the difference of the means; 0 of no pairs."""
    if not len(pairs):
        return (0.0, 0.0), 0.0, 0.0
    away = [values - values.mean() for values in (pairs.first, pairs.second)]
    spreads = [math.sqrt(float(one @ one) / len(pairs)) for one in away]
    sizes = [float(np.abs(values).max()) for values in (pairs.first, pairs.second)]
    first, second = (spread if spread > _ROUNDING * size else 0.0 for spread, size in zip(spreads, sizes, strict=True))
    apart = float(pairs.second.mean() - pairs.first.mean())
    return (first, second), float(away[0] @ away[1]) / len(pairs), apart


def _error_of_z(size: int, value: float, precision: float, accuracy: float, shifted: float) -> float:
    """Return the standard error of the transformed concordance, with the accuracy times the squared shift.

    Lin divides by the precision, which may be 0; the product of precision and accuracy is the concordance.
    """
    if size < 3:
        return math.nan
    rest = 1 - value**2
    if rest <= _ROUNDING:
        return 0.0
    variance = (
        (1 - precision**2) * accuracy**2 / rest
        + 2 * (value / rest) ** 2 * (1 - value) * shifted
        - (value / rest * shifted) ** 2 / 2
    ) / (size - 2)
    return math.sqrt(max(variance, 0.0))


def _by_z(value: float, half: float) -> Estimate:
    """Return limits that are even around the hyperbolic arc tangent of the value."""
    method = "z transform"
    if math.isnan(half):
        return Estimate(value, method="no limits")
    if abs(value) >= 1:
        return Estimate(value, value, value, method)
    middle = math.atanh(value)
    return Estimate(value, math.tanh(middle - half), math.tanh(middle + half), method)


def _bounded(value: float) -> float:
    """Return a correlation without the rounding that lifts it beyond 1."""
    if abs(value) > 1 - _ROUNDING:
        return math.copysign(1.0, value)
    return value
