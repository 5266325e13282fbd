"""Passing-Bablok regression: a line between two methods from the slopes of all pairs of samples.

Passing and Bablok, J. Clin. Chem. Clin. Biochem. 21 (1983) 709-720. It assumes nothing about the law of the errors
and outliers hardly move it; it needs methods that rise together, and 40 samples or more (DOMAIN.md section 7). The
limits of the intercept follow from those of the slope alone and are narrow: in simulations with 40 samples those of
95 % cover the true intercept nine times in ten, those of the slope as often as they should.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.linearity import NOT_TESTED, Linearity, find_bends
from hemato_lab.agreement.pairs import NAMES, Pairs, make_pairs
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import two_sided_z

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from hemato_lab.agreement.pairs import Floats

LimitRanks = Literal["rounded", "interpolated"]

MOST_SAMPLES: Final = 10_000
"""Their slopes take 400 MB."""
_ROUNDING: Final = 4 * float(np.finfo(np.float64).eps)
"""Differences below this share of the values are rounding: 0.3 - 0.2 and 0.2 - 0.1 are meant to be equal."""

NO_SLOPES: Final = "no two samples differ, so there is no slope"
UPRIGHT: Final = "the first method does not tell the samples apart, so the line is upright"
OPPOSED: Final = "the methods run against each other, for which this regression is not made"
FEW_FOR_LIMITS: Final = "too few samples for limits of this confidence"


@dataclass(frozen=True, slots=True, eq=False)
class PassingBablok(Tabulated):
    """The line ``second = intercept + slope × first``.

    Attributes
    ----------
    pairs : Pairs
    slope, intercept : Estimate
        The intercept in the unit of the values.
    slopes : int
        Slopes that were ranked: pairs of samples but those that are equal, or whose slope is -1.
    linearity : Linearity
        Whether the line describes the samples at all.
    confidence : float
    reason : str
        Why something is undefined (NaN); empty if all is defined.
    """

    pairs: Pairs
    slope: Estimate
    intercept: Estimate
    slopes: int
    linearity: Linearity
    confidence: float
    reason: str = ""

    def rows(self) -> tuple[Row, ...]:
        """Return slope, intercept, and the test of linearity."""
        p_value = Estimate(self.linearity.p_value, method="cusum, Kolmogorov")
        return (
            row("slope", self.slope),
            row("intercept", self.intercept, self.pairs.unit),
            row("p of a line", p_value),
        )

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the samples with the line, its limits, and the line of equality.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.lines import draw_passing_bablok

        return draw_passing_bablok(self, axes)


def passing_bablok(
    first: ArrayLike,
    second: ArrayLike,
    *,
    limit_ranks: LimitRanks = "rounded",
    confidence: float = 0.95,
    names: tuple[str, str] = NAMES,
    unit: str = "",
) -> PassingBablok:
    """Fit a line by the median of all slopes, shifted by how many are below -1.

    Parameters
    ----------
    first, second : array of float, shape (n,)
        Values of the reference and of the method that is tested; at most `MOST_SAMPLES`.
    limit_ranks : {"rounded", "interpolated"}
        Rank of the slopes that are the limits: a whole number as in the paper, or half ranks too, as the R package
        mcr has it; the second are closer together by a rank or so.
    confidence : float
    names, unit
        For people; see `Pairs`.

    Returns
    -------
    PassingBablok
        Figures that the data do not define are NaN, with the reason.

    Raises
    ------
    ConfigError
        If the values are no pairs of finite numbers, there are too many, or a parameter is impossible.
    """
    pairs = make_pairs(first, second, names=names, unit=unit)
    z = two_sided_z(confidence)
    if limit_ranks not in {"rounded", "interpolated"}:
        raise ConfigError(f"no such ranks: {limit_ranks}", hint='use "rounded" or "interpolated"')
    if len(pairs) > MOST_SAMPLES:
        problem = f"{len(pairs)} samples have too many slopes for Passing-Bablok regression"
        raise ConfigError(problem, hint=f"use at most {MOST_SAMPLES}, drawn at random, or Deming regression")
    slopes, shift = _slopes(pairs)
    if not len(slopes):
        return _undefined(pairs, confidence, NO_SLOPES)
    ranks = _limit_ranks(len(pairs), len(slopes), z, limit_ranks)
    slope, low, high = _ranked(slopes, [rank + shift for rank in ((len(slopes) + 1) / 2, *ranks)])
    if not math.isfinite(slope):
        return _undefined(pairs, confidence, UPRIGHT if _alike(pairs.first) else OPPOSED)
    if slope <= 0 and not _alike(pairs.second):
        return _undefined(pairs, confidence, OPPOSED)
    intercept = _intercept(pairs, slope)
    if math.isnan(low + high):
        low, high, reason, method = math.nan, math.nan, FEW_FOR_LIMITS, "no limits"
    else:
        reason, method = "", "ranks of slopes"
    line = Estimate(slope, low, high, method)
    offset = _intercept_limits(pairs, line, intercept, method)
    return PassingBablok(pairs, line, offset, len(slopes), find_bends(pairs, slope, intercept), confidence, reason)


def _undefined(pairs: Pairs, confidence: float, reason: str) -> PassingBablok:
    nothing = Estimate(math.nan, method="undefined")
    return PassingBablok(pairs, nothing, nothing, 0, NOT_TESTED, confidence, reason)


def _alike(values: Floats) -> bool:
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def _slopes(pairs: Pairs) -> tuple[Floats, int]:
    """Return the slopes of all pairs of samples in any order, and how many are below -1.

    Equal samples have no slope and -1 has no side (both are left out). Upright pairs count as plus infinity; minus
    infinity would move the median by as much as the shift moves it back.
    """
    size = len(pairs)
    found = np.empty(size * (size - 1) // 2)
    end = 0
    for index in range(size - 1):
        step_x = _step(pairs.first, index)
        step_y = _step(pairs.second, index)
        together = np.abs(step_x + step_y) > _ROUNDING * (np.abs(pairs.first[index]) + np.abs(pairs.second[index]))
        kept = ((step_x != 0) | (step_y != 0)) & together
        step_x, step_y = step_x[kept], step_y[kept]
        part = found[end : end + len(step_x)]
        part[:] = math.inf
        np.divide(step_y, step_x, out=part, where=step_x != 0)
        end += len(part)
    slopes = found[:end]
    return slopes, int(np.count_nonzero(slopes < -1))


def _step(values: Floats, index: int) -> Floats:
    """Return how much the later values lie above one, 0 where only rounding tells them apart."""
    later = values[index + 1 :]
    step: Floats = later - values[index]
    step[np.abs(step) <= _ROUNDING * np.maximum(np.abs(later), np.abs(values[index]))] = 0
    return step


def _limit_ranks(size: int, slopes: int, z: float, kind: LimitRanks) -> tuple[float, float]:
    """Return the ranks of the limits among the slopes, before the shift; half ranks lie between two."""
    half = z * math.sqrt(size * (size - 1) * (2 * size + 5) / 18)
    if kind == "rounded":
        low = math.floor((slopes - half) / 2 + 0.5)
        return low, slopes - low + 1
    return math.ceil(slopes - half - 0.5) / 2 + 0.5, math.floor(slopes + half + 0.5) / 2 + 0.5


def _ranked(slopes: Floats, ranks: list[float]) -> list[float]:
    """Return the slopes of some ranks, counted from 1, halfway between two for a half rank; NaN beyond the ends."""
    size = len(slopes)
    wanted = [(math.floor(rank) - 1, math.ceil(rank) - 1) for rank in ranks]
    inside = sorted({index for pair in wanted for index in pair if 0 <= index < size})
    slopes.partition(inside)
    return [
        _between(float(slopes[low]), float(slopes[high])) if low >= 0 and high < size else math.nan
        for low, high in wanted
    ]


def _between(low: float, high: float) -> float:
    return low if low == high else (low + high) / 2


def _intercept(pairs: Pairs, slope: float) -> float:
    """Return the median of what the slope leaves."""
    return float(np.median(pairs.second - slope * pairs.first))


def _intercept_limits(pairs: Pairs, slope: Estimate, intercept: float, method: str) -> Estimate:
    """Return the intercept with the least and the greatest that the slope or its limits leave."""
    if math.isnan(slope.low):
        return Estimate(intercept, method=method)
    if math.isinf(slope.high):
        return Estimate(intercept, -math.inf, math.inf, method)
    ends = intercept, _intercept(pairs, slope.low), _intercept(pairs, slope.high)
    return Estimate(intercept, min(ends), max(ends), method)
