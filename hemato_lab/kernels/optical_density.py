"""Optical density, stain unmixing and histograms, each in one pass over the pixels.

An 8-bit channel has 256 values, so the logarithm is a lookup, and so is each channel's share in each of three stains.
The three shares of a channel value are packed into one 64-bit word as 16-bit fixed-point numbers: three loads and two
additions unmix a pixel (Ruifrok & Johnston, Anal. Quant. Cytol. Histol. 23 (2001) 291), and what is in the fields is
clipped and sorted into planes with vector instructions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, several, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIELD_BITS: Final = 16
_FRACTION_BITS: Final = 4
_STEP: Final = 12
_CHUNK: Final = 1024
LEVEL_TOLERANCE: Final = 1.5 / 2**_FRACTION_BITS
"""How far a stain level may be from the exact amount, in levels, beyond the 0.5 of rounding."""
_IMAGE = readonly(types.uint8, 3)
_COUNTS = writable(types.int64, 2)
_DOUBLES = readonly(types.float64, 2)


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
    zero : int
        What level 0 is in a field.
    """

    shares: NDArray[np.uint64]
    zero: int


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
        If high is not above low, or the range so narrow that the densities of the lookup span over 4,000 levels.
    """
    width = np.subtract(high, low)
    if not np.all(width > 0):
        raise ValueError(f"the range of a stain ends above its beginning, not {low} to {high}")
    gain = np.asarray(matrix * (255 / width), np.float64)
    start = np.zeros(3) + 0.5 - 255 * np.asarray(low) / width
    shares = np.empty(768, np.uint64)
    zero, highest = _pack(np.ascontiguousarray(lookup, np.float64), np.ascontiguousarray(gain), start, shares)
    if highest + 1 >= 2 ** (_FIELD_BITS - _FRACTION_BITS):
        raise ValueError(
            f"{low} to {high} is too narrow a range for the densities of the lookup: widen it, or cap them"
        )
    return StainTable(shares, zero)


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
    channels = pixels.reshape(-1)
    if channels.size % _STEP:
        channels = np.append(channels, np.zeros(-channels.size % _STEP, np.uint8))
    levels, counts = np.empty((3, height * width), np.uint8), np.zeros((4, 3, 256), np.int64)
    _unmix(channels.view(np.uint32), *table, levels, counts.reshape(-1))
    return Stains(levels.reshape(3, height, width), counts.sum(axis=0))


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image has shape (height, width, 3) and dtype uint8, not {image.shape} {image.dtype}")
    return np.ascontiguousarray(image)


@kernel(several(types.intp, types.float64)(_DOUBLES, _DOUBLES, writable(types.float64, 1), writable(types.uint64, 1)))
def _pack(lookup, gain, start, shares):  # type: ignore[no-untyped-def]
    """Pack what each channel's levels add to each stain, none below 0; returns where zero lies and the highest sum."""
    least, most = np.empty((3, 3)), np.empty((3, 3))
    for channel in range(3):
        for stain in range(3):
            low = high = lookup[channel, 0] * gain[channel, stain]
            for level in range(256):
                low = min(low, lookup[channel, level] * gain[channel, stain])
                high = max(high, lookup[channel, level] * gain[channel, stain])
            least[channel, stain], most[channel, stain] = low, high
            start[stain] += low
    zero = max(0, 1 - math.floor(min(start[0], start[1], start[2])))
    highest = 0.0
    for stain in range(3):
        start[stain] += zero
        span = start[stain]
        for channel in range(3):
            span += most[channel, stain] - least[channel, stain]
        highest = max(highest, span)
    for channel in range(3):
        for level in range(256):
            word = np.uint64(0)
            for stain in range(3):
                added = lookup[channel, level] * gain[channel, stain] - least[channel, stain]
                added += start[stain] if channel == 0 else 0.0
                word |= np.uint64(added * 2**_FRACTION_BITS + 0.5) << np.uint64(_FIELD_BITS * stain)
            shares[256 * channel + level] = word
    return zero, highest


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


@kernel(types.void(readonly(types.uint32, 1), readonly(types.uint64, 1), writable(types.uint64, 1)))
def _add_shares(channels, shares, words):  # type: ignore[no-untyped-def]
    """Unmix: four pixels are three 32-bit numbers of four channel values each."""
    byte, green, blue = np.uint32(255), np.uint64(256), np.uint64(512)
    for step in range(channels.size // 3):
        one, two, three = channels[3 * step], channels[3 * step + 1], channels[3 * step + 2]
        words[4 * step] = shares[one & byte] + shares[(one >> 8 & byte) + green] + shares[(one >> 16 & byte) + blue]
        words[4 * step + 1] = shares[one >> 24] + shares[(two & byte) + green] + shares[(two >> 8 & byte) + blue]
        words[4 * step + 2] = shares[two >> 16 & byte] + shares[(two >> 24) + green] + shares[(three & byte) + blue]
        words[4 * step + 3] = (
            shares[three >> 8 & byte] + shares[(three >> 16 & byte) + green] + shares[(three >> 24) + blue]
        )


@kernel()
def _clip(fields, zero, quads):  # type: ignore[no-untyped-def]
    for index in range(fields.size):
        level = np.uint16(fields[index] >> np.uint16(_FRACTION_BITS))
        level = np.uint16(max(level, zero) - zero)
        quads[index] = np.uint8(min(level, np.uint16(255)))


@kernel()
def _split(quads, one, two, three):  # type: ignore[no-untyped-def]
    for pixel in range(one.size):
        one[pixel] = quads[4 * pixel]
        two[pixel] = quads[4 * pixel + 1]
        three[pixel] = quads[4 * pixel + 2]


@kernel(
    types.void(
        readonly(types.uint32, 1),
        readonly(types.uint64, 1),
        types.uint16,
        writable(types.uint8, 2),
        writable(types.int64, 1),
    )
)
def _unmix(channels, shares, zero, levels, counts):  # type: ignore[no-untyped-def]
    """Unmix a chunk of pixels at a time, in steps that each suit the processor, all within its first cache."""
    words, quads = np.empty(_CHUNK, np.uint64), np.empty(4 * _CHUNK, np.uint8)
    fields, second, third = words.view(np.uint16), np.uint64(256), np.uint64(512)
    for start in range(0, levels.shape[1], _CHUNK):
        end = min(start + _CHUNK, levels.shape[1])
        _add_shares(channels[3 * start // 4 : 3 * (start + _CHUNK) // 4], shares, words)
        _clip(fields, zero, quads)
        _split(quads, levels[0, start:end], levels[1, start:end], levels[2, start:end])
        for pixel in range(end - start):
            # Four sets of counts take turns, so that equal neighbours do not wait for each other.
            turn = np.uint64(768 * (pixel & 3))
            counts[turn + quads[4 * pixel]] += 1
            counts[turn + second + quads[4 * pixel + 1]] += 1
            counts[turn + third + quads[4 * pixel + 2]] += 1
