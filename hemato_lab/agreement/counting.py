"""What counting alone explains: two readers who count so many cells each cannot agree better than chance allows.

A share p of n cells has the variance p (1 - p) / n and a density counted in the area A the variance density / A
(DOMAIN.md section 2.7). The difference of two independent counts of the same sample has the sum of both variances.
Limits are those of the normal law, widened by half the step between two possible differences (Yates, J. R. Statist.
Soc. Suppl. 1 (1934) 217-235), which keeps them close to the exact conditional ones down to a handful of cells. Two
readings of the same cells share their chance: their differences should be much smaller than this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import clopper_pearson_limits, two_sided_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hemato_lab.agreement.pairs import Floats, Pairs


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """How two values come from counts; made by `of_shares` or `of_densities`.

    Attributes
    ----------
    first, second : array of float, shape () or (n,)
        What one cell adds to the value of either method, in its unit.
    whole : float
        The value if every cell were of the kind counted, 100 for per cent; infinite for densities.
    """

    first: Floats
    second: Floats
    whole: float

    def __post_init__(self) -> None:
        if not all(np.all(np.isfinite(step) & (step > 0)) for step in (self.first, self.second)):
            raise ConfigError("a value cannot come from no cell or no area", hint="state how many cells were counted")
        if not self.whole > 0:
            raise ConfigError(f"a whole of {self.whole} is impossible", hint="use 100 for per cent")

    @classmethod
    def of_shares(cls, first: ArrayLike, second: ArrayLike | None = None, *, whole: float = 100.0) -> Counting:
        """Return the counting of shares.

        Parameters
        ----------
        first, second : int or array of int, shape (n,)
            Cells that either method counted in all, for example 200; the second as many as the first if not given.
        whole : float
            100 if the values are per cent, 1 if they are fractions.
        """
        cells = _both(first, second)
        return cls(whole / cells[0], whole / cells[1], whole)

    @classmethod
    def of_densities(cls, first: ArrayLike, second: ArrayLike | None = None) -> Counting:
        """Return the counting of densities or concentrations.

        Parameters
        ----------
        first, second : float or array of float, shape (n,)
            Area or volume that either method looked at, in the unit below the stroke of the values' unit (mm2 where
            the values are per mm2).
        """
        searched = _both(first, second)
        return cls(1 / searched[0], 1 / searched[1], math.inf)

    def half_width(self, levels: Floats, confidence: float = 0.95) -> Floats:
        """Return how far two values of the same sample may differ by chance.

        Parameters
        ----------
        levels : array of float, shape (n,)
            True values; beyond 0 and the whole they count as these.
        confidence : float
            Share of the differences that lie within.
        """
        steps = self.first + self.second
        inside = np.clip(levels, 0, self.whole)
        variance = inside * (1 - inside / self.whole) * steps
        return two_sided_z(confidence) * np.sqrt(variance) + steps / 2

    def pooled(self, pairs: Pairs) -> Floats:
        """Return the value of each sample from the cells of both methods together, shape (n,)."""
        weights = 1 / self.first, 1 / self.second
        return (weights[0] * pairs.first + weights[1] * pairs.second) / (weights[0] + weights[1])

    @property
    def uniform(self) -> Counting | None:
        """The counting of any sample where every sample was counted alike, so that one curve holds for all."""
        if np.ptp(self.first) or np.ptp(self.second):
            return None
        return Counting(np.array(self.first.min()), np.array(self.second.min()), self.whole)


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Which differences counting explains.

    Attributes
    ----------
    counting : Counting
    half_width : array of float, shape (n,)
        How far the two values of each sample may differ by chance, in their unit.
    outside : array of bool, shape (n,)
        Whether they differ by more.
    share_outside : Estimate
        As a fraction, with exact limits; ``1 - confidence`` or less is what chance gives.
    """

    counting: Counting
    half_width: Floats
    outside: NDArray[np.bool_]
    share_outside: Estimate


def envelope(pairs: Pairs, counting: Counting, confidence: float = 0.95) -> Envelope:
    """Tell which pairs differ by more than counting explains.

    Raises
    ------
    ConfigError
        If there is neither one count for all samples nor one for each.
    """
    if any(step.shape not in {(), (len(pairs),)} for step in (counting.first, counting.second)):
        raise ConfigError(f"the counts are not those of {len(pairs)} samples", hint="give one count, or one a sample")
    half = np.broadcast_to(counting.half_width(counting.pooled(pairs), confidence), (len(pairs),))
    outside = np.abs(pairs.differences) > half * (1 + 1e-9)
    if not len(pairs):
        return Envelope(counting, half, outside, Estimate(math.nan, method="no pairs"))
    limits = clopper_pearson_limits(int(outside.sum()), len(pairs), confidence=confidence)
    return Envelope(counting, half, outside, Estimate(float(outside.mean()), *limits, "Clopper-Pearson"))


def _both(first: ArrayLike, second: ArrayLike | None) -> tuple[Floats, Floats]:
    arrays = [np.asarray(counted, dtype=np.float64) for counted in (first, first if second is None else second)]
    if not all(np.all(np.isfinite(array) & (array > 0)) for array in arrays):
        raise ConfigError("a value cannot come from no cell or no area", hint="state how much was counted, above 0")
    return arrays[0], arrays[1]
