"""Bland and Altman's limits of agreement.

Bland and Altman, Lancet i (1986) 307-310, and Stat. Methods Med. Res. 8 (1999) 135-160; for blood counts DOMAIN.md
section 7. Differences are second minus first, against the mean of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hemato_lab.agreement.counting import Counting, Envelope, envelope
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.pairs import NAMES, Pairs, make_pairs
from hemato_lab.agreement.student import NO_TREND, Trend, fit_trend, t_estimate, two_sided_t
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from hemato_lab.agreement.pairs import Floats

Scale = Literal["plain", "percent", "log"]
LimitVariance = Literal["full", "rounded"]

SCALES: Final = ("plain", "percent", "log")
NO_PAIRS: Final = "there are no pairs"
ONE_PAIR: Final = "one pair has no spread: the limits of agreement are not defined"
_NEEDS: Final = {
    "percent": "a pair has a mean of 0 or less, of which no percentage can be taken: use the plain scale",
    "log": "a value is 0 or less and has no logarithm: use the plain scale",
}


@dataclass(frozen=True, slots=True, eq=False)
class BlandAltman(Tabulated):
    """Bias and limits of agreement of two methods.

    Attributes
    ----------
    pairs : Pairs
    scale : {"plain", "percent", "log"}
        What the differences are: in the unit of the values; in per cent of the mean of both; natural logarithms of
        second over first.
    levels : array of float, shape (n,)
        Mean of both values; on the log scale their geometric mean.
    differences : array of float, shape (n,)
        On the scale; empty where the data have none on it, see `reason`.
    bias, lower, upper : Estimate
        Mean difference and limits of agreement. On the log scale they are ratios of second to first, transformed back.
    spread : float
        Standard deviation of the differences, on the log scale of the logarithms.
    multiplier : float
        Limits of agreement are the bias and so many standard deviations.
    bias_trend, spread_trend : Trend
        How the differences, and their distances from the line of `bias_trend`, change with the level (Bland and Altman
        1999, section 3.2: distances from one mean bias would grow with any bias that does). Where the spread rises with
        the level, plain limits are too wide for small values and too narrow for large ones.
    envelope : Envelope or None
        What counting alone explains, where it is known how much was counted.
    confidence : float
    reason : str
        Why something is undefined (NaN); empty if all is defined.
    """

    pairs: Pairs
    scale: Scale
    levels: Floats
    differences: Floats
    bias: Estimate
    lower: Estimate
    upper: Estimate
    spread: float
    multiplier: float
    bias_trend: Trend
    spread_trend: Trend
    envelope: Envelope | None
    confidence: float
    reason: str = ""

    @property
    def unit(self) -> str:
        """Unit of bias and limits."""
        return {"plain": self.pairs.unit, "percent": "%", "log": "ratio"}[self.scale]

    def rows(self) -> tuple[Row, ...]:
        """Return bias, limits of agreement, trends, and the share that counting does not explain."""
        unit = self.unit
        spread = Estimate(self.spread, method="standard deviation")
        found = [
            row("bias", self.bias, unit),
            row("lower limit of agreement", self.lower, unit),
            row("upper limit of agreement", self.upper, unit),
            row("spread of the differences", spread, "log" if self.scale == "log" else unit),
            row("change of the bias with the level", self.bias_trend.slope),
            row("change of the spread with the level", self.spread_trend.slope),
        ]
        if self.envelope is not None:
            found.append(row("share beyond counting", self.envelope.share_outside))
        return tuple(found)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the differences against the means with bias, limits and envelope.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.differences import draw

        return draw(self, axes)


def bland_altman(
    first: ArrayLike,
    second: ArrayLike,
    *,
    scale: Scale = "plain",
    counted: Counting | int | None = None,
    multiplier: float = 1.96,
    limit_variance: LimitVariance = "full",
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> BlandAltman:
    """Return bias and limits of agreement of two methods.

    Limits of the bias are ``t sd / sqrt(n)``, those of a limit of agreement ``t sd sqrt(1/n + m²/(2 (n - 1)))`` with
    m the multiplier and t Student's quantile with n - 1 degrees of freedom (Bland and Altman 1999).

    Parameters
    ----------
    first, second : array of float, shape (n,)
        Values of the reference and of the method that is tested, in the same unit.
    scale : {"plain", "percent", "log"}
        Differences as they are, in per cent of the mean of both, or as ratios.
    counted : Counting or int, optional
        How much was counted; a number means that the values are per cent of so many cells in either reading.
    multiplier : float
        1.96; the paper of 1986 rounds it to 2.
    limit_variance : {"full", "rounded"}
        As above, or ``3 / n`` as in the paper of 1986.
    confidence : float
        Of all limits, and of the envelope of counting.
    names, unit
        For people; see `Pairs`.

    Returns
    -------
    BlandAltman
        Figures that the data do not define are NaN, with the reason.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, or a parameter is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    if scale not in SCALES:
        raise ConfigError(f"no such scale: {scale}", hint='use "plain", "percent" or "log"')
    counting = Counting.of_shares(int(counted)) if isinstance(counted, (int, Integral)) else counted
    chance = None if counting is None else envelope(pairs, counting, confidence)
    levels, differences, reason = _on_scale(pairs, scale)
    size = len(differences)
    mean = float(differences.mean()) if size else math.nan
    spread = float(differences.std(ddof=1)) if size > 1 else math.nan
    figures = limits_of_agreement(
        mean, spread, size, multiplier=multiplier, limit_variance=limit_variance, confidence=confidence
    )
    bias, lower, upper = (_back(one) for one in figures) if scale == "log" else figures
    trends = _trends(levels, differences, confidence)
    reason = reason or (ONE_PAIR if size < 2 else "")
    return BlandAltman(
        pairs, scale, levels, differences, bias, lower, upper, spread, multiplier, *trends, chance, confidence, reason
    )


def limits_of_agreement(
    mean: float,
    spread: float,
    size: int,
    *,
    multiplier: float = 1.96,
    limit_variance: LimitVariance = "full",
    confidence: float = 0.95,
) -> tuple[Estimate, Estimate, Estimate]:
    """Return bias, lower and upper limit of agreement from what a paper prints; see `bland_altman`.

    Parameters
    ----------
    mean, spread : float
        Mean and standard deviation (over n - 1) of the differences.
    size : int
        How many differences; fewer than two have no limits (NaN).
    multiplier, limit_variance, confidence
        As in `bland_altman`.

    Raises
    ------
    ConfigError
        If a parameter is impossible.
    """
    if limit_variance not in {"full", "rounded"} or not 0 < multiplier < math.inf:
        problem = f"no such limits of agreement: {multiplier} standard deviations, {limit_variance} variance"
        raise ConfigError(problem, hint='use a positive multiplier, and a "full" or "rounded" variance')
    if size < 2:
        two_sided_t(confidence, 1)
        nothing = Estimate(math.nan, method="undefined")
        return Estimate(mean, method="no limits"), nothing, nothing
    variance = 3 / size if limit_variance == "rounded" else 1 / size + multiplier**2 / (2 * (size - 1))
    ends = mean - multiplier * spread, mean + multiplier * spread
    lower, upper = (t_estimate(end, spread * math.sqrt(variance), size - 1, confidence, "t") for end in ends)
    return t_estimate(mean, spread / math.sqrt(size), size - 1, confidence, "t"), lower, upper


def _on_scale(pairs: Pairs, scale: Scale) -> tuple[Floats, Floats, str]:
    """Return levels, differences, and why there are none."""
    nothing = np.empty(0)
    if not len(pairs):
        return nothing, nothing, NO_PAIRS
    if scale == "plain":
        return pairs.means, pairs.differences, ""
    smallest = pairs.means.min() if scale == "percent" else min(pairs.first.min(), pairs.second.min())
    if smallest <= 0:
        return nothing, nothing, _NEEDS[scale]
    if scale == "percent":
        return pairs.means, 100 * pairs.differences / pairs.means, ""
    logs = np.log(pairs.first), np.log(pairs.second)
    return np.exp((logs[0] + logs[1]) / 2), logs[1] - logs[0], ""


def _back(figure: Estimate) -> Estimate:
    """Return an estimate of a logarithm as that of the ratio."""
    ends = [_exponential(end) for end in (figure.value, figure.low, figure.high)]
    return Estimate(ends[0], ends[1], ends[2], "t of the logarithms")


def _exponential(value: float) -> float:
    return math.exp(value) if not value > 700 else math.inf


def _trends(levels: Floats, differences: Floats, confidence: float) -> tuple[Trend, Trend]:
    """Return how the differences, and their distances from the line through them, change with the level."""
    bias = fit_trend(levels, differences, confidence)
    if not bias.slope.defined:
        return NO_TREND, NO_TREND
    away = np.abs(differences - (bias.intercept + bias.slope.value * levels))
    return bias, fit_trend(levels, away, confidence)
