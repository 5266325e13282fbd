"""How much more the fields of a smear differ than chance alone would make them.

Cells cluster, so the counts of fields vary more than Poisson counts. The factor is Pearson's chi-squared statistic
over its degrees of freedom, which is variance over mean when all areas are equal; limits are widened by its square
root (DOMAIN.md section 2.7).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hemato_lab.statistics.limits import Limits


@dataclass(frozen=True, slots=True)
class Overdispersion:
    """Spread of the fields relative to chance.

    Attributes
    ----------
    factor : float or None
        Pearson's chi-squared over its degrees of freedom, 1 for pure chance; None when it cannot be estimated.
    fields : int
        Fields it was estimated from.
    reason : str
        Why it cannot be estimated; empty when it can.
    """

    factor: float | None
    fields: int
    reason: str = ""

    @property
    def widening(self) -> float:
        """What to multiply the half-widths of limits by: never below 1, and 1 where nothing is known."""
        return 1.0 if self.factor is None else math.sqrt(max(1.0, self.factor))

    def widen(self, limits: Limits, estimate: float, *, highest: float = math.inf) -> Limits:
        """Return the limits for cells that cluster as these do."""
        return limits.widened(estimate, self.widening, highest=highest)

    def widen_ratio(self, limits: Limits, estimate: float) -> Limits:
        """Return the limits of a ratio, whose distances are factors, for cells that cluster as these do."""
        return limits.widened_ratio(estimate, self.widening)


def poisson_overdispersion(counts: ArrayLike, areas: ArrayLike) -> Overdispersion:
    """Compare the counts of fields with those expected from their areas.

    Parameters
    ----------
    counts : array_like of int, shape (fields,)
        Cells a field.
    areas : array_like of float, shape (fields,)
        Area in which they were counted, any unit; fields without area are left out.

    Raises
    ------
    ConfigError
        If there are not as many areas as counts.
    """
    found, area = _paired(counts, areas)
    if found.sum() == 0:
        return _unknown(len(found), "no cell was counted")
    return _pearson(found, found.sum() * area / area.sum(), variance_per_mean=1.0)


def binomial_overdispersion(successes: ArrayLike, trials: ArrayLike) -> Overdispersion:
    """Compare the share of a class in each field with the share in all fields together.

    Parameters
    ----------
    successes, trials : array_like of int, shape (fields,)
        Cells of the class, and all cells, a field; fields without cells are left out.

    Raises
    ------
    ConfigError
        If there are not as many trials as successes.
    """
    found, total = _paired(successes, trials)
    if found.sum() in (0, total.sum()):
        return _unknown(len(found), "all cells are of one class")
    share = found.sum() / total.sum()
    return _pearson(found, total * share, variance_per_mean=1.0 - float(share))


def _paired(counts: ArrayLike, sizes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found, size = np.asarray(counts, np.float64), np.asarray(sizes, np.float64)
    if found.ndim != 1 or found.shape != size.shape:
        raise ConfigError(f"{found.size} counts do not go with {size.size} fields")
    return found[size > 0], size[size > 0]


def _unknown(fields: int, reason: str) -> Overdispersion:
    return Overdispersion(None, fields, "one field only" if fields == 1 else reason)


def _pearson(found: NDArray[np.float64], expected: NDArray[np.float64], variance_per_mean: float) -> Overdispersion:
    fields = len(expected)
    if fields < 2:
        return _unknown(fields, "no field")
    terms = (found - expected) ** 2 / (expected * variance_per_mean)
    return Overdispersion(math.fsum(terms) / (fields - 1), fields)
