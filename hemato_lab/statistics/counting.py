"""Which cells are counted, and on which area: the rule for cells that touch the border of a field.

A cell stands for one point of it, the lower right corner of its box, and is counted when that point lies in the
counting frame. Every cell has exactly one such point, wherever it lies, so that the expected count is density times
the area of the frame whatever the size, shape and orientation of the cells: big cells are not over-counted, as they
would be if every cell that shows were counted. Cells that cross the right or bottom border have their point outside
and are dropped; cells that touch the left or top border may count (DOMAIN.md section 8, the edge rule; the idea is
that of Gundersen's unbiased frame, J Microsc 1977;111:219).

Two things make the frame a little smaller than the field. A box that ends at the last pixel may belong to a cell that
goes on beyond it, so such cells are dropped and the last column and row are no part of the frame. And of a cell that
shows only as a sliver at the left or top border neither the class nor the true corner can be seen, and a detector
reports no centre outside the image: the frame begins one `GUARD_UM` (half a cell of the class) inside, so that the
centre of every cell that counts lies within the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab import vocabulary
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Scale

GUARD_UM: Final = {vocabulary.RBC: 3.75, vocabulary.WBC: 7.5, vocabulary.PLATELET: 1.5}
"""Half the diameter of a typical red cell, 7.5 um, white cell, 15 um, and platelet, 3 um (DOMAIN.md 2.3, 3.4, 3.5)."""
BORDER_RULE: Final = (
    "a cell counts when the lower right corner of its box lies in the frame; cells touching the right or bottom border "
    "are dropped; the frame begins half a cell inside the left and top border"
)


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """How many cells of one class each field holds, and on which area.

    Attributes
    ----------
    name : str
        The class.
    cells : ndarray of int64, shape (fields,)
        Cells counted by the border rule.
    area_mm2 : ndarray of float64, shape (fields,)
        Area of the counting frames; 0 for a field that was not analysed or is smaller than the border rule allows.
    """

    name: str
    cells: NDArray[np.int64]
    area_mm2: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Cells in all fields."""
        return int(self.cells.sum())

    @property
    def total_area_mm2(self) -> float:
        """Area of all frames, summed exactly so that the order of fields does not matter."""
        return math.fsum(self.area_mm2)

    @property
    def fields(self) -> int:
        """Fields with an area to count on."""
        return int(np.count_nonzero(self.area_mm2))


def guard_px(name: str, scale: Scale) -> int:
    """Return how many pixels inside the left and top border the counting frame of a detector class begins."""
    return math.ceil(GUARD_UM[name] / scale.um_per_px)


def frame_area_px(width: int, height: int, guard: int) -> int:
    """Return the area of the counting frame of a field in pixels, 0 when nothing is left of it."""
    return max(0, width - 1 - guard) * max(0, height - 1 - guard)


def in_frame(
    x_max: NDArray[np.float64], y_max: NDArray[np.float64], width: int, height: int, guard: int
) -> NDArray[np.bool_]:
    """Tell which cells count.

    Parameters
    ----------
    x_max, y_max : ndarray of float64, shape (cells,)
        Right and lower edge of the box in pixels, at pixel borders (a cell whose last column is i has x_max i + 0.5).
    width, height : int
        Of the field in pixels.
    guard : int
        See `guard_px`.

    Returns
    -------
    ndarray of bool, shape (cells,)
    """
    column, row = x_max - 0.5, y_max - 0.5
    return (column >= guard) & (column < width - 1) & (row >= guard) & (row < height - 1)


def count_cells(
    detections: Detections,
    field_sizes: Sequence[tuple[int, int]],
    scale: Scale,
    name: str,
    *,
    excluded_fields: Collection[int] = (),
    usable_shares: Sequence[float] | None = None,
) -> FieldCounts:
    """Count the cells of a detector class in every field by the border rule.

    Parameters
    ----------
    detections : Detections
        With the box columns x_max and y_max where the detector measures them; where they are absent or NaN the box is
        that of the circle of the cell's radius.
    field_sizes : sequence of (width, height)
        Of every field of the smear in pixels, in order.
    scale : Scale
        Gives the guard and the area.
    name : str
        One of `vocabulary.DETECTOR_CLASSES`; every kind of it counts, except nucleated red cells, which detectors see
        among the white cells but which are none (DOMAIN.md section 2.1).
    excluded_fields : collection of int
        Fields that were not fit for counting.
    usable_shares : sequence of float, optional
        Of every field, the share of its area that can show cells (less than 1 for a round view through an eyepiece).

    Raises
    ------
    ConfigError
        If a cell lies in a field that is not listed, or the class is no detector class.
    """
    if name not in GUARD_UM:
        raise ConfigError(f"{name!r} is no detector class", hint="use one of " + ", ".join(GUARD_UM))
    wanted = detections.select(rolls_up_to(detections["name"], name))
    guard = guard_px(name, scale)
    cells, areas = np.zeros(len(field_sizes), np.int64), np.zeros(len(field_sizes))
    if len(wanted) and not 0 <= wanted["field"].min() <= wanted["field"].max() < len(field_sizes):
        raise ConfigError(f"cells lie in field {wanted['field'].max()}, but {len(field_sizes)} fields are listed")
    x_max, y_max = _far_edge(wanted, "x"), _far_edge(wanted, "y")
    for index, (width, height) in enumerate(field_sizes):
        area = frame_area_px(width, height, guard)
        if area and index not in excluded_fields:
            here = wanted["field"] == index
            cells[index] = np.count_nonzero(in_frame(x_max[here], y_max[here], width, height, guard))
            areas[index] = scale.area_mm2(area) * (1.0 if usable_shares is None else usable_shares[index])
    return FieldCounts(name, cells, areas)


def rolls_up_to(names: NDArray[Any], wider: str) -> NDArray[np.bool_]:
    """Tell which names are single cells of the class `wider`, nucleated red cells not being white cells."""
    kinds = [
        name
        for name, term in vocabulary.TERMS.items()
        if term.kind == "cell" and name != "nucleated RBC" and vocabulary.is_a(name, wider)
    ]
    result: NDArray[np.bool_] = np.isin(names, kinds)
    return result


def _far_edge(detections: Detections, axis: str) -> NDArray[np.float64]:
    of_circle: NDArray[np.float64] = detections[axis] + detections["radius"]
    if f"{axis}_max" not in detections.features:
        return of_circle
    measured = detections[f"{axis}_max"]
    return np.where(np.isnan(measured), of_circle, measured)
