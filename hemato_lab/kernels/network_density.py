"""Pixels to optical density on a coarser or finer grid, channel by channel, in one pass.

The densities are those of `resample.transmitted_light` and `resample.relative_density`, computed in single precision
with separable weights: pixels are gathered into one line for a row of the grid, the line into its grid cells, and these
become densities by a polynomial logarithm. No sum depends on where the window begins, so that a grid cell has the same
bits in every window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable
from hemato_lab.kernels._logarithm import to_logarithms

if TYPE_CHECKING:
    from numpy.typing import NDArray

_F: Final = np.float32


def network_densities(
    pixels: NDArray[np.uint8],
    corner: tuple[int, int],
    grid_window: tuple[int, int, int, int],
    step: float,
    light: NDArray[np.float64],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    coefficients: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Resample an image to optical density against a quadratic background surface.

    Parameters
    ----------
    pixels : (height, width, 3) uint8
        A window of an image.
    corner : (int, int)
        Column and row of the window's first pixel in the image.
    grid_window : (int, int, int, int)
        Columns x0 to x1 and rows y0 to y1 of the grid to compute, half open, as (x0, y0, x1, y1).
    step : float
        Grid cells a pixel: area means below 1, bilinear from 1 on.
    light : (256,) float64
        Linear light of each stored value.
    u : (x1 - x0,) float64
        Normalised column coordinate of the surface.
    v : (y1 - y0,) float64
        Normalised row coordinate.
    coefficients : (6, 3) float64
        Of 1, u, v, u*u, u*v, v*v, the background's density per channel.

    Returns
    -------
    (3, y1 - y0, x1 - x0) float32
        -log10(light) minus the background's density, light below 1e-4 counting as 1e-4; a grid cell that reaches
        beyond the window takes the part inside, or the nearest pixel.
    """
    x0, y0, x1, y1 = grid_window
    out = np.empty((3, y1 - y0, x1 - x0), np.float32)
    if out.size:
        height, width = pixels.shape[:2]
        columns, across = _weights(np.arange(x0, x1), step, corner[0], width)
        rows, down = _weights(np.arange(y0, y1), step, corner[1], height)
        stored = np.ascontiguousarray(pixels).reshape(height, 3 * width)
        _densities(stored, rows, down, columns, across, light.astype(_F), u.astype(_F), v, coefficients, out)
    return out


def _weights(
    cells: NDArray[np.int64], step: float, start: int, count: int
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """First pixel (counted in the window) under each cell, shape (n,), and the weights from there on, shape (n, taps).

    The weights of a cell add up to 1; some may be 0.
    """
    if step >= 1:
        begin = (cells + 0.5) / step - 0.5
        end = begin + 1
    else:
        begin, end = cells / step, (cells + 1) / step
    first = np.floor(begin).astype(np.int64)
    taps = min(int((np.ceil(end) - first).max()), count)
    # Taps beyond the window would weigh nothing: their cells begin earlier instead.
    first = np.clip(first, start, start + count - taps)
    pixel = first[:, None] + np.arange(taps)
    weights = np.maximum(np.minimum(end[:, None], pixel + 1) - np.maximum(begin[:, None], pixel), 0)
    # Added one after the other, which zeros before and behind do not change.
    total = np.cumsum(weights, axis=1)[:, -1]
    beyond = total <= 0
    weights[beyond, np.where(begin[beyond] < start, 0, taps - 1)] = total[beyond] = 1
    return (first - start).astype(np.uint32), (weights / total[:, None]).astype(_F)


@kernel()
def _gather(line, first, weights, red, green, blue):  # type: ignore[no-untyped-def]
    """Weighted sums of a line of interleaved channels for every column."""
    three = np.uint32(3)
    for k in range(first.size):
        one = two = last = np.float32(0)
        at = three * first[k]
        for tap in range(weights.shape[1]):
            weight = weights[k, tap]
            one += weight * line[at]
            two += weight * line[at + np.uint32(1)]
            last += weight * line[at + np.uint32(2)]
            at += three
        red[k], green[k], blue[k] = one, two, last


@kernel(
    types.void(
        readonly(types.uint8, 2),
        readonly(types.uint32, 1),
        readonly(types.float32, 2),
        readonly(types.uint32, 1),
        readonly(types.float32, 2),
        readonly(types.float32, 1),
        readonly(types.float32, 1),
        readonly(types.float64, 1),
        readonly(types.float64, 2),
        writable(types.float32, 3),
    )
)
def _densities(stored, rows, down, columns, across, light, u, v, coefficients, out):  # type: ignore[no-untyped-def]
    row_light, line = np.empty(stored.shape[1], np.float32), np.empty(stored.shape[1], np.float32)
    mantissa = np.empty(columns.size, np.float32)
    bits, octaves = mantissa.view(np.int32), np.empty(columns.size, np.float32)
    lit_row = -1
    for j in range(rows.size):
        for i in range(line.size):
            line[i] = 0
        for tap in range(down.shape[1]):
            weight, row = down[j, tap], int(rows[j]) + tap
            if weight == 0:
                continue
            if row != lit_row:
                lit_row, pixels = row, stored[row]
                for i in range(line.size):
                    row_light[i] = light[pixels[i]]
            for i in range(line.size):
                line[i] += weight * row_light[i]
        _gather(line, columns, across, out[0, j], out[1, j], out[2, j])
        for c in range(3):
            cells = out[c, j]
            to_logarithms(cells, octaves, bits, mantissa)
            constant = np.float32(coefficients[0, c] + (coefficients[2, c] + coefficients[5, c] * v[j]) * v[j])
            slope = np.float32(coefficients[1, c] + coefficients[4, c] * v[j])
            bend = np.float32(coefficients[3, c])
            for k in range(cells.size):
                cells[k] = -cells[k] - (constant + u[k] * (slope + u[k] * bend))
