"""Whether a smaller picture shows what a larger one shows, told from pixels of both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from hemato_lab.formats.limits import VERIFIED_PIXELS
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.smear import PixelSource

_BOX_PX: Final = 4
"""Side of the boxes of the smaller picture whose means are compared: writers shift a copy by a pixel or two."""
_SPOTS: Final = 7
"""Places along each side that are compared where a picture is too large to be compared whole."""
_SPOT_BOXES: Final = 8
_MOST_SPOT_PX: Final = 1024
"""Side of a place in pixels of the larger picture."""
_NOISE: Final = 4.0
"""Grey levels by which copies differ: compression, sharpening, and pixels that were left out instead of averaged."""
_NOISE_SHARE: Final = 0.35
"""Further difference, as a share of the picture's own variation; it is 1.4 for pictures of different things."""


def shows_the_same(full: PixelSource, copy: PixelSource) -> bool:
    """Tell whether `copy` is a smaller copy of `full`, whose sides have the same ratio.

    Pictures of up to `VERIFIED_PIXELS` are compared whole, larger ones at `_SPOTS` x `_SPOTS` places. Two that are
    blank there count as the same.

    Parameters
    ----------
    full, copy : PixelSource
        The right way up.

    Raises
    ------
    InputError
        If pixels of either cannot be read.
    """
    seen = [_means(full, copy, across, down) for down in _spots(full, copy, 1) for across in _spots(full, copy, 0)]
    large, small = (np.concatenate([pair[which] for pair in seen]) for which in (0, 1))
    difference = math.sqrt(float(np.mean((large - small) ** 2)))
    variation = min(math.sqrt(float(np.mean(one.var(axis=0)))) for one in (large, small))
    return difference <= _NOISE + _NOISE_SHARE * variation


def _spots(full: PixelSource, copy: PixelSource, axis: int) -> list[tuple[int, int]]:
    """Return (start, boxes) along a side of the smaller picture, in its pixels and in boxes."""
    length, box = (copy.width, copy.height)[axis], _box(copy)
    boxes = length // box
    if full.width * full.height <= VERIFIED_PIXELS:
        return [(0, boxes)]
    factor = full.width / copy.width
    wanted = max(1, min(boxes, _SPOT_BOXES, int(_MOST_SPOT_PX / (box * factor))))
    starts = np.linspace(0, length - wanted * box, min(_SPOTS, boxes // wanted)).astype(int).tolist()
    return [(start, wanted) for start in starts]


def _box(copy: PixelSource) -> int:
    return max(1, min(_BOX_PX, min(copy.width, copy.height) // 3))


def _means(
    full: PixelSource, copy: PixelSource, across: tuple[int, int], down: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of the boxes of one place in both pictures, shape (boxes, 3) each."""
    box, size = _box(copy), (across[1], down[1])
    left, top = across[0], down[0]
    right, bottom = left + across[1] * box, top + down[1] * box
    found = []
    for source in (full, copy):
        x, y = source.width / copy.width, source.height / copy.height
        edges = (left * x, top * y, right * x, bottom * y)
        window = Window(math.floor(edges[0]), math.floor(edges[1]), math.ceil(edges[2]), math.ceil(edges[3]))
        window = window.intersect(Window(0, 0, source.width, source.height))
        inside = [
            min(max(edge - start, 0.0), float(most))
            for edge, start, most in zip(
                edges, (window.x0, window.y0) * 2, (window.width, window.height) * 2, strict=True
            )
        ]
        picture = Image.fromarray(source.read(window))
        small = picture.resize(size, Image.Resampling.BOX, box=(inside[0], inside[1], inside[2], inside[3]))
        found.append(np.asarray(small, np.float64).reshape(-1, 3))
    return found[0], found[1]
