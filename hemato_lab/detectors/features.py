"""Measured features of segmented cells in physical units.

Size and shape follow DOMAIN.md section 3.2: equivalent diameter, axes of the ellipse with the same second moments,
circularity 4 pi A / P^2 with the Crofton perimeter, solidity, pallor, mean optical densities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.imaging.working import RED_CELL_DIAMETER, WorkingTile
from hemato_lab.kernels.distance import squared_distance
from hemato_lab.kernels.regions import contact_shares, hull_areas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.kernels.components import ComponentTable

FEATURES: Final = (
    "area_um2",
    "equivalent_diameter_um",
    "major_axis_um",
    "minor_axis_um",
    "orientation_rad",
    "perimeter_um",
    "circularity",
    "solidity",
    "pallor_ratio",
    "od_red",
    "od_green",
    "od_blue",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "on_border",
    "overlapped",
)
"""Columns that every detector measures, all float64."""

PALE: Final = 0.75
"""Pallor is where the density is below this share of the cell's rim."""
RIM_WIDTH: Final = 0.12
"""Width of the rim in red-cell diameters."""
OVERLAP_CONTACT: Final = 0.16
"""From this share of shared outline on a cell counts as split from a group."""


def measured_columns(
    labels: NDArray[np.int32], table: ComponentTable, tile: WorkingTile, calibration: FieldCalibration
) -> dict[str, NDArray[np.float64]]:
    """Measure labelled regions of a working tile.

    Parameters
    ----------
    labels : NDArray, shape (height, width), int32
        Regions 1 to n.
    table : ComponentTable
        Of the same labels, with `tile.density` summed and the tile's corner as origin.
    tile : WorkingTile
        Densities.
    calibration : FieldCalibration
        Of the field.

    Returns
    -------
    dict
        x, y and radius in pixels of the field, and every column of `FEATURES`, arrays of shape (n,).
    """
    grid = calibration.grid
    um = calibration.scale.um_per_px / grid.step
    major, minor, orientation = table.axes
    boxes = np.stack([table.x_min, table.y_min, table.x_max, table.y_max], axis=1)
    origin = np.array([tile.window.x0, tile.window.y0] * 2)
    hulls = hull_areas(labels, boxes - origin)
    perimeter = table.perimeter
    area = table.area.astype(np.float64)
    edges = np.array([0.0, 0.0, grid.width, grid.height]) - 0.5
    box = np.clip(boxes / grid.step - 0.5, edges[[0, 1, 0, 1]], edges[[2, 3, 2, 3]])
    # A grid cell is wider than a pixel where the grid is coarser: within one of either counts as touching the border.
    slack = max(1.0, 1.0 / grid.step)
    on_border = (box[:, :2] <= edges[:2] + slack).any(axis=1) | (box[:, 2:] >= edges[2:] - slack).any(axis=1)
    density = table.colour_mean
    return {
        "x": grid.to_pixels(table.x),
        "y": grid.to_pixels(table.y),
        "radius": np.sqrt(area / np.pi) / grid.step,
        "area_um2": area * um**2,
        "equivalent_diameter_um": 2 * np.sqrt(area / np.pi) * um,
        "major_axis_um": major * um,
        "minor_axis_um": minor * um,
        "orientation_rad": orientation,
        "perimeter_um": perimeter * um,
        "circularity": np.minimum(4 * np.pi * area / np.maximum(perimeter, 1e-9) ** 2, 1.0),
        "solidity": np.minimum(area / np.maximum(hulls, 1e-9), 1.0),
        "pallor_ratio": _pallor_ratio(labels, tile, area),
        "od_red": density[:, 0],
        "od_green": density[:, 1],
        "od_blue": density[:, 2],
        "x_min": box[:, 0],
        "y_min": box[:, 1],
        "x_max": box[:, 2],
        "y_max": box[:, 3],
        "on_border": on_border.astype(np.float64),
        "overlapped": (contact_shares(labels, len(table)) > OVERLAP_CONTACT).astype(np.float64),
    }


def _pallor_ratio(labels: NDArray[np.int32], tile: WorkingTile, area: NDArray[Any]) -> NDArray[np.float64]:
    """Return the diameter of the pale middle over the cell's, 0 where there is none; shape (n,).

    The rim is the outermost `RIM_WIDTH` diameters of the region; its density is taken from half as deep again.
    """
    count = len(area)
    depth = np.sqrt(squared_distance(_separated(labels)).astype(np.float64))
    width = RIM_WIDTH * RED_CELL_DIAMETER
    density = tile.foreground_density.astype(np.float64)
    rim = labels * ((depth > 0.3 * width) & (depth <= 1.5 * width))
    pixels = np.bincount(rim.ravel(), minlength=count + 1)[1:]
    rim_density = np.bincount(rim.ravel(), density.ravel(), minlength=count + 1)[1:] / np.maximum(pixels, 1)
    reference = np.concatenate([[0.0], rim_density])[labels]
    pale = labels * ((depth > width) & (density < PALE * reference))
    pale_area = np.bincount(pale.ravel(), minlength=count + 1)[1:]
    ratio: NDArray[np.float64] = np.sqrt(pale_area / np.maximum(area, 1))
    return ratio


def _separated(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the regions' mask with their touching borders taken out, so that depth counts to a region's own edge."""
    apart = labels > 0
    sideways = (labels[:, 1:] != labels[:, :-1]) & (labels[:, 1:] > 0) & (labels[:, :-1] > 0)
    downwards = (labels[1:] != labels[:-1]) & (labels[1:] > 0) & (labels[:-1] > 0)
    apart[:, 1:][sideways] = False
    apart[1:][downwards] = False
    return apart
