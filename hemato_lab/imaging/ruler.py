"""The red-cell ruler: how many pixels a red cell measures, told from the image alone.

First guess: what a network says that was shown the field at every size. Then the median of the free cells refines the
guess, as long as the two agree or most cells are free. Where the network is not sure the scale is refused (DOMAIN.md
section 2.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.imaging.cell_size import SIZE_NETWORK, read_cell_size
from hemato_lab.imaging.levels import Levels, fit_levels
from hemato_lab.imaging.red_cells import plain_cells, red_cell_mask
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.imaging.working import (
    WorkingGrid,
    WorkingTile,
    working_tile,
)
from hemato_lab.kernels.components import label_and_measure
from hemato_lab.networks import load_network
from hemato_lab.networks.card import SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.cell_size import CellSize
    from hemato_lab.imaging.illumination import Illumination
    from hemato_lab.smear import Field

AGREEMENT: Final = 0.15
"""Free cells refine the guessed diameter when they differ from it by no more than this."""
TRUSTED_SHARE: Final = 0.25
"""Free cells that make up this share of the foreground refine the scale whatever the guess."""
FREE_CELL_AREA: Final = (0.3, 4.0)
"""Of a red cell's area at the scale that is to be refined."""
NUCLEATED: Final = 0.5
"""Nuclear density above which a pixel is no red cell."""
FEWEST_FREE_CELLS: Final = 5
LEAST_RELATIVE_UNCERTAINTY: Final = 0.02
GUESS_UNCERTAINTY: Final = 0.08
"""Of a guess that no free cell refines: as they scatter on validation fields of bccd, the most crowded ones."""


@dataclass(frozen=True, slots=True)
class RulerReading:
    """What the ruler read in one field.

    Attributes
    ----------
    diameter_px : float
        Diameter of a red cell in pixels of the field.
    relative_uncertainty : float
        Standard uncertainty of the reading as a share of it, without the ruler's own.
    free_cells : int
        Free, round red cells that refined it; 0 when it rests on the guess alone.
    evidence : float
        In [0, 1]: how surely the field shows red cells of the guessed size.
    """

    diameter_px: float
    relative_uncertainty: float
    free_cells: int
    evidence: float


def read_ruler(field: Field, illumination: Illumination) -> RulerReading:
    """Measure the diameter of red cells in a field.

    Raises
    ------
    ScaleNotCredibleError
        If the field shows no red cells that can be measured.
    ModelError
        If the network is missing or damaged.
    """
    network = load_network(SIZE_NETWORK)
    guess = read_cell_size(field, illumination, network)
    if guess.evidence < network.card.thresholds[SIZE]:
        raise ScaleNotCredibleError(
            "the size of a red cell cannot be told from this image",
            subject=field.name,
            hint="if it shows a blood film, state rbc_diameter_px (pixels across a normal red cell) or um_per_px",
        )
    return _refined(field, illumination, guess)


def _refined(field: Field, illumination: Illumination, guess: CellSize) -> RulerReading:
    """Measure the free cells at the guessed scale, again when the first answer moves the scale."""
    diameter, free, spread = guess.diameter_px, 0, GUESS_UNCERTAINTY
    for _ in range(4):
        sizes, share = _free_cells(field, illumination, diameter)
        if len(sizes) < FEWEST_FREE_CELLS:
            break
        median = float(np.median(sizes))
        if share < TRUSTED_SHARE and abs(median / guess.diameter_px - 1) > AGREEMENT:
            break
        moved = abs(median / diameter - 1)
        diameter, free = median, len(sizes)
        spread = float(1.4826 * np.median(np.abs(sizes / median - 1)) / math.sqrt(free))
        if moved < 0.05:
            break
    uncertainty = math.hypot(LEAST_RELATIVE_UNCERTAINTY, spread)
    return RulerReading(round(diameter, 4), round(uncertainty, 4), free, round(guess.evidence, 4))


def _free_cells(field: Field, illumination: Illumination, diameter_px: float) -> tuple[NDArray[np.float64], float]:
    """Return equivalent diameters in pixels of free cells, and their share of the foreground's area."""
    grid = WorkingGrid.of(field.width, field.height, diameter_px)
    windows = sample_windows(field)
    tiles = [working_tile(field.read(window), window, grid, illumination) for window in windows]
    levels = fit_levels(tiles)
    if not levels.has_cells:
        return np.empty(0), 0.0
    sizes, foregrounds = zip(*(_free_in_tile(tile, levels) for tile in tiles), strict=True)
    found = np.concatenate(sizes)
    share = float(np.sum(np.pi / 4 * found**2) / max(sum(foregrounds), 1))
    return found / grid.step, share


def _free_in_tile(tile: WorkingTile, levels: Levels) -> tuple[NDArray[np.float64], int]:
    """Return equivalent diameters, in grid cells, of the components that are one whole cell, and the foreground's area.

    Platelets and fragments are left out by size, white cells by their nuclei.
    """
    nuclear = levels.smooth_nuclear_density(tile) > NUCLEATED
    mask = red_cell_mask(tile, levels, np.zeros(tile.lit.shape, np.bool_))
    labels, table = label_and_measure(mask)
    stained = np.bincount(labels[nuclear], minlength=len(table) + 1)[1:]
    unlit = np.bincount(labels[ndimage.binary_dilation(~tile.lit, iterations=2)], minlength=len(table) + 1)[1:]
    free = plain_cells(labels, table, FREE_CELL_AREA) & (stained < 0.2 * table.area) & (unlit == 0)
    return 2 * np.sqrt(table.area[free] / np.pi), int(np.count_nonzero(mask))
