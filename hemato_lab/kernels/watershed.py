"""Seeded watershed on quantised levels.

Priority flooding (Meyer, 1991; Barnes, Lehman & Mulla, Comput. Geosci. 62 (2014) 117) with one first-in first-out queue
a level, so that every step costs the same. The order of flooding is defined to the last pixel: lower levels first, a
pixel never before the one that reached it, then whichever was reached first; seeds come first, in raster order; a
pixel reaches its neighbours above, left, right, below, then the diagonal ones in raster order.

Parts of the mask that are not connected do not influence each other. So they are flooded one after the other, which
keeps what is worked on in the cache, and a part with a single seed is filled without flooding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, several, trailing_zeros, writable
from hemato_lab.kernels.runs import join_runs, runs_of_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEIGHBOURS: Final = np.array([(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)])
_LEVELS: Final = 65536
_INDICES = readonly(types.int32, 1)
_NUMBERS = writable(types.int32, 1)
_FLAGS = readonly(types.uint8, 1)
_IMAGE = readonly(types.int32, 2)
_RUNS = several(_INDICES, _INDICES, _INDICES)
_OFFSETS = readonly(types.uint64, 1)
_ROOM = writable(types.uint8, 1)
_LANDSCAPE = several(_ROOM, writable(types.uint16, 1), _NUMBERS)
_QUEUES = several(writable(types.uint32, 1), writable(types.uint32, 1), writable(types.uint64, 1))


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
    flags = mask if mask.dtype == np.bool_ else mask != 0
    edges, first = runs_of_mask(np.ascontiguousarray(flags).view(np.uint8))
    names, count = join_runs(edges, first)
    runs, starts = (edges, first, names), np.ascontiguousarray(seeds, np.int32)
    pixels, begins = _seeds_of_parts(runs, count, starts)
    # One seed fills a part that hangs together, but not through edges what hangs together by corners alone.
    flooded = (np.diff(begins) > (connectivity == 8)).view(np.uint8)
    landscape = _open_landscape(runs, flooded, np.ascontiguousarray(levels, np.uint16), starts)
    offsets = (_NEIGHBOURS @ (levels.shape[1] + 2, 1)).astype(np.uint64)
    _flood_parts(pixels, begins, flooded, offsets, 2**connectivity - 1, landscape)
    labels = np.empty(levels.shape, np.int32)
    _collect(runs, pixels, begins, flooded, landscape[2], labels)
    return labels


@kernel(several(_NUMBERS, _NUMBERS)(_RUNS, types.intp, _IMAGE))
def _seeds_of_parts(runs, count, seeds):  # type: ignore[no-untyped-def]
    """Framed places of the seeds, part by part and there in raster order, and where each part's seeds begin."""
    edges, first, names = runs
    begins, found = np.zeros(count + 1, np.int32), np.zeros(names.size, np.int32)
    for y in range(seeds.shape[0]):
        for run in range(first[y], first[y + 1]):
            number = 0
            for seed in seeds[y, edges[2 * run] : edges[2 * run + 1]]:
                number += 1 if seed > 0 else 0
            found[run] = number
            begins[names[run]] += number
    for part in range(count):
        begins[part + 1] += begins[part]
    pixels, free = np.empty(begins[count], np.int32), begins.copy()
    for y in range(seeds.shape[0]):
        for run in range(first[y], first[y + 1]):
            if found[run] > 0:
                for x in range(edges[2 * run], edges[2 * run + 1]):
                    if seeds[y, x] > 0:
                        pixels[free[names[run] - 1]] = (y + 1) * (seeds.shape[1] + 2) + x + 1
                        free[names[run] - 1] += 1
    return pixels, begins


@kernel(_LANDSCAPE(_RUNS, _FLAGS, readonly(types.uint16, 2), _IMAGE))
def _open_landscape(runs, flooded, levels, seeds):  # type: ignore[no-untyped-def]
    """Lay out, within a frame of one pixel, where there is room, the levels, and the labels so far."""
    edges, first, names = runs
    stride = levels.shape[1] + 2
    size = (levels.shape[0] + 2) * stride
    room, heights, labels = np.zeros(size, np.uint8), np.empty(size, np.uint16), np.empty(size, np.int32)
    for y in range(levels.shape[0]):
        for run in range(first[y], first[y + 1]):
            left, right, start = edges[2 * run], edges[2 * run + 1], (y + 1) * stride + 1
            here, marks = levels[y, left:right], seeds[y, left:right]
            part = labels[start + left : start + right]
            for x in range(marks.size):
                part[x] = max(marks[x], np.int32(0))
            if flooded[names[run] - 1]:
                above, open_here = heights[start + left : start + right], room[start + left : start + right]
                for x in range(marks.size):
                    above[x] = here[x]
                    open_here[x] = np.uint8(1) if marks[x] <= 0 else np.uint8(0)
    return room, heights, labels


@kernel(types.void(types.uint64, types.uint64, _QUEUES))
def _push(pixel, level, queues):  # type: ignore[no-untyped-def]
    """Append a pixel to the queue of its level."""
    following, last, waiting = queues
    following[last[level]] = pixel
    following[pixel] = 0
    last[level] = pixel
    waiting[level >> np.uint64(6)] |= np.uint64(1) << (level & np.uint64(63))


@kernel(types.uint64(types.uint64, types.uint64, _ROOM))
def _room_around(pixel, stride, room):  # type: ignore[no-untyped-def]
    """One bit for each neighbour that is free, in the order in which they are reached."""
    one, above, below = np.uint64(1), pixel - stride, pixel + stride
    straight = room[above] | room[pixel - one] << one | room[pixel + one] << np.uint64(2) | room[below] << np.uint64(3)
    upper = room[above - one] | room[above + one] << one
    lower = room[below - one] | room[below + one] << one
    return np.uint64(straight | upper << np.uint64(4) | lower << np.uint64(6))


@kernel(types.void(types.uint64, _OFFSETS, types.uint64, _LANDSCAPE, _QUEUES))
def _flood_part(lowest, offsets, reach, landscape, queues):  # type: ignore[no-untyped-def]
    """Empty the queues from the lowest level up; what is reached joins the queue of its level or the current one."""
    room, heights, labels = landscape
    following, last, waiting = queues
    one, size, stride = np.uint64(1), np.uint64(room.size), offsets[3]
    for block in range(np.intp(lowest >> np.uint64(6)), waiting.size):
        while waiting[block] != 0:
            bit = trailing_zeros(waiting[block])
            level = np.uint64(64 * block) + bit
            pixel = np.uint64(following[size + level])
            while pixel != 0:
                name = labels[pixel]
                near = _room_around(pixel, stride, room) & reach
                while near != 0:
                    other = pixel + offsets[trailing_zeros(near)]
                    near &= near - one
                    room[other] = 0
                    labels[other] = name
                    _push(other, max(level, np.uint64(heights[other])), queues)
                pixel = np.uint64(following[pixel])
            last[level] = size + level
            waiting[block] &= ~(one << bit)


@kernel(types.void(_INDICES, _INDICES, _FLAGS, _OFFSETS, types.uint64, _LANDSCAPE))
def _flood_parts(pixels, begins, flooded, offsets, reach, landscape):  # type: ignore[no-untyped-def]
    """Flood part after part.

    A queue is a list linked through `following`; its head lies behind the pixels, so that an empty queue is no special
    case. `last` holds the end of each queue, and a bit in `waiting` tells which queues are not empty. Pixel 0 lies in
    the frame and marks the end of a list.
    """
    room, heights, _ = landscape
    last = np.empty(_LEVELS, np.uint32)
    for level in range(_LEVELS):
        last[level] = room.size + level
    queues = np.empty(room.size + _LEVELS, np.uint32), last, np.zeros(_LEVELS // 64, np.uint64)
    for part in range(flooded.size):
        if flooded[part]:
            lowest = np.uint64(_LEVELS - 1)
            for index in range(begins[part], begins[part + 1]):
                height = np.uint64(heights[pixels[index]])
                lowest = min(lowest, height)
                _push(np.uint64(pixels[index]), height, queues)
            _flood_part(lowest, offsets, reach, landscape, queues)


@kernel(types.void(_RUNS, _INDICES, _INDICES, _FLAGS, _NUMBERS, writable(types.int32, 2)))
def _collect(runs, pixels, begins, flooded, framed, labels):  # type: ignore[no-untyped-def]
    """Take the labels out of the frame; a part that was not flooded has those of its one seed, or none."""
    edges, first, names = runs
    for y in range(labels.shape[0]):
        row = labels[y]
        row[:] = 0
        for run in range(first[y], first[y + 1]):
            part = names[run] - 1
            target = row[edges[2 * run] : edges[2 * run + 1]]
            if flooded[part]:
                start = (y + 1) * (row.size + 2) + 1 + edges[2 * run]
                source = framed[start : start + target.size]
                for x in range(target.size):
                    target[x] = source[x]
            elif begins[part + 1] > begins[part]:
                target[:] = framed[pixels[begins[part]]]
