"""Exact Euclidean distance transform.

Columns first, then rows (Meijster, Roerdink & Hesselink, Math. Morphology and its Applications to Image and Signal
Processing (2000) 331). All arithmetic is on integers, so the squared distances are exact. Cells are small, so a row is
first searched outwards a block of pixels at a time, with vector instructions; the lower envelope of parabolas is taken
only where a row holds pixels farther from the background than that search goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNREACHED: Final = np.iinfo(np.int32).max
"""What every pixel gets when the whole image is foreground: there is no background to be near to."""
_LONGEST_SIDE: Final = 32767
_UNKNOWN: Final = 65535
_BLOCK: Final = 64
_REACH: Final = 72
_BEYOND: Final = 180**2
_FLAGS = readonly(types.uint8, 1)
_HEIGHTS = writable(types.uint16, 1)
_INDICES = writable(types.int64, 1)


def squared_distance(mask: NDArray[Any]) -> NDArray[np.int32]:
    """Squared distance of every foreground pixel's centre to the nearest background pixel's centre.

    Parameters
    ----------
    mask : (height, width) bool or any integer
        Everything that is not zero is foreground. What lies outside of the image is unknown and counts as neither.

    Returns
    -------
    (height, width) int32
        0 on the background; exact. `UNREACHED` everywhere if there is no background at all.

    Raises
    ------
    ValueError
        If a side is longer than 32767 pixels, whose squared distances would not fit.
    """
    if max(mask.shape) > _LONGEST_SIDE:
        raise ValueError(
            f"a distance transform is of at most {_LONGEST_SIDE} pixels a side, not {mask.shape}: use tiles"
        )
    flags = mask if mask.dtype == np.bool_ else mask != 0
    squared = np.empty(mask.shape, np.int32)
    if mask.size:
        _transform(np.ascontiguousarray(flags).view(np.uint8), squared)
    return squared


@kernel(types.void(_FLAGS, _HEIGHTS, _HEIGHTS))
def _descend(flags, above, here):  # type: ignore[no-untyped-def]
    """Distance of each pixel of a row to the nearest background above it; the unknown stays unknown."""
    for x in range(here.size):
        step = np.uint16(above[x] + np.uint16(above[x] != np.uint16(_UNKNOWN)))
        here[x] = step & np.uint16(-np.int16(flags[x]))


@kernel(types.void(_HEIGHTS, _HEIGHTS))
def _ascend(below, here):  # type: ignore[no-untyped-def]
    for x in range(here.size):
        step = np.uint16(min(below[x], np.uint16(_UNKNOWN - 1)) + np.uint16(1))
        here[x] = min(here[x], step)


@kernel(types.boolean(_HEIGHTS, _HEIGHTS, _HEIGHTS))
def _search_row(heights, sites, best):  # type: ignore[no-untyped-def]
    """Squared distances of one row up to `_REACH`; False if a pixel lies farther from the background.

    `sites` holds the squared column distances between margins of `_REACH` that no pixel is near to; both buffers are
    padded to whole blocks.
    """
    width = heights.size
    inner = sites[_REACH : _REACH + width]
    for x in range(width):
        height = min(heights[x], np.uint16(180))
        inner[x] = np.uint16(height * height)
    for start in range(0, width, _BLOCK):
        part = best[start : start + _BLOCK]
        centre = sites[_REACH + start : _REACH + start + _BLOCK]
        largest = np.uint16(0)
        for i in range(_BLOCK):
            part[i] = centre[i]
            largest = max(largest, part[i])
        offset = 1
        while offset * offset < largest:
            if offset > _REACH:
                return False
            square = np.uint16(offset * offset)
            left = sites[_REACH + start - offset : _REACH + start - offset + _BLOCK]
            right = sites[_REACH + start + offset : _REACH + start + offset + _BLOCK]
            largest = np.uint16(0)
            for i in range(_BLOCK):
                nearest = np.uint16(min(left[i], right[i]) + square)
                part[i] = min(part[i], nearest)
                largest = max(largest, part[i])
            offset += 1
    return True


@kernel(types.void(_HEIGHTS, _INDICES, _INDICES, writable(types.int32, 1)))
def _envelope_row(heights, apexes, starts, squared):  # type: ignore[no-untyped-def]
    """Squared distances of one row as the lower envelope of the parabolas of its columns."""
    width = heights.size
    last = -1
    for x in range(width):
        if heights[x] == _UNKNOWN:
            continue
        square = np.int64(heights[x]) * np.int64(heights[x])
        begin = 0
        while last >= 0:
            apex = apexes[last]
            other = np.int64(heights[apex]) * np.int64(heights[apex])
            begin = (x * x - apex * apex + square - other) // (2 * (x - apex)) + 1
            if begin > starts[last]:
                break
            last -= 1
            begin = 0
        if begin < width:
            last += 1
            apexes[last], starts[last] = x, begin
    for x in range(width - 1, -1, -1):
        if last < 0:
            squared[x] = UNREACHED
            continue
        apex = apexes[last]
        height = np.int64(heights[apex])
        squared[x] = (x - apex) * (x - apex) + height * height
        if x == starts[last] and last > 0:
            last -= 1


@kernel(types.void(readonly(types.uint8, 2), writable(types.int32, 2)))
def _transform(mask, squared):  # type: ignore[no-untyped-def]
    height, width = mask.shape
    heights = np.empty((height, width), np.uint16)
    padded = (width + _BLOCK - 1) // _BLOCK * _BLOCK
    sites = np.full(padded + 2 * _REACH, _BEYOND, np.uint16)
    best = np.empty(padded, np.uint16)
    apexes, starts = np.empty(width, np.int64), np.empty(width, np.int64)
    sky = np.full(width, _UNKNOWN, np.uint16)
    for y in range(height):
        _descend(mask[y], heights[y - 1] if y > 0 else sky, heights[y])
    for y in range(height - 1, -1, -1):
        if y + 1 < height:
            _ascend(heights[y + 1], heights[y])
        if _search_row(heights[y], sites, best):
            row = squared[y]
            for x in range(width):
                row[x] = best[x]
        else:
            _envelope_row(heights[y], apexes, starts, squared[y])
