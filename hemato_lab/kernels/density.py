"""Density of points on a grid: shared out and blurred, or summed kernel by kernel.

Grid cell (column, row) has its centre at x = column, y = row, as pixels have. Densities are per cell: divide by the
area of a cell. Points are first sorted into bands of rows whose cells fit the cache, and summed up there in their given
order, so that equal input gives equal bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, several, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LANES: Final = 16
_BAND_CELLS: Final = 32768
_COLUMN = readonly(types.float64, 1)
_SORTED = writable(types.float64, 1)
_GRID = writable(types.float64, 2)


def deposit(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shape: tuple[int, int],
    *,
    weights: NDArray[np.float64] | None = None,
    sharing: Literal["cloud", "nearest"] = "cloud",
) -> NDArray[np.float64]:
    """Count points, or add up their weights, on a grid.

    Parameters
    ----------
    x, y : (n,) float64
        In grid cells. What falls outside of the grid is left out, as are points that are not numbers.
    shape : (int, int)
        Rows and columns.
    weights : (n,) float64, optional
        1 each by default.
    sharing : {"cloud", "nearest"}
        Cloud in cell shares a point linearly between the four nearest cells (Hockney & Eastwood, Computer Simulation
        Using Particles, 1981); nearest gives it to one, as ``numpy.histogram2d`` does.

    Returns
    -------
    shape, float64
        Weight in each cell.
    """
    points = _columns(x, y, weights, shape)
    grid = np.zeros(shape)
    (_share if sharing == "cloud" else _assign)(*points, grid)
    return grid


def blur(grid: NDArray[np.float64], sigma: float, *, truncate: float = 4.0) -> NDArray[np.float64]:
    """Blur with a Gaussian; beyond the grid lies zero.

    Parameters
    ----------
    grid : (height, width) float64
    sigma : float
        Standard deviation in cells; 0 copies.
    truncate : float
        Half width of the kernel in standard deviations, rounded to whole cells.

    Returns
    -------
    (height, width) float64
        As ``scipy.ndimage.gaussian_filter(grid, sigma, mode="constant", truncate=truncate)``.

    Raises
    ------
    ValueError
        If sigma or truncate is negative or not finite.
    """
    if not (math.isfinite(sigma * truncate) and sigma >= 0 and truncate >= 0):
        raise ValueError(f"a blur has a width that is finite and not negative, not {sigma} x {truncate}")
    reach = int(truncate * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2) if sigma > 0 else np.ones(1)
    taps /= taps[0] + 2 * taps[1:].sum()
    blurred = np.empty(grid.shape)
    _blur(np.ascontiguousarray(grid, np.float64), taps, blurred)
    return blurred


def kernel_density(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shape: tuple[int, int],
    bandwidth: float,
    *,
    weights: NDArray[np.float64] | None = None,
    form: Literal["gaussian", "epanechnikov"] = "gaussian",
    truncate: float = 5.0,
) -> NDArray[np.float64]:
    """Sum a kernel of unit volume over all points, evaluated exactly at the centre of every grid cell.

    Parameters
    ----------
    x, y : (n,) float64
        In grid cells; points outside of the grid contribute where their kernel reaches in.
    shape : (int, int)
        Rows and columns.
    bandwidth : float
        In grid cells. Gaussian: the standard deviation. Epanechnikov: the radius where the kernel ends.
    weights : (n,) float64, optional
        1 each by default.
    form : {"gaussian", "epanechnikov"}
    truncate : float
        The Gaussian is taken as 0 where x or y differs by more than this many standard deviations; at 5 what is left
        out is below 4e-6 of the peak.

    Returns
    -------
    shape, float64
        Weight per cell area; n times ``scipy.stats.gaussian_kde`` with the same isotropic bandwidth.

    Raises
    ------
    ValueError
        If bandwidth or truncate is not positive and finite.
    """
    if not (math.isfinite(bandwidth) and bandwidth > 0 and math.isfinite(truncate) and truncate > 0):
        raise ValueError(f"bandwidth and truncate of a density are positive and finite, not {bandwidth}, {truncate}")
    points = _columns(x, y, weights, shape)
    half = bandwidth * truncate if form == "gaussian" else bandwidth
    margin = 2 * int(half) + 2 + _LANES
    canvas = np.zeros((shape[0], shape[1] + 2 * margin))
    if canvas.size:
        (_add_gaussians if form == "gaussian" else _add_epanechnikovs)(*points, bandwidth, half, margin, canvas)
    return np.ascontiguousarray(canvas[:, margin : margin + shape[1]])


def _columns(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64] | None, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Check, convert and sort the columns; a single weight stands for all points."""
    columns = [np.ascontiguousarray(column, np.float64) for column in (x, y, x if weights is None else weights)]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise ValueError("x, y and weights of points are columns of one length")
    shares = np.ones(1) if weights is None else columns[2]
    fitting = _BAND_CELLS // max(1, shape[1])
    return _into_bands(columns[0], columns[1], shares, shape[0], max(0, fitting.bit_length() - 1))  # type: ignore[no-any-return]


@kernel(several(_SORTED, _SORTED, _SORTED)(_COLUMN, _COLUMN, _COLUMN, types.intp, types.intp))
def _into_bands(x, y, weights, height, power):  # type: ignore[no-untyped-def]
    """Sort points by bands of 2**power rows, in their given order within a band; what lies outside goes to an end."""
    begins = np.zeros((height >> power) + 2, np.intp)
    band = np.empty(x.size, np.uint32)
    for index in range(x.size):
        row = np.int64(min(max(y[index], 0.0), np.float64(height))) if y[index] == y[index] else np.int64(0)
        band[index] = row >> power
        begins[band[index] + 1] += 1
    for index in range(1, begins.size):
        begins[index] += begins[index - 1]
    sorted_x, sorted_y, sorted_weights = np.empty(x.size), np.empty(x.size), np.ones(weights.size)
    for index in range(x.size):
        place = begins[band[index]]
        begins[band[index]] += 1
        sorted_x[place], sorted_y[place] = x[index], y[index]
        if weights.size == x.size:
            sorted_weights[place] = weights[index]
    return sorted_x, sorted_y, sorted_weights


@kernel(types.void(_COLUMN, _COLUMN, _COLUMN, _GRID))
def _assign(x, y, weights, grid):  # type: ignore[no-untyped-def]
    """Add each point to the nearest cell."""
    height, width = grid.shape
    cells = grid.reshape(-1)
    step = min(weights.size - 1, 1)
    for index in range(x.size):
        across, down = x[index] + 0.5, y[index] + 0.5
        if 0 <= across < width and 0 <= down < height:
            cells[np.uint64(down) * np.uint64(width) + np.uint64(across)] += weights[step * index]


@kernel(types.void(_COLUMN, _COLUMN, _COLUMN, _GRID))
def _share(x, y, weights, grid):  # type: ignore[no-untyped-def]
    """Share each point between the four nearest cells."""
    height, width = grid.shape
    step = min(weights.size - 1, 1)
    for index in range(x.size):
        if not (-1 < x[index] < width and -1 < y[index] < height):
            continue
        column, row = math.floor(x[index]), math.floor(y[index])
        right, below = x[index] - column, y[index] - row
        for place, part in ((row, 1 - below), (row + 1, below)):
            if 0 <= place < height:
                if column >= 0:
                    grid[place, column] += weights[step * index] * part * (1 - right)
                if column + 1 < width:
                    grid[place, column + 1] += weights[step * index] * part * right


@kernel(types.void(types.Array(types.float64, 1, "C"), _COLUMN, _COLUMN, types.float64))
def _add_both(line, one, other, tap):  # type: ignore[no-untyped-def]
    for x in range(line.size):
        line[x] += tap * (one[x] + other[x])


@kernel(types.void(readonly(types.float64, 2), _COLUMN, _GRID))
def _blur(grid, taps, blurred):  # type: ignore[no-untyped-def]
    height, width = grid.shape
    reach = taps.size - 1
    line, nothing = np.zeros(width + 2 * reach), np.zeros(width)
    inner = line[reach : reach + width]
    for y in range(height):
        here, target = grid[y], blurred[y]
        for x in range(width):
            inner[x] = taps[0] * here[x]
        for offset in range(1, reach + 1):
            above = grid[y - offset] if y >= offset else nothing
            below = grid[y + offset] if y + offset < height else nothing
            _add_both(inner, above, below, taps[offset])
        for x in range(width):
            target[x] = taps[0] * inner[x]
        for offset in range(1, reach + 1):
            _add_both(target, line[reach - offset :], line[reach + offset :], taps[offset])


@kernel()
def _fill_gaussian(start, centre, bandwidth, shape, scale, values):  # type: ignore[no-untyped-def]
    """Gaussian at whole positions from `start` on; `shape` is the Gaussian of whole distances.

    exp(-(i - f)^2 / 2 s^2) = exp(-i^2 / 2 s^2) exp(-f^2 / 2 s^2) exp(f / s^2)^i needs two exponentials a point.
    """
    nearest = np.floor(centre + 0.5)
    fraction = (centre - nearest) / bandwidth
    ratio = math.exp(fraction / bandwidth)
    middle = int(nearest) - start
    up = scale * math.exp(-0.5 * fraction * fraction)
    down = up / ratio
    for position in range(middle, values.size):
        values[position] = up * shape[position - middle]
        up *= ratio
    for position in range(middle - 1, -1, -1):
        values[position] = down * shape[middle - position]
        down /= ratio


@kernel(types.void(_COLUMN, _COLUMN, _COLUMN, types.float64, types.float64, types.intp, _GRID))
def _add_gaussians(x, y, weights, bandwidth, half, margin, canvas):  # type: ignore[no-untyped-def]
    height, width = canvas.shape[0], canvas.shape[1] - 2 * margin
    longest = 2 * int(half) + 2
    padded = (longest + _LANES - 1) // _LANES * _LANES
    across, down = np.zeros(padded), np.zeros(longest)
    shape = np.exp(-0.5 * (np.arange(longest + 1) / bandwidth) ** 2)
    unit = 1 / (2 * math.pi * bandwidth * bandwidth)
    step = min(weights.size - 1, 1)
    for index in range(x.size):
        if not (-half <= y[index] <= height - 1 + half and -half <= x[index] <= width - 1 + half):
            continue
        left, top = math.ceil(x[index] - half), math.ceil(y[index] - half)
        right, bottom = math.floor(x[index] + half) + 1, math.floor(y[index] + half) + 1
        if right <= left or bottom <= top:
            continue
        _fill_gaussian(left, x[index], bandwidth, shape, unit * weights[step * index], across[: right - left])
        across[right - left :] = 0.0
        _fill_gaussian(top, y[index], bandwidth, shape, 1.0, down[: bottom - top])
        for row in range(max(top, 0), min(bottom, height)):
            line = canvas[row, left + margin : left + margin + padded]
            share = down[row - top]
            for position in range(padded):
                line[position] += share * across[position]


@kernel(types.void(_COLUMN, _COLUMN, _COLUMN, types.float64, types.float64, types.intp, _GRID))
def _add_epanechnikovs(x, y, weights, bandwidth, half, margin, canvas):  # type: ignore[no-untyped-def]
    height, width = canvas.shape[0], canvas.shape[1] - 2 * margin
    unit = 2 / (math.pi * bandwidth * bandwidth)
    step = min(weights.size - 1, 1)
    for index in range(x.size):
        if not (-half <= y[index] <= height - 1 + half and -half <= x[index] <= width - 1 + half):
            continue
        left, top = math.ceil(x[index] - half), math.ceil(y[index] - half)
        right, bottom = math.floor(x[index] + half) + 1, math.floor(y[index] + half) + 1
        for row in range(max(top, 0), min(bottom, height)):
            line = canvas[row, left + margin : right + margin]
            rest = 1 - ((row - y[index]) / bandwidth) ** 2
            for position in range(line.size):
                distance = (left + position - x[index]) / bandwidth
                line[position] += unit * weights[step * index] * max(0.0, rest - distance * distance)
