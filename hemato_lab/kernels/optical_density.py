"""Optical density, stain unmixing and histograms, each in one pass over the pixels.

An 8-bit channel has 256 values, so the logarithm is a lookup, and so is each channel's share in each of three stains.
The three shares of a channel value are packed into one 64-bit word as 16-bit fixed-point numbers: three loads and two
additions unmix a pixel (Ruifrok & Johnston, Anal. Quant. Cytol. Histol. 23 (2001) 291), and a fourth table rounds and
clips what is in a field.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIELD_BITS: Final = 16
_SMALLEST_FRACTION_BITS: Final = 2
_IMAGE = readonly(types.uint8, 3)
_COUNTS = writable(types.int64, 2)


class OpticalDensity(NamedTuple):
    """Densities, shape (height, width, 3) float32, and the image's histogram a channel, shape (3, 256) int64."""

    density: NDArray[np.float32]
    histogram: NDArray[np.int64]


class StainTable(NamedTuple):
    """What `unmix` looks up, made by `stain_table`.

    Attributes
    ----------
    shares : (768,) uint64
        For each channel and level the shares in the three stains, packed.
    levels : (65536,) uint8
        The level of every value that a field of the packed sum can have.
    tolerance : float
        How far a level may be from the exact amount, in levels, beyond the 0.5 of rounding.
    """

    shares: NDArray[np.uint64]
    levels: NDArray[np.uint8]
    tolerance: float


class Stains(NamedTuple):
    """Stains as levels, shape (3, height, width) uint8, and the levels' histogram a stain, shape (3, 256) int64."""

    levels: NDArray[np.uint8]
    histogram: NDArray[np.int64]


def channel_histogram(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the values of each channel of an image of shape (height, width, 3) uint8; shape (3, 256) int64."""
    counts = np.zeros((3, 256), np.int64)
    _count(_checked(image), counts)
    return counts


def background_levels(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimate the empty background of each channel as the mode of its brighter pixels.

    Parameters
    ----------
    histogram : (3, 256) int64
        Of an image whose cells lie on a brighter background.

    Returns
    -------
    (3,) float64
        Level of the highest point of the histogram, smoothed over 5 levels, at or above the channel's mean; refined to
        a fraction of a level by a parabola.

    Raises
    ------
    ValueError
        If a channel has no pixels.
    """
    totals = histogram.sum(axis=1)
    if not totals.all():
        raise ValueError("an image without pixels has no background")
    levels = np.arange(256)
    smooth = np.stack([np.convolve(channel, (1, 2, 3, 2, 1), "same") for channel in histogram]).astype(np.float64)
    bright = levels >= np.floor(histogram @ levels / totals)[:, None]
    peak = np.where(bright, smooth, -1).argmax(axis=1)
    rows = np.arange(len(histogram))
    before, after = smooth[rows, np.maximum(peak - 1, 0)], smooth[rows, np.minimum(peak + 1, 255)]
    curvature = 2 * smooth[rows, peak] - before - after
    shift = np.divide(after - before, 2 * curvature, out=np.zeros(len(peak)), where=curvature > 0)
    mode: NDArray[np.float64] = np.clip(peak + np.clip(shift, -0.5, 0.5), 0, 255)
    return mode


def density_lookup(intensity: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float32]:
    """Tabulate the optical density of every level of every channel, log10 of background over intensity.

    Parameters
    ----------
    intensity : (256,) float64
        Light behind each level, rising: ``numpy.arange(256)`` for a linear camera, the sRGB curve undone for a JPEG.
        What is darker than half of level 1 counts as that much, so that black has a finite density.
    background : (3,) float64
        Level of the empty background, fractions allowed.

    Returns
    -------
    (3, 256) float32
        Negative where a level is brighter than the background.
    """
    light = np.maximum(intensity, intensity[1] / 2)
    empty = np.interp(background, np.arange(256), light)
    return np.asarray(np.log10(empty[:, None] / light), np.float32)


def optical_density(image: NDArray[np.uint8], lookup: NDArray[np.float32]) -> OpticalDensity:
    """Look up the density of every pixel and count the image's levels on the way.

    Parameters
    ----------
    image : (height, width, 3) uint8
    lookup : (3, 256) float32
        Density of each channel's levels.
    """
    pixels = _checked(image)
    density, counts = np.empty(pixels.shape, np.float32), np.zeros((3, 256), np.int64)
    _look_up(pixels, np.ascontiguousarray(lookup, np.float32), density, counts)
    return OpticalDensity(density, counts)


def stain_table(
    lookup: NDArray[np.floating],
    matrix: NDArray[np.float64],
    *,
    low: NDArray[np.float64] | float = 0.0,
    high: NDArray[np.float64] | float = 1.0,
) -> StainTable:
    """Prepare the unmixing of three stains, ``density @ matrix``, once for all tiles of a field.

    Parameters
    ----------
    lookup : (3, 256) float
        Density of each channel's levels.
    matrix : (3, 3) float64
        Row: channel; column: stain. The inverse of the matrix of stain vectors.
    low, high : float or (3,) float64
        Amount of stain at levels 0 and 255; amounts beyond are clipped.

    Raises
    ------
    ValueError
        If high is not above low, or the range so narrow that the densities of the lookup span over 16,000 levels.
    """
    width = np.broadcast_to(np.subtract(high, low), 3)
    if not (width > 0).all():
        raise ValueError(f"the range of a stain ends above its beginning, not {low} to {high}")
    share = np.asarray(lookup, np.float64)[:, :, None] * np.asarray(matrix, np.float64)[:, None, :] * (255 / width)
    smallest = share.min(axis=1, keepdims=True)
    start = smallest.sum(axis=0)[0] + 0.5 - 255 * np.broadcast_to(low, 3) / width
    base = math.floor(start.min()) - 1
    rest = share - smallest
    rest[0] += start - base
    fraction = _FIELD_BITS - math.ceil(math.log2(rest.max(axis=1).sum(axis=0).max() + 2))
    if fraction < _SMALLEST_FRACTION_BITS:
        raise ValueError(f"the range {low} to {high} is too narrow for the densities of the lookup")
    fields = np.rint(np.ldexp(rest, fraction)).astype(np.uint64)
    shares = np.bitwise_or.reduce(fields << (np.arange(3) * _FIELD_BITS).astype(np.uint64), axis=2)
    levels = np.clip((np.arange(2**_FIELD_BITS) >> fraction) + base, 0, 255).astype(np.uint8)
    return StainTable(shares.reshape(-1), levels, 1.5 / 2**fraction)


def unmix(image: NDArray[np.uint8], table: StainTable) -> Stains:
    """Unmix three stains and count their levels on the way.

    Parameters
    ----------
    image : (height, width, 3) uint8
    table : StainTable
        Says what the stains are and which amounts the levels 0 to 255 stand for.

    Returns
    -------
    Stains
        Level ``round(255 (stain - low) / (high - low))`` of every pixel, a plane a stain, and the counts of levels.
    """
    pixels = _checked(image)
    height, width = pixels.shape[:2]
    levels, counts = np.empty((3, height * width), np.uint8), np.zeros((2, 3, 256), np.int64)
    _unmix(pixels.reshape(-1), table.shares, table.levels, levels, counts.reshape(-1))
    return Stains(levels.reshape(3, height, width), counts.sum(axis=0))


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image has shape (height, width, 3) and dtype uint8, not {image.shape} {image.dtype}")
    return np.ascontiguousarray(image)


@kernel(types.void(_IMAGE, _COUNTS))
def _count(image, counts):  # type: ignore[no-untyped-def]
    red, green, blue = counts
    for y in range(image.shape[0]):
        row = image[y]
        for x in range(row.shape[0]):
            red[row[x, 0]] += 1
            green[row[x, 1]] += 1
            blue[row[x, 2]] += 1


@kernel(types.void(_IMAGE, readonly(types.float32, 2), writable(types.float32, 3), _COUNTS))
def _look_up(image, lookup, density, counts):  # type: ignore[no-untyped-def]
    for y in range(image.shape[0]):
        row, target = image[y], density[y]
        for x in range(row.shape[0]):
            for channel in range(3):
                level = row[x, channel]
                target[x, channel] = lookup[channel, level]
                counts[channel, level] += 1


@kernel(
    types.void(
        readonly(types.uint8, 1),
        readonly(types.uint64, 1),
        readonly(types.uint8, 1),
        writable(types.uint8, 2),
        writable(types.int64, 1),
    )
)
def _unmix(pixels, shares, table, levels, counts):  # type: ignore[no-untyped-def]
    """Look up and count; two sets of counts take turns, so that equal neighbours do not wait for each other."""
    field, second, third = np.uint64(0xFFFF), np.uint64(256), np.uint64(512)
    one, two, three = levels[0], levels[1], levels[2]
    for pixel in range(one.size):
        red, green, blue = pixels[3 * pixel], pixels[3 * pixel + 1], pixels[3 * pixel + 2]
        word = shares[red] + shares[green + second] + shares[blue + third]
        turn = np.uint64(768 * (pixel & 1))
        level = table[word & field]
        one[pixel] = level
        counts[turn + level] += 1
        level = table[(word >> np.uint64(16)) & field]
        two[pixel] = level
        counts[turn + second + level] += 1
        level = table[word >> np.uint64(32)]
        three[pixel] = level
        counts[turn + third + level] += 1
