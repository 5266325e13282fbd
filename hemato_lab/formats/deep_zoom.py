"""A field at any magnification, in square tiles.

Level 0 is the field itself; a pixel of level k is the mean of 2^k x 2^k pixels of it. Smaller copies that a file holds
are used where they are fine enough; without them, small levels are made once and kept while there is room.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.formats.caching import ArrayCache
from hemato_lab.formats.limits import REDUCED_CACHE_BYTES
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.smear import RGB, Field, PixelSource

TILE_SIDE: Final = 256
READ_AT_ONCE: Final = 4
"""Up to this reduction a tile is made from the stored pixels below it; beyond, from a level that is kept."""
KEPT_LEVEL_BYTES: Final = 96 << 20
"""Largest level that is kept whole."""
_BAND_BYTES: Final = 64 << 20
"""Stored pixels that are read at a time while a level is made."""
_ROUNDING: Final = 1e-3
"""A stored copy counts as not coarser than a level if its factor is within this share of the level's."""

REDUCED: Final = ArrayCache(REDUCED_CACHE_BYTES)
"""Levels that were made, by content."""


@dataclass(frozen=True)
class _Copy:
    """A stored picture of the field: the field itself or a smaller copy.

    A pixel of it covers `across` x `down` pixels of the field.
    """

    source: PixelSource
    across: float
    down: float

    @property
    def factor(self) -> float:
        return max(self.across, self.down)


@dataclass(frozen=True)
class DeepZoom:
    """Tiles of a field at halving sizes.

    Attributes
    ----------
    field : Field
        What is shown. Its ``file_id`` has to name its content, as it does for every field that was opened.
    """

    field: Field

    @cached_property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of each level: the field's own, then halves rounded up, until one tile holds all."""
        sizes = [(self.field.width, self.field.height)]
        while max(sizes[-1]) > TILE_SIDE:
            width, height = sizes[-1]
            sizes.append((-(-width // 2), -(-height // 2)))
        return tuple(sizes)

    @cached_property
    def _copies(self) -> tuple[_Copy, ...]:
        """What is stored: the field itself, then ever smaller copies."""
        smaller = [_copy(self.field, source) for source in self.field.levels]
        return (_Copy(self.field.source, 1.0, 1.0), *sorted(smaller, key=lambda copy: copy.factor))

    def tile(self, level: int, column: int, row: int) -> RGB:
        """Return the pixels of one tile, shape (height, width, 3), at most `TILE_SIDE` a side.

        Raises
        ------
        ConfigError
            If there is no such tile.
        InputError
            If the file cannot be read or changed. A damaged smaller copy is passed over for the next larger one.
        """
        if not 0 <= level < len(self.levels):
            raise ConfigError(f"there is no level {level}", subject=self.field.name)
        width, height = self.levels[level]
        x, y = column * TILE_SIDE, row * TILE_SIDE
        if not (0 <= x < width and 0 <= y < height):
            raise ConfigError(f"level {level} has no tile {column}, {row}", subject=self.field.name)
        window = Window(x, y, min(x + TILE_SIDE, width), min(y + TILE_SIDE, height))
        return self._pixels(level, window, self._nearest(level))

    def _nearest(self, level: int) -> int:
        """Return which stored picture is the smallest that is not coarser than a level."""
        finest = 2**level * (1 + _ROUNDING)
        return max(index for index, copy in enumerate(self._copies) if copy.factor <= finest)

    def _pixels(self, level: int, window: Window, index: int) -> RGB:
        """Return the pixels of a window of a level, made from a stored picture, or from the next larger one."""
        try:
            if self._is_kept(level, index):
                return self._kept(level, index)[window.slices()]
            return _reduced(self._copies[index], level, window)
        except UnreadableInputError:
            if index == 0:
                raise
            return self._pixels(level, window, index - 1)

    def _is_kept(self, level: int, index: int) -> bool:
        width, height = self.levels[level]
        is_far = 2**level / self._copies[index].factor > READ_AT_ONCE * (1 + _ROUNDING)
        return is_far and width * height * 3 <= KEPT_LEVEL_BYTES

    def _kept(self, level: int, index: int) -> RGB:
        """Return a whole level, halved from the one before if that is kept too, else made from a stored picture."""

        def make() -> RGB:
            if self._is_kept(level - 1, index):
                return _mean_of_boxes(self._kept(level - 1, index), 2)
            return _reduced(self._copies[index], level, Window(0, 0, *self.levels[level]))

        field = self.field
        return REDUCED.get((field.file_id, field.name, field.width, field.height, level, index), make)


def _copy(whole: Field, source: PixelSource) -> _Copy:
    """Return a smaller copy with the factor that its writer meant.

    Writers round a side up or down: a whole number that explains both sides is meant.
    """
    across, down = whole.width / source.width, whole.height / source.height
    meant = max(1, round(math.sqrt(across * down)))
    fits = abs(whole.width / meant - source.width) < 1 and abs(whole.height / meant - source.height) < 1
    return _Copy(source, meant, meant) if fits else _Copy(source, across, down)


def _reduced(copy: _Copy, level: int, window: Window) -> RGB:
    """Return a window of a level from the stored pixels below it, which are read in bands."""
    step_x, step_y = 2**level / copy.across, 2**level / copy.down
    rows = max(1, int(_BAND_BYTES / (3 * window.width * step_x * step_y)))
    if rows >= window.height:
        return _reduced_at_once(copy.source, (step_x, step_y), window)
    out = np.empty((window.height, window.width, 3), np.uint8)
    for top in range(window.y0, window.y1, rows):
        band = Window(window.x0, top, window.x1, min(top + rows, window.y1))
        out[top - window.y0 : band.y1 - window.y0] = _reduced_at_once(copy.source, (step_x, step_y), band)
    return out


def _reduced_at_once(source: PixelSource, steps: tuple[float, float], window: Window) -> RGB:
    """Return a window whose pixels cover `steps` (across, down) pixels of a source."""
    left, right = _edges(window.x0, window.x1, steps[0], source.width)
    top, bottom = _edges(window.y0, window.y1, steps[1], source.height)
    read = Window(math.floor(left[0]), math.floor(top[0]), math.ceil(right[-1]), math.ceil(bottom[-1]))
    pixels = source.read(read)
    if steps[0] == steps[1] and steps[0] == int(steps[0]):
        return _fitted(_mean_of_boxes(pixels, int(steps[0])), window)
    down = _means(pixels.astype(np.float64), top - read.y0, bottom - read.y0)
    means = _means(down.swapaxes(0, 1), left - read.x0, right - read.x0).swapaxes(0, 1)
    return np.ascontiguousarray(np.rint(means).astype(np.uint8))


def _edges(first: int, last: int, step: float, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where pixels `first` to `last` begin and end on an axis of a source of so many pixels.

    A copy that was rounded down lacks the last of them: its own last pixel stands for these.
    """
    edges = np.arange(first, last + 1) * step
    return np.minimum(edges[:-1], length - 1), np.minimum(edges[1:], length)


def _mean_of_boxes(pixels: RGB, side: int) -> RGB:
    """Return the rounded mean of every `side` x `side` pixels, of what there is of them at the far borders."""
    if side == 1:
        return pixels
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(side))


def _means(values: NDArray[np.float64], begins: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of rows between each begin and end, parts of rows counted as parts."""
    summed = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])

    def below(edge: NDArray[np.float64]) -> NDArray[np.float64]:
        row = np.minimum(np.floor(edge).astype(np.int64), len(values) - 1)
        part = (edge - row).reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(summed[row] + part * values[row])

    lengths = (ends - begins).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((below(ends) - below(begins)) / lengths)


def _fitted(pixels: RGB, window: Window) -> RGB:
    """Return pixels of the window's size, the last row and column repeated where a stored copy lacks them."""
    missing = window.height - pixels.shape[0], window.width - pixels.shape[1]
    if missing == (0, 0):
        return pixels
    return np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
