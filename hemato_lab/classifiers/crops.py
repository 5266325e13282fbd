"""Single cells as a classifier's network sees them: optical densities at a fixed number of pixels per red cell.

Cells are cut out of calibrated fields, or come as crops that somebody else has cut. Of a crop the background and,
unless it is stated, the size of a red cell have to be found in the crop itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.light import DENSITY, LINEAR_LIGHT
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.kernels.resample import relative_density, transmitted_light
from hemato_lab.smear import CREDIBLE_UM_PER_PX, RED_CELL_DIAMETER_UM, RGB, ArraySource, Field, Scale, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.imaging.illumination import Illumination

BLOCK: Final = 1024
"""Pixels of a crop's grid that are resampled at a time, in x and in y: bounds the memory."""
BLACK: Final = 40
"""Brightest channel of a black surround, JPEG ripples included."""
BLACK_BORDER_SHARE: Final = 0.5
"""A crop stands on black when so much of its border is black."""
SMALLEST_RED_CELL: Final = RED_CELL_DIAMETER_UM / CREDIBLE_UM_PER_PX[1]
"""Pixels: no red cell is taken for smaller."""
TYPICAL_RED_CELL: Final = np.array([0.10, 0.35, 0.30])
"""Density of red cells in red, green and blue that is taken where a cut-off background cannot tell."""


@dataclass(frozen=True, slots=True)
class CropShape:
    """What a network looks at.

    Attributes
    ----------
    side : int
        Pixels.
    rbc_diameter_px : float
        Diameter of a red cell in it.
    """

    side: int
    rbc_diameter_px: float

    @property
    def diameters(self) -> float:
        """Side in red-cell diameters."""
        return self.side / self.rbc_diameter_px


def cut_cells(
    pixels: RGB,
    window: Window,
    calibration: FieldCalibration,
    centres: NDArray[np.float64],
    shape: CropShape,
) -> NDArray[np.float32]:
    """Cut cells out of a window of a field.

    Parameters
    ----------
    pixels : RGB, shape (window.height, window.width, 3)
        What was read.
    window : Window
        Where, in pixels of the field.
    calibration : FieldCalibration
        Of the field.
    centres : array of shape (n, 2)
        x and y of the cells in pixels of the field.
    shape : CropShape
        Of a crop.

    Returns
    -------
    array of shape (n, 3, side, side), float32
        Optical density; 0, as the background, beyond the field. The same bits whatever window they are cut from.
    """
    side, field = shape.side, calibration.field
    crops = np.zeros((len(centres), 3, side, side), np.float32)
    if len(centres) == 0:
        return crops
    grid = WorkingGrid(field.width, field.height, shape.rbc_diameter_px / calibration.scale.rbc_diameter_px)
    covered = grid.covered_by(window)
    first = np.floor(grid.to_grid(centres) - (side - 1) / 2 + 0.5).astype(np.int64)
    for rows in _blocks(first):
        (x0, y0), (x1, y1) = first[rows].min(axis=0).tolist(), (first[rows].max(axis=0) + side).tolist()
        shown = Window(x0, y0, x1, y1).intersect(covered)
        if shown.area:
            density = _density(pixels, window, shown, grid, calibration.illumination)
            for row in rows:
                _copy(density, first[row] - [shown.x0, shown.y0], crops[row])
    return crops


def _blocks(first: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of cells that lie near each other, so that no more than `BLOCK` is resampled at a time."""
    block = first // BLOCK
    for one in np.unique(block, axis=0):
        yield np.flatnonzero((block == one).all(axis=1))


def _density(
    pixels: RGB, window: Window, shown: Window, grid: WorkingGrid, illumination: Illumination
) -> NDArray[np.float32]:
    """Return the densities of a window of the grid, shape (height, width, 3)."""
    light = transmitted_light(
        pixels, (window.x0, window.y0), (shown.x0, shown.y0, shown.x1, shown.y1), grid.step, LINEAR_LIGHT
    )
    x = grid.to_pixels(np.arange(shown.x0, shown.x1, dtype=np.float64))
    y = grid.to_pixels(np.arange(shown.y0, shown.y1, dtype=np.float64))
    u, v = (2 * x + 1) / grid.width - 1, (2 * y + 1) / grid.height - 1
    density = relative_density(light, u, v, illumination.coefficients)
    density[~illumination.is_lit(x, y)] = 0.0
    return density


def _copy(density: NDArray[np.float32], first: NDArray[np.int64], crop: NDArray[np.float32]) -> None:
    """Fill a crop whose first corner lies there with as much as was computed."""
    x0, y0 = (int(side) for side in first)
    low_x, low_y = max(x0, 0), max(y0, 0)
    part = density[low_y : max(y0 + crop.shape[1], 0), low_x : max(x0 + crop.shape[2], 0)]
    rows, columns = slice(low_y - y0, low_y - y0 + part.shape[0]), slice(low_x - x0, low_x - x0 + part.shape[1])
    crop[:, rows, columns] = part.transpose(2, 0, 1)


def crop_density(crop: RGB, shape: CropShape, rbc_diameter_px: float | None = None) -> NDArray[np.float32]:
    """Return a crop that somebody else has cut as a network looks at it.

    Parameters
    ----------
    crop : uint8 array of shape (height, width, 3)
        One cell in its middle, with its surroundings or on black.
    shape : CropShape
        Of the network.
    rbc_diameter_px : float or None
        Diameter of a red cell in the crop's pixels. None: a cell on black is itself taken for a red cell, any other
        crop for as large a piece as the network looks at.

    Returns
    -------
    array of shape (3, side, side), float32

    Raises
    ------
    ScaleNotCredibleError
        If the stated diameter is impossible.
    """
    if stands_on_black(crop):
        return _on_black(crop, shape, rbc_diameter_px)
    height, width = crop.shape[:2]
    guessed = max(min(height, width) / shape.diameters, SMALLEST_RED_CELL)
    diameter = guessed if rbc_diameter_px is None else rbc_diameter_px
    field = Field("crop", ArraySource(np.ascontiguousarray(crop)), "")
    calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
    centre = np.array([[(width - 1) / 2, (height - 1) / 2]])
    density: NDArray[np.float32] = cut_cells(crop, field.window, calibration, centre, shape)[0]
    return density


def stands_on_black(crop: RGB) -> bool:
    """Tell whether a cell was cut out and put on black."""
    border = np.concatenate([crop[0], crop[-1], crop[:, 0], crop[:, -1]])
    return float(np.mean(border.max(axis=1) <= BLACK)) > BLACK_BORDER_SHARE


def cell_on_black(crop: RGB) -> NDArray[np.bool_]:
    """Return the largest connected part that is not black, its holes filled; shape (height, width)."""
    labels, count = ndimage.label(crop.max(axis=2) > BLACK)
    if count == 0:
        return np.zeros(crop.shape[:2], dtype=np.bool_)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == np.argmax(sizes)), dtype=np.bool_)


def _on_black(crop: RGB, shape: CropShape, rbc_diameter_px: float | None) -> NDArray[np.float32]:
    """Put a cut-out cell on a background of the density that red cells usually stand on."""
    cell = cell_on_black(crop)
    if not cell.any():
        return np.zeros((3, shape.side, shape.side), np.float32)
    diameter = 2 * math.sqrt(np.count_nonzero(cell) / math.pi) if rbc_diameter_px is None else rbc_diameter_px
    absolute = DENSITY[crop]
    density = np.where(cell[..., None], absolute - np.median(absolute[cell], axis=0) + TYPICAL_RED_CELL, 0.0)
    y, x = (float(np.mean(where)) for where in np.nonzero(cell))
    return _resampled(density, (x, y), diameter, shape)


def _resampled(
    density: NDArray[np.float64], centre: tuple[float, float], diameter: float, shape: CropShape
) -> NDArray[np.float32]:
    pixels_a_cell = diameter / shape.rbc_diameter_px
    smooth = ndimage.gaussian_filter(density, (0.4 * max(pixels_a_cell - 0.5, 0),) * 2 + (0,))
    offsets = (np.arange(shape.side) - (shape.side - 1) / 2) * pixels_a_cell
    rows, columns = np.meshgrid(centre[1] + offsets, centre[0] + offsets, indexing="ij")
    planes = [ndimage.map_coordinates(smooth[..., c], [rows, columns], order=1, cval=0.0) for c in range(3)]
    return np.asarray(np.stack(planes), np.float32)
