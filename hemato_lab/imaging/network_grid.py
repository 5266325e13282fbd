"""What detection networks see: optical densities on a grid of their own, channel first and not smoothed.

As on the working grid a red cell measures a fixed number of grid cells, and a grid cell has the same bits whatever
window it was computed from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.imaging.light import LINEAR_LIGHT
from hemato_lab.kernels.network_density import network_densities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.illumination import Illumination
    from hemato_lab.imaging.working import WorkingGrid
    from hemato_lab.smear import RGB, Window


def network_density(
    pixels: RGB, window: Window, grid: WorkingGrid, illumination: Illumination
) -> tuple[Window, NDArray[np.float32]]:
    """Resample the pixels of a window of a field to the grid of a network.

    Parameters
    ----------
    pixels : RGB, shape (window.height, window.width, 3)
        What was read.
    window : Window
        Where, in pixels of the field.
    grid : WorkingGrid
        Of the field, with the network's number of grid cells a pixel.
    illumination : Illumination
        Of the field.

    Returns
    -------
    covered : Window
        The grid cells that need no pixel outside of the window (or outside of the field).
    density : NDArray, shape (3, covered.height, covered.width), float32
        Optical density against the background in red, green and blue; 0 in the dark surround of the field.
    """
    covered = grid.covered_by(window)
    x = grid.to_pixels(np.arange(covered.x0, covered.x1, dtype=np.float64))
    y = grid.to_pixels(np.arange(covered.y0, covered.y1, dtype=np.float64))
    density = network_densities(
        pixels,
        (window.x0, window.y0),
        (covered.x0, covered.y0, covered.x1, covered.y1),
        grid.step,
        LINEAR_LIGHT,
        (2 * x + 1) / grid.width - 1,
        (2 * y + 1) / grid.height - 1,
        illumination.coefficients,
    )
    if not illumination.lit.all():
        np.copyto(density, 0, where=~illumination.is_lit(x, y))
    return covered, density
