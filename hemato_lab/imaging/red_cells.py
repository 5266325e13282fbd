"""Red cells told apart: single, touching and overlapping ones, on the working grid.

Two kinds of evidence say where a cell's centre is: depth inside the foreground (distance transform) and edges that
point at it (votes), which also sees a cell through another one. Their sum is flooded from its peaks.
Every step looks at a bounded neighbourhood and ties are broken by place, so that a tile finds what the whole field
finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.imaging.working import RED_CELL_AREA, RED_CELL_DIAMETER, WorkingTile
from hemato_lab.kernels.components import ComponentTable, label_and_measure
from hemato_lab.kernels.distance import squared_distance
from hemato_lab.kernels.peaks import find_peaks
from hemato_lab.kernels.regions import hull_areas
from hemato_lab.kernels.suppression import stronger_neighbours
from hemato_lab.kernels.votes import FULL_VOTE, cast_votes
from hemato_lab.kernels.watershed import flood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.levels import Levels

LARGEST_HOLE: Final = 0.25
"""Enclosed background up to this share of a red cell's area is filled: central pallor, or a gap between cells."""
LARGEST_ROUND_HOLE: Final = 0.6
"""A hole without inward corners is pallor up to this share: of hypochromic cells only a rim is left."""
LEAST_ROUND: Final = 0.9
"""How well a hole without inward corners fills its ellipse and its convex hull."""
OPENING_RADIUS: Final = 0.06
"""Bridges and specks thinner than twice this many diameters are taken away."""
VOTE_RADII: Final = (0.40, 0.44, 0.48, 0.52, 0.56)
"""Distances, in diameters, at which an edge looks for a centre: normal cells of diameter 0.8-1.12."""
WEAKEST_EDGE, FULL_EDGE = 0.03, 0.10
"""Gradients, in red-cell densities a grid cell, from which an edge votes and votes fully."""
WEIGHT_OF_DEPTH, WEIGHT_OF_VOTES = 0.5, 1.0
LEAST_EVIDENCE: Final = 0.4
"""A peak of the summed evidence below this is no cell; a free, round, normal cell reaches about 1.5."""
CLOSEST_CENTRES: Final = 0.23
"""Two centres nearer than this many diameters are one cell."""
GAP_REACH, GAP_STRENGTH = 0.62, 0.6
"""A peak with three others within this many diameters, all so much stronger, is the gap between three cells."""
PLAIN_CELL_AREA: Final = (0.2, 1.25)
"""Area, over a red cell's, of a component that may be one whole cell of any roundish or long shape."""
LEAST_STAINED_SHARE: Final = 0.55
"""Of a cell's region that is foreground itself; the rest is pallor that was filled."""
FARTHEST_REACH: Final = 1.25
"""A cell's farthest point lies within this many diameters of its centre: sickle cells 2.5 diameters long."""
SMALLEST_PAIR_AREA: Final = 0.8
"""Below this area, over a red cell's, a component of any shape is one cell."""
LEAST_ELLIPTIC, LEAST_CONVEX = 0.95, 0.93
"""How well such a component fills its ellipse and its convex hull."""
_LEVELS_A_UNIT: Final = 20_000


@dataclass(frozen=True)
class RedCellRegions:
    """Regions of single red cells in a working tile.

    Attributes
    ----------
    labels : NDArray, shape (height, width), int32
        1 to n, 0 elsewhere.
    evidence : NDArray, shape (n,), float64
        Height of each region's peak.
    mask : NDArray, shape (height, width), bool
        Foreground that was divided.
    """

    labels: NDArray[np.int32]
    evidence: NDArray[np.float64]
    mask: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.evidence)


def split_red_cells(tile: WorkingTile, levels: Levels, excluded: NDArray[np.bool_]) -> RedCellRegions:
    """Divide the foreground of a tile into red cells.

    Parameters
    ----------
    tile : WorkingTile
        Densities.
    levels : Levels
        Of the field.
    excluded : NDArray, shape (height, width), bool
        What belongs to white cells.
    """
    mask, pallor = _mask_and_pallor(tile, levels, excluded)
    evidence = np.where(mask, _evidence(tile, levels, mask), np.float32(0))
    rows, columns = _centres(evidence, mask)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[rows, columns] = np.arange(1, len(rows) + 1)
    # A cell reaches no farther from its centre, so no flood runs on through what has no centre at all.
    mask &= squared_distance(seeds == 0) <= (FARTHEST_REACH * RED_CELL_DIAMETER) ** 2
    heights = np.float32(3) - np.minimum(evidence, np.float32(3))
    flooded = flood((heights * np.float32(_LEVELS_A_UNIT)).astype(np.uint16), seeds, mask)
    labels, kept = _without_gaps(flooded, len(rows), levels.foreground(tile) | pallor)
    return RedCellRegions(labels, evidence[rows, columns].astype(np.float64)[kept], mask)


def _without_gaps(
    labels: NDArray[np.int32], count: int, foreground: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Drop regions that are mostly filled background: the gap between touching cells, not a cell's pallor."""
    area = np.bincount(labels.ravel(), minlength=count + 1)
    stained = np.bincount(labels[foreground], minlength=count + 1)
    kept = stained >= LEAST_STAINED_SHARE * area
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[labels], kept[1:]


def red_cell_mask(tile: WorkingTile, levels: Levels, excluded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the foreground outside of white cells with pallor filled and bridges opened; shape (height, width)."""
    return _mask_and_pallor(tile, levels, excluded)[0]


def _mask_and_pallor(
    tile: WorkingTile, levels: Levels, excluded: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the mask of red cells, and what of it is filled background that is pallor by its shape."""
    foreground = levels.foreground(tile) & ~excluded
    filled, pallor = _enclosed_background(foreground, tile.lit & ~excluded)
    return _opened(foreground | filled, OPENING_RADIUS * RED_CELL_DIAMETER), pallor


def plain_cells(
    labels: NDArray[np.int32], table: ComponentTable, area: tuple[float, float] = PLAIN_CELL_AREA
) -> NDArray[np.bool_]:
    """Tell which components are one whole cell by their shape: filled by an ellipse, convex, not larger than a cell.

    Parameters
    ----------
    labels : NDArray, shape (height, width), int32
        Components of a mask of red cells.
    table : ComponentTable
        Of the same components.
    area : (float, float)
        Smallest and largest area over that of a red cell.

    Returns
    -------
    NDArray, shape (n,), bool
        False for components that touch the edge of the tile.
    """
    low, high = area
    sized = (table.area > low * RED_CELL_AREA) & (table.area < high * RED_CELL_AREA)
    major, minor, _ = table.axes
    elliptic = table.area > LEAST_ELLIPTIC * np.pi / 4 * major * minor
    plain: NDArray[np.bool_] = (
        whole_components(labels, table)
        & sized
        & elliptic
        & (table.area > LEAST_CONVEX * hull_areas(labels, _boxes(table)))
    )
    return plain


def whole_components(labels: NDArray[np.int32], table: ComponentTable) -> NDArray[np.bool_]:
    """Tell which components do not touch the edge of the tile, shape (n,)."""
    height, width = labels.shape
    whole: NDArray[np.bool_] = (table.x_min > 0) & (table.y_min > 0) & (table.x_max < width) & (table.y_max < height)
    return whole


def _too_small_for_two(table: ComponentTable) -> NDArray[np.bool_]:
    """Tell which components are one cell, a sickle or a fragment perhaps, because two would not fit."""
    low, high = PLAIN_CELL_AREA[0] * RED_CELL_AREA, SMALLEST_PAIR_AREA * RED_CELL_AREA
    small: NDArray[np.bool_] = (table.area > low) & (table.area < high)
    return small


def _centres(evidence: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the cells' centres: the peaks of the evidence, but one for each plain cell."""
    labels, table = label_and_measure(mask)
    one_cell = plain_cells(labels, table) | (whole_components(labels, table) & _too_small_for_two(table))
    single = np.concatenate([[False], one_cell])[labels]
    peaks = find_peaks(np.where(single, np.float32(0), evidence), CLOSEST_CENTRES * RED_CELL_DIAMETER, LEAST_EVIDENCE)
    rows, columns = peaks.y.astype(np.intp), peaks.x.astype(np.intp)
    x, y, height = (one.astype(np.float64) for one in (columns, rows, evidence[rows, columns]))
    stronger = stronger_neighbours(x, y, height, reach=GAP_REACH * RED_CELL_DIAMETER, share=GAP_STRENGTH)
    rows, columns = rows[stronger < 3], columns[stronger < 3]
    best = _highest_pixels(np.where(single, labels, 0), evidence)
    rows = np.concatenate([rows, best // mask.shape[1]])
    columns = np.concatenate([columns, best % mask.shape[1]])
    order = np.lexsort((columns, rows))
    return rows[order], columns[order]


def _highest_pixels(labels: NDArray[np.int32], evidence: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the flat index of each present label's highest pixel, the first in raster order of equals."""
    at = np.flatnonzero(labels)
    number, height = labels.ravel()[at], evidence.ravel()[at]
    order = np.lexsort((at, -height, number))
    first_of_label = np.diff(number[order], prepend=0) > 0
    return at[order][first_of_label]


def _enclosed_background(
    mask: NDArray[np.bool_], fillable: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark the enclosed background to fill, and what of it is round: pallor, as gaps between cells have corners.

    What touches the tile's edge is not enclosed.
    """
    labels, table = label_and_measure(~mask)
    area = table.area / RED_CELL_AREA
    enclosed = np.concatenate([[False], whole_components(labels, table) & (area < LARGEST_ROUND_HOLE)])
    hull = hull_areas(np.where(enclosed[labels], labels, 0), _boxes(table))
    pallor = enclosed & np.concatenate([[False], _roundness(table, hull) > LEAST_ROUND])
    filled = pallor | (enclosed & np.concatenate([[False], area < LARGEST_HOLE]))
    return filled[labels] & fillable, pallor[labels] & fillable


def _boxes(table: ComponentTable) -> NDArray[np.int64]:
    return np.stack([table.x_min, table.y_min, table.x_max, table.y_max], axis=1)


def _roundness(table: ComponentTable, hull: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smaller of the shares that each component fills of its ellipse and of its convex hull, shape (n,)."""
    major, minor, _ = table.axes
    return np.minimum(table.area / (np.pi / 4 * major * minor), table.area / np.maximum(hull, 1))


def _opened(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Morphological opening by a disc through exact distances; the tile's edge erodes nothing."""
    eroded = squared_distance(mask) > radius * radius
    opened: NDArray[np.bool_] = squared_distance(~eroded) <= radius * radius
    return opened & mask


def _evidence(tile: WorkingTile, levels: Levels, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the sum of depth and votes for a cell's centre."""
    depth = np.sqrt(np.minimum(squared_distance(mask), 4 * RED_CELL_DIAMETER**2).astype(np.float32))
    depth = ndimage.gaussian_filter(depth, 0.05 * RED_CELL_DIAMETER, mode="nearest")
    depth = np.minimum(depth / np.float32(RED_CELL_DIAMETER / 2), np.float32(1.1))
    total = np.float32(WEIGHT_OF_DEPTH) * depth + np.float32(WEIGHT_OF_VOTES) * centre_votes(tile, levels)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(total, 0.03 * RED_CELL_DIAMETER, mode="nearest")
    return smooth


def centre_votes(tile: WorkingTile, levels: Levels) -> NDArray[np.float32]:
    """Return how much of a whole circle of edges points at each place, at most 1.5; shape (height, width)."""
    smooth = ndimage.gaussian_filter(tile.foreground_density, 0.7, mode="nearest")
    across = ndimage.sobel(smooth, axis=1, mode="nearest") / np.float32(8)
    down = ndimage.sobel(smooth, axis=0, mode="nearest") / np.float32(8)
    across[~tile.lit] = 0
    down[~tile.lit] = 0
    radii = np.array(VOTE_RADII) * RED_CELL_DIAMETER
    votes = cast_votes(across, down, radii, WEAKEST_EDGE * levels.red_cell, FULL_EDGE * levels.red_cell)
    spread = 0.07 * RED_CELL_DIAMETER
    pooled = ndimage.gaussian_filter(votes.astype(np.float64), spread, mode="constant")
    # A circle's edge is about 1.5 grid cells thick; the factor undoes the smoothing's normalisation at a point.
    whole = FULL_VOTE * np.pi * RED_CELL_DIAMETER * 1.5 / (2 * np.pi * spread**2)
    capped: NDArray[np.float32] = np.minimum(pooled / whole, 1.5).astype(np.float32)
    return capped
