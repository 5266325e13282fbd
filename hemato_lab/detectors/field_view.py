"""How the tiles of a field are shown to a network that draws maps, and what of its maps may be believed.

The network sees optical densities on a grid where a red cell measures a fixed number of grid cells. What it answers at
a place depends on `FIELD_OF_VIEW` grid cells around it and on the corner of its window modulo `WINDOW_STEP`, so windows
keep to whole steps and a place counts as seen when all that matters around it was shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.imaging.network_grid import network_density
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.kernels.boxes import highest_in_windows
from hemato_lab.networks.runtime import WINDOW_STEP
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.networks import Network
    from hemato_lab.smear import Tile

Floats = NDArray[np.float64]

FIELD_OF_VIEW: Final = 96
"""Grid cells: what lies farther away changes nothing at a place."""
SURROUND: Final = 16
"""Grid cells of nothing around the field, as in training, by which the network knows the field's border."""


class FieldView:
    """Shows a network the tiles of one field; safe to use from several threads.

    Parameters
    ----------
    calibration : FieldCalibration
        Of the field.
    network : Network
        One that draws maps.
    """

    def __init__(self, calibration: FieldCalibration, network: Network) -> None:
        self.network = network
        self.stride = network.card.stride or 1
        self._illumination = calibration.illumination
        step = network.card.rbc_diameter_px / calibration.scale.rbc_diameter_px
        self.grid = WorkingGrid(calibration.grid.width, calibration.grid.height, step)

    def window(self, area: Window, reach: int) -> Window:
        """Return what the network must be shown to see an area, in grid cells.

        Parameters
        ----------
        area : Window
            In pixels of the field.
        reach : int
            Grid cells around the area in which it must see too.
        """
        if area.area == 0:
            return Window(0, 0, 0, 0)
        step, whole = self.grid.step, self.grid.window
        low = [int(np.floor(side * step)) - reach - FIELD_OF_VIEW for side in (area.x0, area.y0)]
        high = [int(np.ceil(side * step)) + reach + FIELD_OF_VIEW for side in (area.x1, area.y1)]
        x0, y0 = (max(_whole_steps(side, down=True), -SURROUND) for side in low)
        ends = (_whole_steps(side + SURROUND) for side in (whole.x1, whole.y1))
        x1, y1 = (min(_whole_steps(side), end) for side, end in zip(high, ends, strict=True))
        return Window(x0, y0, x1, y1)

    def maps(self, tile: Tile, window: Window) -> NDArray[np.float32]:
        """Return what the network draws of a window, shape (channels, height / stride, width / stride)."""
        covered, density = network_density(tile.pixels, tile.window, self.grid, self._illumination)
        canvas = np.zeros((1, 3, window.height, window.width), np.float32)
        part = covered.intersect(window)
        canvas[(0, slice(None), *_slices(part, window))] = density[(slice(None), *_slices(part, covered))]
        (output,) = self.network.run(canvas * np.float32(self.network.card.gain))
        return np.asarray(output[0])

    def seen(self, x: Floats, y: Floats, window: Window) -> NDArray[np.bool_]:
        """Tell which places, in grid cells, are far enough from the window's edges, where these are not the field's."""
        end = self.grid.window
        seen = np.ones(len(x), np.bool_)
        for position, low, high, last in ((x, window.x0, window.x1, end.x1), (y, window.y0, window.y1, end.y1)):
            seen &= (position >= (low + FIELD_OF_VIEW if low > -SURROUND else 0)) & (position < last)
            if high < last:
                seen &= position < high - FIELD_OF_VIEW
        return np.asarray(seen)

    def highest(self, heat: NDArray[np.float32], boxes: Floats, window: Window, reach: float) -> Floats:
        """Return the highest value of a map around the middle of each box.

        Parameters
        ----------
        heat : array
            One channel of `maps`.
        boxes : array of shape (n, 4)
            x_min, y_min, x_max, y_max in grid cells.
        window : Window
            That the map shows.
        reach : float
            Share of a box's sides that counts as around its middle.

        Returns
        -------
        array of shape (n,)
        """
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        around = reach * (boxes[:, 2:] - boxes[:, :2])
        height, width = heat.shape
        origin = np.array([window.x0, window.y0])
        low = np.clip(((middle - around - origin) / self.stride).astype(np.int64), 0, [width - 1, height - 1])
        high = np.clip(((middle + around - origin) / self.stride).astype(np.int64), 0, [width - 1, height - 1])
        return np.asarray(highest_in_windows(heat, np.concatenate([low, high], axis=1)).astype(np.float64))


def _slices(part: Window, whole: Window) -> tuple[slice, slice]:
    """Return the rows and columns of a part of a window."""
    rows = slice(part.y0 - whole.y0, part.y1 - whole.y0)
    return rows, slice(part.x0 - whole.x0, part.x1 - whole.x0)


def _whole_steps(cells: int, *, down: bool = False) -> int:
    steps = cells // WINDOW_STEP if down else -(-cells // WINDOW_STEP)
    return steps * WINDOW_STEP
