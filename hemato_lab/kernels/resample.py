"""Pixels to transmitted light on a coarser or finer grid, in one pass.

The grid is fixed to the image, not to the window that is read: cell (k, l) of the grid covers the pixels from k / step
to (k + 1) / step, counted from the image's corner. So a cell has the same value, to the last bit, in whatever window it
is computed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable
from hemato_lab.kernels._logarithm import to_logarithms

if TYPE_CHECKING:
    from numpy.typing import NDArray


def transmitted_light(
    pixels: NDArray[np.uint8],
    corner: tuple[int, int],
    grid_window: tuple[int, int, int, int],
    step: float,
    light: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Resample an image to linear light: area means when shrinking, bilinear when enlarging.

    Parameters
    ----------
    pixels : (height, width, 3) uint8
        A window of an image.
    corner : (int, int)
        Column and row of the window's first pixel in the image.
    grid_window : (int, int, int, int)
        Columns x0 to x1 and rows y0 to y1 of the grid to compute, half open, as (x0, y0, x1, y1).
    step : float
        Grid cells a pixel.
    light : (256,) float64
        Linear light of each stored value.

    Returns
    -------
    (y1 - y0, x1 - x0, 3) float32
        Mean linear light. A grid cell that reaches beyond the window takes the part inside, or the nearest pixel.
    """
    x0, y0, x1, y1 = grid_window
    out = np.empty((y1 - y0, x1 - x0, 3), np.float32)
    if out.size:
        _resample(np.ascontiguousarray(pixels), corner[0], corner[1], x0, y0, float(step), light, out)
    return out


@kernel()
def _taps(cell, step, start, count):  # type: ignore[no-untyped-def]
    """First pixel of the window under a grid cell, the number of pixels, and the weights of the first and the last."""
    if step >= 1.0:
        centre = (cell + 0.5) / step - 0.5
        low = math.floor(centre)
        share = centre - low
        first, last = int(low) - start, int(low) + 1 - start
        if first < 0 or last >= count:
            nearest = min(max(first, 0), count - 1)
            return nearest, 1, 1.0, 0.0
        return first, 2, 1.0 - share, share
    begin, end = cell / step, (cell + 1) / step
    first, last = math.floor(begin), math.ceil(end) - 1
    head, tail = first + 1 - begin, end - last
    if first - start < 0:
        first, head = start, 1.0
    if last - start >= count:
        last, tail = start + count - 1, 1.0
    first, last = first - start, last - start
    if last <= first:
        return min(max(first, 0), count - 1), 1, 1.0, 0.0
    return first, last - first + 1, head, tail


@kernel(
    types.void(
        readonly(types.uint8, 3),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.float64,
        readonly(types.float64, 1),
        writable(types.float32, 3),
    )
)
def _resample(pixels, corner_x, corner_y, x0, y0, step, light, out):  # type: ignore[no-untyped-def]
    height, width = pixels.shape[0], pixels.shape[1]
    columns = out.shape[1]
    first = np.empty(columns, np.int64)
    count = np.empty(columns, np.int64)
    head = np.empty(columns, np.float64)
    tail = np.empty(columns, np.float64)
    for k in range(columns):
        first[k], count[k], head[k], tail[k] = _taps(x0 + k, step, corner_x, width)
    for j in range(out.shape[0]):
        row, rows, top, bottom = _taps(y0 + j, step, corner_y, height)
        for k in range(columns):
            red = green = blue = total = 0.0
            for dy in range(rows):
                down = top if dy == 0 else (bottom if dy == rows - 1 else 1.0)
                line = pixels[row + dy]
                for dx in range(count[k]):
                    weight = down * (head[k] if dx == 0 else (tail[k] if dx == count[k] - 1 else 1.0))
                    at = first[k] + dx
                    red += weight * light[line[at, 0]]
                    green += weight * light[line[at, 1]]
                    blue += weight * light[line[at, 2]]
                    total += weight
            out[j, k, 0] = red / total
            out[j, k, 1] = green / total
            out[j, k, 2] = blue / total


def relative_density(
    light: NDArray[np.float32], u: NDArray[np.float64], v: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Optical density of light against a quadratic background surface.

    Parameters
    ----------
    light : (height, width, 3) float32
        Linear light.
    u : (width,) float64
        Normalised column coordinate of the surface.
    v : (height,) float64
        Normalised row coordinate.
    coefficients : (6, 3) float64
        Of 1, u, v, u*u, u*v, v*v, the background's density per channel.

    Returns
    -------
    (height, width, 3) float32
        -log10(light) minus the background's density. Light below 1e-4 counts as 1e-4.
    """
    out = np.empty(light.shape, np.float32)
    if out.size:
        flat = (light.shape[0], 3 * light.shape[1])
        of_rows = np.ascontiguousarray(light).reshape(flat)
        _densities(of_rows, u, v, np.ascontiguousarray(coefficients), out.reshape(flat))
    return out


@kernel(
    types.void(
        readonly(types.float32, 2),
        readonly(types.float64, 1),
        readonly(types.float64, 1),
        readonly(types.float64, 2),
        writable(types.float32, 2),
    )
)
def _densities(light, u, v, coefficients, out):  # type: ignore[no-untyped-def]
    count = light.shape[1]
    place = np.empty(count, np.float32)
    constant, slope, bend = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    mantissa, octaves = np.empty(count, np.float32), np.empty(count, np.float32)
    bits = mantissa.view(np.int32)
    for i in range(count):
        place[i] = u[i // 3]
        bend[i] = coefficients[3, i % 3]
    for j in range(light.shape[0]):
        for c in range(3):
            start = np.float32(coefficients[0, c] + (coefficients[2, c] + coefficients[5, c] * v[j]) * v[j])
            rise = np.float32(coefficients[1, c] + coefficients[4, c] * v[j])
            for i in range(c, count, 3):
                constant[i] = start
                slope[i] = rise
        row = out[j]
        for i in range(count):
            row[i] = light[j, i]
        to_logarithms(row, octaves, bits, mantissa)
        for i in range(count):
            row[i] = -row[i] - (constant[i] + place[i] * (slope[i] + place[i] * bend[i]))
