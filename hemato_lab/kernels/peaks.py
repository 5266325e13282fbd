"""Local maxima with non-maximum suppression, independent of where tiles are cut.

A pixel is a peak when it beats every other pixel within the radius: the larger value wins, then the smaller y, then the
smaller x. This order is total, so a peak depends on its neighbourhood alone and two peaks are always farther apart than
the radius. Two pixels of one small block cannot both be peaks: only the best pixel of each block is ever compared with
its neighbourhood (block partition: Neubeck & Van Gool, ICPR 2006, 850), so the work grows with the area, not with the
radius.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from hemato_lab.kernels._compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Peaks(NamedTuple):
    """Peaks in raster order: columns and rows, shape (n,) int32, and values, shape (n,) of the image's dtype."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    value: NDArray[Any]


def find_peaks(
    values: NDArray[Any], radius: float, threshold: float, shape: Literal["disc", "square"] = "disc"
) -> Peaks:
    """Find the pixels that beat every other pixel within a radius.

    Parameters
    ----------
    values : (height, width) int32 or float32
        NaN is never a peak and beats nothing. Beyond the image there is nothing to beat.
    radius : float
        In pixels, at least 0. Disc: centres at most this far away are compared. Square: at most this far in x and in y.
    threshold : float
        Smallest value of a peak.
    shape : {"disc", "square"}
        Of the neighbourhood.

    Returns
    -------
    Peaks
        In raster order; empty when there is none.

    Raises
    ------
    ValueError
        If radius or threshold is not finite, the radius negative, or the values neither int32 nor float32.
    """
    if not (math.isfinite(radius) and radius >= 0 and math.isfinite(threshold)):
        raise ValueError(f"radius and threshold of peaks are finite, the radius not negative: {radius}, {threshold}")
    if values.dtype not in (np.int32, np.float32):
        raise ValueError(f"peaks are found among int32 or float32 values, not {values.dtype}")
    x, y = _find(
        np.require(values, requirements=("C", "W")), min(float(radius), 1e6), float(threshold), shape == "disc"
    )
    order = np.lexsort((x, y))
    x, y = x[order], y[order]
    return Peaks(x, y, values[y, x])


@kernel()
def _beats_all(values, y, x, radius, is_disc):  # type: ignore[no-untyped-def]
    """Tell whether no other pixel within the radius beats pixel (x, y)."""
    height, width = values.shape
    value, reach = values[y, x], int(radius)
    for row in range(max(0, y - reach), min(height, y + reach + 1)):
        half = reach
        if is_disc:
            half = int(math.sqrt(radius * radius - (row - y) * (row - y)))
        left, right = max(0, x - half), min(width, x + half + 1)
        line = values[row]
        for column in range(left, right):
            if line[column] > value or (line[column] == value and (row < y or (row == y and column < x))):
                return False
    return True


@kernel()
def _best_of_columns(values, top, bottom, best, best_y):  # type: ignore[no-untyped-def]
    """Highest value of each column between two rows, and the first row that has it."""
    lowest = values.dtype.type(-np.inf) if values.dtype.kind == "f" else values.dtype.type(-(2**31))
    best[:] = lowest
    best_y[:] = top
    for y in range(top, bottom):
        line = values[y]
        row = np.int32(y)
        for x in range(best.size):
            higher = line[x] > best[x]
            best[x] = line[x] if higher else best[x]
            best_y[x] = row if higher else best_y[x]


@kernel()
def _find(values, radius, threshold, is_disc):  # type: ignore[no-untyped-def]
    height, width = values.shape
    block = int(radius / math.sqrt(2.0) if is_disc else radius) + 1
    best, best_y = np.empty(width, values.dtype), np.empty(width, np.int32)
    most = ((height + block - 1) // block) * ((width + block - 1) // block)
    xs, ys = np.empty(most, np.int32), np.empty(most, np.int32)
    count = 0
    for top in range(0, height, block):
        _best_of_columns(values, top, min(top + block, height), best, best_y)
        for left in range(0, width, block):
            x = left
            for column in range(left + 1, min(left + block, width)):
                if best[column] > best[x] or (best[column] == best[x] and best_y[column] < best_y[x]):
                    x = column
            if best[x] >= threshold:
                y = np.intp(best_y[x])
                if _beats_all(values, y, x, min(radius, 1.5), is_disc) and _beats_all(values, y, x, radius, is_disc):
                    xs[count], ys[count] = x, y
                    count += 1
    return xs[:count], ys[:count]
