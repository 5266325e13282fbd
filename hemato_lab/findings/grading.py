"""From a share to a grade (DOMAIN.md section 3.1): that of the estimate, and those of its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemato_lab.findings.model import Grade
    from hemato_lab.reference.model import GradeTable
    from hemato_lab.statistics.limits import Limits


def grade_of(percent: float, table: GradeTable) -> Grade:
    """Return the grade of a percentage; a grade begins at its threshold."""
    if percent > table.three_plus:
        return "3+"
    if percent >= table.two_plus and percent > 0:
        return "2+"
    return "1+" if table.one_plus is not None and percent > table.one_plus else "none"


def grade_range(limits_percent: Limits, table: GradeTable) -> tuple[Grade, Grade]:
    """Return the grades of both limits; they differ where the limits cross a boundary."""
    return grade_of(limits_percent.low, table), grade_of(limits_percent.high, table)
