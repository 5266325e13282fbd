"""Boxes around cells: which of several on one cell stays, and which pixel belongs to which box.

Both look at a bounded neighbourhood only and break ties by place, so that a tile decides as the whole field does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BOXES = readonly(types.float64, 2)


def keep_best_boxes(
    boxes: NDArray[np.float64], score: NDArray[np.float64], kind: NDArray[np.int64], most_overlap: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which boxes remain when the best of all that overlap too much stays.

    Boxes are taken by falling score, ties by rising y, then x of the first corner, then position in the input. A box is
    dropped when its overlap (intersection over union) with a box that was kept exceeds the limit of their two kinds.

    Parameters
    ----------
    boxes : (n, 4) float64
        x_min, y_min, x_max, y_max, all finite and in this order of size.
    score : (n,) float64
        Finite.
    kind : (n,) int64
        Index into `most_overlap`.
    most_overlap : (kinds, kinds) float64
        Largest overlap that is allowed between two kinds; symmetric.

    Returns
    -------
    (n,) bool

    Raises
    ------
    ValueError
        If the shapes differ, a number is not finite, a box is inside out or a kind unknown.
    """
    corners = np.ascontiguousarray(boxes, np.float64)
    if corners.shape != (len(score), 4) or len(kind) != len(score):
        raise ValueError(f"boxes of shape {corners.shape} do not fit {len(score)} scores and {len(kind)} kinds")
    if not (np.isfinite(corners).all() and np.isfinite(score).all()) or (corners[:, 2:] < corners[:, :2]).any():
        raise ValueError("boxes and scores are finite, first corners before second ones")
    if ((kind < 0) | (kind >= len(most_overlap))).any():
        raise ValueError("a kind has no limit")
    order = np.lexsort((corners[:, 0], corners[:, 1], -np.asarray(score, np.float64)))
    kept = np.zeros(len(order), np.bool_)
    if len(order):
        widest = max(float((corners[:, 2:] - corners[:, :2]).max()), 1e-9)
        limits = np.ascontiguousarray(most_overlap, np.float64)
        _keep(order, corners, np.ascontiguousarray(kind, np.int64), limits, widest, kept)
    return kept


@kernel(types.float64(_BOXES, types.intp, types.intp))
def _overlap(boxes, one, other):  # type: ignore[no-untyped-def]
    width = min(boxes[one, 2], boxes[other, 2]) - max(boxes[one, 0], boxes[other, 0])
    height = min(boxes[one, 3], boxes[other, 3]) - max(boxes[one, 1], boxes[other, 1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (boxes[one, 2] - boxes[one, 0]) * (boxes[one, 3] - boxes[one, 1])
    other_area = (boxes[other, 2] - boxes[other, 0]) * (boxes[other, 3] - boxes[other, 1])
    return width * height / (area + other_area - width * height)


@kernel(
    types.void(
        readonly(types.intp, 1),
        _BOXES,
        readonly(types.int64, 1),
        readonly(types.float64, 2),
        types.float64,
        writable(types.boolean, 1),
    )
)
def _keep(order, boxes, kind, limits, side, kept):  # type: ignore[no-untyped-def]
    # Kept boxes lie in a hash of squares, as wide as the widest box, by their middle: whatever overlaps is next door.
    mask = 1
    while mask < 2 * order.size:
        mask *= 2
    first = np.full(mask, -1, np.int32)
    following = np.empty(order.size, np.int32)
    mask -= 1
    for box in order:
        column = int(np.floor((boxes[box, 0] + boxes[box, 2]) / (2 * side)))
        row = int(np.floor((boxes[box, 1] + boxes[box, 3]) / (2 * side)))
        free = True
        for near_row in range(row - 1, row + 2):
            for near_column in range(column - 1, column + 2):
                other = first[(near_column * 73856093 ^ near_row * 19349663) & mask]
                while free and other >= 0:
                    free = _overlap(boxes, box, other) <= limits[kind[box], kind[other]]
                    other = following[other]
        if free:
            home = (column * 73856093 ^ row * 19349663) & mask
            following[box] = first[home]
            first[home] = box
            kept[box] = True


def share_among_boxes(
    mask: NDArray[np.bool_], boxes: NDArray[np.float64], origin: tuple[int, int] = (0, 0)
) -> NDArray[np.int32]:
    """Give each pixel of a mask to the box whose middle is nearest, measured in the box's own width and height.

    Parameters
    ----------
    mask : (height, width) bool
        What is to be shared.
    boxes : (n, 4) float64
        x_min, y_min, x_max, y_max in pixels, whose centres are whole numbers; may reach beyond the mask.
    origin : (int, int)
        x and y of the mask's first pixel, so that the same boxes give the same shares in every window.

    Returns
    -------
    (height, width) int32
        1 to n where a box has the pixel, else 0; of equally near boxes the first one has it.
    """
    labels = np.zeros(mask.shape, np.int32)
    if len(boxes) and mask.size:
        corners = np.ascontiguousarray(boxes, np.float64)
        nearest = np.full(mask.shape, np.inf, np.float32)
        _share(np.ascontiguousarray(mask), corners, origin[0], origin[1], nearest, labels)
    return labels


@kernel(
    types.void(
        readonly(types.boolean, 2),
        _BOXES,
        types.intp,
        types.intp,
        writable(types.float32, 2),
        writable(types.int32, 2),
    )
)
def _share(mask, boxes, left, top, nearest, labels):  # type: ignore[no-untyped-def]
    height, width = mask.shape
    for index in range(len(boxes)):
        x_min, y_min, x_max, y_max = boxes[index]
        middle_x, middle_y = (x_min + x_max) / 2, (y_min + y_max) / 2
        across, down = max(x_max - x_min, 1e-6), max(y_max - y_min, 1e-6)
        for y in range(max(0, int(np.ceil(y_min)) - top), min(height, int(np.floor(y_max)) + 1 - top)):
            v = (y + top - middle_y) / down
            for x in range(max(0, int(np.ceil(x_min)) - left), min(width, int(np.floor(x_max)) + 1 - left)):
                if mask[y, x]:
                    u = (x + left - middle_x) / across
                    distance = np.float32(u * u + v * v)
                    if distance < nearest[y, x]:
                        nearest[y, x] = distance
                        labels[y, x] = index + 1


def highest_in_windows(values: NDArray[np.float32], windows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the highest value in each of many windows of a map.

    Parameters
    ----------
    values : (height, width) float32
    windows : (n, 4) int64
        First column and row, last column and row, both in the window and in the map.

    Returns
    -------
    (n,) float32

    Raises
    ------
    ValueError
        If a window is empty or leaves the map.
    """
    places = np.ascontiguousarray(windows, np.int64)
    height, width = values.shape
    if places.ndim != 2 or places.shape[1] != 4:
        raise ValueError(f"windows of shape {places.shape} are no table of four columns")
    if (places[:, :2] < 0).any() or (places[:, 2:] < places[:, :2]).any() or (places[:, 2:] >= [width, height]).any():
        raise ValueError("a window is empty or leaves the map")
    found = np.empty(len(places), np.float32)
    _highest(np.ascontiguousarray(values, np.float32), places, found)
    return found


@kernel(types.void(readonly(types.float32, 2), readonly(types.int64, 2), writable(types.float32, 1)))
def _highest(values, windows, found):  # type: ignore[no-untyped-def]
    for index in range(len(windows)):
        highest = np.float32(-np.inf)
        for row in range(windows[index, 1], windows[index, 3] + 1):
            for column in range(windows[index, 0], windows[index, 2] + 1):
                highest = max(highest, values[row, column])
        found[index] = highest
