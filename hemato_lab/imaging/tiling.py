"""Tiles of a field: cores that cover it without overlap, each read with a margin.

A cell belongs to the tile whose core owns its centre. The margin is wide enough that every step of a detector sees,
around any such cell, the same pixels as it would in the whole field.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError
from hemato_lab.smear import Field, Tile, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

MARGIN_DIAMETERS: Final = 13.0
"""In red-cell diameters: cells that compete with a cell (6), what a network sees around them (6), its step (1)."""


def margin_px(rbc_diameter_px: float) -> int:
    """Return the margin of a tile in pixels."""
    return math.ceil(MARGIN_DIAMETERS * rbc_diameter_px)


def tile_cores(field: Field, tile_size: int | None) -> list[Window]:
    """Return the cores of a field's tiles in raster order.

    Parameters
    ----------
    field : Field
        To cover.
    tile_size : int or None
        Side of a core in pixels; None makes the whole field one tile.

    Raises
    ------
    ConfigError
        If the size is not positive.
    """
    if tile_size is None:
        return [field.window]
    if tile_size < 1:
        raise ConfigError(f"a tile size of {tile_size} pixels is impossible", hint="use 256 or more, or None")
    return [
        Window(x, y, min(x + tile_size, field.width), min(y + tile_size, field.height))
        for y in range(0, field.height, tile_size)
        for x in range(0, field.width, tile_size)
    ]


def read_tile(field: Field, index: int, core: Window, margin: int) -> Tile:
    """Read a core with its margin, cut to the field's border."""
    window = core.expand(margin).intersect(field.window)
    return Tile(index, window, core, field.read(window))


def tiles(field: Field, index: int, tile_size: int | None, margin: int) -> Iterator[Tile]:
    """Read the tiles of a field one after the other."""
    for core in tile_cores(field, tile_size):
        yield read_tile(field, index, core, margin)
