"""How right a reading is, where the other side is an annotation and so taken for the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemato_lab.agreement.confusion import share

if TYPE_CHECKING:
    from hemato_lab.agreement.estimate import Estimate
    from hemato_lab.comparison.model import Comparison


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What a reading found of what was marked.

    A cell is right when its name, or the wider one that both sides use, is marked at its place. One that is called
    differently is a mistake and a miss. Limits are exact and take the cells for independent; those of cells of few
    patients are too narrow.

    Attributes
    ----------
    precision : Estimate
        Share of the cells found that are right.
    recall : Estimate
        Share of the marked cells that were found, by their name.
    place_precision, place_recall : Estimate
        The same of places, whatever they are called.
    """

    precision: Estimate
    recall: Estimate
    place_precision: Estimate
    place_recall: Estimate

    @property
    def f1(self) -> float:
        """Twice the right cells as a share of those found and those marked; NaN where there is none of either.

        That is the harmonic mean of both figures where both are defined, and 0 where nothing is right.
        """
        defined = [one.value for one in (self.precision, self.recall) if one.defined]
        if not defined:
            return math.nan
        both = sum(defined)
        return 2 * self.precision.value * self.recall.value / both if both else 0.0


def accuracy_of(comparison: Comparison) -> Accuracy | None:
    """Return the accuracy of the side that is no annotation; None unless exactly one side is one."""
    annotated = [side.kind == "annotations" for side in (comparison.first, comparison.second)]
    if sum(annotated) != 1:
        return None
    cells = comparison.cells
    right, called_differently = cells.count("matched"), cells.count("reclassified")
    marked_only, found_only = cells.count("first only"), cells.count("second only")
    if annotated[1]:
        marked_only, found_only = found_only, marked_only
    paired = right + called_differently
    found, marked = paired + found_only, paired + marked_only
    return Accuracy(*(share(part, whole, 0.95) for part in (right, paired) for whole in (found, marked)))
