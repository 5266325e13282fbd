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
