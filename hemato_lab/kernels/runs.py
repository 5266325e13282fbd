"""Runs: the horizontal stretches of equal pixels that labelling and measuring work on instead of single pixels."""

from __future__ import annotations

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, several, trailing_zeros, writable

_EDGES = writable(types.int32, 1)


@kernel(types.intp(types.Array(types.uint8, 1, "C"), _EDGES, types.intp))
def take_changes(changes, edges, count):  # type: ignore[no-untyped-def]
    """Append the positions of the ones among bytes that are 0 or 1; eight bytes a step. Returns the new count."""
    words = changes.view(np.uint64)
    for index in range(words.size):
        word = words[index]
        while word != 0:
            edges[count] = 8 * index + (trailing_zeros(word) >> np.uint64(3))
            count += 1
            word &= word - np.uint64(1)
    return count


@kernel(several(_EDGES, _EDGES)(readonly(types.uint8, 2)))
def runs_of_mask(mask):  # type: ignore[no-untyped-def]
    """Find the runs of ones in a mask of zeros and ones.

    Returns ``edges`` (run i covers columns edges[2 i] to edges[2 i + 1], half open) and ``first`` (runs of row y are
    first[y] to first[y + 1]).
    """
    height, width = mask.shape
    edges = np.empty(height * (width + 1) + 1, np.int32)
    first = np.empty(height + 1, np.int32)
    changes = np.zeros((width // 8 + 1) * 8, np.uint8)
    first[0] = 0
    count = 0
    for y in range(height):
        if width > 0:
            row = mask[y]
            left, right, inner = row[:-1], row[1:], changes[1:width]
            changes[0] = row[0]
            for x in range(width - 1):
                inner[x] = left[x] ^ right[x]
            changes[width] = row[width - 1]
            count = take_changes(changes, edges, count)
        first[y + 1] = count >> 1
    return edges[:count], first


@kernel(several(_EDGES, _EDGES, _EDGES)(readonly(types.int32, 2), types.intp))
def runs_of_labels(labels, highest):  # type: ignore[no-untyped-def]
    """Find the runs of equal labels from 1 to `highest`; ``edges``, ``first`` as for a mask, then each run's label."""
    height, width = labels.shape
    borders = np.empty(width + 1, np.int32)
    edges = np.empty(2 * height * width, np.int32)
    names = np.empty(height * width, np.int32)
    first = np.empty(height + 1, np.int32)
    changes = np.zeros((width // 8 + 1) * 8, np.uint8)
    first[0] = 0
    count = 0
    for y in range(height):
        if width > 0:
            row = labels[y]
            left, right, inner = row[:-1], row[1:], changes[1:width]
            changes[0] = 1
            for x in range(width - 1):
                inner[x] = left[x] != right[x]
            changes[width] = 1
            found = take_changes(changes, borders, 0)
            for index in range(found - 1):
                name = row[borders[index]]
                if 0 < name <= highest:
                    edges[2 * count] = borders[index]
                    edges[2 * count + 1] = borders[index + 1]
                    names[count] = name
                    count += 1
        first[y + 1] = count
    return edges[: 2 * count], first, names[:count]


@kernel()
def _root(parent, index):  # type: ignore[no-untyped-def]
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


@kernel(several(_EDGES, types.intp)(readonly(types.int32, 1), readonly(types.int32, 1)))
def join_runs(edges, first):  # type: ignore[no-untyped-def]
    """Label the runs of a mask by 8-connected component, in raster order of the first pixel, and count components."""
    count = first[-1]
    parent = np.arange(count, dtype=np.int32)
    for y in range(1, first.size - 1):
        above, here = first[y - 1], first[y]
        above_end, here_end = first[y], first[y + 1]
        while above < above_end and here < here_end:
            if edges[2 * above + 1] < edges[2 * here]:
                above += 1
            elif edges[2 * here + 1] < edges[2 * above]:
                here += 1
            else:
                one, other = _root(parent, above), _root(parent, here)
                if one < other:
                    parent[other] = one
                else:
                    parent[one] = other
                if edges[2 * above + 1] < edges[2 * here + 1]:
                    above += 1
                else:
                    here += 1
    names = np.empty(count, np.int32)
    total = 0
    for index in range(count):
        if parent[index] == index:
            total += 1
            names[index] = total
        else:
            names[index] = names[_root(parent, index)]
    return names, total
