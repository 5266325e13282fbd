"""Light of the empty background over a whole field, and the part of the field that is lit at all.

White balance and illumination fall-off are one and the same here: per colour channel a quadratic surface in density is
fitted to the brightest parts of a grid of blocks, cells being outliers on the dark side (DOMAIN.md section 8: low-order
polynomial fit to background). It is fitted on the whole field, never per tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.imaging.light import DENSITY
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.kernels.components import label_and_measure
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hemato_lab.smear import RGB, Field

BLOCKS_A_SIDE: Final = 12
"""The field is cut into this many blocks a side; each gives one sample of the background."""
BRIGHTEST_SHARE: Final = 0.12
"""Share of a block's pixels that is taken for its background."""
LIT_RASTER_SIDE: Final = 160
"""Longest side of the raster that marks the lit part."""
SLIDE_RASTER_SIDE: Final = 40
"""The same for fields that are too large to be read whole for this."""
DARK_FRACTION: Final = 0.35
"""Below this fraction of the field's bright level (stored values) a pixel may belong to the dark surround."""
SURROUND_SHARE: Final = 0.01
"""A dark region at the border is a surround from this share of the field on."""
_SAMPLES_A_BLOCK: Final = 2500
_ROUNDS: Final = 15


@dataclass(frozen=True)
class Illumination:
    """Background density of a field and its lit part.

    Attributes
    ----------
    coefficients : NDArray, shape (6, 3), float64
        Of 1, u, v, u*u, u*v, v*v per channel, where u and v run from -1 to 1 over the field's width and height.
    width, height : int
        Size of the field in pixels.
    lit : NDArray, shape (rows, columns), bool
        Coarse raster over the field: False in the dark surround of a picture through an eyepiece.
    residual : float
        Median absolute misfit of the background blocks, in density, mean of the channels.
    """

    coefficients: NDArray[np.float64]
    width: int
    height: int
    lit: NDArray[np.bool_]
    residual: float

    def density_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the background density at pixel coordinates, shape (..., 3)."""
        return _design(*self._normalised(x, y)) @ self.coefficients

    def _normalised(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return (2 * x + 1) / self.width - 1, (2 * y + 1) / self.height - 1

    @property
    def fall_off(self) -> float:
        """Share of light lost from the brightest to the darkest place of the background, mean of the channels."""
        side = np.linspace(-1, 1, 21)
        u, v = np.meshgrid(side, side)
        surface = _design(u.ravel(), v.ravel()) @ self.coefficients
        return float(np.mean(1 - 10 ** -(surface.max(axis=0) - surface.min(axis=0))))

    @property
    def white_level(self) -> tuple[float, float, float]:
        """Stored 8-bit value of the background in the middle of the field, per channel."""
        red, green, blue = np.interp(-self.coefficients[0], -DENSITY, np.arange(256.0))
        return float(red), float(green), float(blue)

    @property
    def lit_share(self) -> float:
        """Share of the field that is lit."""
        return float(self.lit.mean())

    def is_lit(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell for columns `x` and rows `y` (pixel coordinates) which places are lit, shape (len(y), len(x))."""
        rows, columns = self.lit.shape
        column = np.clip(((x + 0.5) * columns / self.width).astype(np.int64), 0, columns - 1)
        row = np.clip(((y + 0.5) * rows / self.height).astype(np.int64), 0, rows - 1)
        return self.lit[np.ix_(row, column)]


def fit_illumination(field: Field) -> Illumination:
    """Fit the background of a field.

    Parameters
    ----------
    field : Field
        Read whole, or on a regular grid of windows when it is a slide.

    Returns
    -------
    Illumination
        For a field without any background the fit follows what is there; quality checks tell.
    """
    windows = sample_windows(field)
    whole = len(windows) == 1
    pixels = [field.read(window) for window in windows]
    lit = _lit_raster(_coarse_brightness(field, pixels[0] if whole else None))
    places, values = _block_backgrounds(windows, pixels, lit, field)
    design = _design((2 * places[:, 0] + 1) / field.width - 1, (2 * places[:, 1] + 1) / field.height - 1)
    coefficients, residual = _fit_bright_side(design, values)
    return Illumination(coefficients, field.width, field.height, lit, residual)


def _design(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def _coarse_brightness(field: Field, pixels: RGB | None) -> NDArray[np.uint8]:
    """Return the brightest channel on a raster over the field; of a slide only the raster's pixels are read."""
    side = LIT_RASTER_SIDE if pixels is not None else SLIDE_RASTER_SIDE
    step = max(1, -(-max(field.height, field.width) // side))
    top, left = min(step // 2, field.height - 1), min(step // 2, field.width - 1)
    if pixels is not None:
        brightness: NDArray[np.uint8] = pixels[top::step, left::step].max(axis=2)
        return brightness
    rows, columns = range(top, field.height, step), range(left, field.width, step)
    read = [[field.read(Window(x, y, x + 1, y + 1)).max() for x in columns] for y in rows]
    return np.array(read, np.uint8)


def _lit_raster(brightness: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark what is not a large dark region at the border; one raster cell more is given up around it."""
    dark = brightness < DARK_FRACTION * np.percentile(brightness, 90)
    labels, table = label_and_measure(dark)
    rows, columns = dark.shape
    at_border = (table.x_min == 0) | (table.y_min == 0) | (table.x_max == columns) | (table.y_max == rows)
    surround = np.concatenate([[False], at_border & (table.area > SURROUND_SHARE * dark.size)])[labels]
    if not surround.any():
        return np.ones(dark.shape, np.bool_)
    padded = np.pad(surround, 1, mode="edge")
    grown = padded[1:-1, 1:-1].copy()
    for dy in range(3):
        for dx in range(3):
            grown |= padded[dy : dy + rows, dx : dx + columns]
    return ~grown


def _block_backgrounds(
    windows: Sequence[Window], pixels: Sequence[RGB], lit: NDArray[np.bool_], field: Field
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres (n, 2) and background densities (n, 3) of the lit blocks of all windows."""
    blocks = BLOCKS_A_SIDE if len(windows) == 1 else 3
    places: list[tuple[float, float]] = []
    values: list[NDArray[np.float64]] = []
    for window, image in zip(windows, pixels, strict=True):
        across = np.linspace(0, window.width, min(blocks, window.width) + 1).astype(int)
        down = np.linspace(0, window.height, min(blocks, window.height) + 1).astype(int)
        for y0, y1 in pairwise(down):
            for x0, x1 in pairwise(across):
                x, y = window.x0 + (x0 + x1 - 1) / 2, window.y0 + (y0 + y1 - 1) / 2
                row = min(int((y + 0.5) * lit.shape[0] / field.height), lit.shape[0] - 1)
                column = min(int((x + 0.5) * lit.shape[1] / field.width), lit.shape[1] - 1)
                if not lit[row, column]:
                    continue
                places.append((x, y))
                values.append(_brightest(image[y0:y1, x0:x1]))
    if not places:
        return np.zeros((1, 2)), np.median(DENSITY[pixels[0]].reshape(-1, 3), axis=0)[None]
    return np.array(places), np.array(values)


def _brightest(block: RGB) -> NDArray[np.float64]:
    """Return the median density per channel of a block's brightest pixels."""
    step = max(1, int(np.sqrt(block.shape[0] * block.shape[1] / _SAMPLES_A_BLOCK)))
    density = DENSITY[block[::step, ::step]].reshape(-1, 3)
    total = density.sum(axis=1)
    bright = density[total <= np.quantile(total, BRIGHTEST_SHARE)]
    middle: NDArray[np.float64] = np.median(bright, axis=0)
    return middle


def _fit_bright_side(design: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Fit with blocks on the dark side (cells everywhere) weighted down as outliers of the bright side's scatter."""
    terms = design.shape[1] if len(design) >= 3 * design.shape[1] else 1
    used = design[:, :terms]
    total = values.sum(axis=1)
    weight = np.ones(len(total))
    scatter = 0.0
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(used * root[:, None], total * root, rcond=None)[0]
        misfit = total - used @ coefficients
        middle = np.median(misfit)
        bright = middle - misfit[misfit < middle]
        scatter = float(np.median(bright)) if len(bright) else 0.0
        weight = np.where(misfit < 0, 1.0, np.exp(-((misfit / (scatter + 0.01)) ** 2))) + 1e-4
    root = np.sqrt(weight)[:, None]
    fitted = np.zeros((design.shape[1], 3))
    # Rounded, so that different linear-algebra libraries give one and the same background.
    fitted[:terms] = np.round(np.linalg.lstsq(used * root, values * root, rcond=None)[0], 9)
    return fitted, scatter / 3
