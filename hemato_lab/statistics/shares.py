"""Shares of a class among all cells of a kind: exact limits, how many cells they need, and what none seen means.

A share counts every cell of the kind that was found, cut ones too: both of its numbers meet the border of a field in
the same way, and white cells are too rare to be thrown away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import Limits, clopper_pearson_limits, odds
from hemato_lab.statistics.overdispersion import Overdispersion, binomial_overdispersion

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANCE_TO_MEET: Final = 0.95
"""Probability with which at least one cell is to be seen (DOMAIN.md section 2.7)."""
MOST_CELLS: Final = 10**9
MINIMUM_WBC: Final = 100
"""White cells below which a share of them is called insufficient (DOMAIN.md section 2.7)."""


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """A class among all cells of a kind.

    Attributes
    ----------
    count, reference : int
        Cells of the class, and of the kind.
    limits : Limits
        Exact 95 % limits of count / reference, widened by the spread of the fields.
    overdispersion : Overdispersion
        The spread of the fields.
    """

    count: int
    reference: int
    limits: Limits
    overdispersion: Overdispersion

    @property
    def share(self) -> float:
        """Count / reference, 0 of none."""
        return self.count / self.reference if self.reference else 0.0


def share_of(within: NDArray[np.bool_], fields: NDArray[np.integer], count: int) -> ShareEstimate:
    """Estimate the share of a class that is part of the kind.

    Parameters
    ----------
    within : ndarray of bool, shape (cells,)
        For every cell of the kind, whether it is of the class.
    fields : ndarray of int, shape (cells,)
        Their fields.
    count : int
        Number of fields.
    """
    found, total = np.bincount(fields[within], minlength=count), np.bincount(fields, minlength=count)
    spread = binomial_overdispersion(found, total)
    k, n = int(found.sum()), int(total.sum())
    limits = clopper_pearson_limits(k, n)
    return ShareEstimate(k, n, spread.widen(limits, k / n, highest=1.0) if n else limits, spread)


def ratio_of(class_fields: NDArray[np.integer], fields: NDArray[np.integer], count: int) -> ShareEstimate:
    """Estimate the ratio of a class to a kind that does not contain it, as nucleated red cells to white cells.

    Parameters
    ----------
    class_fields, fields : ndarrays of int
        Fields of the cells of the class, and of the kind.
    count : int
        Number of fields.

    Returns
    -------
    ShareEstimate
        Whose limits are exact for a ratio of Poisson counts (`hemato_lab.statistics.concentrations`).
    """
    found, total = np.bincount(class_fields, minlength=count), np.bincount(fields, minlength=count)
    k, n = int(found.sum()), int(total.sum())
    spread = binomial_overdispersion(found, found + total)
    limits = odds(clopper_pearson_limits(k, k + n))
    return ShareEstimate(k, n, spread.widen_ratio(limits, k / n) if n else limits, spread)


def cells_needed(share: float, half_width: float, *, confidence: float = 0.95) -> int:
    """Return how many cells must be counted for exact limits no farther than `half_width` from a share.

    Parameters
    ----------
    share : float
        Expected, in [0, 1].
    half_width : float
        In (0, 1), for example 0.02 for +-2 %.
    confidence : float

    Raises
    ------
    ConfigError
        If a number is impossible.
    """
    if not 0 <= share <= 1 or not 0 < half_width < 1 or not 0 < confidence < 1:
        raise ConfigError(f"no number of cells tells {share} to within {half_width}", hint="use shares between 0 and 1")
    tail = (1 - confidence) / 2

    def excess(log_n: float) -> float:
        n = math.exp(log_n)
        k = share * n
        low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
        high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
        return max(share - low, high - share) - half_width

    if excess(0.0) <= 0:
        return 1
    if excess(math.log(MOST_CELLS)) > 0:
        raise ConfigError(f"limits of +-{half_width:g} need more than {MOST_CELLS:.0e} cells", hint="allow wider ones")
    return math.ceil(math.exp(brentq(excess, 0.0, math.log(MOST_CELLS))) - 1e-6)


def cells_to_meet(share: float, chance: float = CHANCE_TO_MEET) -> int:
    """Return how many cells must be looked at to see at least one of a class with the given chance.

    The least n with 1 - (1 - share)^n >= chance: 299, 149, 59 for 1, 2, 5 % (DOMAIN.md section 2.7).

    Raises
    ------
    ConfigError
        If a number is not inside (0, 1).
    """
    if not (0 < share < 1 and 0 < chance < 1):
        raise ConfigError(f"a share of {share} is met with no chance of {chance}", hint="use numbers inside (0, 1)")
    return math.ceil(math.log1p(-chance) / math.log1p(-share) - 1e-9)


def detection_limit(cells: int, *, sensitivity: float = 1.0, chance: float = CHANCE_TO_MEET) -> float:
    """Return the least share of which at least one cell would have been seen with the given chance.

    ``(1 - 0.05^(1/n)) / sensitivity`` (DOMAIN.md section 2.7); 1 where even all cells being so might be missed.

    Parameters
    ----------
    cells : int
        Looked at.
    sensitivity : float
        Share of the cells of the class that are recognised, in (0, 1].
    chance : float

    Raises
    ------
    ConfigError
        If a number is impossible.
    """
    if cells < 0 or not 0 < sensitivity <= 1 or not 0 < chance < 1:
        raise ConfigError(
            f"{cells} cells at a sensitivity of {sensitivity} tell nothing", hint="use 1.0 for a perfect eye"
        )
    if cells == 0:
        return 1.0
    return min(1.0, -math.expm1(math.log1p(-chance) / cells) / sensitivity)
