"""Duplicate suppression of points: of two that are too close, the better one stays.

Accepted points are kept in a hash of square cells as wide as the farthest reach, so that each point meets only its
neighbourhood and the work grows with the number of points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMN = readonly(types.float64, 1)


def keep_best(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radius: NDArray[np.float64],
    score: NDArray[np.float64],
    *,
    separation: float = 1.0,
) -> NDArray[np.bool_]:
    """Tell which points remain when the best of all that are too close to each other stays.

    Points are taken by falling score, ties by rising y, then x, then position in the input. A point is dropped when it
    is nearer to a point that was kept than ``separation`` times the mean of their two radii.

    Parameters
    ----------
    x, y, radius, score : (n,) float64
        All finite; radii not negative. Any length unit.
    separation : float
        1 joins points that are closer than a radius, 2 leaves only discs that do not overlap.

    Returns
    -------
    (n,) bool
        True where the point stays. The result does not depend on the order of the input, unless points coincide with
        equal score but differ in radius.

    Raises
    ------
    ValueError
        If the columns differ in length, hold something that is not finite, or a radius is negative.
    """
    columns = [np.ascontiguousarray(column, np.float64) for column in (x, y, radius, score)]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise ValueError("x, y, radius and score of points are columns of one length")
    if not all(np.isfinite(column).all() for column in columns) or (columns[2] < 0).any() or not separation >= 0:
        raise ValueError("points have finite coordinates, radii and scores; radii and separation are not negative")
    order = np.lexsort((columns[0], columns[1], -columns[3]))
    kept = np.zeros(len(order), np.bool_)
    if len(order):
        reach = columns[2] * (separation / 2)
        _keep(order, columns[0], columns[1], reach, max(2 * float(reach.max()), 1e-9), kept)
    return kept


@kernel(types.intp(types.intp, types.intp, types.intp))
def _bucket(column, row, mask):  # type: ignore[no-untyped-def]
    return (column * 73856093 ^ row * 19349663) & mask


@kernel(types.void(readonly(types.intp, 1), _COLUMN, _COLUMN, _COLUMN, types.float64, writable(types.boolean, 1)))
def _keep(order, x, y, reach, side, kept):  # type: ignore[no-untyped-def]
    mask = 1
    while mask < 2 * order.size:
        mask *= 2
    first = np.full(mask, -1, np.int32)
    following = np.empty(order.size, np.int32)
    mask -= 1
    for point in order:
        column, row = int(np.floor(x[point] / side)), int(np.floor(y[point] / side))
        free = True
        for near_row in range(row - 1, row + 2):
            for near_column in range(column - 1, column + 2):
                other = first[_bucket(near_column, near_row, mask)]
                while free and other >= 0:
                    limit = reach[point] + reach[other]
                    across, down = x[other] - x[point], y[other] - y[point]
                    free = across * across + down * down >= limit * limit
                    other = following[other]
        if free:
            home = _bucket(column, row, mask)
            following[point] = first[home]
            first[home] = point
            kept[point] = True


def stronger_neighbours(
    x: NDArray[np.float64], y: NDArray[np.float64], strength: NDArray[np.float64], *, reach: float, share: float
) -> NDArray[np.int64]:
    """Count for each point the points within reach that are so strong that even a share of them exceeds it.

    Parameters
    ----------
    x, y, strength : (n,) float64
        All finite. Any length unit.
    reach : float
        Largest distance.
    share : float
        Of a neighbour's strength.

    Returns
    -------
    (n,) int64
        In the order of the input.

    Raises
    ------
    ValueError
        If the columns differ in length or hold something that is not finite.
    """
    columns = [np.ascontiguousarray(column, np.float64) for column in (x, y, strength)]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise ValueError("x, y and strength of points are columns of one length")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError("points have finite coordinates and strengths")
    order = np.argsort(columns[1], kind="stable")
    counts = np.zeros(len(order), np.int64)
    _count_stronger(*(column[order] for column in columns), float(reach), float(share), counts)
    found = np.empty_like(counts)
    found[order] = counts
    return found


@kernel(types.void(_COLUMN, _COLUMN, _COLUMN, types.float64, types.float64, writable(types.int64, 1)))
def _count_stronger(x, y, strength, reach, share, counts):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        j = i + 1
        while j < x.size and y[j] - y[i] <= reach:
            across, down = x[j] - x[i], y[j] - y[i]
            if across * across + down * down <= reach * reach:
                if share * strength[j] > strength[i]:
                    counts[i] += 1
                if share * strength[i] > strength[j]:
                    counts[j] += 1
            j += 1
