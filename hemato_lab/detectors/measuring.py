"""Outlines within boxes that a network drew, and what is measured in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.detectors.features import FEATURES, measured_columns
from hemato_lab.imaging.red_cells import red_cell_mask
from hemato_lab.kernels.boxes import share_among_boxes
from hemato_lab.kernels.components import label, measure
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.smear import Tile

LEAST_FILLED: Final = 0.3
"""A cell is measured when its outline fills this share of the ellipse in its box at least."""
GROWN: Final = 0.06
"""Boxes are widened by this share of their sides on each side before the stain in them is outlined."""
_OF_THE_BOX: Final = ("x", "y", "radius", "x_min", "y_min", "x_max", "y_max", "on_border")
"""What the network says better than an outline does."""


def measured_in_boxes(table: Detections, tile: Tile, calibration: FieldCalibration) -> Detections:
    """Return cells with their features measured on outlines.

    The stained part of each box, shared with overlapping boxes by the nearer middle, is the outline of its cell.

    Parameters
    ----------
    table : Detections
        With boxes in pixels of the field.
    tile : Tile
        Its pixels.
    calibration : FieldCalibration
        Of the field.

    Returns
    -------
    Detections
        The same cells. Where nothing can be outlined the measured columns are NaN; pallor is that of red cells alone.
    """
    levels = calibration.levels
    if len(table) == 0 or not levels.has_cells:
        return _nothing_outlined(table)
    grid = calibration.grid
    working = calibration.working(tile.pixels, tile.window)
    if working.window.area == 0:
        return _nothing_outlined(table)
    box = np.stack([table[side] for side in ("x_min", "y_min", "x_max", "y_max")], axis=1)
    grown = np.tile(GROWN * (box[:, 2:] - box[:, :2]), 2) * [-1, -1, 1, 1]
    on_grid = grid.to_grid(box + grown)
    mask = red_cell_mask(working, levels, np.zeros(working.lit.shape, np.bool_))
    origin = (working.window.x0, working.window.y0)
    labels = _largest_parts(share_among_boxes(mask, on_grid, origin), len(table))
    parts = measure(labels, len(table), working.density, origin)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = measured_columns(labels, parts, working, calibration)
    ellipse = np.pi / 4 * (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) * grid.step**2
    outlined = parts.area >= np.maximum(LEAST_FILLED * ellipse, 1)
    columns["pallor_ratio"] = np.where(table["name"] == RBC, columns["pallor_ratio"], np.nan)
    return table.with_columns(
        **{name: np.where(outlined, values, np.nan) for name, values in columns.items() if name not in _OF_THE_BOX}
    )


def _nothing_outlined(table: Detections) -> Detections:
    return table.with_columns(**{name: np.full(len(table), np.nan) for name in FEATURES if name not in _OF_THE_BOX})


def _largest_parts(labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Keep of every label its largest connected part; cells that touch it do not connect its parts."""
    kept = labels.copy()
    found = measure(labels, count)
    for index in np.flatnonzero(found.area):
        rows = slice(int(found.y_min[index]), int(found.y_max[index]))
        columns = slice(int(found.x_min[index]), int(found.x_max[index]))
        own = labels[rows, columns] == index + 1
        parts, number = label(own)
        if number > 1:
            largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
            kept[rows, columns][own & (parts != largest)] = 0
    return kept
