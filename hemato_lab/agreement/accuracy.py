"""How often a reader is right where the truth is known: sensitivity and its kin, and the comparison of two readers.

Altman and Bland, BMJ 308 (1994) 1552 and 309 (1994) 102; "efficiency" is the share of right answers, as DOMAIN.md
section 7 reports it. McNemar, Psychometrika 12 (1947) 153-157; its mid-p form: Fagerland, Lydersen and Laake, BMC Med.
Res. Methodol. 13 (2013) 91. Say what was counted: smears or cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import bdtr, gammaln, ndtr

from hemato_lab.agreement.confusion import EXACT, Confusion
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import clopper_pearson_limits, two_sided_z, wilson_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

LimitsBy = Literal["exact", "wilson"]
FIGURES: Final = ("sensitivity", "specificity", "positive predictive value", "negative predictive value", "efficiency")
NEITHER: Final = "no case told the readers apart: their ratio is not defined"


@dataclass(frozen=True, slots=True)
class Accuracy(Tabulated):
    """The four counts of a reader against the truth, and what follows from them.

    Attributes
    ----------
    true_positives, false_negatives, false_positives, true_negatives : int
    limits : {"exact", "wilson"}
        Clopper-Pearson for reports, Wilson for plots (DOMAIN.md section 2.7).
    confidence : float
    label : str
        What is told apart, for people.
    """

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int
    limits: LimitsBy = "exact"
    confidence: float = 0.95
    label: str = ""

    def __post_init__(self) -> None:
        counts = (self.true_positives, self.false_negatives, self.false_positives, self.true_negatives)
        if not all(map(_is_count, counts)):
            raise ConfigError("cases are counted in whole numbers", hint="give counts of at least 0")
        if self.limits not in {"exact", "wilson"}:
            raise ConfigError(f"no such limits: {self.limits}", hint='use "exact" or "wilson"')
        two_sided_z(self.confidence)

    def __len__(self) -> int:
        return self.true_positives + self.false_negatives + self.false_positives + self.true_negatives

    @property
    def sensitivity(self) -> Estimate:
        """Share of the positive cases that were called so."""
        return self._share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> Estimate:
        """Share of the other cases that were not called positive."""
        return self._share(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def positive_predictive_value(self) -> Estimate:
        """Share of the cases called positive that are; holds for the prevalence of these cases alone."""
        return self._share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def negative_predictive_value(self) -> Estimate:
        """Share of the cases not called positive that are not; holds for the prevalence of these cases alone."""
        return self._share(self.true_negatives, self.true_negatives + self.false_negatives)

    @property
    def efficiency(self) -> Estimate:
        """Share of all cases that were called right."""
        return self._share(self.true_positives + self.true_negatives, len(self))

    @property
    def prevalence(self) -> Estimate:
        """Share of positive cases."""
        return self._share(self.true_positives + self.false_negatives, len(self))

    def predictive_values_at(self, prevalence: float) -> tuple[float, float]:
        """Return positive and negative predictive value where another share of the cases is positive.

        Raises
        ------
        ConfigError
            If the prevalence is not between 0 and 1.
        """
        if not 0 <= prevalence <= 1:
            raise ConfigError(f"a prevalence of {prevalence} is impossible", hint="give a share between 0 and 1")
        found, spared = self.sensitivity.value, self.specificity.value
        right = found * prevalence, spared * (1 - prevalence)
        called = right[0] + (1 - spared) * (1 - prevalence), right[1] + (1 - found) * prevalence
        positive, negative = (one / all_ if all_ > 0 else math.nan for one, all_ in zip(right, called, strict=True))
        return positive, negative

    def figures(self) -> dict[str, Estimate]:
        """Return the five figures by the names of `FIGURES`."""
        return {name: getattr(self, name.replace(" ", "_")) for name in FIGURES}

    def rows(self) -> tuple[Row, ...]:
        """Return the five figures and the prevalence."""
        return (*(row(name, one) for name, one in self.figures().items()), row("prevalence", self.prevalence))

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the figures with their limits, one below the other.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.accuracy import draw

        return draw({self.label: self}, axes)

    def _share(self, part: int, whole: int) -> Estimate:
        if not whole:
            return Estimate(math.nan, method="no such case")
        limits, method = (clopper_pearson_limits, EXACT) if self.limits == "exact" else (wilson_limits, "Wilson")
        return Estimate(part / whole, *limits(part, whole, confidence=self.confidence), method)


def accuracy(
    truth: ArrayLike, called: ArrayLike, *, limits: LimitsBy = "exact", confidence: float = 0.95, label: str = ""
) -> Accuracy:
    """Return how right a reader is.

    Parameters
    ----------
    truth, called : array of bool, shape (n,)
        Whether each case is positive, and whether the reader called it so.
    limits, confidence, label
        See `Accuracy`.

    Raises
    ------
    ConfigError
        If the two are not lists of equally many truth values.
    """
    true, said = _truth_values(truth, called)
    hits, alarms = int((true & said).sum()), int((~true & said).sum())
    misses, rest = int((true & ~said).sum()), int((~true & ~said).sum())
    return Accuracy(hits, misses, alarms, rest, limits, confidence, label)


def accuracy_of(table: Confusion, name: str, *, limits: LimitsBy = "exact") -> Accuracy:
    """Return how right the second reader is about one class, the first being the truth.

    Raises
    ------
    ConfigError
        If there is no such class.
    """
    (hits, misses), (alarms, rest) = table.against(name).counts.tolist()
    return Accuracy(hits, misses, alarms, rest, limits, table.confidence, name)


@dataclass(frozen=True, slots=True)
class McNemar(Tabulated):
    """Two readers of the same cases, to tell whether one is positive, or right, more often.

    Attributes
    ----------
    first_only, second_only : int
        Cases in which one of them alone was.
    cases : int
        All of them.
    confidence : float
    """

    first_only: int
    second_only: int
    cases: int
    confidence: float = 0.95

    def __post_init__(self) -> None:
        counts = (self.first_only, self.second_only, self.cases)
        if not all(map(_is_count, counts)) or self.first_only + self.second_only > self.cases:
            raise ConfigError(f"{counts[0]} and {counts[1]} of {counts[2]} cases is impossible", hint="give counts")
        two_sided_z(self.confidence)

    @property
    def exact_p(self) -> float:
        """Two-sided, from the binomial distribution; never too small, often too large."""
        return min(1.0, 2 * float(bdtr(min(self.first_only, self.second_only), self._told_apart, 0.5)))

    @property
    def mid_p(self) -> float:
        """The same with half the probability of what was seen; 1 where no case told the readers apart.

        Closest to the truth for small numbers.
        """
        if not self._told_apart:
            return 1.0
        if self.first_only == self.second_only:
            return 1 - self._chance / 2
        return min(1.0, 2 * float(bdtr(min(self.first_only, self.second_only), self._told_apart, 0.5)) - self._chance)

    def chi_squared(self, *, corrected: bool = False) -> tuple[float, float]:
        """Return McNemar's statistic with one degree of freedom, and its p.

        Parameters
        ----------
        corrected : bool
            With the correction for continuity of Edwards (1948).

        Returns
        -------
        tuple of float
            (NaN, 1) where no case told the readers apart.
        """
        if not self._told_apart:
            return math.nan, 1.0
        apart = abs(self.first_only - self.second_only)
        statistic = (max(0, apart - 1) if corrected else apart) ** 2 / self._told_apart
        return statistic, 2 * float(ndtr(-math.sqrt(statistic)))

    @property
    def difference(self) -> Estimate:
        """Share in which the second was less that in which the first was, with large-sample limits."""
        if not self.cases:
            return Estimate(math.nan, method="no cases")
        first, second = self.first_only / self.cases, self.second_only / self.cases
        apart = second - first
        half = two_sided_z(self.confidence) * math.sqrt(max(0.0, first + second - apart**2) / self.cases)
        return Estimate(apart, max(-1.0, apart - half), min(1.0, apart + half), "large sample")

    @property
    def odds_ratio(self) -> Estimate:
        """Second only over first only, with exact conditional limits; infinite where the first never was alone."""
        if not self._told_apart:
            return Estimate(math.nan, method=NEITHER)
        exact = clopper_pearson_limits(self.second_only, self._told_apart, confidence=self.confidence)
        ends = [_odds(end) for end in (self.second_only / self._told_apart, *exact)]
        return Estimate(ends[0], ends[1], ends[2], "exact conditional")

    def rows(self) -> tuple[Row, ...]:
        """Return difference, ratio, and the p values."""
        statistic, p_value = self.chi_squared()
        return (
            row("difference", self.difference),
            row("odds ratio", self.odds_ratio),
            row("exact p", Estimate(self.exact_p)),
            row("mid-p", Estimate(self.mid_p)),
            row("chi-squared", Estimate(statistic)),
            row("p of chi-squared", Estimate(p_value)),
        )

    @property
    def _told_apart(self) -> int:
        return self.first_only + self.second_only

    @property
    def _chance(self) -> float:
        """Probability of just these two counts if both are alike."""
        seen, size = self.first_only, self._told_apart
        return math.exp(gammaln(size + 1) - gammaln(seen + 1) - gammaln(size - seen + 1) - size * math.log(2))


def mcnemar(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> McNemar:
    """Compare two readers of the same cases.

    Parameters
    ----------
    first, second : array of bool, shape (n,)
        Whether each reader called the case positive; or whether each was right.
    confidence : float

    Raises
    ------
    ConfigError
        If the two are not lists of equally many truth values.
    """
    one, other = _truth_values(first, second)
    return McNemar(int((one & ~other).sum()), int((other & ~one).sum()), len(one), confidence)


def _truth_values(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    arrays = [np.asarray(values) for values in (first, second)]
    if any(array.ndim != 1 or (array.size and not np.isin(array, (0, 1)).all()) for array in arrays):
        raise ConfigError("the values are not true or false", hint="give one truth value a case")
    if len(arrays[0]) != len(arrays[1]):
        problem = f"there are {len(arrays[0])} and {len(arrays[1])} values"
        raise ConfigError(problem, hint="give both values of every case, in the same order")
    return arrays[0].astype(np.bool_), arrays[1].astype(np.bool_)


def _is_count(number: float) -> bool:
    return math.isfinite(number) and number >= 0 and number == int(number)


def _odds(end: float) -> float:
    return end / (1 - end) if end < 1 else math.inf
