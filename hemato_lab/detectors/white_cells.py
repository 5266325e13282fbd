"""White cells: found by their nucleus, lobes and all, and measured whole.

Rays from the nucleus end where the cytoplasm does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.imaging.working import RED_CELL_AREA, RED_CELL_DIAMETER, WorkingTile
from hemato_lab.kernels.components import ComponentTable, label_and_measure, measure
from hemato_lab.kernels.distance import squared_distance
from hemato_lab.kernels.peaks import find_peaks
from hemato_lab.kernels.rays import cast_rays, fill_stars
from hemato_lab.kernels.watershed import flood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.levels import Levels

NUCLEUS_DENSITY: Final = 0.5
"""Nuclear density, in red-cell densities, from which a pixel may belong to a nucleus."""
LOBE_GAP: Final = 0.10
"""Gaps between lobes up to twice this many diameters are closed."""
LOBE_SPREAD: Final = 0.22
"""Standard deviation, in diameters, of the smoothing that joins lobes into one nucleus."""
CLOSEST_NUCLEI: Final = 1.1
"""Nuclei nearer than this many red-cell diameters are lobes of one."""
LEAST_LOBE_AREA: Final = 0.12
"""Of a red cell's area: smaller bodies apart from a nucleus are no lobes of it."""
LEAST_NUCLEUS_AREA: Final = 0.75
"""Of a red cell's area, 33 um2; the nucleus of a small lymphocyte has 50 um2 (DOMAIN.md 2.3)."""
LEAST_CUT_NUCLEUS: Final = 0.7
"""A nucleus that the tile's edge cuts may have this share of it."""
LEAST_NUCLEUS_DENSITY: Final = 1.1
"""Mean nuclear density of a nucleus at least; bluish red cells stay below."""
CYTOPLASM_DENSITY: Final = 0.6
"""Of the foreground threshold: pale cytoplasm lies above."""
RED_COLOURED: Final = 0.1
"""Nuclear density below which something dense is red-cell coloured and no cytoplasm."""
LONGEST_RAY: Final = 1.6
"""In red-cell diameters: the radius of the largest cells, 24 um across."""


@dataclass(frozen=True)
class WhiteCells:
    """White cells of a tile: labels of whole cells (height, width) int32, and of their nuclei, and nucleus areas."""

    labels: NDArray[np.int32]
    nuclei: NDArray[np.int32]
    nucleus_area: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.nucleus_area)


def find_white_cells(tile: WorkingTile, levels: Levels, nuclear: NDArray[np.float32]) -> WhiteCells:
    """Find white cells by their nuclei and outline them whole.

    Parameters
    ----------
    tile : WorkingTile
        Densities.
    levels : Levels
        Of the field.
    nuclear : NDArray, shape (height, width), float32
        Smoothed nuclear density (`Levels.smooth_nuclear_density`).
    """
    stained = (nuclear > np.float32(NUCLEUS_DENSITY)) & levels.foreground(tile)
    nuclei, count = _nuclei(stained)
    table = measure(nuclei, count)
    stained_area = np.bincount(nuclei[stained], minlength=count + 1)[1:].astype(np.float64)
    cut = _touches_edge(table, nuclei.shape)
    large = stained_area >= np.where(cut, LEAST_CUT_NUCLEUS, 1.0) * LEAST_NUCLEUS_AREA * RED_CELL_AREA
    total = np.bincount(nuclei.ravel(), np.where(stained, nuclear, 0).ravel().astype(np.float64), minlength=count + 1)[
        1:
    ]
    dense = total >= LEAST_NUCLEUS_DENSITY * np.maximum(stained_area, 1)
    kept = np.flatnonzero(large & dense)
    nuclei = _renumbered(nuclei, kept, count)
    centres = np.stack([table.x[kept], table.y[kept]], axis=1)
    if not len(kept):
        return WhiteCells(np.zeros(nuclei.shape, np.int32), nuclei, np.empty(0))
    stained_enough = nuclear > np.float32(NUCLEUS_DENSITY / 2)
    inside = (tile.foreground_density > np.float32(CYTOPLASM_DENSITY * levels.threshold)) | stained_enough
    inside &= ~_red_coloured(tile, levels, nuclear)
    inner, outer = cast_rays(centres, nuclei, inside & tile.lit, LONGEST_RAY * RED_CELL_DIAMETER)
    labels = fill_stars(centres, _cell_radii(inner, outer), nuclei.shape)
    labels = np.where(nuclei > 0, nuclei, labels)
    return WhiteCells(labels, nuclei, stained_area[kept])


def _red_coloured(tile: WorkingTile, levels: Levels, nuclear: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark what is as dense as a red cell and takes up no azure: a red cell that touches a white one."""
    dense = tile.foreground_density > np.float32(levels.background + 0.6 * levels.red_cell)
    red: NDArray[np.bool_] = dense & (nuclear < np.float32(RED_COLOURED))
    return red


def _nuclei(stained: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Join lobes and tell touching nuclei apart; returns labels and their number."""
    radius = LOBE_GAP * RED_CELL_DIAMETER
    near = squared_distance(~stained) <= radius * radius
    closed = (squared_distance(near) > radius * radius) | stained
    mass = ndimage.gaussian_filter(closed.astype(np.float32), LOBE_SPREAD * RED_CELL_DIAMETER, mode="constant")
    peaks = find_peaks(mass, CLOSEST_NUCLEI * RED_CELL_DIAMETER, 0.25)
    seeds = np.zeros(stained.shape, np.int32)
    nearest = _nearest_true(closed, peaks.y, peaks.x)
    seeds[nearest[0], nearest[1]] = np.arange(1, len(peaks.x) + 1)
    levels = ((np.float32(1) - np.clip(mass, 0, 1)) * np.float32(65_000)).astype(np.uint16)
    return _reach_all_lobes(flood(levels, seeds, closed), closed, np.stack([peaks.y, peaks.x], axis=1)), len(peaks.x)


def _nearest_true(
    mask: NDArray[np.bool_], rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each point the nearest pixel of a mask within half a diameter, or the point itself."""
    reach = int(RED_CELL_DIAMETER / 2)
    found = np.stack([rows, columns]).astype(np.int64)
    for index, (row, column) in enumerate(zip(rows, columns, strict=True)):
        top, left = max(0, row - reach), max(0, column - reach)
        y, x = np.nonzero(mask[top : row + reach + 1, left : column + reach + 1])
        if len(y):
            best = np.lexsort((x, y, (y + top - row) ** 2 + (x + left - column) ** 2))[0]
            found[:, index] = y[best] + top, x[best] + left
    return found[0], found[1]


def _reach_all_lobes(
    labels: NDArray[np.int32], closed: NDArray[np.bool_], peaks: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Give lobes that no flood reached to the nearest nucleus whose peak is within `CLOSEST_NUCLEI` diameters.

    Bodies smaller than a lobe are left alone: platelets lie beside white cells too.
    """
    lobes, table = label_and_measure(closed & (labels == 0))
    if not len(table) or not len(peaks):
        return labels
    owner = np.zeros(len(table) + 1, np.int32)
    for index in np.flatnonzero(table.area >= LEAST_LOBE_AREA * RED_CELL_AREA):
        squared = (peaks[:, 0] - table.y[index]) ** 2 + (peaks[:, 1] - table.x[index]) ** 2
        nearest = int(np.argmin(squared))
        if squared[nearest] <= (CLOSEST_NUCLEI * RED_CELL_DIAMETER) ** 2:
            owner[index + 1] = nearest + 1
    return np.where(labels == 0, owner[lobes], labels).astype(np.int32)


def _touches_edge(table: ComponentTable, shape: tuple[int, int]) -> NDArray[np.bool_]:
    touches: NDArray[np.bool_] = (
        (table.x_min <= 0) | (table.y_min <= 0) | (table.x_max >= shape[1]) | (table.y_max >= shape[0])
    )
    return touches


def _renumbered(labels: NDArray[np.int32], kept: NDArray[np.intp], count: int) -> NDArray[np.int32]:
    """Return labels with only some regions left, numbered 1 to their number in the same order."""
    numbers = np.zeros(count + 1, np.int32)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    return numbers[labels]


def _cell_radii(inner: NDArray[np.float64], outer: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn ray lengths into an outline: rays that ran on through a neighbour are cut to what the others say."""
    typical = np.quantile(outer, 0.4, axis=1, method="lower")
    fallback = 1.25 * inner.max(axis=1)
    limit = np.minimum(np.where(np.isfinite(typical), 1.15 * typical, fallback), 1.25 * RED_CELL_DIAMETER)
    radii: NDArray[np.float64] = np.maximum(inner, np.minimum(outer, limit[:, None]))
    return radii
