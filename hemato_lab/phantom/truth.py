"""The truth of a rendered window: one exact row for every cell whose centre of area lies in it.

Border rule: a cell belongs to the window that owns its centre, and its box is cut to the image. A cell that only
reaches in is no row; `reaching_in` gives the boxes of what is seen of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.detections import Detections
from hemato_lab.phantom.outline import ellipse_of_polygon, polygon_area, polygon_perimeter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.phantom.drawing import DrawnCell
    from hemato_lab.smear import Window

Floats = NDArray[np.float64]

FEATURES: Final = (
    "area_um2",
    "equivalent_diameter_um",
    "major_axis_um",
    "minor_axis_um",
    "orientation_rad",
    "perimeter_um",
    "circularity",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "on_border",
    "overlapped",
)
"""Columns of the truth after the base columns.

Boxes have their edges at pixel borders, as everywhere, and are cut to the window; ``on_border`` is 1 where that took
something away. ``overlapped`` is 1 where the outline crosses or holds another cell's. All shape columns are of the
whole outline.
"""
LARGEST_REACH_UM: Final = 14.0
"""No cell reaches farther from its centre of area."""
_VERTEX_STEP: Final = 6


@dataclass(frozen=True, slots=True)
class FilmCell:
    """A drawn cell at its place.

    Attributes
    ----------
    name : str
    x_um, y_um : float
        Centre of area on the film.
    diameter_um : float
        Equivalent diameter.
    cell : DrawnCell
    polygon : ndarray
        Its outline on the film, shape (n, 2), um.
    """

    name: str
    x_um: float
    y_um: float
    diameter_um: float
    cell: DrawnCell
    polygon: Floats


def truth_table(cells: Sequence[FilmCell], window: Window, um_per_px: float, field: int = 0) -> Detections:
    """Return the rows of the cells whose centre the window owns, in the cells' order, in pixels of the whole field.

    Parameters
    ----------
    cells : sequence of FilmCell
        All cells with a centre in the window or within twice `LARGEST_REACH_UM` of it.
    """
    owned = [index for index, cell in enumerate(cells) if window.owns(cell.x_um / um_per_px, cell.y_um / um_per_px)]
    if not owned:
        return Detections.empty(FEATURES)
    overlapped = _overlapped(cells, owned)
    rows = [_row(cells[index], window, um_per_px, overlapped[index]) for index in owned]
    columns: dict[str, NDArray[np.generic]] = {
        name: np.array([row[position] for row in rows]) for position, name in enumerate(FEATURES)
    }
    return Detections(
        {
            "field": np.full(len(owned), field),
            "x": np.array([cells[index].x_um for index in owned]) / um_per_px,
            "y": np.array([cells[index].y_um for index in owned]) / um_per_px,
            "radius": np.array([cells[index].diameter_um for index in owned]) / (2 * um_per_px),
            "name": np.array([cells[index].name for index in owned]),
            "score": np.ones(len(owned)),
            **columns,
        }
    )


def reaching_in(cells: Sequence[FilmCell], window: Window, um_per_px: float) -> list[tuple[str, Floats]]:
    """Return name and box (x_min, y_min, x_max, y_max) of the visible part of cells whose centre lies outside."""
    seen: list[tuple[str, Floats]] = []
    for cell in cells:
        if window.owns(cell.x_um / um_per_px, cell.y_um / um_per_px):
            continue
        box, _ = _clipped(cell.polygon / um_per_px, window)
        if box[2] - box[0] > 0.5 and box[3] - box[1] > 0.5:
            seen.append((cell.name, box))
    return seen


def _row(cell: FilmCell, window: Window, um_per_px: float, overlapped: bool) -> list[float]:  # noqa: FBT001
    area, perimeter = polygon_area(cell.polygon), polygon_perimeter(cell.polygon)
    local = cell.polygon - np.array([cell.x_um, cell.y_um])
    major, minor, orientation = ellipse_of_polygon(local)
    box, cut = _clipped(cell.polygon / um_per_px, window)
    circularity = 4 * np.pi * area / perimeter**2
    diameter = 2 * float(np.sqrt(area / np.pi))
    return [area, diameter, major, minor, orientation, perimeter, circularity, *box, float(cut), float(overlapped)]


def _clipped(polygon_px: Floats, window: Window) -> tuple[Floats, bool]:
    """Return a polygon's box cut to a window's pixels, and whether anything was cut off."""
    lowest, highest = polygon_px.min(axis=0), polygon_px.max(axis=0)
    first = np.array([window.x0, window.y0]) - 0.5
    last = np.array([window.x1, window.y1]) - 0.5
    cut = bool((lowest < first).any() or (highest > last).any())
    return np.concatenate([np.clip(lowest, first, last), np.clip(highest, first, last)]), cut


def _overlapped(cells: Sequence[FilmCell], owned: Sequence[int]) -> NDArray[np.bool_]:
    """Tell for each cell whether its outline crosses or holds another's; certain for the owned cells only."""
    from scipy.spatial import cKDTree

    result = np.zeros(len(cells), bool)
    mine = np.zeros(len(cells), bool)
    mine[list(owned)] = True
    reach = np.array([cell.cell.outline.reach for cell in cells])
    tree = cKDTree([(cell.x_um, cell.y_um) for cell in cells])
    for first, second in sorted(tree.query_pairs(2 * LARGEST_REACH_UM)):
        one, other = cells[first], cells[second]
        distance = np.hypot(one.x_um - other.x_um, one.y_um - other.y_um)
        if (
            (mine[first] or mine[second])
            and distance < reach[first] + reach[second]
            and (_enters(one, other) or _enters(other, one))
        ):
            result[first] = result[second] = True
    return result


def _enters(one: FilmCell, other: FilmCell) -> bool:
    """Tell whether a corner of one outline lies inside the other."""
    corners = one.polygon[::_VERTEX_STEP] - np.array([other.x_um, other.y_um])
    outline = other.cell.outline
    frame = outline.local_frame(corners[:, 0], corners[:, 1])
    return bool((outline.normalised_radius(*frame) < 1).any())
