"""What every statistic is made from, and how it says what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hemato_lab.statistics.concentrations import ASSUMED_RBC_PER_UL, ASSUMED_WBC_PER_UL
from hemato_lab.statistics.counting import BORDER_RULE, FieldCounts, count_cells
from hemato_lab.statistics.rounding import number_text, quantised, written_limit
from hemato_lab.vocabulary import PLATELET, RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Scale
    from hemato_lab.statistics.limits import Limits
    from hemato_lab.statistics.overdispersion import Overdispersion


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Concentrations that ratios are multiplied by, and how well parasites are seen.

    Attributes
    ----------
    rbc_per_ul, wbc_per_ul : float
        Cells per microlitre: of the patient's blood count, or assumed.
    rbc_origin, wbc_origin : str
        ``blood count``, ``stated by the user`` or ``assumed``.
    parasite_sensitivity : float
        Share of parasitised red cells that are recognised, in (0, 1].
    """

    rbc_per_ul: float = ASSUMED_RBC_PER_UL
    wbc_per_ul: float = ASSUMED_WBC_PER_UL
    rbc_origin: str = "assumed"
    wbc_origin: str = "assumed"
    parasite_sensitivity: float = 1.0

    @property
    def of_red_cells(self) -> str:
        """The red-cell concentration in words."""
        return f"red-cell concentration {number_text(self.rbc_per_ul / 1e6)} 10*6/uL, {self.rbc_origin}"

    @property
    def of_white_cells(self) -> str:
        """The white-cell concentration in words."""
        return f"white-cell concentration {number_text(self.wbc_per_ul / 1e3)} 10*3/uL, {self.wbc_origin}"


@dataclass(frozen=True, slots=True)
class Cells:
    """What the statistics are made from: the cells of a smear, its fields and scale, counted once a class."""

    detections: Detections
    field_sizes: Sequence[tuple[int, int]]
    scale: Scale
    assumptions: Assumptions
    excluded_fields: Collection[int]
    usable_shares: Sequence[float] | None
    counts: Mapping[str, FieldCounts] = field(init=False)

    def __post_init__(self) -> None:
        counts = {name: self.count(self.detections, name) for name in (RBC, WBC, PLATELET)}
        object.__setattr__(self, "counts", counts)

    @property
    def within(self) -> Detections:
        """The cells of the fields that are fit for counting, cut ones too."""
        if not self.excluded_fields:
            return self.detections
        return self.detections.select(~np.isin(self.detections["field"], list(self.excluded_fields)))

    def count(self, detections: Detections, name: str) -> FieldCounts:
        """Count a table of cells of one class on these fields."""
        return count_cells(
            detections,
            self.field_sizes,
            self.scale,
            name,
            excluded_fields=self.excluded_fields,
            usable_shares=self.usable_shares,
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its details; no value, and the reason among the details, when it cannot be told."""

    value: float | None
    details: Mapping[str, Any]


def unknown(reason: str, method: str) -> Estimate:
    """Return what stands for an estimate that cannot be made."""
    return Estimate(None, {"assessed": False, "reason": reason, "method": method})


def assessed(method: str, details: Mapping[str, Any], *, counted: str = BORDER_RULE) -> dict[str, Any]:
    """Return the details of an estimate that was made; `counted` says which cells were counted."""
    return {"assessed": True, "method": method, **details, "border_rule": counted}


def where(counts: FieldCounts) -> dict[str, Any]:
    """Return on how many fields and what area was counted."""
    return {"fields": counts.fields, "area_mm2": quantised(counts.total_area_mm2)}


def rounded(limits: Limits) -> list[float | None]:
    """Return limits as they are written; None for an infinite one."""
    return [written_limit(limits.low), written_limit(limits.high)]


def spread_of(spread: Overdispersion) -> dict[str, Any]:
    """Return what is known of the spread of the fields."""
    if spread.factor is None:
        return {"estimable": False, "fields": spread.fields, "reason": spread.reason}
    return {"estimable": True, "fields": spread.fields, "factor": quantised(spread.factor)}
