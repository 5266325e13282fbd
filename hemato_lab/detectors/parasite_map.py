"""Where in a field parasites are: a network that draws one map, finer than the detector's, and its score for each cell.

A ring is an eighth of its cell's diameter wide, so the map is drawn at more grid cells a red cell than cells are
found at. It costs more than finding the cells and is drawn only where red cells are, block by block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hemato_lab.detectors.field_view import FIELD_OF_VIEW, FieldView
from hemato_lab.errors import ConfigError
from hemato_lab.imaging.tiling import MARGIN_DIAMETERS
from hemato_lab.networks.runtime import WINDOW_STEP
from hemato_lab.smear import Tile, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.detections import Detections
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.networks import Network

Floats = NDArray[np.float64]

PARASITE: Final = "parasitised RBC"
BLOCK: Final = 1024
"""Side in grid cells of what the network is shown at a time, besides what surrounds it: bounds the memory."""
LARGEST_REACH: Final = 40
"""Grid cells from the middle of a cell to where a parasite in it may lie, at most."""
_REACH: Final = 0.3
"""A parasite's peak belongs to the red cell in whose box it lies, this share of the box's sides from its middle."""


class ParasiteMap:
    """Tells how likely each red cell of a field holds a parasite; safe to use from several threads.

    Parameters
    ----------
    calibration : FieldCalibration
        Of the field.
    network : Network
        One that maps ``parasitised RBC``.

    Raises
    ------
    ConfigError
        If the network is for something else, or looks farther than tiles reach.
    """

    def __init__(self, calibration: FieldCalibration, network: Network) -> None:
        card = network.card
        if card.task != "map" or PARASITE not in card.classes:
            raise ConfigError(f"the network {card.name!r} draws no map of parasites", hint="choose another model")
        if (FIELD_OF_VIEW + LARGEST_REACH + WINDOW_STEP) / card.rbc_diameter_px > MARGIN_DIAMETERS:
            problem = (
                f"the network {card.name!r} sees too many red cells at a time: {card.rbc_diameter_px:g} pixels each"
            )
            raise ConfigError(problem, hint="choose a model that sees red cells larger")
        self._view = FieldView(calibration, network)
        self._channel = card.classes.index(PARASITE)
        self._line = card.calibration[PARASITE]

    def __call__(self, tile: Tile, cells: Detections) -> Floats:
        """Return the calibrated score of each cell.

        Parameters
        ----------
        tile : Tile
            Of the field.
        cells : Detections
            Red cells that the tile's core owns, with boxes in pixels of the field.

        Returns
        -------
        array of shape (n,)
            In [0, 1], rounded to four decimals.
        """
        scores = np.zeros(len(cells))
        grid, (slope, intercept) = self._view.grid, self._line
        boxes = np.stack([cells[side] for side in ("x_min", "y_min", "x_max", "y_max")], axis=1)
        on_grid = (boxes + 0.5) * grid.step
        for block, rows in self._blocks(tile.core, cells):
            window = self._view.window(block, LARGEST_REACH)
            heat = self._view.maps(self._part(tile, block), window)[self._channel]
            best = self._view.highest(heat, on_grid[rows], window, _REACH)
            # Four decimals, so that the last bits of exp() on another processor do not show.
            scores[rows] = np.round(special.expit(slope * best + intercept), 4)
        return scores

    def _blocks(self, core: Window, cells: Detections) -> Iterator[tuple[Window, NDArray[np.intp]]]:
        """Yield the blocks of a core that own cells, with the rows of these."""
        side = max(1, int(BLOCK / self._view.grid.step))
        columns = np.clip((np.floor(cells["x"] + 0.5).astype(np.int64) - core.x0) // side, 0, None)
        rows = np.clip((np.floor(cells["y"] + 0.5).astype(np.int64) - core.y0) // side, 0, None)
        for row, column in np.unique(np.stack([rows, columns], axis=1), axis=0).tolist():
            x0, y0 = core.x0 + column * side, core.y0 + row * side
            block = Window(x0, y0, min(x0 + side, core.x1), min(y0 + side, core.y1))
            yield block, np.flatnonzero((rows == row) & (columns == column))

    def _part(self, tile: Tile, block: Window) -> Tile:
        """Return what of a tile is needed to look at a block of its core."""
        margin = int(np.ceil((FIELD_OF_VIEW + LARGEST_REACH + WINDOW_STEP) / self._view.grid.step)) + 2
        window = block.expand(margin).intersect(tile.window)
        rows = slice(window.y0 - tile.window.y0, window.y1 - tile.window.y0)
        columns = slice(window.x0 - tile.window.x0, window.x1 - tile.window.x0)
        return Tile(tile.field, window, block, tile.pixels[rows, columns])
