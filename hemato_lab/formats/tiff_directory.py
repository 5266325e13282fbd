"""The directories of a TIFF, BigTIFF or EXIF block: which tag has which values.

Read strictly and within bounds: a directory that lies outside the file, runs in a circle or states an impossible count
is damage, never skipped, because a lost tag (predictor, orientation, colour) would give wrong pixels without a word.
Source: TIFF 6.0 specification, sections 2 and 7; BigTIFF proposal.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from hemato_lab.errors import UnreadableInputError, UnsupportedFormatError
from hemato_lab.formats.failures import damaged
from hemato_lab.formats.limits import MAX_TIFF_PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from hemato_lab.formats.stored import RandomAccess


class Tag(IntEnum):
    """The tags that are read; all others are passed over."""

    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    IMAGE_DESCRIPTION = 270
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    X_RESOLUTION = 282
    Y_RESOLUTION = 283
    PLANAR_CONFIGURATION = 284
    RESOLUTION_UNIT = 296
    PREDICTOR = 317
    COLOUR_MAP = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    SUB_IFDS = 330
    INK_SET = 332
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347


_USED: Final = frozenset(int(tag) for tag in Tag)
_TYPES: Final = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8",
    13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
_RATIONALS: Final = frozenset({5, 10})
_MAX_ENTRIES: Final = 4096


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory.

    Attributes
    ----------
    tags : mapping of int to array
        Values of each tag that this package uses, one-dimensional; fractions as float64, text as its bytes.
    byte_order : str
        ``<`` or ``>``.
    label : str
        The file, for errors.
    """

    tags: Mapping[int, NDArray[Any]]
    byte_order: str
    label: str

    def __contains__(self, tag: int) -> bool:
        return tag in self.tags

    def whole_numbers(self, tag: int) -> tuple[int, ...]:
        """Return the values of a tag that holds whole numbers; empty when the tag is absent."""
        values = self.tags.get(tag)
        if values is None:
            return ()
        if values.dtype.kind not in "ui":
            raise damaged(self.label, stage="header", reason=f"TIFF tag {tag} should hold whole numbers")
        return tuple(int(value) for value in values)

    def whole_number(self, tag: int, default: int | None = None) -> int:
        """Return the first value of a tag.

        Raises
        ------
        UnreadableInputError
            If the tag is absent and there is no default.
        """
        values = self.whole_numbers(tag)
        if values:
            return values[0]
        if default is None:
            raise damaged(self.label, stage="header", reason=f"TIFF tag {tag} is missing")
        return default

    def fraction(self, tag: int) -> float:
        """Return the first value of a tag as float, NaN when the tag is absent or divides by zero."""
        values = self.tags.get(tag)
        return float(values[0]) if values is not None and values.size else float("nan")

    def text(self, tag: int) -> str:
        """Return a text tag, empty when absent; bytes that are not UTF-8 are read as Latin-1."""
        values = self.tags.get(tag)
        if values is None or values.dtype != np.uint8:
            return ""
        raw = values.tobytes().rstrip(b"\0")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


class _DirectoryReader:
    """Knows byte order and pointer width of one file."""

    def __init__(self, access: RandomAccess, label: str) -> None:
        self.access = access
        self.label = label
        head = access.read_at(0, 8)
        orders = {b"II": "<", b"MM": ">"}
        if head[:2] not in orders:
            self.fail("no TIFF byte order")
        self.order = orders[head[:2]]
        version = self.unpack("H", head[2:4])
        self.big = version == 43
        if version not in {42, 43}:
            self.fail(f"unknown TIFF version {version}")
        if self.big and self.unpack("HH", head[4:8]) != (8, 0):
            self.fail("no BigTIFF with 8-byte offsets")
        self.first_offset = self.unpack("Q", access.read_at(8, 8)) if self.big else self.unpack("I", head[4:8])

    def fail(self, reason: str) -> NoReturn:
        raise damaged(self.label, stage="header", reason=reason)

    def unpack(self, layout: str, data: bytes) -> Any:
        values = struct.unpack(self.order + layout, data)
        return values[0] if len(values) == 1 else values

    def directory(self, offset: int) -> tuple[Directory, int]:
        """Return the directory at an offset and the offset of the next one (0: none)."""
        counter, entry_size, pointer = ("Q", 20, "Q") if self.big else ("H", 12, "I")
        counter_size = struct.calcsize("<" + counter)
        count = self.unpack(counter, self.access.read_at(offset, counter_size))
        if not 1 <= count <= _MAX_ENTRIES:
            self.fail(f"a TIFF directory with {count} tags")
        start = offset + counter_size
        entries = self.access.read_at(start, count * entry_size)
        tags: dict[int, NDArray[Any]] = {}
        for position in range(0, len(entries), entry_size):
            entry = entries[position : position + entry_size]
            tag = self.unpack("H", entry[:2])
            if tag in _USED:
                if tag in tags:
                    self.fail(f"TIFF tag {tag} is there twice")
                tags[tag] = self._values(entry, tag)
        end = start + len(entries)
        following = self.unpack(pointer, self.access.read_at(end, struct.calcsize("<" + pointer)))
        return Directory(tags, self.order, self.label), following

    def _values(self, entry: bytes, tag: int) -> NDArray[Any]:
        kind = self.unpack("H", entry[2:4])
        if kind not in _TYPES:
            self.fail(f"TIFF tag {tag} has the unknown type {kind}")
        count = self.unpack("Q", entry[4:12]) if self.big else self.unpack("I", entry[4:8])
        inline = entry[12:] if self.big else entry[8:]
        numbers = count * (2 if kind in _RATIONALS else 1)
        stored_type = np.dtype(self.order + _TYPES[kind])
        size = numbers * stored_type.itemsize
        if size > len(inline):
            data = self.access.read_at(self.unpack("Q" if self.big else "I", inline), size)
        else:
            data = inline[:size]
        values: NDArray[Any] = np.frombuffer(data, stored_type).astype(stored_type.newbyteorder("="))
        return _fractions(values) if kind in _RATIONALS else values


def _fractions(pairs: NDArray[Any]) -> NDArray[np.float64]:
    above, below = pairs[0::2].astype(np.float64), pairs[1::2].astype(np.float64)
    fractions = np.full(above.shape, np.nan)
    np.divide(above, below, out=fractions, where=below != 0)
    return fractions


def directories(access: RandomAccess, label: str) -> Iterator[Directory]:
    """Yield the directories of the main chain, in order; those of SubIFDs are not on it.

    Raises
    ------
    UnreadableInputError
        If the header or a directory is damaged, or the chain runs in a circle.
    UnsupportedFormatError
        If there are more than `MAX_TIFF_PAGES`.
    """
    reader = _DirectoryReader(access, label)
    offset, seen = reader.first_offset, set[int]()
    while offset:
        if offset in seen:
            reader.fail("its TIFF directories run in a circle")
        if len(seen) >= MAX_TIFF_PAGES:
            raise UnsupportedFormatError(
                f"has more than {MAX_TIFF_PAGES} pages", subject=label, hint="split it into several files"
            )
        seen.add(offset)
        found, offset = reader.directory(offset)
        yield found
    if not seen:
        reader.fail("a TIFF without any page")


def directories_at(access: RandomAccess, label: str, offsets: Iterable[int]) -> Iterator[Directory]:
    """Yield the directories at some offsets, as the tag SubIFDs lists them; what follows each of them is not looked at.

    Raises
    ------
    UnreadableInputError
        If one of them is damaged.
    """
    reader = _DirectoryReader(access, label)
    for offset in offsets:
        yield reader.directory(offset)[0]


def exif_directory(access: RandomAccess, label: str) -> Directory | None:
    """Return the first directory of an EXIF block, None if the block is damaged.

    Cameras and editors leave broken EXIF in sound images; it holds only the orientation and a resolution.
    """
    try:
        return next(directories(access, label))
    except UnreadableInputError:
        return None
