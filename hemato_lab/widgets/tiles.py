"""Tiles of a smear as JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from hemato_lab.errors import ConfigError, HematoError
from hemato_lab.formats.deep_zoom import DeepZoom
from hemato_lab.widgets.base import Answer

if TYPE_CHECKING:
    from hemato_lab.smear import RGB, Smear
    from hemato_lab.widgets.messages import TileKey, Tiles

CLOSE_QUALITY: Final = 75
"""Of levels 0 and 1, where cells are judged."""
COLOUR_QUALITY: Final = 85
"""Of colour, where single cells are judged: a chromatin dot of 3 pixels keeps its colour to 8 grey levels."""
FAR_QUALITY: Final = 50
"""Of coarser levels, which are looked through on the way and weigh more, being full of edges."""
_FIRST_FAR_LEVEL: Final = 2
_LOW_FREQUENCIES: Final = {0: 6, 1: 9, 8: 9}
"""Place in a quantisation table, row by row, and its largest step. Larger ones, as low qualities have them, turn the
even ground of a film into patches of colour."""


def encode_jpeg(pixels: RGB, quality: int = CLOSE_QUALITY, *, is_close: bool = True) -> bytes:
    """Return pixels, shape (height, width, 3), as a JPEG stream.

    Parameters
    ----------
    pixels : RGB
        Any size.
    quality : int
        1-100 as libjpeg counts, except that slow changes of colour are always kept well.
    is_close : bool
        Whether single cells are judged: then colour is as sharp as brightness, and at least of `COLOUR_QUALITY`. With
        half as many pixels the purple of a chromatin dot runs into the blue of its ring.
    """
    stream = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    tables = [_tables(quality)[0], _tables(max(quality, COLOUR_QUALITY) if is_close else quality)[1]]
    picture.save(stream, "JPEG", qtables=tables, subsampling="4:4:4" if is_close else "4:2:0", optimize=True)
    return stream.getvalue()


@lru_cache(maxsize=8)
def _tables(quality: int) -> list[list[int]]:
    """Return the quantisation tables of brightness and colour, 64 steps each."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", quality=quality)
    stream.seek(0)
    with JpegImageFile(stream) as small:
        tables = [list(table) for _, table in sorted(small.quantization.items())]
    return [[min(step, _LOW_FREQUENCIES.get(place, step)) for place, step in enumerate(table)] for table in tables]


@dataclass(frozen=True)
class TileStore:
    """Serves the tiles of all fields of a smear."""

    smear: Smear

    @cached_property
    def zooms(self) -> tuple[DeepZoom, ...]:
        """One for each field."""
        return tuple(DeepZoom(one) for one in self.smear.fields)

    def jpeg(self, key: TileKey) -> bytes:
        """Return one tile.

        Raises
        ------
        ConfigError
            If there is no such field, level or tile.
        InputError
            If its pixels cannot be read.
        """
        field, level, column, row = key
        if not 0 <= field < len(self.zooms):
            raise ConfigError(f"there is no field {field}")
        is_close = level < _FIRST_FAR_LEVEL
        pixels = self.zooms[field].tile(level, column, row)
        return encode_jpeg(pixels, CLOSE_QUALITY if is_close else FAR_QUALITY, is_close=is_close)

    def answer(self, wanted: Tiles) -> Answer:
        """Return the tiles that can be made, one buffer each, and why the others cannot."""
        made: list[list[int]] = []
        failed: list[list[int | str]] = []
        buffers: list[bytes] = []
        for key in wanted.wanted:
            try:
                buffers.append(self.jpeg(key))
            except HematoError as error:
                failed.append([*key, str(error)])
            else:
                made.append([*key])
        return Answer({"tiles": made, "failed": failed}, buffers)
