"""Thin edges: pixels where the gradient is largest along its own direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray


def thin_edges(
    gradient_x: NDArray[np.float32], gradient_y: NDArray[np.float32], allowed: NDArray[np.bool_], weakest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pixels where the gradient is largest along its own direction.

    Non-maximum suppression with linear interpolation between neighbours (Canny, IEEE Trans. Pattern Anal. Mach. Intell.
    8 (1986) 679).

    Parameters
    ----------
    gradient_x, gradient_y : (height, width) float32
        Gradient of the image.
    allowed : (height, width) bool
        Where edges are wanted.
    weakest : float
        Smallest gradient of an edge.

    Returns
    -------
    points : (n, 2) float64
        Columns and rows of the edge pixels in raster order; the outermost pixels of the image are never edges.
    directions : (n, 2) float64
        Unit vectors (x, y) of the gradient there.
    """
    marked = np.zeros(gradient_x.shape, np.bool_)
    across, down = np.ascontiguousarray(gradient_x), np.ascontiguousarray(gradient_y)
    if min(marked.shape) >= 3:
        _mark_edges(across, down, np.ascontiguousarray(allowed), float(weakest), marked)
    rows, columns = np.nonzero(marked)
    vectors = np.stack([across[rows, columns], down[rows, columns]], axis=1).astype(np.float64)
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    return points, vectors / np.hypot(vectors[:, 0], vectors[:, 1])[:, None]


@kernel()
def _between(values, x, y):  # type: ignore[no-untyped-def]
    left, top = min(int(np.floor(x)), values.shape[1] - 2), min(int(np.floor(y)), values.shape[0] - 2)
    right_share, lower_share = x - left, y - top
    upper = values[top, left] * (1 - right_share) + values[top, left + 1] * right_share
    lower = values[top + 1, left] * (1 - right_share) + values[top + 1, left + 1] * right_share
    return upper * (1 - lower_share) + lower * lower_share


@kernel(
    types.void(
        readonly(types.float32, 2),
        readonly(types.float32, 2),
        readonly(types.boolean, 2),
        types.float64,
        writable(types.boolean, 2),
    )
)
def _mark_edges(across, down, allowed, weakest, marked):  # type: ignore[no-untyped-def]
    height, width = marked.shape
    size = np.empty((height, width), np.float64)
    for y in range(height):
        for x in range(width):
            size[y, x] = np.sqrt(np.float64(across[y, x]) ** 2 + np.float64(down[y, x]) ** 2)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            here = size[y, x]
            if not allowed[y, x] or here <= weakest or here == 0.0:
                continue
            ux, uy = across[y, x] / here, down[y, x] / here
            ahead = _between(size, x + ux, y + uy)
            behind = _between(size, x - ux, y - uy)
            marked[y, x] = here >= ahead and here > behind
