"""The red-cell ruler: how many pixels a red cell measures, told from the image alone.

First guess: edges of cells, those seen through other cells too, vote for circles of every radius; the radius that
explains most of them wins. Then the median of the free cells refines the guess, as long as the two agree or most cells
are free. Where too little is explained the scale is refused (DOMAIN.md section 2.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.imaging.levels import Levels, fit_levels
from hemato_lab.imaging.red_cells import plain_cells, red_cell_mask
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.imaging.working import (
    WorkingGrid,
    WorkingTile,
    working_tile,
)
from hemato_lab.kernels.components import label_and_measure
from hemato_lab.kernels.edges import thin_edges
from hemato_lab.kernels.votes import circle_evidence
from hemato_lab.smear import Field, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.illumination import Illumination

RADII: Final[NDArray[np.float64]] = np.array([6.0 * 1.06**k for k in range(58)])
"""Radii tried, in pixels of the view that is searched: 6 to 166."""
LEAST_SUPPORT: Final = 0.3
"""A centre counts when this share of its circle is there."""
RADIUS_POWER: Final = 0.75
"""Evidence is weighted by the radius to this power: between counting circles (0) and their contour (1)."""
INWARD_SHIFT: Final = 1.08
"""Diameter of a cell over the best voted diameter: votes scatter about the centre, which favours smaller radii."""
EDGE_SMOOTHING: Final = 1.5
"""Standard deviation, in pixels of the view, of the smoothing before edges are sought."""
WEAKEST_EDGE: Final = 0.35
"""Of the typical gradient at the outline of the foreground: weaker edges do not vote."""
LARGEST_SHARE_OF_FIELD: Final = 0.3
"""A red cell is no wider than this share of the field's shorter side."""
VIEW_PIXELS: Final = 1_500_000
"""A larger field is searched shrunk to this size, and in windows of its own resolution."""
AGREEMENT: Final = 0.15
"""Free cells refine the voted diameter when they differ from it by no more than this."""
TRUSTED_SHARE: Final = 0.25
"""Free cells that make up this share of the foreground refine the scale whatever the votes say."""
FREE_CELL_AREA: Final = (0.3, 4.0)
"""Of a red cell's area at the scale that is to be refined."""
NUCLEATED: Final = 0.5
"""Nuclear density above which a pixel is no red cell."""
FEWEST_FREE_CELLS: Final = 5
LEAST_EXPLAINED: Final = 0.012
"""Share of the contour that the best circles must explain (beyond `LEAST_SUPPORT`) for a scale to be credible."""
LEAST_RELATIVE_UNCERTAINTY: Final = 0.02


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
        Free, round red cells that refined it; 0 when it rests on votes alone.
    explained : float
        Share of the contour that circles of this size explain beyond chance.
    """

    diameter_px: float
    relative_uncertainty: float
    free_cells: int
    explained: float


@dataclass(frozen=True, slots=True)
class _Vote:
    diameter_px: float
    explained: float


def read_ruler(field: Field, illumination: Illumination) -> RulerReading:
    """Measure the diameter of red cells in a field.

    Raises
    ------
    ScaleNotCredibleError
        If the field shows no red cells that can be measured.
    """
    votes = [vote for view in _views(field) if (vote := _vote(field, illumination, *view)) is not None]
    best = max(votes, key=lambda vote: vote.explained, default=None)
    if best is None or best.explained < LEAST_EXPLAINED:
        raise ScaleNotCredibleError(
            "the size of a red cell cannot be told from this image",
            subject=field.name,
            hint="state rbc_diameter_px (pixels across a normal red cell) or um_per_px",
        )
    return _refined(field, illumination, best)


def _views(field: Field) -> list[tuple[Window, float]]:
    """Return windows and the steps (grid cells a pixel) at which to search them."""
    windows = sample_windows(field)
    if len(windows) > 1:
        return [(window, 1.0) for window in windows]
    step = math.sqrt(min(1.0, VIEW_PIXELS / field.window.area))
    views = [(field.window, step)]
    if step < 0.75:
        side = int(math.sqrt(VIEW_PIXELS))
        x, y = max(0, (field.width - side) // 2), max(0, (field.height - side) // 2)
        views.append((Window(x, y, min(field.width, x + side), min(field.height, y + side)), 1.0))
    return views


def _vote(field: Field, illumination: Illumination, window: Window, step: float) -> _Vote | None:
    grid = WorkingGrid(field.width, field.height, step)
    tile = working_tile(field.read(window), window, grid, illumination)
    levels = fit_levels([tile])
    if not levels.has_cells or min(tile.lit.shape) < 8:
        return None
    points, directions = _contour(tile, levels)
    if len(points) < 100:
        return None
    radii = RADII[LARGEST_SHARE_OF_FIELD * min(field.width, field.height) * step > 2 * RADII]
    if len(radii) < 3:
        return None
    evidence = circle_evidence(points, directions, tile.lit.shape, radii, LEAST_SUPPORT)
    weighted = ndimage.gaussian_filter1d(evidence * radii**RADIUS_POWER, 1.0, mode="constant")
    best = int(np.argmax(weighted))
    place = float(best)
    if 0 < best < len(radii) - 1:
        left, middle, right = weighted[best - 1 : best + 2]
        bend = left - 2 * middle + right
        place += float(0.5 * (left - right) / bend) if bend < 0 else 0.0
    radius = RADII[0] * 1.06**place
    explained = float(weighted[best] / radii[best] ** RADIUS_POWER * 2 * np.pi * radii[best] / len(points))
    return _Vote(float(2 * radius * INWARD_SHIFT / step), explained)


def _contour(tile: WorkingTile, levels: Levels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return edge pixels (x, y) of cells and unit vectors up the density; edges between overlapping cells included."""
    # Nuclei are clipped to red-cell density, so that their chromatin has no edges.
    clipped = np.minimum(tile.foreground_density, np.float32(1.5 * levels.red_cell + levels.background))
    smooth = ndimage.gaussian_filter(clipped, EDGE_SMOOTHING, mode="nearest")
    across, down = ndimage.sobel(smooth, axis=1), ndimage.sobel(smooth, axis=0)
    mask = levels.foreground(tile)
    outline = mask & ~ndimage.binary_erosion(mask, border_value=1)
    if not outline.any():
        return np.empty((0, 2)), np.empty((0, 2))
    typical = float(np.median(np.hypot(across[outline], down[outline])))
    allowed = ndimage.binary_erosion(tile.lit, iterations=3, border_value=1) & ndimage.binary_dilation(
        mask, iterations=2
    )
    return thin_edges(across, down, allowed, WEAKEST_EDGE * typical)


def _refined(field: Field, illumination: Illumination, vote: _Vote) -> RulerReading:
    """Measure the free cells at the voted scale, again when the first answer moves the scale."""
    diameter, free, spread = vote.diameter_px, 0, 0.06
    for _ in range(4):
        sizes, share = _free_cells(field, illumination, diameter)
        if len(sizes) < FEWEST_FREE_CELLS:
            break
        median = float(np.median(sizes))
        if share < TRUSTED_SHARE and abs(median / vote.diameter_px - 1) > AGREEMENT:
            break
        moved = abs(median / diameter - 1)
        diameter, free = median, len(sizes)
        spread = float(1.4826 * np.median(np.abs(sizes / median - 1)) / math.sqrt(free))
        if moved < 0.02:
            break
    uncertainty = math.hypot(LEAST_RELATIVE_UNCERTAINTY, spread)
    return RulerReading(round(diameter, 4), round(uncertainty, 4), free, round(vote.explained, 4))


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
