"""What was looked for in a smear and what was seen: findings, measurements, and what could not be assessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hemato_lab.statistics.rounding import quantised, written_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.statistics.limits import Limits

Grade = Literal["none", "1+", "2+", "3+"]
GRADES: Final[tuple[Grade, ...]] = get_args(Grade)
"""Rising. ``none`` is anything below the first grade that is reported: 2+, of schistocytes 1+ (DOMAIN.md 3.1)."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Where a finding lies: field by index, centre and radius in pixels of that field."""

    field: int
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding that was looked for, seen or not.

    Attributes
    ----------
    name : str
        Of the vocabulary.
    count : int
        Cells (of arrangements: cells that lie in them) that are so; 0 when none is.
    reference : int
        Cells that were judged, the denominator.
    denominator : str
        What they are: RBC, WBC, platelet or neutrophil.
    limits_percent : Limits
        Exact 95 % limits of the percentage, widened by the spread of the fields.
    grade : Grade or None
        Of the percentage; None where the finding has no grades or too few cells were judged.
    grade_range : (Grade, Grade) or None
        Grades of the lower and upper limit.
    insufficient_count : bool
        Whether fewer cells were judged than a grade needs.
    minimum : int
        Cells that a grade needs.
    method : str
        How it was looked for, in words.
    rule : str
        Where the threshold or model is kept, for example ``measured.spherocyte`` or ``network red-cell-shape``.
    source : str
        Mark of that rule: checked, known, computed or own.
    overdispersion : float
        Variance of the fields over that of chance, at least 1.
    circles : tuple of Circle
        One a cell, or one an arrangement; of a finding that is no sum, without the cells that a reader named finer.
    unit : str
        ``%``, or ``/100{WBC}`` where the denominator does not contain the finding.
    """

    name: str
    count: int
    reference: int
    denominator: str
    limits_percent: Limits
    grade: Grade | None
    grade_range: tuple[Grade, Grade] | None
    insufficient_count: bool
    minimum: int
    method: str
    rule: str
    source: str
    overdispersion: float = 1.0
    circles: tuple[Circle, ...] = field(default=(), repr=False)
    unit: str = "%"

    @property
    def percent(self) -> float:
        """Cells that are so for 100 that were judged; 0 when none was."""
        return 100 * self.count / self.reference if self.reference else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what the report's extension says about it, JSON-ready."""
        return {
            "count": self.count,
            "n_reference": self.reference,
            "denominator": self.denominator,
            "value": quantised(self.percent),
            "unit": self.unit,
            "limits_95": [written_limit(limit) for limit in self.limits_percent],
            "grade": self.grade,
            "grade_range": None if self.grade_range is None else list(self.grade_range),
            "insufficient_count": self.insufficient_count,
            "minimum": self.minimum,
            "overdispersion": quantised(self.overdispersion),
            "method": self.method,
            "rule": self.rule,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Measurement:
    """A property of all cells of a kind.

    Attributes
    ----------
    name : str
        For example ``anisocytosis``.
    value, standard_error : float
        In `unit`.
    limits : Limits
        95 %.
    n : int
        Cells measured.
    unit : str
        UCUM.
    flag_from : float or None
        Value from which on it is remarkable.
    insufficient_count : bool
        Whether fewer cells were measured than it needs.
    method, rule, source : str
        As for `Finding`.
    """

    name: str
    value: float
    standard_error: float
    limits: Limits
    n: int
    unit: str
    flag_from: float | None
    insufficient_count: bool
    method: str
    rule: str
    source: str

    @property
    def flagged(self) -> bool:
        """Whether the value is remarkable and enough cells were measured."""
        return self.flag_from is not None and self.value >= self.flag_from and not self.insufficient_count

    def to_dict(self) -> dict[str, Any]:
        """Return what the report's extension says about it, JSON-ready."""
        return {
            "value": quantised(self.value),
            "unit": self.unit,
            "limits_95": [written_limit(limit) for limit in self.limits],
            "n": self.n,
            "flag_from": self.flag_from,
            "flagged": self.flagged,
            "insufficient_count": self.insufficient_count,
            "method": self.method,
            "rule": self.rule,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was looked for in a smear.

    Attributes
    ----------
    assessed : mapping of str to Finding
        By name, in the order of the vocabulary; those of which none was seen too.
    measurements : mapping of str to Measurement
    not_assessed : mapping of str to str
        Names of the vocabulary that could not be judged, and why.
    red_cells : int
        Red cells whose shape was judged: whole and apart from others.
    """

    assessed: Mapping[str, Finding]
    measurements: Mapping[str, Measurement]
    not_assessed: Mapping[str, str]
    red_cells: int

    def seen(self) -> dict[str, Finding]:
        """Return the findings with at least one cell."""
        return {name: finding for name, finding in self.assessed.items() if finding.count}
