"""What lies around regions: mean and spread of a plane in a frame around each bounding box."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.kernels.components import ComponentTable


class Surroundings(NamedTuple):
    """Pixels of each frame, shape (n,) int64, and mean and standard deviation over them, shape (n,) float64.

    Mean and deviation are 0 where a frame has no pixel.
    """

    area: NDArray[np.int64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def measure_surroundings(
    plane: NDArray[np.float32], labels: NDArray[np.int32], table: ComponentTable, gap: int, reach: int
) -> Surroundings:
    """Measure a plane in the frame from `gap` to `reach` pixels outside of each region's bounding box.

    Parameters
    ----------
    plane : (height, width) float32
        What is measured.
    labels : (height, width) int32
        Regions 1 to n; pixels of any region are left out of every frame.
    table : ComponentTable
        Of these regions.
    gap, reach : int
        Pixels; the frame holds those farther than `gap` from the box and at most `reach`, as far as the image goes.

    Raises
    ------
    ValueError
        If the shapes differ or not 0 <= gap < reach.
    """
    if plane.shape != labels.shape:
        raise ValueError(f"plane {plane.shape} and labels {labels.shape} differ in shape")
    if not 0 <= gap < reach:
        raise ValueError(f"a frame from {gap} to {reach} pixels has no pixels")
    count = len(table)
    boxes = np.stack([table.x_min, table.y_min, table.x_max, table.y_max], axis=1)
    area, total, squares = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
    _sum_frames(
        np.ascontiguousarray(plane, np.float32),
        np.ascontiguousarray(labels),
        np.ascontiguousarray(boxes, np.int64),
        int(gap),
        int(reach),
        area,
        total,
        squares,
    )
    pixels = np.maximum(area, 1)
    mean = total / pixels
    return Surroundings(area, mean, np.sqrt(np.maximum(squares / pixels - mean * mean, 0)))


@kernel(
    types.void(
        readonly(types.float32, 2),
        readonly(types.int32, 2),
        readonly(types.int64, 2),
        types.int64,
        types.int64,
        writable(types.int64, 1),
        writable(types.float64, 1),
        writable(types.float64, 1),
    )
)
def _sum_frames(plane, labels, boxes, gap, reach, area, total, squares):  # type: ignore[no-untyped-def]
    height, width = plane.shape
    for i in range(area.size):
        x_min, y_min, x_max, y_max = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
        for y in range(max(np.int64(0), y_min - reach), min(np.int64(height), y_max + reach)):
            beside = y_min - gap <= y < y_max + gap
            for x in range(max(np.int64(0), x_min - reach), min(np.int64(width), x_max + reach)):
                if labels[y, x] != 0 or (beside and x_min - gap <= x < x_max + gap):
                    continue
                value = np.float64(plane[y, x])
                area[i] += 1
                total[i] += value
                squares[i] += value * value
