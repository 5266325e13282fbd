"""How often two reports saw each finding, with limits of counting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.statistics.limits import Limits, poisson_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.report import Report

LIKE_AREAS: Final = 0.01
"""Areas that differ by less than this share of the larger are taken for equal."""
_COUNTED_ON: Final = "rbc-density"
_MOST: Final = 10**9
"""Above it a count is no count of cells."""


@dataclass(frozen=True, slots=True)
class FindingCount:
    """How often one report saw a finding.

    Attributes
    ----------
    count : int or None
        None where the report does not say: the finding was not assessed, is not listed, or its count is no number.
    reason : str
        Why there is no count; empty where there is one.
    """

    count: int | None
    reason: str = ""

    @property
    def limits(self) -> Limits | None:
        """Exact 95 % limits of the count (Garwood), None without one.

        They are of counting alone: how much the fields of a smear vary is in the limits of shares that a report states.
        """
        return None if self.count is None else poisson_limits(self.count)


@dataclass(frozen=True, slots=True)
class FindingComparison:
    """One finding in two reports.

    Attributes
    ----------
    name : str
    first, second : FindingCount
    p_value : float or None
        Of the conditional exact test that both counts have one mean (Przyborowski and Wilenski, Biometrika 31 (1940)
        313-323): given their sum, the first is binomial with one half. It takes the counts for independent, as of two
        smears or of other fields. Two readings of one picture see the same cells and differ less; for those the
        matched cells say more. None where a count is missing or the areas are not known to be alike.
    """

    name: str
    first: FindingCount
    second: FindingCount
    p_value: float | None = None

    @property
    def difference(self) -> int | None:
        """Second count minus the first; None where one is missing."""
        if self.first.count is None or self.second.count is None:
            return None
        return self.second.count - self.first.count

    @property
    def equal(self) -> bool:
        """Whether both list the same count, or neither lists any: 0 is as good as no entry."""
        return (self.first.count or 0) == (self.second.count or 0)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready: one row of a table."""
        row: dict[str, Any] = {"finding": self.name}
        for name, one in (("first", self.first), ("second", self.second)):
            low, high = one.limits or (None, None)
            row |= {name: one.count, f"{name}_low": low, f"{name}_high": high, f"{name}_reason": one.reason}
        return row | {"difference": self.difference, "p_value": self.p_value}


def compare_findings(first: Report, second: Report) -> tuple[FindingComparison, ...]:
    """Compare every finding that at least one of two reports lists or has looked for.

    Returns
    -------
    tuple of FindingComparison
        In the order of the first report, then of the second: what was counted, then what was looked for and not seen.
        What neither has assessed is left out.
    """
    ours, theirs = _Counted(first), _Counted(second)
    names = dict.fromkeys((*first.morphological_findings, *second.morphological_findings, *ours.looked_for))
    alike = areas_alike(first, second)
    compared = []
    for name in dict.fromkeys((*names, *theirs.looked_for)):
        one, other = ours.count(name), theirs.count(name)
        tested = alike and one.count is not None and other.count is not None
        p_value = counts_p_value(one.count or 0, other.count or 0) if tested else None
        compared.append(FindingComparison(name, one, other, p_value))
    return tuple(compared)


def counts_p_value(first: int, second: int) -> float:
    """Return the two-sided p value of the exact test that two Poisson counts have one mean.

    Parameters
    ----------
    first, second : int
        Independent counts of areas that are alike.

    Returns
    -------
    float
        Twice the smaller tail of a binomial with one half, at most 1; 1.0 for no cell at all.
    """
    from scipy.special import bdtr

    total = first + second
    return min(1.0, 2 * float(bdtr(min(first, second), total, 0.5))) if total else 1.0


def areas_alike(first: Report, second: Report) -> bool:
    """Tell whether two reports are known to count on equal areas: on the same files, or on areas that both state."""
    if first.file_ids and sorted(first.file_ids) == sorted(second.file_ids):
        return True
    ours, theirs = _area_mm2(first), _area_mm2(second)
    return ours is not None and theirs is not None and abs(ours - theirs) <= LIKE_AREAS * max(ours, theirs)


def _area_mm2(report: Report) -> float | None:
    statistic = report.feature_statistics.get(_COUNTED_ON)
    area = None if statistic is None else statistic.details.get("area_mm2")
    known = isinstance(area, int | float) and not isinstance(area, bool) and math.isfinite(area) and area > 0
    return float(area) if known and area is not None else None


class _Counted:
    """The counts of one report, and what its extension says about what is not listed."""

    def __init__(self, report: Report) -> None:
        self._findings = report.morphological_findings
        assessed, self._not_assessed = (_mapping(report.extension.get(key)) for key in ("findings", "not_assessed"))
        self.looked_for: Sequence[str] = [name for name, details in assessed.items() if _none_seen(details)]

    def count(self, name: str) -> FindingCount:
        """Return the count of a finding. A name that is not listed counts as 0 only where it was looked for."""
        if name in self._findings:
            return _whole(self._findings[name].number, self._findings[name].count)
        if name in self.looked_for:
            return FindingCount(0)
        if name in self._not_assessed:
            return FindingCount(None, f"not assessed: {self._not_assessed[name]}")
        return FindingCount(None, "not listed")


def _whole(number: float | None, text: str) -> FindingCount:
    if number is None or number != int(number) or not 0 <= number <= _MOST:
        return FindingCount(None, f"no count: {text[:40]}")
    return FindingCount(int(number))


def _none_seen(details: object) -> bool:
    return isinstance(details, Mapping) and details.get("count") == 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
