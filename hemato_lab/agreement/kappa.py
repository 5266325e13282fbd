"""Agreement beyond chance of two readers who name cells or grade findings: kappa, weighted kappa, AC1 and AC2.

Kappa: Cohen, Educ. Psychol. Meas. 20 (1960) 37-46 and Psychol. Bull. 70 (1968) 213-220, with the large-sample variances
of Fleiss, Cohen and Everitt, Psychol. Bull. 72 (1969) 323-327. AC1: Gwet, Br. J. Math. Stat. Psychol. 61 (2008) 29-48;
AC2, which has weights: Gwet, Handbook of Inter-Rater Reliability (2014). Kappa falls where one class is rare, AC1
hardly: give both, and the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import ndtr

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import clopper_pearson_limits, two_sided_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hemato_lab.agreement.confusion import Confusion
    from hemato_lab.agreement.pairs import Floats

Weights = Literal["linear", "quadratic"]

NO_CELLS: Final = "there are no cells"
ONE_CLASS: Final = "both readers used a single class: agreement beyond chance is not defined"
ONE_READER_CONSTANT: Final = "one reader used a single class: kappa is 0 however often both agree, and has no limits"
NO_DISAGREEMENT: Final = "with these weights no two names disagree: agreement beyond chance is not defined"
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ChanceCorrected(Tabulated):
    """A coefficient of agreement: 1 for agreement on all cells, 0 for as much as chance gives.

    Attributes
    ----------
    name : str
        Which coefficient.
    confusion : Confusion
    weights : array of float, shape (k, k)
        What a cell counts by its two names: 1 on the diagonal.
    value : Estimate
        With large-sample limits, which end at -1 and 1. Where the readers agree on all cells, or on none, that
        variance is 0 and the limits follow from the exact ones of the agreement.
    observed, expected : float
        Weighted agreement that there is, and that chance would give.
    standard_error : float
        Large-sample, whatever the agreement is.
    reason : str
        Why something is undefined (NaN); empty if all is defined.
    """

    name: str
    confusion: Confusion = field(repr=False)
    weights: Floats = field(repr=False)
    value: Estimate
    observed: float
    expected: float
    standard_error: float
    reason: str = ""

    def rows(self) -> tuple[Row, ...]:
        """Return the coefficient, and the agreement seen and expected."""
        return (
            row(self.name, self.value),
            row("agreement" if _is_identity(self.weights) else "weighted agreement", Estimate(self.observed)),
            row("agreement by chance", Estimate(self.expected)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Kappa(ChanceCorrected):
    """Kappa with the test against no agreement beyond chance.

    Attributes
    ----------
    null_error : float
        Standard error where the true kappa is 0.
    """

    null_error: float = math.nan

    @property
    def p_value(self) -> float:
        """Two-sided, of no agreement beyond chance."""
        if not self.null_error > 0:
            return math.nan
        return 2 * float(ndtr(-abs(self.value.value) / self.null_error))


def cohen_kappa(confusion: Confusion) -> Kappa:
    """Return Cohen's kappa of a table, with the limits of Fleiss, Cohen and Everitt at its confidence."""
    return _kappa(confusion, np.eye(len(confusion.classes)), "Cohen's kappa")


def weighted_kappa(confusion: Confusion, weights: Weights | ArrayLike = "quadratic") -> Kappa:
    """Return weighted kappa of a table whose classes are grades in their order.

    Parameters
    ----------
    confusion : Confusion
    weights : {"linear", "quadratic"} or array of float, shape (k, k)
        ``1 - d / (k - 1)`` or ``1 - d² / (k - 1)²`` with d the distance of the grades, or weights of one's own, between
        0 and 1 with 1 on the diagonal.

    Raises
    ------
    ConfigError
        If the weights are impossible.
    """
    named = f"{weights} weighted kappa" if isinstance(weights, str) else "weighted kappa"
    return _kappa(confusion, agreement_weights(len(confusion.classes), weights), named)


def gwet_ac1(confusion: Confusion) -> ChanceCorrected:
    """Return Gwet's AC1 of a table, with his limits of 2008 for two readers, at the table's confidence."""
    return _gwet(confusion, np.eye(len(confusion.classes)), "AC1")


def gwet_ac2(confusion: Confusion, weights: Weights | ArrayLike = "quadratic") -> ChanceCorrected:
    """Return Gwet's AC2, the weighted AC1, of a table whose classes are grades in their order.

    See `weighted_kappa` for weights and errors.
    """
    return _gwet(confusion, agreement_weights(len(confusion.classes), weights), "AC2")


def agreement_weights(classes: int, weights: Weights | ArrayLike) -> Floats:
    """Return the weights of agreement, shape (classes, classes); see `weighted_kappa`.

    Raises
    ------
    ConfigError
        If they are not of this shape, not between 0 and 1, or not 1 on the diagonal.
    """
    if isinstance(weights, str):
        if weights not in {"linear", "quadratic"}:
            raise ConfigError(f"no such weights: {weights}", hint='use "linear", "quadratic" or a table')
        apart = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes))) / max(classes - 1, 1)
        return 1.0 - (apart if weights == "linear" else apart**2)
    own = np.asarray(weights, dtype=np.float64)
    if own.shape != (classes, classes) or not np.all((own >= 0) & (own <= 1)) or not np.all(np.diagonal(own) == 1):
        problem = f"these are no weights of agreement for {classes} classes"
        raise ConfigError(problem, hint="give a square table between 0 and 1, with 1 on its diagonal")
    return own


def _kappa(confusion: Confusion, weights: Floats, name: str) -> Kappa:
    size = len(confusion)
    if not size:
        return Kappa(name, confusion, weights, Estimate(math.nan), math.nan, math.nan, math.nan, NO_CELLS)
    shares = confusion.counts / size
    first, second = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = float((confusion.counts * weights).sum() / size), float(first @ weights @ second)
    if 1 - expected < _ROUNDING:
        undefined = Estimate(math.nan)
        return Kappa(name, confusion, weights, undefined, observed, expected, math.nan, ONE_CLASS)
    means = np.add.outer(weights @ second, first @ weights)
    inner = weights * (1 - expected) - means * (1 - observed)
    about = observed * expected - 2 * expected + observed
    error = _root((shares * inner**2).sum() - about**2, size) / (1 - expected) ** 2
    none = _root((np.outer(first, second) * (weights - means) ** 2).sum() - expected**2, size) / (1 - expected)
    value = _estimate(observed, expected, error, confusion)
    reason = ONE_READER_CONSTANT if max(first.max(), second.max()) == 1 else ""
    if reason:
        value = Estimate(value.value)
    return Kappa(name, confusion, weights, value, observed, expected, error, reason, none)


def _gwet(confusion: Confusion, weights: Floats, name: str) -> ChanceCorrected:
    size, classes = len(confusion), max(len(confusion.classes), 2)  # a single class has another that nobody used
    if not size:
        return ChanceCorrected(name, confusion, weights, Estimate(math.nan), math.nan, math.nan, math.nan, NO_CELLS)
    shares = confusion.counts / size
    other = 1 - (shares.sum(axis=1) + shares.sum(axis=0)) / 2
    scale = float(weights.sum()) / (classes * (classes - 1))
    observed, expected = float((confusion.counts * weights).sum() / size), scale * float((1 - other) @ other)
    if 1 - expected < _ROUNDING:
        undefined = Estimate(math.nan)
        return ChanceCorrected(name, confusion, weights, undefined, observed, expected, math.nan, NO_DISAGREEMENT)
    coefficient = (observed - expected) / (1 - expected)
    chance = scale * np.add.outer(other, other) / 2
    influence = weights - expected - 2 * (1 - coefficient) * (chance - expected)
    spread = (shares * influence**2).sum() - (observed - expected) ** 2
    error = _root(spread, size) / (1 - expected)
    value = _estimate(observed, expected, error, confusion)
    return ChanceCorrected(name, confusion, weights, value, observed, expected, error)


def _root(spread: float, size: int) -> float:
    return math.sqrt(spread / size) if spread > _ROUNDING else 0.0


def _estimate(observed: float, expected: float, error: float, confusion: Confusion) -> Estimate:
    value = (observed - expected) / (1 - expected)
    if error > 0:
        half = two_sided_z(confusion.confidence) * error
        return Estimate(value, max(-1.0, value - half), min(1.0, value + half), "large sample")
    if 0 < observed < 1:
        return Estimate(value, method="no spread")
    size = len(confusion)
    exact = clopper_pearson_limits(round(observed * size), size, confidence=confusion.confidence)
    low, high = (max(-1.0, (end - expected) / (1 - expected)) for end in exact)
    return Estimate(value, low, high, "exact limits of the agreement")


def _is_identity(weights: Floats) -> bool:
    return bool(np.array_equal(weights, np.eye(len(weights))))
