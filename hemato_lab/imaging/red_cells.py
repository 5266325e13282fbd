"""Red cells told apart: single, touching and overlapping ones, on the working grid.

Two kinds of evidence say where a cell's centre is: depth inside the foreground (distance transform) and edges that
point at it (votes), which also sees a cell through another one. Their sum is flooded from its peaks.
Every step looks at a bounded neighbourhood and ties are broken by place, so that a tile finds what the whole field finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hemato_lab.imaging.levels import Levels
from hemato_lab.imaging.working import RED_CELL_AREA, RED_CELL_DIAMETER, WorkingTile
from hemato_lab.kernels.components import label_and_measure
from hemato_lab.kernels.distance import squared_distance
from hemato_lab.kernels.peaks import find_peaks
from hemato_lab.kernels.votes import FULL_VOTE, cast_votes
from hemato_lab.kernels.watershed import flood

LARGEST_HOLE: Final = 0.25
"""Enclosed background up to this share of a red cell's area is central pallor, not a gap between cells."""
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
    mask = _filled(levels.foreground(tile) & ~excluded, tile.lit & ~excluded)
    mask = _opened(mask, OPENING_RADIUS * RED_CELL_DIAMETER)
    evidence = np.where(mask, _evidence(tile, levels, mask), np.float32(0))
    peaks = find_peaks(evidence, CLOSEST_CENTRES * RED_CELL_DIAMETER, LEAST_EVIDENCE)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[peaks.y, peaks.x] = np.arange(1, len(peaks.x) + 1)
    heights = np.float32(3) - np.minimum(evidence, np.float32(3))
    flooded = flood((heights * np.float32(_LEVELS_A_UNIT)).astype(np.uint16), seeds, mask)
    return RedCellRegions(flooded, peaks.value.astype(np.float64), mask)


def _filled(mask: NDArray[np.bool_], fillable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill enclosed background no larger than central pallor; what touches the tile's edge is not enclosed."""
    labels, table = label_and_measure(~mask)
    height, width = mask.shape
    inside = (table.x_min > 0) & (table.y_min > 0) & (table.x_max < width) & (table.y_max < height)
    pallor = np.concatenate([[False], inside & (table.area < LARGEST_HOLE * RED_CELL_AREA)])
    filled: NDArray[np.bool_] = mask | (pallor[labels] & fillable)
    return filled


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
