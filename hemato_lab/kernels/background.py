"""The empty background of a picture: medians of the brightest pixels of its blocks, and a surface through them.

A stored value has one of 256 densities, so that a block's medians come from counts of levels. Which pixels are the
brightest is settled among few candidates: a sparse sample of the block tells beforehand about where the threshold lies.
The surface is fitted in an orthonormal basis, in which the weighted normal equations are well conditioned.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPARSE: Final = 16
_FEWEST_SAMPLED: Final = 32
_LEAST_WEIGHT: Final = 1e-4
_LEAST_SCATTER: Final = 0.01
_NEGLIGIBLE: Final = 1e-10


def brightest_medians(
    pixels: NDArray[np.uint8], blocks: NDArray[np.int64], density: NDArray[np.float64], share: float, most_sampled: int
) -> NDArray[np.float64]:
    """Take the median density per channel of each block's brightest pixels.

    Parameters
    ----------
    pixels : (height, width, 3) uint8
    blocks : (n, 4) int64
        Half-open rectangles x0, y0, x1, y1 within the picture, none empty.
    density : (256,) float64
        Density of each stored value, 0 or more and falling strictly.
    share : float
        Pixels whose sum of densities is not above this quantile (linear interpolation) are the brightest.
    most_sampled : int
        Of a block with at least 4 times as many pixels only every second column and row is looked at, and so on.

    Returns
    -------
    (n, 3) float64
    """
    out = np.empty((len(blocks), 3), np.float64)
    _medians(
        np.ascontiguousarray(pixels), np.ascontiguousarray(blocks), density, float(share), float(most_sampled), out
    )
    return out


def fit_bright_side(
    design: NDArray[np.float64], values: NDArray[np.float64], rounds: int
) -> tuple[NDArray[np.float64], float]:
    """Fit a linear model by weighted least squares, the weights from what lies on the dark side of the fit.

    The model is fitted to the sum over the channels; what is denser is weighted down by a Gaussian of the scatter of
    the bright side. With the last weights each channel is fitted.

    Parameters
    ----------
    design : (n, terms) float64
        Terms of the model at n places.
    values : (n, 3) float64
        Density per channel.
    rounds : int
        Of reweighting, 1 or more.

    Returns
    -------
    coefficients : (terms, 3) float64
        Of least norm where the places do not determine them.
    scatter : float
        Median distance of the bright side's places from the middle of the misfits of the sum.
    """
    left, stretch, right = np.linalg.svd(design, full_matrices=False)
    kept = stretch > _NEGLIGIBLE * stretch[0]
    basis = np.ascontiguousarray(left[:, kept].T)
    fitted = np.empty((values.shape[1], len(basis)))
    scatter = _reweighted(basis, np.ascontiguousarray(values.T), rounds, fitted)
    return right[kept].T @ (fitted / stretch[kept]).T, scatter


@kernel()
def _partition(values, low, high, limit):  # type: ignore[no-untyped-def]
    """Put what is below a limit first and return where the others begin; no branch waits for a comparison."""
    middle = low
    for index in range(low, high):
        value = values[index]
        values[index] = values[middle]
        values[middle] = value
        middle += value < limit
    return middle


@kernel()
def _select(values, count, rank):  # type: ignore[no-untyped-def]
    """Bring the value of a rank among the first ones to its place, none larger before it, none smaller after."""
    low, high = 0, count
    while True:
        first, middle, last = values[low], values[(low + high) // 2], values[high - 1]
        pivot = max(min(first, middle), min(max(first, middle), last))
        below = _partition(values, low, high, pivot)
        if rank < below:
            high = below
            continue
        above = _partition(values, below, high, np.nextafter(pivot, math.inf))
        if rank < above:
            return pivot
        low = above


@kernel()
def _median(values, count):  # type: ignore[no-untyped-def]
    """Median of the first values, which change places."""
    middle = _select(values, count, count // 2)
    if count % 2 == 1:
        return middle
    below = values[0]
    for index in range(1, count // 2):
        below = max(below, values[index])
    return (below + middle) / 2


@kernel()
def _bright_bound(totals, share, sample):  # type: ignore[no-untyped-def]
    """Total that a little more than a share of the totals does not exceed, most likely: told from every 16th."""
    size = totals.size // _SPARSE
    if size < _FEWEST_SAMPLED:
        return math.inf
    for index in range(size):
        sample[index] = totals[index * _SPARSE]
    expected = share * size
    return _select(sample, size, min(int(expected + 3 * math.sqrt(expected)) + 1, size - 1))


@kernel()
def _not_above(totals, colours, bound, near, near_colours):  # type: ignore[no-untyped-def]
    """Gather the pixels whose totals do not exceed a bound; returns how many."""
    found = 0
    for index in range(totals.size):
        near[found] = totals[index]
        near_colours[found] = colours[index]
        found += totals[index] <= bound
    return found


@kernel()
def _quantile(lowest, found, count, share):  # type: ignore[no-untyped-def]
    """Quantile of `count` values by linear interpolation, as numpy computes it; the lowest of them change places."""
    place = (count - 1) * share
    rank = math.floor(place)
    part = place - rank
    low = _select(lowest, found, rank)
    if rank + 1 == count:
        return low
    high = lowest[rank + 1]
    for index in range(rank + 2, found):
        high = min(high, lowest[index])
    gap = high - low
    return high - gap * (1 - part) if part >= 0.5 else low + gap * part


@kernel()
def _count_levels(colours, density, threshold, levels):  # type: ignore[no-untyped-def]
    """Count each channel's levels over the colours whose total is not above a threshold; returns how many these are."""
    red, green, blue = levels[0], levels[1], levels[2]
    for level in range(256):
        red[level] = green[level] = blue[level] = 0
    byte, chosen = np.uint32(255), np.int64(0)
    for index in range(colours.size):
        colour = colours[index]
        one, two, three = colour & byte, colour >> np.uint32(8) & byte, colour >> np.uint32(16)
        counted = np.int64(density[one] + density[two] + density[three] <= threshold)
        red[one] += counted
        green[two] += counted
        blue[three] += counted
        chosen += counted
    return chosen


@kernel()
def _middle_level(counts, chosen, density):  # type: ignore[no-untyped-def]
    """Median density of a channel's chosen pixels from the counts of its levels, brightest level last."""
    level, passed = 255, counts[255]
    while passed <= (chosen - 1) // 2:
        level -= 1
        passed += counts[level]
    low = density[level]
    while passed <= chosen // 2:
        level -= 1
        passed += counts[level]
    return (low + density[level]) / 2


@kernel(
    types.void(
        readonly(types.uint8, 3),
        readonly(types.int64, 2),
        readonly(types.float64, 1),
        types.float64,
        types.float64,
        writable(types.float64, 2),
    )
)
def _medians(pixels, blocks, density, share, most_sampled, out):  # type: ignore[no-untyped-def]
    largest = 0
    for block in range(blocks.shape[0]):
        largest = max(largest, (blocks[block, 2] - blocks[block, 0]) * (blocks[block, 3] - blocks[block, 1]))
    sums, colours = np.empty(largest), np.empty(largest, np.uint32)
    near, near_colours = np.empty(largest), np.empty(largest, np.uint32)
    levels = np.empty((3, 256), np.int32)
    for block in range(blocks.shape[0]):
        x0, y0, x1, y1 = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
        step = max(1, int(math.sqrt((x1 - x0) * (y1 - y0) / most_sampled)))
        totals = sums[: -(-(y1 - y0) // step) * -(-(x1 - x0) // step)]
        index = 0
        for y in range(y0, y1, step):
            line = pixels[y, x0:x1]
            for x in range(0, x1 - x0, step):
                red, green, blue = line[x, 0], line[x, 1], line[x, 2]
                totals[index] = density[red] + density[green] + density[blue]
                colours[index] = np.uint32(red) | np.uint32(green) << np.uint32(8) | np.uint32(blue) << np.uint32(16)
                index += 1
        found = _not_above(totals, colours, _bright_bound(totals, share, near), near, near_colours)
        if found < min((totals.size - 1) * share + 2, totals.size):
            found = _not_above(totals, colours, math.inf, near, near_colours)
        threshold = _quantile(near, found, totals.size, share)
        chosen = _count_levels(near_colours[:found], density, threshold, levels)
        for channel in range(3):
            out[block, channel] = _middle_level(levels[channel], chosen, density)


@kernel()
def _weighted_product(one, two, weight):  # type: ignore[no-untyped-def]
    total = 0.0
    for place in range(weight.size):
        total += weight[place] * one[place] * two[place]
    return total


@kernel()
def _solve(basis, weight, values, normal, fitted):  # type: ignore[no-untyped-def]
    """Weighted least squares by the normal equations and their Cholesky factor; each row of the basis is a term."""
    for i in range(fitted.size):
        fitted[i] = _weighted_product(basis[i], values, weight)
        for j in range(i + 1):
            total = _weighted_product(basis[i], basis[j], weight)
            for k in range(j):
                total -= normal[i, k] * normal[j, k]
            normal[i, j] = math.sqrt(total) if i == j else total / normal[j, j]
        for k in range(i):
            fitted[i] -= normal[i, k] * fitted[k]
        fitted[i] /= normal[i, i]
    for i in range(fitted.size - 1, -1, -1):
        for k in range(i + 1, fitted.size):
            fitted[i] -= normal[k, i] * fitted[k]
        fitted[i] /= normal[i, i]


@kernel(types.float64(readonly(types.float64, 2), readonly(types.float64, 2), types.int64, writable(types.float64, 2)))
def _reweighted(basis, values, rounds, fitted):  # type: ignore[no-untyped-def]
    terms, places = basis.shape
    total, weight = np.empty(places), np.empty(places)
    for place in range(places):
        weight[place] = 1.0
        total[place] = values[0, place] + values[1, place] + values[2, place]
    misfit, part = np.empty(places), np.empty(places)
    normal, solution = np.empty((terms, terms)), np.empty(terms)
    scatter = 0.0
    for _ in range(rounds):
        _solve(basis, weight, total, normal, solution)
        for place in range(places):
            model = 0.0
            for term in range(terms):
                model += solution[term] * basis[term, place]
            misfit[place] = part[place] = total[place] - model
        middle = _median(part, places)
        bright = 0
        for place in range(places):
            part[bright] = middle - misfit[place]
            bright += misfit[place] < middle
        scatter = _median(part, bright) if bright > 0 else 0.0
        for place in range(places):
            dark = max(misfit[place], 0.0) / (scatter + _LEAST_SCATTER)
            weight[place] = math.exp(-dark * dark) + _LEAST_WEIGHT
    for channel in range(fitted.shape[0]):
        _solve(basis, weight, values[channel], normal, fitted[channel])
    return scatter
