"""Shape of labelled regions beyond their moments: convex hulls and contacts between neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LABELS = readonly(types.int32, 2)
_BOXES = readonly(types.int64, 2)


def hull_areas(labels: NDArray[np.int32], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the area of the convex hull of each region's pixels, taken as unit squares.

    Parameters
    ----------
    labels : (height, width) int32
        Regions 1 to n.
    boxes : (n, 4) int64
        Half-open bounding boxes (x_min, y_min, x_max, y_max) in the label image.

    Returns
    -------
    (n,) float64
        In pixels; the region's own area for convex ones. 0 for a region without pixels.
    """
    areas = np.zeros(len(boxes))
    if len(boxes):
        _hulls(np.ascontiguousarray(labels), np.ascontiguousarray(boxes), areas)
    return areas


@kernel()
def _half_hull(x, y, first, last, step, hull_x, hull_y):  # type: ignore[no-untyped-def]
    """Monotone chain over points sorted by y (Andrew, Inf. Process. Lett. 9 (1979) 216); returns its length."""
    size = 0
    i = first
    while i != last:
        while size >= 2:
            cross = (hull_x[size - 1] - hull_x[size - 2]) * (y[i] - hull_y[size - 2]) - (
                hull_y[size - 1] - hull_y[size - 2]
            ) * (x[i] - hull_x[size - 2])
            if cross <= 0:
                size -= 1
            else:
                break
        hull_x[size], hull_y[size] = x[i], y[i]
        size += 1
        i += step
    return size


@kernel(types.void(_LABELS, _BOXES, writable(types.float64, 1)))
def _hulls(labels, boxes, areas):  # type: ignore[no-untyped-def]
    for index in range(boxes.shape[0]):
        x0, y0, x1, y1 = boxes[index, 0], boxes[index, 1], boxes[index, 2], boxes[index, 3]
        rows = y1 - y0
        left_x = np.empty(2 * rows + 2, np.float64)
        left_y = np.empty(2 * rows + 2, np.float64)
        right_x = np.empty(2 * rows + 2, np.float64)
        right_y = np.empty(2 * rows + 2, np.float64)
        points = 0
        for y in range(y0, y1):
            first, last = -1, -1
            for x in range(x0, x1):
                if labels[y, x] == index + 1:
                    if first < 0:
                        first = x
                    last = x
            if first >= 0:
                for edge in range(2):
                    left_x[points], left_y[points] = first, y + edge
                    right_x[points], right_y[points] = last + 1, y + edge
                    points += 1
        if points == 0:
            continue
        hull_x = np.empty(points + 1, np.float64)
        hull_y = np.empty(points + 1, np.float64)
        twice = 0.0
        size = _half_hull(right_x, right_y, 0, points, 1, hull_x, hull_y)
        for i in range(1, size):
            twice += hull_x[i - 1] * hull_y[i] - hull_x[i] * hull_y[i - 1]
        top_x, top_y, end_x, end_y = hull_x[0], hull_y[0], hull_x[size - 1], hull_y[size - 1]
        size = _half_hull(left_x, left_y, points - 1, -1, -1, hull_x, hull_y)
        for i in range(1, size):
            twice += hull_x[i - 1] * hull_y[i] - hull_x[i] * hull_y[i - 1]
        twice += end_x * hull_y[0] - hull_x[0] * end_y
        twice += hull_x[size - 1] * top_y - top_x * hull_y[size - 1]
        areas[index] = abs(twice) / 2


def contact_shares(labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Return which share of each region's outline touches another region.

    Parameters
    ----------
    labels : (height, width) int32
        Regions 1 to `count`, 0 for background.
    count : int
        Number of regions.

    Returns
    -------
    (count,) float64
        Pixel sides shared with other regions over all pixel sides of the outline; sides on the image border count as
        outline. 0 for a region without pixels.
    """
    sides = np.zeros((count + 1, 2), np.int64)
    _sides(np.ascontiguousarray(labels), sides)
    outline = np.maximum(sides[1:, 0], 1)
    share: NDArray[np.float64] = sides[1:, 1] / outline
    return share


@kernel(types.void(_LABELS, writable(types.int64, 2)))
def _sides(labels, sides):  # type: ignore[no-untyped-def]
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            here = labels[y, x]
            if here <= 0:
                continue
            for step in range(4):
                row = y + (1 if step == 0 else (-1 if step == 1 else 0))
                column = x + (1 if step == 2 else (-1 if step == 3 else 0))
                other = np.int32(0)
                if 0 <= row < height and 0 <= column < width:
                    other = labels[row, column]
                if other != here:
                    sides[here, 0] += 1
                    if other > 0:
                        sides[here, 1] += 1
