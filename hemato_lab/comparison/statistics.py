"""The statistics of two reports side by side: like units converted, unlike or unknown ones refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.agreement.units import exact_factor
from hemato_lab.errors import UnlikeUnitsError

if TYPE_CHECKING:
    from hemato_lab.report import FeatureStatistic, Report

Limits = tuple[float, float]
_LONGEST_NUMBER: Final = 40
_EXACT: Final = (1e-30, 1e30)
"""Numbers that are read to their last digit; of others the nearest float is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one report says of a statistic.

    Attributes
    ----------
    text : str
        The value as it was written; empty where the report lacks the statistic.
    unit : str
        As it was written, or the one that the value was converted to.
    value : float or None
        None where the text is no number, as ``not assessed``.
    limits : (low, high) or None
        95 % limits in the same unit, None where the report states none.
    stated : bool
        Whether the report has the statistic.
    """

    text: str = ""
    unit: str = ""
    value: float | None = None
    limits: Limits | None = None
    stated: bool = True

    @classmethod
    def of(cls, statistic: FeatureStatistic) -> Reading:
        """Return the reading of a statistic in its own unit."""
        number = statistic.number
        value = None if number is None else float(number)
        return cls(statistic.value, statistic.unit, value, statistic.limits_95)

    def converted(self, unit: str, times: Fraction) -> Reading:
        """Return it in another unit, rounded once: what was equal is equal afterwards.

        Raises
        ------
        OverflowError
            If a figure becomes larger than any float.
        """
        value = None if self.value is None else float(_exactly(self.text, self.value) * times)
        low, high = (float(Fraction(limit) * times) for limit in self.limits or (0.0, 0.0))
        return replace(self, unit=unit, value=value, limits=None if self.limits is None else (low, high))


NOT_STATED: Final = Reading(stated=False)


def _exactly(text: str, value: float) -> Fraction:
    """Return the number that a text spells, which the nearest float often is not."""
    small, large = _EXACT
    if len(text) > _LONGEST_NUMBER or not small < abs(value) < large:
        return Fraction(value)
    return Fraction(Decimal(text.strip()))


@dataclass(frozen=True, slots=True)
class StatisticComparison:
    """One statistic in two reports.

    Attributes
    ----------
    key : str
        Of ``feature_statistics``, for example ``rbc-density``.
    first, second : Reading
        `NOT_STATED` where a report lacks the statistic. Where the two can be compared, both are in the first's unit.
    problem : str
        Why they cannot be compared; empty where they can.
    """

    key: str
    first: Reading
    second: Reading
    problem: str = ""

    @property
    def comparable(self) -> bool:
        """Whether both are numbers in units that a factor leads between."""
        return not self.problem

    @property
    def difference(self) -> float | None:
        """Second minus first, in the first's unit; None where they cannot be compared."""
        if self.problem or self.first.value is None or self.second.value is None:
            return None
        return _finite(self.second.value - self.first.value)

    @property
    def ratio(self) -> float | None:
        """Second over first; None where they cannot be compared or the first is 0."""
        if self.problem or not self.first.value or self.second.value is None:
            return None
        return _finite(self.second.value / self.first.value)

    @property
    def limits_overlap(self) -> bool | None:
        """Whether the two 95 % limits share a value; None where one report states none.

        Limits that are apart speak for a difference. Those that overlap do not show that there is none.
        """
        one, other = self.first.limits, self.second.limits
        if self.problem or one is None or other is None:
            return None
        return one[0] <= other[1] and other[0] <= one[1]

    @property
    def equal(self) -> bool:
        """Whether nothing differs: equal numbers in like units, or one text with one unit, whatever that means."""
        if self.comparable:
            return self.first.value == self.second.value
        one, other = ((side.text.strip(), side.unit.strip(), side.stated) for side in (self.first, self.second))
        return one == other

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready: one row of a table."""
        row: dict[str, Any] = {"statistic": self.key, "unit": self.first.unit or self.second.unit}
        for name, reading in (("first", self.first), ("second", self.second)):
            low, high = reading.limits or (None, None)
            row |= {f"{name}_text": reading.text, f"{name}_unit": reading.unit}
            row |= {name: reading.value, f"{name}_low": low, f"{name}_high": high}
        return row | {
            "difference": self.difference,
            "ratio": self.ratio,
            "limits_overlap": self.limits_overlap,
            "problem": self.problem,
        }


def compare_statistics(first: Report, second: Report) -> tuple[StatisticComparison, ...]:
    """Compare every statistic that at least one of two reports has.

    Returns
    -------
    tuple of StatisticComparison
        In the order of the first report, then what the second alone has. Units that do not fit raise nothing: the
        comparison says so in ``problem``.
    """
    ours = {key: Reading.of(statistic) for key, statistic in first.feature_statistics.items()}
    theirs = {key: Reading.of(statistic) for key, statistic in second.feature_statistics.items()}
    keys = dict.fromkeys((*ours, *theirs))
    return tuple(_compared(key, ours.get(key, NOT_STATED), theirs.get(key, NOT_STATED)) for key in keys)


def _compared(key: str, first: Reading, second: Reading) -> StatisticComparison:
    problem = _missing(first, second)
    if problem:
        return StatisticComparison(key, first, second, problem)
    try:
        converted = second.converted(first.unit, exact_factor(second.unit, first.unit))
    except UnlikeUnitsError as error:
        return StatisticComparison(key, first, second, f"{error.problem}; {error.hint}")
    except OverflowError:
        return StatisticComparison(key, first, second, "a number is larger than any that can be converted")
    return StatisticComparison(key, first, converted)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _missing(first: Reading, second: Reading) -> str:
    """Return why there are not two numbers, empty where there are."""
    if not (first.stated and second.stated):
        return f"stated by the {'first' if first.stated else 'second'} report only"
    wordy = [(who, one) for who, one in (("first", first), ("second", second)) if one.value is None]
    if len(wordy) == 2:
        return "no number in either report"
    return "".join(f"no number in the {who} report: {one.text[:40]}" for who, one in wordy)
