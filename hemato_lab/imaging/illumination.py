"""Light of the empty background over a whole field, and the part of the field that is lit at all.

White balance and illumination fall-off are one and the same here: per colour channel a quadratic surface in density is
fitted to the brightest parts of a grid of blocks, cells being outliers on the dark side (DOMAIN.md section 8: low-order
polynomial fit to background). It is fitted on the whole field, never per tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.imaging.light import DENSITY
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.kernels.background import brightest_medians, fit_bright_side
from hemato_lab.kernels.components import label_and_measure
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hemato_lab.smear import RGB, Field

BLOCKS_A_SIDE: Final = 12
"""The field is cut into this many blocks a side; each gives one sample of the background."""
BLOCKS_A_SIDE_OF_A_SAMPLE: Final = 3
"""The same for each window that is sampled of a slide."""
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
_SAMPLES_A_BLOCK: Final = 500
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
        red, green, blue = (pixels[top::step, left::step, channel] for channel in range(3))
        return np.maximum(np.maximum(red, green), blue)
    rows, columns = range(top, field.height, step), range(left, field.width, step)
    read = [[field.read(Window(x, y, x + 1, y + 1)).max() for x in columns] for y in rows]
    return np.array(read, np.uint8)


def _lit_raster(brightness: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark what is not a large dark region at the border; one raster cell more is given up around it."""
    border = (brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1])
    if min(int(side.min()) for side in border) >= DARK_FRACTION * int(brightness.max()):
        return np.ones(brightness.shape, np.bool_)
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
    side = BLOCKS_A_SIDE if len(windows) == 1 else BLOCKS_A_SIDE_OF_A_SAMPLE
    places: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float64]] = []
    for window, image in zip(windows, pixels, strict=True):
        blocks = _blocks(window, side)
        centre = [window.x0, window.y0] + (blocks[:, :2] + blocks[:, 2:] - 1) / 2
        raster = ((centre + 0.5) * lit.shape[::-1] / (field.width, field.height)).astype(np.int64)
        column, row = np.minimum(raster, np.subtract(lit.shape[::-1], 1)).T
        seen = lit[row, column]
        places.append(centre[seen])
        values.append(brightest_medians(image, blocks[seen], DENSITY, BRIGHTEST_SHARE, _SAMPLES_A_BLOCK))
    if not any(map(len, places)):
        return np.zeros((1, 2)), np.median(DENSITY[pixels[0]].reshape(-1, 3), axis=0)[None]
    return np.concatenate(places), np.concatenate(values)


def _blocks(window: Window, side: int) -> NDArray[np.int64]:
    """Cut a window into `side` times `side` blocks, as many as it has pixels at most; rows of x0, y0, x1, y1 in it."""
    across = np.linspace(0, window.width, min(side, window.width) + 1).astype(np.int64)
    down = np.linspace(0, window.height, min(side, window.height) + 1).astype(np.int64)
    x0, y0 = np.meshgrid(across[:-1], down[:-1])
    x1, y1 = np.meshgrid(across[1:], down[1:])
    return np.stack([x0, y0, x1, y1], axis=-1).reshape(-1, 4)


def _fit_bright_side(design: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Fit with blocks on the dark side (cells everywhere) weighted down as outliers of the bright side's scatter."""
    terms = design.shape[1] if len(design) >= 3 * design.shape[1] else 1
    coefficients, scatter = fit_bright_side(design[:, :terms], values, _ROUNDS)
    fitted = np.zeros((design.shape[1], 3))
    # Rounded, so that different linear-algebra libraries give one and the same background.
    fitted[:terms] = np.round(coefficients, 9)
    return fitted, scatter / 3
