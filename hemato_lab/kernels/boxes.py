"""Boxes around cells: which of several on one cell stays, and which pixel belongs to which box.

Both look at a bounded neighbourhood only and break ties by place, so that a tile decides as the whole field does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BOXES = readonly(types.float64, 2)


ROUNDS: Final = 2


def keep_best_boxes(
    boxes: NDArray[np.float64], score: NDArray[np.float64], kind: NDArray[np.int64], most_overlap: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which boxes remain when the best of all that overlap too much stays.

    Two boxes overlap too much when their overlap (intersection over union) exceeds the limit of their two kinds. In
    each of `ROUNDS` rounds every box stays that is better than all undecided boxes which overlap it too much, and these
    are dropped; whatever is undecided then is dropped as well. That is the usual greedy search, but for long chains of
    boxes each on the next, whose far end would otherwise decide about this one. Better is the higher score, then the
    first corner with the smaller y, then x, then the position in the input.

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
    state = np.zeros(len(order), np.int8)
    if len(order):
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        widest = max(float((corners[:, 2:] - corners[:, :2]).max()), 1e-9)
        limits = np.ascontiguousarray(most_overlap, np.float64)
        _keep(rank, corners, np.ascontiguousarray(kind, np.int64), limits, widest, ROUNDS, state)
    return np.asarray(state == _KEPT)


_UNDECIDED, _KEPT, _DROPPED, _BEST = 0, 1, 2, 3


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
        readonly(types.int64, 1),
        _BOXES,
        readonly(types.int64, 1),
        readonly(types.float64, 2),
        types.float64,
        types.intp,
        writable(types.int8, 1),
    )
)
def _keep(rank, boxes, kind, limits, side, rounds, state):  # type: ignore[no-untyped-def]
    # Boxes lie in a hash of squares, as wide as the widest box, by their middle: whatever overlaps is next door.
    count = rank.size
    mask = 1
    while mask < 2 * count:
        mask *= 2
    first = np.full(mask, -1, np.int32)
    following = np.empty(count, np.int32)
    column, row = np.empty(count, np.int64), np.empty(count, np.int64)
    mask -= 1
    for box in range(count):
        column[box] = int(np.floor((boxes[box, 0] + boxes[box, 2]) / (2 * side)))
        row[box] = int(np.floor((boxes[box, 1] + boxes[box, 3]) / (2 * side)))
        home = (column[box] * 73856093 ^ row[box] * 19349663) & mask
        following[box] = first[home]
        first[home] = box
    for step in range(2 * rounds):
        # Even steps look for the best ones among the undecided, odd steps drop what overlaps them.
        choosing = step % 2 == 0
        for box in range(count):
            if state[box] != _UNDECIDED:
                continue
            hit = False
            for near_row in range(row[box] - 1, row[box] + 2):
                for near_column in range(column[box] - 1, column[box] + 2):
                    other = first[(near_column * 73856093 ^ near_row * 19349663) & mask]
                    while not hit and other >= 0:
                        if choosing:
                            matters = state[other] in (_UNDECIDED, _BEST) and rank[other] < rank[box]
                        else:
                            matters = state[other] == _BEST
                        hit = matters and _overlap(boxes, box, other) > limits[kind[box], kind[other]]
                        other = following[other]
            if choosing and not hit:
                state[box] = _BEST
            elif hit and not choosing:
                state[box] = _DROPPED
        if not choosing:
            for box in range(count):
                if state[box] == _BEST:
                    state[box] = _KEPT


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
