"""Seeded watershed on quantised levels.

Priority flooding (Meyer, 1991; Barnes, Lehman & Mulla, Comput. Geosci. 62 (2014) 117) with one first-in first-out queue
a level, so that every step costs the same. The order of flooding is defined to the last pixel: lower levels first, a
pixel never before the one that reached it, then whichever was reached first; seeds come first, in raster order; a
pixel reaches its neighbours above, left, right, below, then the diagonal ones in raster order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray


def flood(
    levels: NDArray[Any], seeds: NDArray[np.int32], mask: NDArray[Any], connectivity: Literal[4, 8] = 8
) -> NDArray[np.int32]:
    """Grow seeds over a mask, low levels first.

    Equal to ``skimage.segmentation.watershed(levels, seeds, mask=mask)`` with the same connectivity whenever no two
    seed pixels share a level; between seed pixels on one level scikit-image's order depends on its heap, here the first
    in raster order floods first.

    Parameters
    ----------
    levels : (height, width) uint8 or uint16
        Height of the landscape; for splitting cells the negated, quantised distance to the background.
    seeds : (height, width) int32
        Positive where a region starts, else 0. Seeds outside of the mask are ignored.
    mask : (height, width) bool or any integer
        Where regions may grow.
    connectivity : {4, 8}
        Neighbours that a pixel floods.

    Returns
    -------
    (height, width) int32
        The seed's number on each pixel that a seed reaches inside the mask, 0 elsewhere.

    Raises
    ------
    ValueError
        If the shapes differ, or the levels are neither uint8 nor uint16.
    """
    if levels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"levels are uint8 or uint16, not {levels.dtype}: quantise them")
    if levels.shape != seeds.shape or levels.shape != mask.shape or levels.ndim != 2:
        raise ValueError(f"levels, seeds and mask differ in shape: {levels.shape}, {seeds.shape}, {mask.shape}")
    height, width = levels.shape
    framed = np.full((height + 2, width + 2), -1, np.int32)
    flags = mask if mask.dtype == np.bool_ else mask != 0
    _frame(np.ascontiguousarray(seeds, np.int32), np.ascontiguousarray(flags).view(np.uint8), framed)
    queues = np.full((2, np.iinfo(levels.dtype).max + 1), -1, np.int32)
    offsets = (_NEIGHBOURS[:connectivity] @ (width + 2, 1)).astype(np.intp)
    _flood(np.ascontiguousarray(levels, np.uint16), offsets, framed, *queues)
    return np.maximum(framed[1:-1, 1:-1], 0)


_QUEUES = writable(types.int32, 1)
_NEIGHBOURS: Final = np.array([(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)])


@kernel(types.void(readonly(types.int32, 2), readonly(types.uint8, 2), writable(types.int32, 2)))
def _frame(seeds, mask, labels):  # type: ignore[no-untyped-def]
    """Fill the inside of a bordered label image: the seed, 0 where a region may grow, -1 where nothing grows."""
    for y in range(seeds.shape[0]):
        inner, flags, starts = labels[y + 1, 1:-1], mask[y], seeds[y]
        for x in range(flags.size):
            inner[x] = max(starts[x], np.int32(0)) if flags[x] else -1


@kernel(types.void(types.int32, types.intp, _QUEUES, _QUEUES, _QUEUES))
def _push(pixel, level, first, last, following):  # type: ignore[no-untyped-def]
    """Append a pixel to the queue of its level."""
    if first[level] < 0:
        first[level] = pixel
    else:
        following[last[level]] = pixel
    last[level] = pixel
    following[pixel] = -1


@kernel(types.void(readonly(types.uint16, 2), readonly(types.intp, 1), writable(types.int32, 2), _QUEUES, _QUEUES))
def _flood(levels, offsets, framed, first, last):  # type: ignore[no-untyped-def]
    """Flood a bordered label image level by level; `first` and `last` are the ends of the queues, empty at -1."""
    stride = framed.shape[1]
    labels = framed.reshape(-1)
    heights = np.empty(labels.size, np.uint16)
    following = np.empty(labels.size, np.int32)
    for y in range(levels.shape[0]):
        row, start = levels[y], (y + 1) * stride + 1
        for x in range(row.size):
            heights[start + x] = row[x]
            if labels[start + x] > 0:
                _push(start + x, np.intp(row[x]), first, last, following)
    for level in range(first.size):
        pixel = first[level]
        while pixel >= 0:
            name = labels[pixel]
            for offset in offsets:
                near = pixel + offset
                if labels[near] == 0:
                    labels[near] = name
                    height = np.intp(heights[near])
                    _push(near, max(height, level), first, last, following)
            pixel = following[pixel]
