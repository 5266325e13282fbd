"""The statistics of two reports side by side: like units converted, unlike or unknown ones refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.agreement.units import factor
from hemato_lab.errors import UnlikeUnitsError

if TYPE_CHECKING:
    from hemato_lab.report import FeatureStatistic, Report

Limits = tuple[float, float]


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
    """

    text: str = ""
    unit: str = ""
    value: float | None = None
    limits: Limits | None = None

    @classmethod
    def of(cls, statistic: FeatureStatistic) -> Reading:
        """Return the reading of a statistic in its own unit."""
        number = statistic.number
        value = None if number is None else float(number)
        return cls(statistic.value, statistic.unit, value, statistic.limits_95)

    def converted(self, unit: str, times: float) -> Reading:
        """Return it in another unit."""
        value = None if self.value is None else self.value * times
        limits = None if self.limits is None else (self.limits[0] * times, self.limits[1] * times)
        return replace(self, unit=unit, value=value, limits=limits)


NOT_STATED: Final = Reading()


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
        return self.second.value - self.first.value

    @property
    def ratio(self) -> float | None:
        """Second over first; None where they cannot be compared or the first is 0."""
        if self.problem or not self.first.value or self.second.value is None:
            return None
        return self.second.value / self.first.value

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
        """Whether nothing differs: equal numbers in like units, or equal words where neither has a number."""
        if self.comparable:
            return self.difference == 0
        return self.first.value is None and self.first == self.second

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
        times = factor(second.unit, first.unit)
    except UnlikeUnitsError as error:
        return StatisticComparison(key, first, second, f"{error.problem}; {error.hint}")
    return StatisticComparison(key, first, second.converted(first.unit, times))


def _missing(first: Reading, second: Reading) -> str:
    """Return why there are not two numbers, empty where there are."""
    if NOT_STATED in (first, second):
        return f"stated by the {'second' if first == NOT_STATED else 'first'} report only"
    wordy = [(who, one) for who, one in (("first", first), ("second", second)) if one.value is None]
    if len(wordy) == 2:
        return "no number in either report"
    return "".join(f"no number in the {who} report: {one.text[:40]}" for who, one in wordy)
