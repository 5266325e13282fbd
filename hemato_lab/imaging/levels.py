"""Levels of a field: where background ends and cells begin, and how red cells are coloured in this stain.

Measured once per field on the same sampled windows, so that a tile never decides for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hemato_lab.imaging.working import WorkingTile

_BIN: Final = 0.004
_LOWEST, _HIGHEST = -0.2, 1.5
_EDGES: Final = np.round(np.arange(_LOWEST, _HIGHEST + _BIN, _BIN), 6)
_MIDDLES: Final = (_EDGES[1:] + _EDGES[:-1]) / 2
LEAST_CONTRAST: Final = 0.03
"""Optical density that a cell needs above the background at least."""
_GRAIN: Final = 0.8
"""Standard deviation, in grid cells, of what smooths the camera's grain."""
LEAST_COLOUR: Final = 0.05
"""Cells whose densities differ less between red, green and blue show no stain; the palest real smears have 0.12."""
FEWEST_CELLS: Final = 50
"""Below this many foreground grid cells a field counts as empty."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Densities that separate things in one field; all in optical density.

    Attributes
    ----------
    background : float
        Foreground density of the background, near zero.
    noise : float
        Its standard deviation, from the bright side.
    red_cell : float
        Median foreground density of red cells above the background; 0 when the field shows none.
    threshold : float
        Cells lie above. At a blurred edge this is where the light is half way between cell and background.
    blue_per_green : float
        Blue over green density of red cells: what distinguishes haemoglobin and eosin from azure dye.
    colour : float
        Median over the foreground of the spread of the three densities over the largest; 0 in a grey picture.
    """

    background: float
    noise: float
    red_cell: float
    threshold: float
    blue_per_green: float
    colour: float = 1.0

    @property
    def has_cells(self) -> bool:
        """Whether anything stands out from the background."""
        return self.red_cell > 0

    @property
    def has_colour(self) -> bool:
        """Whether cells can be told apart by their stain."""
        return self.colour >= LEAST_COLOUR

    def nuclear_density(self, tile: WorkingTile) -> NDArray[np.float32]:
        """Return the density that red-cell colour does not explain, in units of the red cells' density.

        About 0 in red cells and background, 1 and more in nuclei, platelets and parasites: these take up azure dye,
        which absorbs little blue, while red cells absorb blue and green in a fixed ratio in one stain.
        """
        ratio = np.float32(max(self.blue_per_green, 0.15) * max(self.red_cell, LEAST_CONTRAST))
        scaled = tile.density[..., 1] / np.float32(max(self.red_cell, LEAST_CONTRAST))
        excess: NDArray[np.float32] = scaled - tile.density[..., 2] / ratio
        return excess

    def smooth_nuclear_density(self, tile: WorkingTile) -> NDArray[np.float32]:
        """Return the nuclear density with the grain of the camera smoothed out, shape (height, width)."""
        smooth: NDArray[np.float32] = ndimage.gaussian_filter(self.nuclear_density(tile), _GRAIN, mode="nearest")
        return smooth

    def foreground(self, tile: WorkingTile) -> NDArray[np.bool_]:
        """Return the mask of everything that stands out from the background."""
        mask: NDArray[np.bool_] = (tile.foreground_density > np.float32(self.threshold)) & tile.lit
        return mask


def fit_levels(tiles: Sequence[WorkingTile]) -> Levels:
    """Measure the levels of a field on sampled tiles of it."""
    foregrounds = [tile.foreground_density for tile in tiles]
    seen = [foreground[tile.lit] for foreground, tile in zip(foregrounds, tiles, strict=True)]
    # Sorted once, so that every count and median below is looked up.
    density = np.sort(np.concatenate(seen)).astype(np.float64)
    if density.size == 0:
        return Levels(0.0, 0.0, 0.0, LEAST_CONTRAST, 1.0)
    background, noise = _background_peak(density)
    floor = background + max(4 * noise, LEAST_CONTRAST)
    above = density[np.searchsorted(density, floor, "right") :]
    if above.size < FEWEST_CELLS:
        return Levels(background, noise, 0.0, floor, 1.0)
    red_cell = _red_cell_density(density, background, _median(above) - background)
    half_light = background - np.log10((1 + 10**-red_cell) / 2)
    threshold = max(half_light, floor)
    picked = [
        tile.lit & (foreground.astype(np.float64) > threshold)
        for foreground, tile in zip(foregrounds, tiles, strict=True)
    ]
    red, green, blue = (
        np.concatenate([tile.density[..., channel][mask] for tile, mask in zip(tiles, picked, strict=True)])
        for channel in range(3)
    )
    if green.size < FEWEST_CELLS:
        return Levels(background, noise, 0.0, threshold, 1.0)
    ratio = float(np.median(blue / np.maximum(green, 1e-3)))
    densest, palest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    colour = float(np.median((densest - palest) / np.maximum(densest, 1e-3)))
    return Levels(background, noise, red_cell, float(threshold), ratio, colour)


def _median(ordered: NDArray[np.float64]) -> float:
    """Return the median of sorted values, at least one."""
    return float((ordered[(ordered.size - 1) // 2] + ordered[ordered.size // 2]) / 2)


def _counts(ordered: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the histogram of sorted values; the last bin holds its upper edge too."""
    begins = np.searchsorted(ordered, edges[:-1], "left")
    return np.diff(begins, append=np.searchsorted(ordered, edges[-1], "right"))


def _background_peak(density: NDArray[np.float64]) -> tuple[float, float]:
    """Return place and width of the peak near zero of sorted densities; the width from its bright side only."""
    counts = _counts(density, _EDGES).astype(np.float64)
    smooth = np.convolve(counts, np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9, mode="same")
    near_zero = max(0.06, float(np.quantile(density, 0.15))) > _MIDDLES
    peak = float(_MIDDLES[near_zero][np.argmax(smooth[near_zero])])
    bright = density[: np.searchsorted(density, peak, "left")]
    noise = 1.4826 * (peak - _median(bright)) if bright.size > 20 else 0.01
    return peak, noise


def _red_cell_density(density: NDArray[np.float64], background: float, start: float) -> float:
    """Return the median density of cells among sorted ones; nuclei are clipped, not to draw the threshold."""
    red_cell = start
    for _ in range(4):
        clipped = np.clip(density - background, 0.0, 1.6 * red_cell)
        split = _otsu(clipped, 1.6 * red_cell)
        cells = density[np.searchsorted(density, split + background, "right") :] - background
        if cells.size == 0:
            return red_cell
        middle = _median(cells)
        cells = cells[: np.searchsorted(cells, 2 * middle, "left")]
        updated = _median(cells) if cells.size else middle
        if abs(updated - red_cell) < 0.005:
            return updated
        red_cell = updated
    return red_cell


def _otsu(ordered: NDArray[np.float64], highest: float) -> float:
    """Return the threshold of largest between-class variance (Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62).

    Of sorted values from 0 to `highest`.
    """
    edges = np.linspace(0.0, max(highest, 1e-6), 257)
    share = _counts(ordered, edges) / max(ordered.size, 1)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(share)
    mean = np.cumsum(share * middles)
    spread = below * (1 - below)
    between = np.divide((mean[-1] * below - mean) ** 2, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    return float(middles[np.argmax(between)])
