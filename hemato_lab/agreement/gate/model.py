"""What the gate is given, and what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from hemato_lab.agreement.pairs import LARGEST, SMALLEST
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.agreement.estimate import Estimate
    from hemato_lab.agreement.gate.settings import GateSettings, Rule
    from hemato_lab.agreement.pairs import Floats

Decision = Literal["pass", "fail", "undecided"]
PASS: Final[Decision] = "pass"  # noqa: S105 (no password)
FAIL: Final[Decision] = "fail"
UNDECIDED: Final[Decision] = "undecided"


@dataclass(frozen=True, slots=True, eq=False)
class PairedMetric:
    """One figure of the same smears, before and after.

    Attributes
    ----------
    name, unit : str
    smears : tuple of str
        Ids, in an order that both share.
    groups : tuple of str
        Patient of each smear; a smear without one is a group of its own.
    baseline, current : array of float, shape (n,)
        Finite.
    weights : array of float, shape (n,)
        Of each smear in the mean: 1, or how many cells a share was taken of.
    missing : tuple of str
        Smears of both runs that state it in one of them only, and are in no mean.
    whole : float
        What it is at most where it is a share, 100 or 1; 0 where it is none.
    problem : str
        Why it cannot pass although it may be judged; empty if it can.

    Raises
    ------
    ConfigError
        If they are not of equal length, a value is not finite or beyond 1e50, or a weight not positive.
    """

    name: str
    unit: str
    smears: tuple[str, ...]
    groups: tuple[str, ...]
    baseline: Floats
    current: Floats
    weights: Floats
    missing: tuple[str, ...] = ()
    whole: float = 0.0
    problem: str = ""

    def __post_init__(self) -> None:
        columns = (self.groups, self.baseline, self.current, self.weights)
        if any(len(column) != len(self.smears) for column in columns):
            raise ConfigError("columns of a metric are not equally long", subject=self.name)
        for side, values in (("baseline", self.baseline), ("current", self.current)):
            if not (np.abs(values) <= LARGEST).all():
                problem = f"has a value that is not finite, or beyond {LARGEST:g}"
                raise ConfigError(problem, subject=self.name, hint="leave such smears out")
            object.__setattr__(self, side, np.where(np.abs(values) < SMALLEST, 0.0, values))
        if not (np.isfinite(self.weights) & (self.weights > 0)).all():
            raise ConfigError("has a weight that is not positive", subject=self.name, hint="leave such smears out")

    def __len__(self) -> int:
        return len(self.smears)


@dataclass(frozen=True, slots=True, eq=False)
class PairedMetrics:
    """Everything that two runs over the same smears can be judged by.

    Attributes
    ----------
    labels : pair of str
        What baseline and current are called.
    metrics : tuple of PairedMetric
        With different names.
    unpaired : mapping of str to str
        Metrics that cannot be compared, and why; their change is not known.
    lost : mapping of str to str
        Metrics that the baseline states and the current run nowhere, and in how many smears; they fail.
    identical : bool
        Whether nothing differs between the runs: no smear, no value, no cell.
    remarks : tuple of str
        Smears that are in one run only, failed, or could not be used.
    """

    labels: tuple[str, str]
    metrics: tuple[PairedMetric, ...]
    unpaired: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    identical: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MetricVerdict:
    """What the gate says of one metric.

    Attributes
    ----------
    name, unit : str
    decision : {"pass", "fail", "undecided"}
    reason : str
        A sentence: what changed, by how much, and why this decides so.
    smears, groups : int
        In both runs, and how many of them are independent.
    baseline, current : float
        Means; NaN where there is no smear.
    change : Estimate
        Current minus baseline, in the unit.
    relative_change : Estimate
        The same as a share of the baseline's mean; NaN where that is 0.
    relative : bool
        Whether the relative change was judged, else the change itself.
    tolerance : float
        Of what was judged.
    rule : Rule
    largest : tuple of (smear, baseline, current)
        At most three smears that have the largest part in a change in the bad direction.
    missing : int
        Smears that state it in one run only, and are in no mean.
    doubt : str
        Why it does not pass although its limits may be tolerated; empty without such a reason.
    """

    name: str
    unit: str
    decision: Decision
    reason: str
    smears: int
    groups: int
    baseline: float
    current: float
    change: Estimate
    relative_change: Estimate
    relative: bool
    tolerance: float
    rule: Rule
    largest: tuple[tuple[str, float, float], ...] = ()
    missing: int = 0
    doubt: str = ""

    @property
    def judged(self) -> Estimate:
        """The change that was compared with the tolerance."""
        return self.relative_change if self.relative else self.change

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready; what is undefined or infinite is None."""
        return {
            "metric": self.name,
            "unit": self.unit,
            "decision": self.decision,
            "reason": self.reason,
            "smears": self.smears,
            "missing": self.missing,
            "independent": self.groups,
            "baseline": _finite(self.baseline),
            "current": _finite(self.current),
            "change": _ends(self.change),
            "relative_change": _ends(self.relative_change),
            "judged": "relative" if self.relative else "absolute",
            "tolerance": _finite(self.tolerance),
            "worse": self.rule.worse,
            "why": self.rule.why,
            "largest": [{"smear": one, "baseline": before, "current": after} for one, before, after in self.largest],
        }


@dataclass(frozen=True, slots=True, eq=False)
class GateResult:
    """Whether the gate opens.

    Attributes
    ----------
    labels : pair of str
    verdicts : tuple of MetricVerdict
        Those that fail first, then undecided ones, then those that pass, each in the order of the metrics.
    not_judged : tuple of str
        Metrics that the settings ignore.
    settings : GateSettings
    remarks : tuple of str
    """

    labels: tuple[str, str]
    verdicts: tuple[MetricVerdict, ...]
    not_judged: tuple[str, ...]
    settings: GateSettings
    remarks: tuple[str, ...] = ()

    @property
    def decision(self) -> Decision:
        """Fail if a metric fails, else undecided if one is, else pass."""
        found = {verdict.decision for verdict in self.verdicts}
        return FAIL if FAIL in found else UNDECIDED if UNDECIDED in found else PASS

    @property
    def opens(self) -> bool:
        """Whether all pass, or are undecided where the settings let these pass."""
        return self.decision == PASS or (self.decision == UNDECIDED and self.settings.undecided == PASS)

    def of(self, decision: Decision) -> tuple[MetricVerdict, ...]:
        """Return the verdicts with one decision."""
        return tuple(verdict for verdict in self.verdicts if verdict.decision == decision)

    @property
    def sentence(self) -> str:
        """The whole result in one sentence."""
        counts = {one: len(self.of(one)) for one in (FAIL, UNDECIDED, PASS)}
        opens = "The gate opens" if self.opens else "The gate stays shut"
        passed = f"{counts[PASS]} of {len(self.verdicts)} metrics pass"
        failed = f"{counts[FAIL]} fail{'s' if counts[FAIL] == 1 else ''}"
        return f"{opens}: {passed}, {failed}, {counts[UNDECIDED]} undecided."

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "decision": self.decision,
            "opens": self.opens,
            "summary": self.sentence,
            "baseline": self.labels[0],
            "current": self.labels[1],
            "metrics": [verdict.to_dict() for verdict in self.verdicts],
            "not_judged": list(self.not_judged),
            "remarks": list(self.remarks),
            "settings": self.settings.top_keys(),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ends(estimate: Estimate) -> dict[str, float | None]:
    return {"value": _finite(estimate.value), "low": _finite(estimate.low), "high": _finite(estimate.high)}
