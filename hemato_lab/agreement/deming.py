"""Deming regression: a line between two methods that both have errors.

Plain, for errors alike at every level, and weighted, for errors in proportion to it: Linnet, Stat. Med. 9 (1990)
1463-1473 and Clin. Chem. 39 (1993) 424-432. Limits by the jackknife, as Linnet advises, or from the large-sample
variance of Fuller, Measurement Error Models (1987), section 1.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hemato_lab.agreement.errors_in_both import lines_without_each, plain_lines, weighted_lines
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.pairs import NAMES, Pairs, make_pairs
from hemato_lab.agreement.student import t_estimate, two_sided_t
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from hemato_lab.agreement.pairs import Floats

LimitsBy = Literal["jackknife", "analytical"]

TOO_FEW: Final = "a line needs two samples, and its limits three"
NO_LINE: Final = "no line is closer to the samples than others: one of the methods does not tell them apart"
NOT_POSITIVE: Final = "weights in proportion to the level need values above 0: use plain Deming regression"
NOT_SETTLED: Final = "the weights do not settle: use plain Deming regression"
NO_TRUTH: Final = "errors explain all of the spread between the samples, so the limits are open"
ONE_DECIDES: Final = "without one of the samples there is no line, so the limits are not defined"


@dataclass(frozen=True, slots=True, eq=False)
class Deming(Tabulated):
    """The line ``second = intercept + slope × first`` with errors in both.

    Attributes
    ----------
    pairs : Pairs
    slope, intercept : Estimate
        The intercept in the unit of the values.
    variance_ratio : float
        Variance of the errors of the first method over that of the second.
    weighted : bool
        Whether the errors grow in proportion to the level.
    left_out : array of float, shape (n, 2)
        Slope and intercept without each of the samples; empty where they are not defined or not needed.
    confidence : float
    reason : str
        Why something is undefined (NaN); empty if all is defined.
    """

    pairs: Pairs
    slope: Estimate
    intercept: Estimate
    variance_ratio: float
    weighted: bool
    left_out: Floats
    confidence: float
    reason: str = ""

    def bias_at(self, level: float) -> Estimate:
        """Return by how much the second method differs at a value of the first, in the unit of both.

        Limits are by the jackknife, and NaN where that was not asked for.
        """
        value = self.intercept.value + (self.slope.value - 1) * level
        without = self.left_out[:, 1] + (self.left_out[:, 0] - 1) * level
        return _jackknifed(value, without, self.confidence)

    def rows(self) -> tuple[Row, ...]:
        """Return slope and intercept."""
        return row("slope", self.slope), row("intercept", self.intercept, self.pairs.unit)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the samples with the line, its limits, and the line of equality.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.lines import draw_deming

        return draw_deming(self, axes)


def deming(
    first: ArrayLike,
    second: ArrayLike,
    *,
    variance_ratio: float = 1.0,
    limits: LimitsBy = "jackknife",
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> Deming:
    """Fit a line to two methods whose errors are alike at every level.

    Parameters
    ----------
    first, second : array of float, shape (n,)
        Values of the reference and of the method that is tested.
    variance_ratio : float
        Variance of the errors of the first method over that of the second (Linnet's lambda); 1 where both count as
        many cells. Some programs want its reciprocal.
    limits : {"jackknife", "analytical"}
        Leaving out each sample in turn, or from the large-sample variance; both with n - 2 degrees of freedom.
    confidence : float
    names, unit
        For people; see `Pairs`.

    Returns
    -------
    Deming
        Figures that the data do not define are NaN, with the reason.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, or a parameter is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    if limits not in {"jackknife", "analytical"}:
        raise ConfigError(f"no such limits: {limits}", hint='use "jackknife" or "analytical"')
    _check(variance_ratio, confidence)
    if limits == "jackknife":
        return _by_jackknife(pairs, variance_ratio, confidence, weighted=False)
    return _by_variance(pairs, variance_ratio, confidence)


def weighted_deming(
    first: ArrayLike,
    second: ArrayLike,
    *,
    variance_ratio: float = 1.0,
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> Deming:
    """Fit a line to two methods whose errors grow in proportion to the level (Linnet's weights, limits by jackknife).

    Each sample has the weight of one over the square of its level, which is estimated from both values and the line
    in turn until nothing changes.

    Parameters
    ----------
    first, second : array of float, shape (n,)
        Values of the reference and of the method that is tested, above 0.
    variance_ratio : float
        Square of the first method's coefficient of variation over that of the second.
    confidence : float
    names, unit
        For people; see `Pairs`.

    Returns
    -------
    Deming
        Figures that the data do not define are NaN, with the reason.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, or a parameter is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    _check(variance_ratio, confidence)
    if len(pairs) and min(pairs.first.min(), pairs.second.min()) <= 0:
        return _undefined(pairs, variance_ratio, confidence, NOT_POSITIVE, weighted=True)
    return _by_jackknife(pairs, variance_ratio, confidence, weighted=True)


def _check(variance_ratio: float, confidence: float) -> None:
    two_sided_t(confidence, 1)
    if not 0 < variance_ratio < math.inf:
        raise ConfigError(f"a ratio of variances of {variance_ratio} is impossible", hint="use 1 for errors alike")


def _by_jackknife(pairs: Pairs, variance_ratio: float, confidence: float, *, weighted: bool) -> Deming:
    fit = weighted_lines if weighted else plain_lines
    size = len(pairs)
    if size < 2:
        return _undefined(pairs, variance_ratio, confidence, TOO_FEW, weighted=weighted)
    (slope,), (intercept,) = fit(pairs.first, pairs.second, np.ones((1, size)), variance_ratio)
    if math.isnan(slope):
        reason = NOT_SETTLED if weighted else NO_LINE
        return _undefined(pairs, variance_ratio, confidence, reason, weighted=weighted)
    without = lines_without_each(fit, pairs.first, pairs.second, variance_ratio) if size > 2 else np.empty((0, 2))
    reason = "" if size > 2 else TOO_FEW
    if np.isnan(without).any():
        without, reason = np.empty((0, 2)), ONE_DECIDES
    found = [
        _jackknifed(value, without[:, column], confidence)
        for column, value in enumerate((float(slope), float(intercept)))
    ]
    return Deming(pairs, found[0], found[1], variance_ratio, weighted, without, confidence, reason)


def _jackknifed(value: float, without: Floats, confidence: float) -> Estimate:
    """Return limits from the figures without each sample (Quenouille and Tukey); none of them, no limits."""
    size = len(without)
    if not size:
        return Estimate(value, method="no limits")
    error = math.sqrt((size - 1) / size * float(((without - without.mean()) ** 2).sum()))
    return t_estimate(value, error, size - 2, confidence, "jackknife, t")


def _by_variance(pairs: Pairs, variance_ratio: float, confidence: float) -> Deming:
    """Return the line with the limits of Fuller, equations 1.3.12 and following."""
    found = _by_jackknife(pairs, variance_ratio, confidence, weighted=False)
    size, slope, intercept = len(pairs), found.slope.value, found.intercept.value
    if size < 3 or math.isnan(slope):
        return found
    away_x, away_y = pairs.first - pairs.first.mean(), pairs.second - pairs.second.mean()
    rest = float(((away_y - slope * away_x) ** 2).sum()) / (size - 2)
    error_x = rest * variance_ratio / (1 + variance_ratio * slope**2)
    true_x = float((away_x**2).sum()) / (size - 1) - error_x
    if true_x <= 0:
        none = [Estimate(value, method="no limits") for value in (slope, intercept)]
        return replace(found, slope=none[0], intercept=none[1], left_out=np.empty((0, 2)), reason=NO_TRUTH)
    part = error_x / true_x
    variance = (rest / true_x * (1 + part) - (slope * part) ** 2) / (size - 1)
    variances = (variance, rest / size + float(pairs.first.mean()) ** 2 * variance)
    limited = [
        t_estimate(value, math.sqrt(max(one, 0.0)), size - 2, confidence, "large-sample variance, t")
        for value, one in zip((slope, intercept), variances, strict=True)
    ]
    return replace(found, slope=limited[0], intercept=limited[1], left_out=np.empty((0, 2)), reason="")


def _undefined(pairs: Pairs, variance_ratio: float, confidence: float, reason: str, *, weighted: bool) -> Deming:
    nothing = Estimate(math.nan, method="undefined")
    return Deming(pairs, nothing, nothing, variance_ratio, weighted, np.empty((0, 2)), confidence, reason)
