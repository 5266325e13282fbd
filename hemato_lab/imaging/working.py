"""The working grid: optical densities at a fixed number of grid cells per red cell.

Everything is scaled by the red cell, so that no later step knows the magnification. The grid is fixed to the field, not
to the tile; a grid cell has the same density whatever tile it was computed from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.imaging.light import LINEAR_LIGHT
from hemato_lab.kernels.resample import relative_density, transmitted_light
from hemato_lab.smear import RGB, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.illumination import Illumination

RED_CELL_DIAMETER: Final = 36.0
"""Diameter of a normal red cell on the working grid, in grid cells."""
RED_CELL_AREA: Final = math.pi * RED_CELL_DIAMETER**2 / 4
"""Area of a normal red cell in grid cells."""
SMOOTHING: Final = 0.8
"""Standard deviation of the smoothing of light, in grid cells."""


@dataclass(frozen=True, slots=True)
class WorkingGrid:
    """The grid of one field.

    Attributes
    ----------
    width, height : int
        Size of the field in pixels.
    step : float
        Grid cells a pixel.
    """

    width: int
    height: int
    step: float

    @classmethod
    def of(cls, width: int, height: int, rbc_diameter_px: float) -> WorkingGrid:
        """Grid of a field whose red cells measure `rbc_diameter_px` pixels."""
        return cls(width, height, RED_CELL_DIAMETER / rbc_diameter_px)

    @property
    def window(self) -> Window:
        """The whole grid; its last row and column may reach beyond the field."""
        return Window(0, 0, math.ceil(self.width * self.step), math.ceil(self.height * self.step))

    def covered_by(self, pixels: Window) -> Window:
        """Return the grid cells that need no pixel outside of a window (or outside of the field)."""
        x0 = 0 if pixels.x0 <= 0 else math.ceil((pixels.x0 + 1) * self.step)
        y0 = 0 if pixels.y0 <= 0 else math.ceil((pixels.y0 + 1) * self.step)
        x1 = self.window.x1 if pixels.x1 >= self.width else math.floor((pixels.x1 - 1) * self.step)
        y1 = self.window.y1 if pixels.y1 >= self.height else math.floor((pixels.y1 - 1) * self.step)
        return Window(x0, y0, max(x0, x1), max(y0, y1))

    def to_pixels(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixel coordinates of positions on the grid (a grid cell's centre is a whole number)."""
        return (position + 0.5) / self.step - 0.5

    def to_grid(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions on the grid of pixel coordinates."""
        return (position + 0.5) * self.step - 0.5


@dataclass(frozen=True)
class WorkingTile:
    """Densities of a window of the grid.

    Attributes
    ----------
    window : Window
        In grid cells.
    density : NDArray, shape (window.height, window.width, 3), float32
        Optical density against the background in red, green and blue.
    lit : NDArray, shape (window.height, window.width), bool
        False in the dark surround of the field.
    """

    window: Window
    density: NDArray[np.float32]
    lit: NDArray[np.bool_]

    @property
    def foreground_density(self) -> NDArray[np.float32]:
        """Mean of green and blue density: red cells absorb in both (haemoglobin and eosin; DOMAIN.md section 8)."""
        mean: NDArray[np.float32] = np.float32(0.5) * (self.density[..., 1] + self.density[..., 2])
        return mean


def working_tile(pixels: RGB, window: Window, grid: WorkingGrid, illumination: Illumination) -> WorkingTile:
    """Resample the pixels of a window of a field to the working grid.

    Parameters
    ----------
    pixels : RGB, shape (window.height, window.width, 3)
        What was read.
    window : Window
        Where, in pixels of the field.
    grid : WorkingGrid
        Of the field.
    illumination : Illumination
        Of the field.
    """
    covered = grid.covered_by(window)
    light = transmitted_light(
        pixels, (window.x0, window.y0), (covered.x0, covered.y0, covered.x1, covered.y1), grid.step, LINEAR_LIGHT
    )
    smooth = ndimage.gaussian_filter(light, (SMOOTHING, SMOOTHING, 0), mode="nearest")
    x = grid.to_pixels(np.arange(covered.x0, covered.x1, dtype=np.float64))
    y = grid.to_pixels(np.arange(covered.y0, covered.y1, dtype=np.float64))
    u, v = (2 * x + 1) / grid.width - 1, (2 * y + 1) / grid.height - 1
    density = relative_density(smooth, u, v, illumination.coefficients)
    return WorkingTile(covered, density, illumination.is_lit(x, y))
