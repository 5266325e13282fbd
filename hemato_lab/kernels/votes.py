"""Votes of edges for the centres of round things.

Every edge pixel points along its gradient to where the centre of a round thing of a given radius would be (radial
symmetry: Loy & Zelinsky, IEEE Trans. Pattern Anal. Mach. Intell. 25 (2003) 959). Votes are whole numbers, so their sum
does not depend on the order in which they are cast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_VOTE: Final = 255
"""What an edge of full strength casts for each radius."""


def cast_votes(
    gradient_x: NDArray[np.float32],
    gradient_y: NDArray[np.float32],
    radii: NDArray[np.float64],
    weakest: float,
    full: float,
) -> NDArray[np.int32]:
    """Let every pixel vote at each radius in the direction of its gradient.

    Parameters
    ----------
    gradient_x, gradient_y : (height, width) float32
        Gradient of the image, pointing into the things that are looked for.
    radii : (n,) float64
        Distances in pixels.
    weakest : float
        Gradients below this do not vote.
    full : float
        From this gradient on a vote counts `FULL_VOTE`, below in proportion.

    Returns
    -------
    (height, width) int32
        Sum of the votes that fell on each pixel; those that fall outside are lost.
    """
    votes = np.zeros(gradient_x.shape, np.int32)
    if votes.size:
        _cast(
            np.ascontiguousarray(gradient_x),
            np.ascontiguousarray(gradient_y),
            np.ascontiguousarray(radii, np.float64),
            float(weakest),
            float(full),
            votes,
        )
    return votes


@kernel(
    types.void(
        readonly(types.float32, 2),
        readonly(types.float32, 2),
        readonly(types.float64, 1),
        types.float64,
        types.float64,
        writable(types.int32, 2),
    )
)
def _cast(gradient_x, gradient_y, radii, weakest, full, votes):  # type: ignore[no-untyped-def]
    height, width = votes.shape
    for y in range(height):
        for x in range(width):
            across, down = np.float64(gradient_x[y, x]), np.float64(gradient_y[y, x])
            length = np.sqrt(across * across + down * down)
            if length < weakest or length == 0.0:
                continue
            weight = np.int32(min(length / full, 1.0) * 255.0)
            across /= length
            down /= length
            for i in range(radii.size):
                column = np.int64(np.floor(x + radii[i] * across + 0.5))
                row = np.int64(np.floor(y + radii[i] * down + 0.5))
                if 0 <= column < width and 0 <= row < height:
                    votes[row, column] += weight


def circle_evidence(
    points: NDArray[np.float64],
    directions: NDArray[np.float64],
    shape: tuple[int, int],
    radii: NDArray[np.float64],
    floor: float,
) -> NDArray[np.float64]:
    """Tell for each radius how much contour is explained by circles of that radius.

    For each radius the contour points vote for centres in bins of a tenth of the radius; a centre's support is the
    part of a whole circle that voted within 3 x 3 bins. Supports of local maxima above `floor` are summed.

    Parameters
    ----------
    points : (n, 2) float64
        Contour points (x, y) in pixels.
    directions : (n, 2) float64
        Unit vectors (x, y) into the cell.
    shape : (int, int)
        Height and width of the image.
    radii : (m,) float64
        Radii in pixels.
    floor : float
        Smallest support of a centre that counts, in [0, 1].

    Returns
    -------
    (m,) float64
        Sum of (support - floor) over the centres of each radius.
    """
    evidence = np.zeros(len(radii))
    for index, radius in enumerate(radii):
        size = 0.1 * radius
        columns = int((shape[1] + 2 * radius) / size) + 4
        rows = int((shape[0] + 2 * radius) / size) + 4
        bins = ((points + radius * directions + radius) / size).astype(np.int64) + 1
        votes = np.bincount(bins[:, 1] * columns + bins[:, 0], minlength=rows * columns)
        evidence[index] = _supported(
            votes[: rows * columns].reshape(rows, columns), 2 * np.pi * radius * _CHAIN_DENSITY, floor
        )
    return evidence


_CHAIN_DENSITY: Final = 0.9
"""Pixels of an 8-connected contour per pixel of length: 2 sqrt(2) / pi."""


@kernel(types.float64(readonly(types.int64, 2), types.float64, types.float64))
def _supported(votes, whole, floor):  # type: ignore[no-untyped-def]
    rows, columns = votes.shape
    pooled = np.zeros((rows, columns), np.int64)
    for y in range(1, rows - 1):
        for x in range(1, columns - 1):
            total = np.int64(0)
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    total += votes[y + dy, x + dx]
            pooled[y, x] = total
    least = floor * whole
    result = 0.0
    for y in range(rows):
        for x in range(columns):
            here = pooled[y, x]
            if here <= least:
                continue
            is_peak = True
            for row in range(max(0, y - 3), min(rows, y + 4)):
                for column in range(max(0, x - 3), min(columns, x + 4)):
                    other = pooled[row, column]
                    if other > here or (other == here and (row < y or (row == y and column < x))):
                        is_peak = False
                        break
                if not is_peak:
                    break
            if is_peak:
                result += here / whole - floor
    return result
