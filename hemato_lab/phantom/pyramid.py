"""Write a tiled, pyramidal BigTIFF row by row: JPEG tiles, constant memory, no codec library but simplejpeg.

Layout after the BigTIFF specification (bigtiff.org) and TIFF 6.0 with Technical Note 2: every tile is a complete JPEG
stream. Tiles of all levels are written as soon as they are complete; the directories follow at the end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from hemato_lab.smear import RGB

_SHORT, _LONG, _RATIONAL, _ASCII, _LONG8 = 3, 4, 5, 2, 16
_CODES: Final = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_SIZES: Final = {_SHORT: 2, _LONG: 4, _RATIONAL: 8, _ASCII: 1, _LONG8: 8}


@dataclass
class _Level:
    width: int
    height: int
    rows: list[RGB] = field(default_factory=list)
    buffered: int = 0
    received: int = 0
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


class PyramidWriter:
    """Takes an image in rows of pixels from top to bottom and writes all levels of its pyramid.

    Parameters
    ----------
    stream : binary file
        Open for writing, at its beginning, seekable.
    width, height : int
        Of the whole image, px.
    encode : callable
        Turns the pixels of one tile into a JPEG stream in YCbCr.
    subsampling : tuple of int
        Chroma subsampling of these streams, horizontal and vertical.
    um_per_px : float
        Written as resolution.
    description : str
        Written as ImageDescription of the first level; ASCII.
    tile : int
        Side of a tile, a multiple of 32.
    """

    def __init__(
        self,
        stream: BinaryIO,
        width: int,
        height: int,
        encode: Callable[[RGB], bytes],
        *,
        subsampling: tuple[int, int],
        um_per_px: float,
        description: str,
        tile: int = 512,
    ) -> None:
        self._stream = stream
        self._encode = encode
        self._subsampling = subsampling
        self._um_per_px = um_per_px
        self._description = description
        self._tile = tile
        self._levels = [_Level(width, height)]
        while max(self._levels[-1].width, self._levels[-1].height) > tile:
            last = self._levels[-1]
            self._levels.append(_Level(-(-last.width // 2), -(-last.height // 2)))
        self._directory_link = 8
        stream.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def write(self, rows: RGB) -> None:
        """Append rows of pixels, shape (any number, width, 3), uint8."""
        self._append(0, rows)

    def close(self) -> None:
        """Write what is left of each level, then the directories."""
        for number, level in enumerate(self._levels):
            if level.buffered:
                self._flush(number, level.buffered)
        for number in range(len(self._levels)):
            self._write_directory(number)

    def _append(self, number: int, rows: RGB) -> None:
        level = self._levels[number]
        level.rows.append(rows)
        level.buffered += len(rows)
        level.received += len(rows)
        while level.buffered >= self._tile:
            self._flush(number, self._tile)

    def _flush(self, number: int, count: int) -> None:
        level = self._levels[number]
        stacked = level.rows[0] if len(level.rows) == 1 else np.concatenate(level.rows)
        band, rest = stacked[:count], stacked[count:]
        level.rows = [rest] if len(rest) else []
        level.buffered = len(rest)
        for x in range(0, level.width, self._tile):
            encoded = self._encode(_padded(band[:, x : x + self._tile], self._tile))
            level.offsets.append(self._stream.tell())
            level.lengths.append(len(encoded))
            self._stream.write(encoded)
        if number + 1 < len(self._levels):
            self._append(number + 1, _halved(band))

    def _write_directory(self, number: int) -> None:
        level = self._levels[number]
        per_cm = round(1e4 / (self._um_per_px * 2**number) * 1000)
        tags: list[tuple[int, int, list[int] | bytes]] = [
            (254, _LONG, [1 if number else 0]),
            (256, _LONG, [level.width]),
            (257, _LONG, [level.height]),
            (258, _SHORT, [8, 8, 8]),
            (259, _SHORT, [7]),
            (262, _SHORT, [6]),
            *([] if number else [(270, _ASCII, self._description.encode("ascii") + b"\0")]),
            (277, _SHORT, [3]),
            (282, _RATIONAL, [per_cm, 1000]),
            (283, _RATIONAL, [per_cm, 1000]),
            (284, _SHORT, [1]),
            (296, _SHORT, [3]),
            (322, _LONG, [self._tile]),
            (323, _LONG, [self._tile]),
            (324, _LONG8, level.offsets),
            (325, _LONG8, level.lengths),
            (530, _SHORT, list(self._subsampling)),
        ]
        self._write_tags(tags)

    def _write_tags(self, tags: list[tuple[int, int, list[int] | bytes]]) -> None:
        """Write values that do not fit into their entry, then the directory, and link it from the one before."""
        stream = self._stream
        entries = b""
        for tag, kind, values in tags:
            data = values if isinstance(values, bytes) else _packed(kind, values)
            if len(data) > 8:
                place = stream.tell()
                stream.write(data)
                data = struct.pack("<Q", place)
            count = len(values) // 2 if kind == _RATIONAL else len(values)
            entries += struct.pack("<HHQ", tag, kind, count) + data.ljust(8, b"\0")
        start = stream.tell()
        stream.write(struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", 0))
        end = stream.tell()
        stream.seek(self._directory_link)
        stream.write(struct.pack("<Q", start))
        stream.seek(end)
        self._directory_link = end - 8


def _packed(kind: int, values: list[int]) -> bytes:
    code = "I" if kind == _RATIONAL else _CODES[kind]
    return struct.pack(f"<{len(values)}{code}", *values)


def _padded(pixels: RGB, tile: int) -> RGB:
    """Grow a tile at the right or lower border to its full size with the border's own colours."""
    missing = ((0, tile - pixels.shape[0]), (0, tile - pixels.shape[1]), (0, 0))
    return np.ascontiguousarray(pixels if missing[:2] == ((0, 0), (0, 0)) else np.pad(pixels, missing, "edge"))


def _halved(pixels: RGB) -> RGB:
    """Return the mean of every 2 x 2 pixels; an odd last row or column counts twice."""
    odd = ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0))
    even = np.pad(pixels, odd, "edge") if odd[0][1] or odd[1][1] else pixels
    total = even[0::2, 0::2].astype(np.uint16)
    for down, right in ((0, 1), (1, 0), (1, 1)):
        total += even[down::2, right::2]
    return ((total + 2) // 4).astype(np.uint8)
